/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auto.h - leaf resources end with their scope
 *
 *	AUTO_CLOSE int fd = open(...);
 *	AUTO_FREE char *text = read_all(...);
 *	return TAKE(text);		(hands it on; the scope frees nothing)
 */
#ifndef SLUICE_BASE_AUTO_H
#define SLUICE_BASE_AUTO_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1u << (n))
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

static inline void auto_free(void *p)
{
	free(*(void **)p);
}

static inline void auto_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void auto_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define AUTO_FREE __attribute__((cleanup(auto_free)))
#define AUTO_CLOSE __attribute__((cleanup(auto_close)))
#define AUTO_FCLOSE __attribute__((cleanup(auto_fclose)))

/* Hand a pointer on: the variable becomes NULL */
#define TAKE(p) ({ __typeof__(p) taken_ = (p); (p) = NULL; taken_; })
/* Hand a descriptor on: the variable becomes -1 */
#define TAKE_FD(fd) ({ int taken_ = (fd); (fd) = -1; taken_; })
/* Close a descriptor now and forget it */
#define DROP_FD(fd) ({ if ((fd) >= 0) close(fd); (fd) = -1; })

#endif
