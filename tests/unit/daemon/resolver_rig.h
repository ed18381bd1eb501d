/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver_rig.h - the resolver's role in its process, asked through resolve.h
 *
 * For tests of one file each, which include daemon/resolver.c's main or link it.
 */
#ifndef SLUICE_TESTS_RESOLVER_RIG_H
#define SLUICE_TESTS_RESOLVER_RIG_H

#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "daemon/resolve.h"
#include "daemon/resolver.h"

struct role {
	pid_t		 pid;
	struct event_base *loop;
	struct resolve	*r;
	int		 died;
	char		 resolv_conf[32], hosts[32];	/* paths */
	const char	*const *more;			/* options, to a NULL */
};

struct heard {
	size_t			count;
	struct resolution	last;	/* its records are in @records */
	uint8_t			records[16384];
};

static void on_died(void *arg)
{
	((struct role *)arg)->died++;
}

static void hear(void *arg, const struct resolution *res)
{
	struct heard *h = arg;

	h->count++;
	h->last = *res;
	if (res->records.len <= sizeof(h->records) && res->records.len)
		memcpy(h->records, res->records.at, res->records.len);
	h->last.records.at = h->records;
}

static void file_write(char path[32], const char *text)
{
	int fd;

	strcpy(path, "/tmp/resolver-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void role_run(int fd, struct role *role)
{
	const char *argv[16] = { "resolver", "--resolv-conf", role->resolv_conf, "--hosts",
				 role->hosts };
	int argc = 5;

	while (role->more && *role->more && argc < 15)
		argv[argc++] = *role->more++;

	if (fd != RESOLVER_FD)
		dup2(fd, RESOLVER_FD);
	close_range(RESOLVER_FD + 1, ~0u, 0);
	_exit(resolver_main(argc, (char **)(uintptr_t)argv));
}

static struct role *role_start_with(const char *resolv_conf, const char *hosts,
				    const char *const *more)
{
	struct role *role = calloc(1, sizeof(*role));
	int fds[2];

	role->more = more;

	file_write(role->resolv_conf, resolv_conf);
	file_write(role->hosts, hosts);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	fflush(NULL);
	role->pid = fork();
	if (!role->pid)
		role_run(fds[1], role);
	close(fds[1]);
	role->loop = event_base_new();
	role->r = resolve_new(role->loop, fds[0], on_died, role);
	assert_non_null(role->r);
	return role;
}

static inline struct role *role_start(const char *resolv_conf, const char *hosts)
{
	return role_start_with(resolv_conf, hosts, NULL);
}

/* The role ends by itself when its socket closes; @signal: it was killed by that */
static void role_stop(struct role *role, int signal)
{
	int status;

	resolve_free(role->r);
	event_base_free(role->loop);
	assert_int_equal(waitpid(role->pid, &status, 0), role->pid);
	if (signal)
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signal);
	else
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	unlink(role->resolv_conf);
	unlink(role->hosts);
	free(role);
}

static void turn_for(struct role *role, suseconds_t us)
{
	struct timeval end = { .tv_usec = us };

	event_base_loopexit(role->loop, &end);
	event_base_dispatch(role->loop);
}

static void hear_within(struct role *role, struct heard *h, size_t count, int64_t limit_ms)
{
	int64_t end = clock_ms() + limit_ms;

	while (h->count < count && clock_ms() < end)
		turn_for(role, 20000);
	assert_int_equal(h->count, count);
}

static struct resolution ask_within(struct role *role, const char *host, int64_t limit_ms)
{
	struct heard h = { 0 };

	resolve_ask(role->r, span_str(host), hear, &h);
	hear_within(role, &h, 1, limit_ms);
	return h.last;
}

static inline struct resolution ask(struct role *role, const char *host)
{
	return ask_within(role, host, 3000);
}

static inline void ask_records(struct role *role, const char *host, uint16_t type, struct heard *h)
{
	*h = (struct heard){ .count = 0 };
	resolve_ask_records(role->r, span_str(host), type, hear, h);
	hear_within(role, h, 1, 9000);
}

#endif
