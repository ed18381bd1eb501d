/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/copy.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>

#include "audit/record.h"
#include "base/auto.h"

#define DATAGRAM_MAX (RECORD_LINE_MAX + 1024)	/* a line, and what is said of it */
#define PATHS 2

/* Where they listen, the usual place first; systemd.journal-fields(7), syslog(3) */
static const struct {
	const char	*name;
	const char	*paths[PATHS];
} daemons[] = {
	[COPY_SYSLOG] = { "syslog", { "/dev/log", "/run/systemd/journal/dev-log" } },
	[COPY_JOURNALD] = { "journald", { "/run/systemd/journal/socket", NULL } },
};
_Static_assert(ARRAY_SIZE(daemons) == COPY_NUM, "a row for each");

const char *copy_name(enum copy_to to)
{
	return daemons[to].name;
}

/* Return: a connected socket, or negative errno */
static int reach(const char *path)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int room = 2 * DATAGRAM_MAX;

	if (fd < 0)
		return -errno;
	if (!span_copy(span_str(path), to.sun_path, sizeof(to.sun_path)))
		return -ENAMETOOLONG;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));	/* what it has may do */
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	return TAKE_FD(fd);
}

bool copy_open(struct copy *c, enum copy_to to, const char *path, const char *session,
	       struct err *err)
{
	int error = -ENOENT;

	*c = (struct copy){ .to = to, .fd = -1, .session = session,
			    .datagram = buf_new(DATAGRAM_MAX) };
	for (size_t i = 0; i < PATHS && c->fd < 0; i++) {
		const char *at = path ? path : daemons[to].paths[i];
		int fd = at ? reach(at) : -ENOENT;

		if (fd < 0 && i == 0)
			error = fd;
		c->fd = fd < 0 ? -1 : fd;
		c->path = at;
	}
	return c->fd >= 0 || err_set(err, "--%s: %s: %s (is the daemon running?)", copy_name(to),
				     path ? path : daemons[to].paths[0], strerror(-error));
}

void copy_close(struct copy *c)
{
	DROP_FD(c->fd);
	buf_done(&c->datagram);
}

/* Nothing from the wire looks like this: in the text of a line quotes are escaped */
static bool has(struct span line, struct span what)
{
	return memmem(line.at, line.len, what.at, what.len);
}

static int priority_of(struct span line)
{
	if (has(line, SPAN("\"event\":\"alert\"")))
		return LOG_WARNING;
	return has(line, SPAN("\"verdict\":\"deny\"")) ||
	       has(line, SPAN("\"event\":\"denials\"")) ? LOG_NOTICE : LOG_INFO;
}

static void make_datagram(struct copy *c, struct span line)
{
	struct buf *b = &c->datagram;
	int priority = priority_of(line);

	buf_clear(b);
	if (c->to == COPY_SYSLOG)
		buf_printf(b, "<%d>sluice[%d]: ", LOG_AUTHPRIV | priority, (int)getpid());
	else
		buf_printf(b, "PRIORITY=%d\nSYSLOG_IDENTIFIER=sluice\nSLUICE_SESSION=%s\nMESSAGE=",
			   priority, c->session);
	buf_add_span(b, line);
	if (c->to == COPY_JOURNALD)
		buf_add_str(b, "\n");
}

static bool say(struct copy *c)
{
	struct span s = buf_span(&c->datagram);

	return c->fd >= 0 && !c->datagram.full &&
	       send(c->fd, s.at, s.len, MSG_NOSIGNAL) == (ssize_t)s.len;
}

/* The daemon may have been started anew since */
static bool say_again(struct copy *c)
{
	int fd;

	if (errno != ECONNREFUSED && errno != ENOTCONN && errno != EPIPE)
		return false;
	fd = reach(c->path);
	if (fd < 0)
		return false;
	DROP_FD(c->fd);
	c->fd = fd;
	return say(c);
}

void copy_lines(struct copy *c, struct span lines)
{
	ptrdiff_t end;

	while ((end = span_find(lines, '\n')) >= 0) {
		make_datagram(c, span_head(lines, (size_t)end));
		if (!say(c) && !say_again(c))
			c->lost++;
		lines = span_skip(lines, (size_t)end + 1);
	}
}
