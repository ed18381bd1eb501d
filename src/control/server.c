/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/json.h"

struct client {
	struct control_server *server;
	int		 fd;		/* -1: the slot is free */
	uint32_t	 serial;	/* of who has it now */
	bool		 privileged;
	uid_t		 uid;
	bool		 waiting;	/* for control_answer() */
	bool		 web;		/* it gave up the rest */
	struct event	 ev;
	struct buf	 in, out;
};

struct control_server {
	struct event_base *loop;
	int		 fd;
	struct event	 ev;
	gid_t		 group;
	uint32_t	 serial;
	control_handle	*handle;
	void		*arg;
	struct client	 clients[CONTROL_CLIENTS_MAX];
};

void control_refuse(struct buf *answer, const char *why)
{
	json_open(answer, '{');
	json_field_bool(answer, "ok", false);
	json_field_str(answer, "error", why);
	json_close(answer, '}');
}

static void client_close(struct client *c)
{
	event_del(&c->ev);
	DROP_FD(c->fd);
	buf_done(&c->in);
	buf_done(&c->out);
}

/* Reading and answering with a name is all that it may from now on, for good */
static void become_web(struct client *c, struct buf *answer)
{
	size_t others = 0;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		others += &c->server->clients[i] != c && c->server->clients[i].fd >= 0 &&
			  c->server->clients[i].web;
	c->web = true;
	if (others >= CONTROL_WEB_MAX) {
		control_refuse(answer, "there are enough of its kind");
		return;
	}
	json_open(answer, '{');
	json_field_bool(answer, "ok", true);
	json_close(answer, '}');
}

static void answer_line(struct client *c, struct span line)
{
	struct control_server *s = c->server;
	struct control_ticket t = { (unsigned)(c - s->clients), c->serial, c->privileged, c->uid, c->web };
	struct control_request r;
	const char *why;
	bool understood = control_request_parse(line, &r, &why);
	struct buf answer = buf_new(control_answer_max(&r));

	if (!understood)
		control_refuse(&answer, why);
	else if (r.what == CONTROL_WEB)
		become_web(c, &answer);
	else if (c->web && !control_request_is_web(&r))
		control_refuse(&answer, "not from the dashboard");
	else
		c->waiting = !s->handle(s->arg, &r, &t, &answer);
	control_request_done(&r);
	if (answer.full) {
		buf_clear(&answer);
		control_refuse(&answer, "the answer is too long");
	}
	if (!c->waiting) {
		buf_add_span(&c->out, buf_span(&answer));
		buf_add_str(&c->out, "\n");
	}
	buf_done(&answer);
}

/* Whole lines, as long as there is room for what is said to them.  Return: false: end it */
static bool take_lines(struct client *c)
{
	ptrdiff_t end;

	while (!c->out.len && !c->waiting && (end = span_find(buf_span(&c->in), '\n')) >= 0) {
		answer_line(c, span_head(buf_span(&c->in), (size_t)end));
		buf_consume(&c->in, (size_t)end + 1);
	}
	return !c->out.full && (c->out.len || c->waiting || c->in.len < CONTROL_LINE_MAX);
}

static bool client_read(struct client *c)
{
	char bytes[CONTROL_LINE_MAX];
	ssize_t n = recv(c->fd, bytes, CONTROL_LINE_MAX - c->in.len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	return n > 0 && buf_add(&c->in, bytes, (size_t)n);
}

static bool client_write(struct client *c)
{
	ssize_t n;

	while (c->out.len) {
		n = send(c->fd, c->out.at, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		buf_consume(&c->out, (size_t)n);
	}
	return true;
}

static void on_client(evutil_socket_t fd, short what, void *arg);

/* While an answer waits for room, or for what it tells of, nothing more is read */
static void client_arm(struct client *c)
{
	static const struct timeval idle = { .tv_sec = CONTROL_IDLE_S };
	short what = c->out.len ? EV_WRITE : c->waiting ? 0 : EV_READ;

	event_assign(&c->ev, c->server->loop, c->fd, what, on_client, c);
	event_add(&c->ev, &idle);
}

/* Answer what lies there, and wait for more; or close it if not @ok */
static void client_go_on(struct client *c, bool ok)
{
	while (ok && !c->out.len && !c->waiting && span_find(buf_span(&c->in), '\n') >= 0)
		ok = take_lines(c) && client_write(c);
	if (ok && !c->out.len && !c->waiting)
		ok = c->in.len < CONTROL_LINE_MAX;
	if (!ok) {
		client_close(c);
		return;
	}
	event_del(&c->ev);
	client_arm(c);
}

static void on_client(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	bool ok = !(what & EV_TIMEOUT);

	(void)fd;
	if (ok && what & EV_READ)
		ok = client_read(c);
	if (ok && what & EV_WRITE)
		ok = client_write(c);
	client_go_on(c, ok);
}

void control_answer(struct control_server *s, const struct control_ticket *t, struct span answer)
{
	struct client *c = &s->clients[t->slot];

	if (c->fd < 0 || c->serial != t->serial || !c->waiting)
		return;
	c->waiting = false;
	client_go_on(c, buf_add_span(&c->out, answer) && buf_add_str(&c->out, "\n") &&
			client_write(c));
}

/* Is it this user or root?  *@ret_uid: who it is, in any case */
static bool is_ours(int fd, uid_t *ret_uid)
{
	socklen_t len = sizeof(struct ucred);
	struct ucred who = { .uid = (uid_t)-1 };
	bool told = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0;

	*ret_uid = who.uid;
	return told && (who.uid == geteuid() || who.uid == 0);
}

/* Its groups as they were when it connected */
static bool is_of_group(int fd, gid_t group)
{
	gid_t groups[NGROUPS_MAX];
	socklen_t len = sizeof(groups);
	struct ucred who;

	if (group == CONTROL_GROUP_NONE || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	len = sizeof(who);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.gid == group;
}

static struct client *free_slot(struct control_server *s, bool privileged)
{
	struct client *found = NULL;
	size_t others = 0;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (s->clients[i].fd < 0)
			found = &s->clients[i];
		else
			others += !s->clients[i].privileged;
	}
	return privileged || others < CONTROL_GROUP_MAX ? found : NULL;
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct control_server *s = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	uid_t uid;
	bool ours = is_ours(fd, &uid);
	struct client *c = free_slot(s, ours);

	(void)what;
	if (fd < 0)
		return;
	if (!c || (!ours && !is_of_group(fd, s->group))) {
		close(fd);
		return;
	}
	*c = (struct client){ .server = s, .fd = fd, .serial = ++s->serial, .privileged = ours, .uid = uid,
			      .in = buf_new(CONTROL_LINE_MAX), .out = buf_new(CONTROL_HELD_MAX + 1) };
	client_arm(c);
}

struct control_server *control_server_new(struct event_base *loop, int fd, gid_t group,
					  control_handle *handle, void *arg)
{
	struct control_server *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return NULL;
	}
	*s = (struct control_server){ .loop = loop, .fd = fd, .group = group,
					.handle = handle, .arg = arg };
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		s->clients[i].fd = -1;
	event_assign(&s->ev, loop, fd, EV_READ | EV_PERSIST, on_accept, s);
	event_add(&s->ev, NULL);
	return s;
}

void control_server_free(struct control_server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (s->clients[i].fd >= 0)
			client_close(&s->clients[i]);
	event_del(&s->ev);
	close(s->fd);
	free(s);
}
