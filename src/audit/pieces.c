/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/pieces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/lines.h"
#include "base/auto.h"

bool piece_path(const char *path, unsigned index, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s.%u", path, index) < PATH_MAX;
}

unsigned pieces_next(const char *path)
{
	char piece[PATH_MAX];
	struct stat st;
	unsigned index = 1;

	while (piece_path(path, index, piece) && lstat(piece, &st) == 0)
		index++;
	return index;
}

/* Open the piece of a number: it is FILE if it has that name no more, or not yet.  -1: errno */
static int open_piece(const struct pieces *p, unsigned index)
{
	char piece[PATH_MAX];
	int fd = piece_path(p->path, index, piece) ? open(piece, O_RDONLY | O_CLOEXEC) : -1;

	return fd < 0 && errno == ENOENT ? open(p->path, O_RDONLY | O_CLOEXEC) : fd;
}

int pieces_open(struct pieces *p, const char *path, bool last)
{
	*p = (struct pieces){ .fd = -1, .index = 1 };
	if (!strcmp(path, "-")) {
		p->fd = dup(STDIN_FILENO);
		return p->fd < 0 ? -errno : 0;
	}
	if (!span_copy(span_str(path), p->path, sizeof(p->path)))
		return -ENAMETOOLONG;
	if (last)
		p->index = pieces_next(path);
	p->fd = last ? open(path, O_RDONLY | O_CLOEXEC) : open_piece(p, 1);
	return p->fd < 0 ? -errno : 0;
}

void pieces_close(struct pieces *p)
{
	DROP_FD(p->fd);
}

int pieces_rewind(struct pieces *p)
{
	int fd = p->path[0] ? open_piece(p, 1) : -1;

	if (!p->path[0])
		return lseek(p->fd, 0, SEEK_SET) < 0 ? -errno : 0;
	if (fd < 0)
		return -errno;
	close(p->fd);
	p->fd = fd;
	p->index = 1;
	p->before = 0;
	return 0;
}

/* Has what is being read the name of its number, so that it is whole? */
static bool is_rotated(const struct pieces *p)
{
	char piece[PATH_MAX];
	struct stat here, named;

	return p->path[0] && piece_path(p->path, p->index, piece) && fstat(p->fd, &here) == 0 &&
	       stat(piece, &named) == 0 && here.st_dev == named.st_dev &&
	       here.st_ino == named.st_ino;
}

static int next_piece(struct pieces *p)
{
	int fd = open_piece(p, p->index + 1);

	/* between the two steps of a rotation there is no FILE: it comes */
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	close(p->fd);
	p->fd = fd;
	p->index++;
	return 1;
}

ssize_t pieces_read(void *pieces, void *dst, size_t len)
{
	struct pieces *p = pieces;
	ssize_t got;
	int moved;

	while (!(got = lines_read_fd(&p->fd, dst, len)) && is_rotated(p)) {
		/* what came between the read and the look */
		off_t end = lseek(p->fd, 0, SEEK_CUR);

		got = lines_read_fd(&p->fd, dst, len);
		if (got)
			break;
		moved = next_piece(p);
		if (moved <= 0)
			return moved;
		p->before += end > 0 ? (uint64_t)end : 0;
	}
	return got;
}
