/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/controlled.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/tail.h"
#include "base/json.h"
#include "control/place.h"
#include "control/server.h"
#include "daemon/approvals.h"
#include "daemon/clock.h"
#include "daemon/doors.h"
#include "daemon/role.h"

struct controlled {
	const struct controlled_plan *plan;
	struct keeper	*keeper;
	struct reload	*reload;	/* NULL: the policy stays as it is */
	struct control_server *server;
	time_t		 since;
	uint64_t	 reloads;
	char		 reload_error[ERR_TEXT_MAX];
};

static void begin(struct buf *b)
{
	json_open(b, '{');
	json_field_bool(b, "ok", true);
}

static void add_totals(struct buf *b, const struct keeper *k)
{
	const struct audit_totals *t = audit_totals(k->audit);

	json_field_uint(b, "connections", t->connections);
	json_field_uint(b, "open", conn_open_count(k));
	json_field_uint(b, "denied", t->denied);
	json_field_uint(b, "dns", t->dns);
	json_field_uint(b, "bytes_out", t->bytes_out);
	json_field_uint(b, "bytes_in", t->bytes_in);
	json_field_uint(b, "alerts", t->alerts);
	json_field_uint(b, "waiting", approvals_count(k->approvals));
}

#define HOSTS_MAX 64	/* of open connections, that are told apart */

/* Hosts of open connections: how many each */
static void add_hosts(struct buf *b, struct keeper *k)
{
	struct { struct span host; unsigned open; } hosts[HOSTS_MAX];
	size_t count = 0, i;

	for (size_t at = 0; at < CONN_BUCKETS; at++) {
		for (const struct conn *c = k->bucket[at]; c; c = c->next) {
			struct span host = conn_host(c);

			for (i = 0; i < count && !span_eq(hosts[i].host, host);)
				i++;
			if (i == HOSTS_MAX || !host.len || !c->has_ip)
				continue;
			if (i == count)
				hosts[count++].open = 0;
			hosts[i].host = host;
			hosts[i].open++;
		}
	}
	json_key(b, "hosts");
	json_open(b, '[');
	for (i = 0; i < count; i++) {
		json_open(b, '{');
		json_field_span(b, "host", hosts[i].host);
		json_field_uint(b, "open", hosts[i].open);
		json_close(b, '}');
	}
	json_close(b, ']');
}

/* What was denied, the last that is new first; of many some */
static void add_denials(struct buf *b, const struct summary *s)
{
	size_t told = 0;

	json_key(b, "denials");
	json_open(b, '[');
	for (size_t i = s->count; i-- > 0 && told < HOSTS_MAX;) {
		struct denied d = summary_at(s, i);

		if (d.unix_socket)
			continue;
		told++;
		json_open(b, '{');
		json_field_span(b, "host", d.host);
		json_field_uint(b, "port", d.port);
		json_field_str(b, "reason", reason_name(d.reason));
		json_field_uint(b, "times", d.times);
		json_close(b, '}');
	}
	json_close(b, ']');
}

static void tell_status(struct controlled *c, struct buf *b)
{
	struct keeper *k = c->keeper;
	char since[32];
	struct tm tm;

	strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&c->since, &tm));
	begin(b);
	json_field_str(b, "session", c->plan->session);
	json_field_uint(b, "pid", (uint64_t)getpid());
	json_field_str(b, "kind", c->plan->proxy ? "proxy" : "run");
	json_field_str(b, "mode", mode_name(policy_mode(k->policy)));
	json_field_str(b, "command", c->plan->command);
	json_field_str(b, "since", since);
	json_field_str(b, "policy_sha256", policy_sha256(k->policy));
	add_totals(b, k);
	add_hosts(b, k);
	add_denials(b, k->summary);
	json_field_uint(b, "reloads", c->reloads);
	json_field_str(b, "reload_error", c->reload_error[0] ? c->reload_error : NULL);
	json_close(b, '}');
}

static void add_question(struct buf *b, const struct controlled *c,
			 const struct approval_question *q, int64_t now_ms)
{
	const struct approval_about *a = &q->about;

	json_open(b, '{');
	json_field_uint(b, "number", q->number);
	json_field_str(b, "session", c->plan->session);
	json_field_str(b, "host", q->host);
	json_field_uint(b, "port", q->port);
	json_field_str(b, "transport", q->transport == TRANSPORT_UDP ? "udp" : "tcp");
	json_field_str(b, "reason", reason_name(a->why));
	json_field_uint(b, "waiting", q->waiting);
	json_field_uint(b, "waited_s", (uint64_t)(now_ms - q->since_ms) / 1000);
	json_field_uint(b, "left_s",
			q->until_ms > now_ms ? (uint64_t)(q->until_ms - now_ms) / 1000 : 0);
	json_field_str(b, "method", a->method[0] ? a->method : NULL);
	json_field_str(b, "path", a->path[0] ? a->path : NULL);
	json_key(b, "pid");
	json_int(b, a->pid);
	json_field_str(b, "exe", a->exe[0] ? a->exe : NULL);
	json_field_str(b, "agent_says", a->said[0] ? a->said : NULL);
	json_close(b, '}');
}

static void tell_approvals(struct controlled *c, struct buf *b)
{
	const struct approval_question *q;
	int64_t now_ms = clock_ms();

	begin(b);
	json_key(b, "approvals");
	json_open(b, '[');
	for (size_t i = 0; (q = approvals_at(c->keeper->approvals, i)); i++)
		add_question(b, c, q, now_ms);
	json_close(b, ']');
	json_close(b, '}');
}

static void tell_done(struct buf *b)
{
	begin(b);
	json_close(b, '}');
}

/* What is in the log, and so has happened */
static void tell_events(const struct controlled *c, uint64_t from, struct buf *b)
{
	uint64_t next;

	begin(b);
	json_key(b, "events");
	json_open(b, '[');
	next = tail_read(audit_fd(c->keeper->audit), from, b);
	json_close(b, ']');
	json_field_uint(b, "next", next);
	json_close(b, '}');
}

/* Is the question still about what was read?  If it was not said, by its number */
static bool is_as_read(const struct controlled *c, const struct control_request *r, struct err *err)
{
	const struct approval_question *q = approvals_find(c->keeper->approvals, r->id);

	return !r->host || !q ||
	       (!strcmp(q->host, r->host) && q->port == r->port && q->transport == r->transport) ||
	       err_set(err, "%u: that is about another host by now", r->id);
}

static void decide(struct controlled *c, const struct control_request *r, bool web, struct buf *b)
{
	struct approval_answer answer = {
		.decision = r->what == CONTROL_APPROVE ? DECISION_APPROVED : DECISION_DENIED,
		.scope = r->what == CONTROL_APPROVE ? r->scope : r->never ? SCOPE_SESSION : SCOPE_ONCE,
		.for_ms = r->for_s ? r->for_s * 1000 : APPROVAL_TIMED_MS,
		.by = web ? "web" : "control",
	};
	struct err err = { "" };

	if (is_as_read(c, r, &err) && approval_decide(c->keeper, r->id, &answer, &err))
		tell_done(b);
	else
		control_refuse(b, err.text);
}

/* A daemon that came later has its pages there: attaching would be refused now */
static void spare(const struct control_ports *ports, struct keeper *k)
{
	static_assert(ARRAY_SIZE(k->spared) == CONTROL_PORTS_MAX, "room for each");
	char line[ERR_TEXT_MAX];

	memset(k->spared, 0, sizeof(k->spared));
	for (size_t i = 0; i < ports->count; i++) {
		k->spared[i] = ports->at[i];
		if (!doors_is_host_port(k->policy, ports->at[i]))
			continue;
		snprintf(line, sizeof(line), "host port %u is the daemon's own page by now, and is refused", ports->at[i]);
		role_complain("session", line);
	}
}

static bool handle(void *arg, const struct control_request *r, const struct control_ticket *t,
		   struct buf *answer)
{
	struct controlled *c = arg;

	switch (r->what) {
	case CONTROL_STATUS:
		tell_status(c, answer);
		break;
	case CONTROL_APPROVALS:
		tell_approvals(c, answer);
		break;
	case CONTROL_APPROVE:
	case CONTROL_REJECT:
		decide(c, r, t->web, answer);
		break;
	case CONTROL_EVENTS:
		tell_events(c, r->from, answer);
		break;
	case CONTROL_RELOAD:
		if (c->reload) {
			reload_ask(c->reload);
			tell_done(answer);
		} else {
			control_refuse(answer, "the policy of this session does not change");
		}
		break;
	case CONTROL_SPARE:
		spare(&r->ports, c->keeper);
		tell_done(answer);
		break;
	case CONTROL_ATTACH:
	case CONTROL_DETACH:
	case CONTROL_HELD:
	case CONTROL_WEB:
	case CONTROL_NUM:
		control_refuse(answer, "that is the daemon's to do");
		break;
	}
	return true;
}

void controlled_reloaded(struct controlled *c, const char *why)
{
	if (!c)
		return;
	c->reloads++;
	snprintf(c->reload_error, sizeof(c->reload_error), "%s", why ? why : "");
}

struct controlled *controlled_new(const struct controlled_plan *plan, struct keeper *k,
				  struct reload *reload)
{
	struct err err = { "" };
	struct controlled *c;
	int fd;

	if (!plan->folder)
		return NULL;
	fd = control_listen(plan->folder, plan->session, &err);
	c = fd < 0 ? NULL : calloc(1, sizeof(*c));
	if (c) {
		*c = (struct controlled){ .plan = plan, .keeper = k, .reload = reload,
					  .since = time(NULL) };
		c->server = control_server_new(k->loop, fd, CONTROL_GROUP_NONE, handle, c);
	}
	if (c && c->server)
		return c;
	role_complain("no control socket", fd < 0 ? err.text : "out of memory");
	free(c);
	return NULL;
}

void controlled_free(struct controlled *c)
{
	if (!c)
		return;
	control_server_free(c->server);
	control_remove(c->plan->folder, c->plan->session);
	free(c);
}
