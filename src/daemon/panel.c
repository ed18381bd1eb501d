/* SPDX-License-Identifier: Apache-2.0 */
/*
 * panel.c - one connection to each session, and to the daemon
 *
 * A desk is one of them.  It asks when its time has come and nothing of it is under way; each line
 * that comes is the answer to the oldest thing that was asked.  A desk whose connection ends, or
 * that does not answer in time, asks the daemon for another.
 */
#include "daemon/panel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/json.h"
#include "daemon/clock.h"

#define LOOK_MS 5000		/* after the last look nothing is asked */
#define PERIOD_MS 500		/* between two questions to a session, of up to 64 of them */
#define ANSWER_LIMIT_MS 5000
#define ASKED_MAX 16		/* lines under way of one desk */
#define OPENS_MAX 64		/* sockets asked for and not passed yet: what the link holds at once */
#define EVENTS_MAX 1000		/* that are kept */
#define EVENTS_BYTES_MAX (4u << 20)

enum asked_for { ASKED_WEB, ASKED_HELD, ASKED_STATUS, ASKED_QUESTIONS, ASKED_EVENTS, ASKED_DECISION };

struct asked {
	enum asked_for	what;
	unsigned	slot;		/* of a decision: who waits */
	uint32_t	serial;
};

struct desk {
	char		 name[CONTROL_NAME_MAX + 1];	/* "": free */
	bool		 there;		/* the daemon says so; for the sync */
	int		 fd;		/* -1 */
	bool		 wanted;	/* asked of the daemon */
	int64_t		 due_ms, limit_ms;
	struct buf	 in;
	struct asked	 asked[ASKED_MAX];
	size_t		 asked_count;
	uint64_t	 from;		/* of its log */
	json_int_t	 pid;		/* of its keeper */
	json_t		*status, *questions;	/* NULL: not known now */
};

struct panel {
	int		 link;
	unsigned	 opens;		/* under way there */
	panel_told	*told;
	void		*arg;
	uint64_t	 id;		/* of this process: events of another are numbered anew */
	int64_t		 looked_ms;
	json_t		*held;
	size_t		 unseen;	/* of those that are held: there is no desk for them */
	struct desk	 desks[PANEL_SESSIONS_MAX + 1];	/* the first is the daemon's */
	size_t		 count;		/* in use, from the first on */
	struct { uint64_t serial; char *line; } events[EVENTS_MAX];	/* a ring, by serial */
	uint64_t	 first, next;	/* serials that are kept */
	size_t		 bytes;
};

/* ---- events ---- */

static void drop_event(struct panel *p)
{
	char **line = &p->events[p->first % EVENTS_MAX].line;

	p->bytes -= strlen(*line);
	free(*line);
	*line = NULL;
	p->first++;
}

static void keep_event(struct panel *p, const json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "event"));
	char *line;

	if (!kind || !strcmp(kind, "checkpoint"))
		return;
	line = json_dumps(event, JSON_COMPACT);
	if (!line)
		return;
	while (p->next > p->first &&
	       (p->next - p->first == EVENTS_MAX || p->bytes + strlen(line) > EVENTS_BYTES_MAX))
		drop_event(p);
	p->bytes += strlen(line);
	p->events[p->next++ % EVENTS_MAX].line = line;
}

/* ---- a desk ---- */

static void desk_forget(struct desk *d)
{
	json_decref(d->status);
	json_decref(d->questions);
	d->status = d->questions = NULL;
}

static void desk_close(struct panel *p, struct desk *d)
{
	for (size_t i = 0; i < d->asked_count; i++)
		if (d->asked[i].what == ASKED_DECISION)
			p->told(p->arg, d->asked[i].slot, d->asked[i].serial, (struct span){ 0 });
	d->asked_count = 0;
	DROP_FD(d->fd);
	buf_done(&d->in);
	desk_forget(d);
	d->due_ms = clock_ms() + PERIOD_MS;
}

/* A line is short: what has no room at once is stuck */
static bool desk_ask(struct panel *p, struct desk *d, const struct control_request *r, struct asked a)
{
	struct buf line = buf_new(CONTROL_LINE_MAX);
	ssize_t n = -1;

	control_request_write(r, &line);
	if (!line.full && d->asked_count < ASKED_MAX)
		n = send(d->fd, line.at, line.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0 && (size_t)n == line.len) {
		if (!d->asked_count)
			d->limit_ms = clock_ms() + ANSWER_LIMIT_MS;
		d->asked[d->asked_count++] = a;
		buf_done(&line);
		return true;
	}
	if (n >= 0)	/* half a line: it cannot go on */
		desk_close(p, d);
	buf_done(&line);
	return false;
}

static int64_t period(const struct panel *p)
{
	return PERIOD_MS * (1 + (int64_t)p->count / 64);
}

static void desk_tick(struct panel *p, struct desk *d, int64_t now)
{
	static const struct control_request held = { .what = CONTROL_HELD };
	static const struct control_request status = { .what = CONTROL_STATUS };

	if (d->asked_count && now >= d->limit_ms)
		desk_close(p, d);
	if (now - p->looked_ms > LOOK_MS || now < d->due_ms || d->asked_count)
		return;
	d->due_ms = now + period(p);
	if (d->fd >= 0 && d == p->desks)
		desk_ask(p, d, &held, (struct asked){ .what = ASKED_HELD });
	else if (d->fd >= 0)
		desk_ask(p, d, &status, (struct asked){ .what = ASKED_STATUS });
	else if (!d->wanted && p->opens == OPENS_MAX)
		d->due_ms = now;	/* as soon as there is room */
	else if (!d->wanted && send(p->link, d->name, strlen(d->name), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
		d->wanted = true;
		p->opens++;
	}
}

/* ---- which sessions there are ---- */

static struct desk *desk_of(struct panel *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (!strcmp(p->desks[i].name, name))
			return &p->desks[i];
	return NULL;
}

static void desk_add(struct panel *p, const char *name)
{
	struct desk *d = &p->desks[p->count];

	if (p->count == ARRAY_SIZE(p->desks) || !control_name_is_valid(name))
		return;
	*d = (struct desk){ .fd = -1, .there = true };
	if (span_copy(span_str(name), d->name, sizeof(d->name)))
		p->count++;
}

static void take_held(struct panel *p, const json_t *answer)
{
	json_t *list = json_object_get(answer, "held");
	size_t i;

	json_decref(p->held);
	p->held = json_incref(list);
	for (i = 1; i < p->count; i++)
		p->desks[i].there = false;
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(one, "session"));
		struct desk *d = name ? desk_of(p, name) : NULL;

		if (d)
			d->there = true;
		else if (name)
			desk_add(p, name);
	}
	for (i = 1; i < p->count; i++) {
		if (p->desks[i].there)
			continue;
		desk_close(p, &p->desks[i]);
		p->desks[i] = p->desks[--p->count];
		i--;
	}
	p->unseen = json_array_size(list) - (p->count - 1);
}

/* ---- answers ---- */

static void take_status(struct panel *p, struct desk *d, json_t *answer)
{
	const struct control_request questions = { .what = CONTROL_APPROVALS };
	struct control_request events = { .what = CONTROL_EVENTS };
	json_int_t pid = json_integer_value(json_object_get(answer, "pid"));

	json_decref(d->status);
	d->status = json_incref(answer);
	if (pid != d->pid)	/* another keeper, another log */
		d->from = 0;
	d->pid = pid;
	events.from = d->from;
	if (desk_ask(p, d, &questions, (struct asked){ .what = ASKED_QUESTIONS }))
		desk_ask(p, d, &events, (struct asked){ .what = ASKED_EVENTS });
}

static void take_events(struct panel *p, struct desk *d, const json_t *answer)
{
	json_int_t next = json_integer_value(json_object_get(answer, "next"));
	const json_t *events = json_object_get(answer, "events");

	for (size_t i = 0; i < json_array_size(events); i++)
		keep_event(p, json_array_get(events, i));
	d->from = next > 0 ? (uint64_t)next : 0;
}

static void take_answer(struct panel *p, struct desk *d, struct asked a, struct span line)
{
	json_t *answer = json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
	bool ok = json_is_true(json_object_get(answer, "ok"));

	if (a.what == ASKED_DECISION) {
		p->told(p->arg, a.slot, a.serial, answer ? line : (struct span){ 0 });
		d->due_ms = 0;	/* that changed something */
	} else if (!ok) {
		desk_close(p, d);
	} else if (a.what == ASKED_HELD) {
		take_held(p, answer);
	} else if (a.what == ASKED_STATUS) {
		take_status(p, d, answer);
	} else if (a.what == ASKED_QUESTIONS) {
		json_decref(d->questions);
		d->questions = json_incref(json_object_get(answer, "approvals"));
	} else if (a.what == ASKED_EVENTS) {
		take_events(p, d, answer);
	}
	json_decref(answer);
}

static void take_lines(struct panel *p, struct desk *d)
{
	ptrdiff_t end;

	while (d->fd >= 0 && (end = span_find(buf_span(&d->in), '\n')) >= 0) {
		struct buf line = buf_new(d->in.max);
		struct asked a = d->asked[0];

		if (!d->asked_count) {
			desk_close(p, d);
			return;
		}
		memmove(d->asked, d->asked + 1, --d->asked_count * sizeof(*d->asked));
		d->limit_ms = clock_ms() + ANSWER_LIMIT_MS;
		buf_add(&line, d->in.at, (size_t)end);
		buf_consume(&d->in, (size_t)end + 1);
		take_answer(p, d, a, buf_span(&line));
		buf_done(&line);
	}
}

static void desk_turn(struct panel *p, struct desk *d)
{
	static uint8_t bytes[65536];
	ssize_t n = recv(d->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !buf_add(&d->in, bytes, (size_t)n))
		desk_close(p, d);
	else
		take_lines(p, d);
}

/* ---- the daemon passes a socket ---- */

static bool link_turn(struct panel *p)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control;
	struct panel_open open;
	struct iovec iov = { &open, sizeof(open) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(p->link, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n == sizeof(open) ? CMSG_FIRSTHDR(&m) : NULL;
	AUTO_CLOSE int fd = -1;
	struct desk *d;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n != sizeof(open))
		return false;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	open.name[sizeof(open.name) - 1] = '\0';
	p->opens -= p->opens > 0;
	d = desk_of(p, open.name);
	if (!d)
		return true;
	d->wanted = false;
	if (open.error == EAGAIN)	/* of many: those that were too much for a second */
		d->due_ms = clock_ms() + PERIOD_MS;
	if (fd < 0 || d->fd >= 0)
		return true;
	d->fd = TAKE_FD(fd);
	d->in = buf_new((d == p->desks ? CONTROL_HELD_MAX : CONTROL_ANSWER_MAX) + 1);
	d->asked[0] = (struct asked){ .what = ASKED_WEB };	/* the daemon has asked for that */
	d->asked_count = 1;
	d->limit_ms = clock_ms() + ANSWER_LIMIT_MS;
	d->due_ms = 0;
	return true;
}

/* ---- the whole ---- */

struct panel *panel_new(int link, panel_told *told, void *arg)
{
	struct panel *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	*p = (struct panel){ .link = link, .told = told, .arg = arg, .count = 1, .first = 1, .next = 1,
			     .looked_ms = -LOOK_MS - 1 };
	p->desks[0] = (struct desk){ .name = CONTROL_DAEMON, .fd = -1 };
	if (getrandom(&p->id, sizeof(p->id), 0) != sizeof(p->id)) {
		free(p);
		return NULL;
	}
	return p;
}

void panel_look(struct panel *p)
{
	p->looked_ms = clock_ms();
}

size_t panel_gather(struct panel *p, struct pollfd *ret)
{
	int64_t now = clock_ms();

	ret[0] = (struct pollfd){ p->link, POLLIN, 0 };
	for (size_t i = 0; i < p->count; i++)
		desk_tick(p, &p->desks[i], now);
	for (size_t i = 0; i < p->count; i++)
		ret[1 + i] = (struct pollfd){ p->desks[i].fd, POLLIN, 0 };
	return 1 + p->count;
}

bool panel_turn(struct panel *p, const struct pollfd *polled, size_t count)
{
	/* desks move when one goes: by descriptor, from the last on */
	for (size_t i = count; i-- > 1;)
		for (size_t k = 0; polled[i].fd >= 0 && polled[i].revents && k < p->count; k++)
			if (p->desks[k].fd == polled[i].fd) {
				desk_turn(p, &p->desks[k]);
				break;
			}
	return !polled[0].revents || link_turn(p);
}

static void put(struct buf *b, const char *key, const json_t *value, bool *first)
{
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	if (!text)
		return;
	if (!*first)
		buf_add_str(b, ",");
	*first = false;
	if (key) {
		json_str(b, key);
		buf_add_str(b, ":");
	}
	buf_add_str(b, text);
	free(text);
}

static void put_all(const struct panel *p, bool questions, struct buf *b)
{
	bool first = true;

	for (size_t i = 1; i < p->count; i++) {
		const struct desk *d = &p->desks[i];

		put(b, NULL, questions ? d->questions : d->status, &first);
	}
}

void panel_state(const struct panel *p, uint64_t after, struct buf *b)
{
	bool first = true;

	buf_printf(b, "{\"id\":\"%016llx\",\"now\":%lld,\"daemon\":%s,\"held\":[",
		   (unsigned long long)p->id, (long long)clock_ms(), p->desks[0].fd >= 0 ? "true" : "false");
	for (size_t i = 0; i < json_array_size(p->held); i++)
		put(b, NULL, json_array_get(p->held, i), &first);
	buf_printf(b, "],\"unseen\":%zu,\"sessions\":[", p->unseen);
	put_all(p, false, b);
	buf_add_str(b, "],\"approvals\":[");
	put_all(p, true, b);
	buf_printf(b, "],\"next\":%llu,\"events\":[", (unsigned long long)p->next - 1);
	if (after >= p->next)
		after = 0;
	first = true;
	for (uint64_t s = after + 1 > p->first ? after + 1 : p->first; s < p->next; s++) {
		buf_add_str(b, first ? "" : ",");
		buf_add_str(b, p->events[s % EVENTS_MAX].line);
		first = false;
	}
	buf_add_str(b, "]}");
}

bool panel_decide(struct panel *p, const char *session, const struct control_request *r,
		  unsigned slot, uint32_t serial)
{
	struct desk *d = desk_of(p, session);

	return d && d != p->desks && d->fd >= 0 &&
	       desk_ask(p, d, r, (struct asked){ ASKED_DECISION, slot, serial });
}
