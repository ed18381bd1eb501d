/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c - who holds a socket
 *
 * The kernel has no answer to that; only /proc/PID/fd/N says "socket:[INODE]",
 * one descriptor at a time.  So what is seen on the way is remembered, and looked
 * at again before it is believed.  In order of cost:
 *
 *	1. the place where this socket was seen
 *	2. the processes that were found last: most programs make many connections
 *	3. all, from where the last look was cut off, within the bounds of process.h
 *
 * Only `fd` and `exe` are read: neither waits for anything that the agent can
 * hold up, as its memory (cmdline) could be.
 */
#include "jail/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/auto.h"

#define SEEN_SLOTS 1024		/* sockets whose place is remembered, by inode */
#define PIDS_MAX 16384		/* processes that are listed; what is beyond is not looked at */
#define RECENT 4		/* processes that are looked at first */
#define SCAN_LIMIT_US 5000
#define SCAN_SHARE 20		/* one part in so many of all time */
#define SCAN_SAVED_US 50000	/* time for scans that may add up: a burst of ten */
#define SPENT CLOCK_THREAD_CPUTIME_ID	/* what others do meanwhile is not the agent's doing */
#define CLOCK_EVERY 16		/* descriptors between two looks at the clock */
#define LINK_MAX 64		/* bytes of "socket:[4294967295]" and more */

struct sighting {
	uint32_t	inode;	/* 0: free */
	uint32_t	pid, fd;
};

struct processes {
	int		 diag, proc;
	uint32_t	 recent[RECENT];	/* 0: none */
	uint32_t	 cut_at;	/* the process at which the last scan ran out of time */
	uint32_t	 pids[PIDS_MAX];	/* scratch */
	int64_t		 saved_us;	/* for scans */
	int64_t		 since_us;	/* when that was counted */
	struct sighting	 seen[SEEN_SLOTS];
};

/* One look for an inode, with its end */
struct search {
	struct processes *p;
	uint32_t	 inode;
	int64_t		 end_us;
	unsigned	 looks;
	bool		 over;		/* of time */
};

static int64_t clock_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct processes *processes_new(int diag_fd, pid_t init)
{
	struct processes *p;
	struct statfs fs;
	char path[64];
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/root/proc", (int)init);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs) || fs.f_type != PROC_SUPER_MAGIC)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->diag = diag_fd;
	p->proc = TAKE_FD(fd);
	p->saved_us = SCAN_SAVED_US;
	p->since_us = clock_us(CLOCK_MONOTONIC);
	return p;
}

void processes_free(struct processes *p)
{
	if (!p)
		return;
	close(p->proc);
	free(p);
}

/* A number, and nothing else; 0: it is none */
static uint32_t number_of(const char *text)
{
	uint64_t n = 0;

	return span_u64(span_str(text), UINT32_MAX, &n) ? (uint32_t)n : 0;
}

/* The inode of a descriptor that is a socket; 0: it is none.  Paths begin with '/'. */
static uint32_t socket_of(int folder, const char *path)
{
	static const struct span before = SPAN("socket:["), after = SPAN("]");
	char text[LINK_MAX];
	ssize_t n = readlinkat(folder, path, text, sizeof(text));
	struct span s = span_of(text, n > 0 ? (size_t)n : 0);
	uint64_t inode;

	if (!span_starts(s, before) || !span_ends(s, after))
		return 0;
	s = span_skip(span_head(s, s.len - after.len), before.len);
	return span_u64(s, UINT32_MAX, &inode) ? (uint32_t)inode : 0;
}

static bool out_of_time(struct search *s)
{
	if (++s->looks % CLOCK_EVERY == 0 && clock_us(SPENT) > s->end_us)
		s->over = true;
	return s->over;
}

/* The sockets of one process.  Return: it holds the one that is looked for. */
static bool look_at(struct search *s, uint32_t pid)
{
	const struct dirent *e;
	char path[32];
	bool found = false;
	DIR *folder;
	int fd;

	snprintf(path, sizeof(path), "%u/fd", pid);
	fd = openat(s->p->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder = fd < 0 ? NULL : fdopendir(fd);
	if (!folder) {
		DROP_FD(fd);
		out_of_time(s);
		return false;
	}
	while (!found && !out_of_time(s) && (e = readdir(folder))) {
		uint32_t inode = socket_of(fd, e->d_name);

		if (!inode)
			continue;
		s->p->seen[inode % SEEN_SLOTS] =
			(struct sighting){ inode, pid, number_of(e->d_name) };
		found = inode == s->inode;
	}
	closedir(folder);
	return found;
}

/* Where it was seen: is it there still? */
static uint32_t holder_seen(const struct search *s)
{
	const struct sighting *at = &s->p->seen[s->inode % SEEN_SLOTS];
	char path[48];

	if (at->inode != s->inode)
		return 0;
	snprintf(path, sizeof(path), "%u/fd/%u", at->pid, at->fd);
	return socket_of(s->p->proc, path) == s->inode ? at->pid : 0;
}

static uint32_t holder_recent(struct search *s)
{
	for (size_t i = 0; i < RECENT && !s->over; i++)
		if (s->p->recent[i] && look_at(s, s->p->recent[i]))
			return s->p->recent[i];
	return 0;
}

/* The numbers of all processes, in order, as far as time and room allow */
static size_t all_pids(struct search *s)
{
	int fd = openat(s->p->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *all = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	size_t count = 0;

	if (!all) {
		DROP_FD(fd);
		return 0;
	}
	while (count < PIDS_MAX && !out_of_time(s) && (e = readdir(all))) {
		s->p->pids[count] = number_of(e->d_name);
		count += s->p->pids[count] != 0;
	}
	closedir(all);
	return count;
}

/* The youngest first: most programs that connect were started for that */
static uint32_t holder_any(struct search *s)
{
	struct processes *p = s->p;
	size_t count = all_pids(s), first = count, at;

	while (p->cut_at && first && p->pids[first - 1] > p->cut_at)
		first--;
	p->cut_at = 0;
	for (size_t i = 0; i < count && !s->over; i++) {
		at = (first + count - 1 - i) % count;
		if (look_at(s, p->pids[at]))
			return p->pids[at];
		if (s->over)
			p->cut_at = p->pids[at];
	}
	return 0;
}

/* Time adds up while nobody looks; a look is begun only if there is some */
static bool search_begin(struct search *s)
{
	struct processes *p = s->p;
	int64_t now = clock_us(CLOCK_MONOTONIC);
	int64_t saved = p->saved_us + (now - p->since_us) / SCAN_SHARE;

	p->saved_us = saved < SCAN_SAVED_US ? saved : SCAN_SAVED_US;
	p->since_us = now;
	s->end_us = clock_us(SPENT) + SCAN_LIMIT_US;
	return p->saved_us > 0;
}

static uint32_t holder_of(struct processes *p, uint32_t inode)
{
	struct search s = { .p = p, .inode = inode };
	uint32_t pid = holder_seen(&s);

	if (pid || !search_begin(&s))
		return pid;
	pid = holder_recent(&s);
	if (!pid && !s.over)
		pid = holder_any(&s);
	p->saved_us -= clock_us(SPENT) - (s.end_us - SCAN_LIMIT_US);
	return pid;
}

static void remember(struct processes *p, uint32_t pid)
{
	size_t at = 0;

	while (at < RECENT - 1 && p->recent[at] != pid)
		at++;
	memmove(p->recent + 1, p->recent, at * sizeof(p->recent[0]));
	p->recent[0] = pid;
}

static void read_exe(struct processes *p, struct process *ret)
{
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "%u/exe", (unsigned)ret->pid);
	n = readlinkat(p->proc, path, ret->exe, sizeof(ret->exe));
	ret->exe_len = n > 0 ? (size_t)n : 0;
}

bool process_of_socket(struct processes *p, const struct socket_key *key, struct process *ret)
{
	uint32_t inode = p ? diag_inode(p->diag, key) : 0;

	ret->exe_len = 0;
	ret->pid = inode ? (pid_t)holder_of(p, inode) : 0;
	if (!ret->pid)
		return false;
	remember(p, (uint32_t)ret->pid);
	read_exe(p, ret);
	return true;
}

/* Its numbers in each namespace, ours first.  Nothing in that file before it can hold a newline. */
pid_t process_of_thread(pid_t tid)
{
	char path[32], text[4096];
	const char *line;
	int inside = 0;
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, "\nNStgid:");
	return line && sscanf(line + strlen("\nNStgid:"), "%*d %d", &inside) == 1 ? inside : 0;
}
