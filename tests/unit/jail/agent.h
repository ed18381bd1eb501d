/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - what agents do in test_broker.c: listen, connect, look at the clock */
#ifndef SLUICE_TESTS_AGENT_H
#define SLUICE_TESTS_AGENT_H

#include <netinet/in.h>
#include <time.h>

#include "jailed.h"

/* A new one for each test; names without a slash are in it */
static char dir[] = "/tmp/sluice-broker-XXXXXX";

static inline struct sockaddr_un un(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (name[0] == '/' || name[0] == '.')
		snprintf(a.sun_path, sizeof(a.sun_path), "%.107s", name);
	else
		snprintf(a.sun_path, sizeof(a.sun_path), "%s/%.80s", dir, name);
	return a;
}

static inline int un_listen(const char *name, int backlog)
{
	struct sockaddr_un a = un(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, backlog)) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline int un_connect_fd(int fd, const char *name)
{
	struct sockaddr_un a = un(name);

	return connect(fd, (struct sockaddr *)&a, sizeof(a)) ? errno : 0;
}

/* errno, or 0 */
static inline int un_connect(const char *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = un_connect_fd(fd, name);

	close(fd);
	return rc;
}

static inline bool readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

static inline int tcp_listen(int backlog, struct sockaddr_in *ret_addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*ret_addr);

	*ret_addr = (struct sockaddr_in){ .sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(fd, (struct sockaddr *)ret_addr, len) || listen(fd, backlog) ||
	    getsockname(fd, (struct sockaddr *)ret_addr, &len))
		return -1;
	return fd;
}

static inline int tcp_connect(int fd, const struct sockaddr_in *a)
{
	return connect(fd, (const struct sockaddr *)a, sizeof(*a)) ? errno : 0;
}

static inline int tcp(int flags)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
