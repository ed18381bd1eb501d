/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jail/jail.h"
#include "policy/approval.h"
#include "policy/load.h"
#include "proto/dns_msg.h"

#define QUIET_ROUNDS 6

static struct desk *now;	/* whose world the stand-ins are */

static const struct msg_type accepts[KEEPER_SAYS_NUM] = {
	[KEEPER_BIND] = { "bind", 1, HOST_MAX, false },
	[KEEPER_ALLOW] = { "allow", sizeof(struct talk_allow), sizeof(struct talk_allow), true },
	[KEEPER_PASS] = { "pass", sizeof(struct talk_pass), sizeof(struct talk_pass), false },
	[KEEPER_DENY] = { "deny", sizeof(struct talk_deny),
			  sizeof(struct talk_deny) + TALK_BODY_MAX, false },
	[KEEPER_DNS] = { "dns", sizeof(struct talk_dns_answer),
			 sizeof(struct talk_dns_answer) + HOST_MAX, false },
	[KEEPER_POLICY] = { "policy", sizeof(struct talk_policy), sizeof(struct talk_policy), true },
	[KEEPER_RULE] = { "rule", sizeof(struct talk_rule), sizeof(struct talk_rule), false },
	[KEEPER_KILL] = { "kill", sizeof(struct talk_kill), sizeof(struct talk_kill), false },
	[KEEPER_TARGET] = { "target", sizeof(struct talk_target), sizeof(struct talk_target), false },
	[KEEPER_WAIT] = { "wait", 0, 0, false },
	[KEEPER_FINISH] = { "finish", 0, 0, false },
};

/* ---- the rest of the world ---- */

void resolve_ask(struct resolve *r, struct span host, resolve_done *done, void *arg)
{
	(void)r, (void)host;
	if (!now->resolve_waits || now->asked_count == DESK_PARKED) {
		done(arg, &now->resolution);
		return;
	}
	now->asked[now->asked_count].done = done;
	now->asked[now->asked_count++].arg = arg;
}

/* The same table: of records nobody waits but in the tests of resolve.c */
void resolve_ask_records(struct resolve *r, struct span host, uint16_t type, resolve_done *done,
			 void *arg)
{
	(void)type;
	resolve_ask(r, host, done, arg);
}

static void dial_over(dial_done *done, void *arg, const struct permit *permit, bool well)
{
	int ends[2];

	if (!well || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		done(arg, -1, NULL, ECONNREFUSED);
		return;
	}
	close(ends[1]);
	done(arg, ends[0], &permit->addrs[0], 0);
}

struct dial *dial_start(struct event_base *loop, const struct permit *permit, dial_done *done,
			void *arg)
{
	struct desk_dial *d;

	(void)loop;
	assert(!now->k.closed && permit->count);
	now->last_permit = *permit;
	now->dial_count++;
	if (now->dials != DIALS_WAIT || now->parked_count == DESK_PARKED) {
		dial_over(done, arg, permit, now->dials != DIALS_FAIL);
		return NULL;
	}
	d = malloc(sizeof(*d));
	*d = (struct desk_dial){ done, arg, *permit };
	now->parked[now->parked_count++] = d;
	return (struct dial *)(void *)d;
}

void dial_cancel(struct dial *dial)
{
	for (size_t i = 0; i < now->parked_count; i++)
		if (now->parked[i] == (void *)dial)
			now->parked[i] = NULL;
	free(dial);
}

int link_open(int nft_fd, const struct link_batch *l)
{
	(void)nft_fd, (void)l;
	return now->link_result;
}

int link_change(int nft_fd, const struct link_batch *before, const struct link_batch *after)
{
	(void)nft_fd, (void)before, (void)after;
	now->link_changes++;
	return now->link_result;
}

int porter_socket(int porter_fd, uint16_t port)
{
	(void)porter_fd, (void)port;
	return now->dials == DIALS_FAIL ? -ECONNREFUSED : open("/dev/null", O_RDWR | O_CLOEXEC);
}

void desk_resolved(struct desk *d, size_t at)
{
	resolve_done *done = d->asked[at].done;

	d->asked[at].done = NULL;
	if (done)
		done(d->asked[at].arg, &d->resolution);
}

void desk_dialled(struct desk *d, size_t at, bool well)
{
	struct desk_dial *dial = d->parked[at];

	d->parked[at] = NULL;
	if (dial)
		dial_over(dial->done, dial->arg, &dial->permit, well);
	free(dial);
}

/* ---- the desk ---- */

static struct policy *compile(const char *first)
{
	static const char rules[] =
		"allow:\n"
		"  - host: " DESK_HOST "\n"
		"    ports: [22, 80, 443, 8080, 123/udp]\n"
		"  - host: " DESK_HOST "\n"
		"    ports: [8443]\n"
		"    private: true\n"
		"  - ip: " DESK_LITERAL "\n"
		"    ports: [22]\n";
	static char pair[] = "15432:5432", port[] = "3000";
	static char *const host_ports[] = { pair, NULL };
	static char *const publishes[] = { port, NULL };
	char text[1024];
	struct policy_file file = { LAYER_FLAG, "desk.yaml", { 0 } };
	struct policy_input in = { .files = &file, .file_count = 1, .host_ports = host_ports,
				   .publishes = publishes };
	struct err err = { "" };
	struct policy *p;

	snprintf(text, sizeof(text), "version: 1\n%s%s", first, rules);
	file.text = span_str(text);
	p = policy_load(&in, &err);
	if (!p)
		fprintf(stderr, "%s\n", err.text);
	return p;
}

static void on_closed(void *arg, const char *why)
{
	struct desk *d = arg;

	d->closed = why;
}

static void open_log(struct desk *d)
{
	struct audit_options log = { .path = d->log, .key_path = d->key, .session = "desk" };
	struct audit_start start = { .mode = policy_mode(d->policy), .command = "true",
				     .policy_sha256 = policy_sha256(d->policy), .version = "0" };
	struct err err = { "" };

	strcpy(d->dir, "/tmp/desk-XXXXXX");
	assert(mkdtemp(d->dir));
	snprintf(d->log, sizeof(d->log), "%s/log", d->dir);
	snprintf(d->key, sizeof(d->key), "%s/audit.key", d->dir);
	d->k.audit = audit_open(&log, &err);
	if (!d->k.audit)
		fprintf(stderr, "%s\n", err.text);
	assert(d->k.audit);
	audit_session_start(d->k.audit, &start);
}

static void open_desk(struct desk *d, const char *first)
{
	struct policy_settings s;
	struct seed seed = { { 1 } };
	struct err err = { "" };
	int ends[2];

	memset(d, 0, sizeof(*d));
	now = d;
	d->policy = compile(first);
	assert(d->policy);
	s = policy_settings(d->policy);
	d->resolution = (struct resolution){ .count = 1, .addrs = { addr_v4(0x08080808) } };
	d->k = (struct keeper){
		.loop = event_base_new(), .policy = d->policy, .summary = &d->summary,
		.bindings = bindings_new(&s.synthetic4, &s.synthetic6, &seed),
		.nft_fd = -1, .porter_fd = -1, .on_closed = on_closed, .arg = d,
	};
	open_log(d);
	assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	msg_link_init(&d->gate, ends[1], accepts, ARRAY_SIZE(accepts));
	assert(keeper_start(&d->k, ends[0], &err));
}

void desk_open(struct desk *d)
{
	open_desk(d, "");
}

void desk_open_asking(struct desk *d)
{
	open_desk(d, "default: ask\n");
	d->k.approvals = approvals_new(DESK_ASK_MS);
	assert(d->k.approvals);
}

static void remove_all(const struct desk *d)
{
	char pub[96];

	snprintf(pub, sizeof(pub), "%s.pub", d->key);
	unlink(pub);
	unlink(d->key);
	unlink(d->log);
	rmdir(d->dir);
}

void desk_done(struct desk *d)
{
	keeper_close(&d->k, "the session is over");
	for (size_t i = 0; i < d->asked_count; i++)
		desk_resolved(d, i);
	audit_session_end(d->k.audit, 0);
	keeper_done(&d->k);
	for (size_t i = 0; i < d->parked_count; i++)
		assert(!d->parked[i]);
	while (d->answer_next < d->answer_count)
		DROP_FD(d->answers[d->answer_next++].fd);
	if (audit_close(d->k.audit) == 0)	/* of each connection allowed there is one end */
		assert(desk_count(d, "conn.close", "") ==
		       desk_count(d, "conn.open", "\"verdict\":\"allow\""));
	remove_all(d);
	msg_link_done(&d->gate);
	bindings_free(d->k.bindings);
	approvals_free(d->k.approvals);
	summary_done(&d->summary);
	policy_free(d->policy);
	event_base_free(d->k.loop);
}

static void note(void *arg, const struct msg *m)
{
	struct desk *d = arg;
	struct answer_seen *a;

	if (d->answer_next == d->answer_count)
		d->answer_next = d->answer_count = 0;
	if (d->answer_count == DESK_ANSWERS) {
		if (m->fd >= 0)
			close(m->fd);
		return;
	}
	a = &d->answers[d->answer_count++];
	*a = (struct answer_seen){ .type = m->type, .id = m->id, .fd = m->fd };
	if (m->type == KEEPER_DENY)
		memcpy(&a->deny, m->payload.at, sizeof(a->deny));
	if (m->type == KEEPER_KILL)
		memcpy(&a->kill, m->payload.at, sizeof(a->kill));
	if (m->type == KEEPER_DNS)
		memcpy(&a->dns, m->payload.at, sizeof(a->dns));
	if (m->type == KEEPER_TARGET)
		memcpy(&a->target, m->payload.at, sizeof(a->target));
}

void desk_run(struct desk *d)
{
	if (msg_flush(&d->gate) < 0)
		return;
	for (int round = 0; round < QUIET_ROUNDS; round++)
		event_base_loop(d->k.loop, EVLOOP_NONBLOCK);
	while (msg_read(&d->gate, note, d) > 0)
		;
}

void desk_say(struct desk *d, enum gate_says what, uint32_t id, const void *head, size_t len,
	      struct span tail)
{
	int r = msg_put(&d->gate, (uint16_t)what, id, head, len, tail, -1);

	assert(r == 0);
	desk_run(d);
}

const struct answer_seen *desk_answer(struct desk *d)
{
	desk_run(d);
	return d->answer_next < d->answer_count ? &d->answers[d->answer_next++] : NULL;
}

struct addr desk_bind_name(struct desk *d, const char *host)
{
	struct talk_dns_ask ask = { .type = DNS_A, .plain = 1 };
	const struct answer_seen *a;

	desk_say(d, GATE_DNS, 1, &ask, sizeof(ask), span_str(host));
	a = desk_answer(d);
	if (a && a->type == KEEPER_BIND)
		a = desk_answer(d);
	assert(a && a->type == KEEPER_DNS && a->dns.has_addr);
	return a->dns.addr;
}

struct addr desk_bind(struct desk *d)
{
	return desk_bind_name(d, DESK_HOST);
}

size_t desk_count(const struct desk *d, const char *event, const char *text)
{
	FILE *f = fopen(d->log, "re");
	char *line = NULL, mark[64];
	size_t size = 0, count = 0;

	snprintf(mark, sizeof(mark), "\"event\":\"%s\"", event);
	while (f && getline(&line, &size, f) > 0)
		count += strstr(line, mark) && strstr(line, text);
	free(line);
	if (f)
		fclose(f);
	return count;
}
