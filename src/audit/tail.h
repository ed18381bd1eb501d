/* SPDX-License-Identifier: Apache-2.0 */
/* tail.h - the newest records of a log that is being written, for who watches */
#ifndef SLUICE_AUDIT_TAIL_H
#define SLUICE_AUDIT_TAIL_H

#include "base/buf.h"

#define TAIL_READ_MAX 65536u	/* bytes of the file in one reading */

/*
 * tail_read() - records from byte @from of the file on, as they stand there, with commas between
 *
 * Of more than TAIL_READ_MAX bytes only the last are read; a line that does not begin or end
 * in them is left out, as is one that is not whole yet.  A file that was read beyond its end is
 * another one (log.rotate), and read anew.  What is no regular file has no records.
 * Return: where to go on.
 */
uint64_t tail_read(int fd, uint64_t from, struct buf *b);

#endif
