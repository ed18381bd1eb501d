/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pieces.h - a log that was rotated, read as one
 *
 * With log.rotate a log that has grown to that size becomes FILE.1, the next time FILE.2, and
 * so on; FILE is where it goes on.  Nothing is written anew and nothing is deleted: one chain
 * runs through all of them, so what is lost or swapped shows as it does within a file.
 */
#ifndef SLUICE_AUDIT_PIECES_H
#define SLUICE_AUDIT_PIECES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pieces {
	char		 path[PATH_MAX];	/* FILE; "" while standard input is read */
	int		 fd;		/* owned: the piece that is being read; -1 */
	unsigned	 index;		/* its number, from 1; that of FILE is one more than the last */
	uint64_t	 before;	/* bytes of the pieces that were read to their end */
};

/*
 * pieces_open() - from the first piece on, or, with @last, only from FILE on
 * @path:	FILE, or "-" for standard input
 *
 * Return: 0, or negative errno.  -ENOENT if there is neither FILE nor FILE.1.
 */
int pieces_open(struct pieces *p, const char *path, bool last);
void pieces_close(struct pieces *p);

/* To the start of the first piece.  Return: 0, or negative errno: a pipe has no way back */
int pieces_rewind(struct pieces *p);

/* A lines_read (lines.h); @pieces: a struct pieces.  At the end it may be called again: if the
 * log has grown, or was rotated meanwhile, it goes on. */
ssize_t pieces_read(void *pieces, void *dst, size_t len);

/* FILE.@index.  Return: false if that is too long for a path */
bool piece_path(const char *path, unsigned index, char ret[PATH_MAX]);

/* The number that FILE gets when it is rotated next */
unsigned pieces_next(const char *path);

#endif
