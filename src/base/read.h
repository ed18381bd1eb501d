/* SPDX-License-Identifier: Apache-2.0 */
/* read.h - whole files into a buffer */
#ifndef SLUICE_BASE_READ_H
#define SLUICE_BASE_READ_H

#include "base/buf.h"

/*
 * read_all() - add what @fd still has, to its end
 *
 * Return: false and errno if it cannot be read; EFBIG if @b is full then (too long, or
 *         memory is out).  @b has what came before that.
 */
bool read_all(int fd, struct buf *b);

/*
 * read_regular() - add the bytes of the regular file @path
 *
 * Anything else is neither waited for nor read: a pipe, a terminal, a device.
 *
 * Return: as read_all(); EINVAL if it is none, or what open(2) says.
 */
bool read_regular(const char *path, struct buf *b);

#endif
