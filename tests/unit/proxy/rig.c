/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/wire.h"
#include "policy/load.h"
#include "proxy/ask.h"
#include "proxy/explicit.h"
#include "proxy/meter.h"

#define QUIET_ROUNDS 8		/* turns of the loop without an event */

static const struct msg_type accepts[GATE_SAYS_NUM] = {
	[GATE_READY] = { "ready", 0, 0, false },
	[GATE_ASK] = { "ask", sizeof(struct talk_ask), 8192, false },
	[GATE_ASK_AGAIN] = { "ask again", sizeof(struct talk_ask), 8192, false },
	[GATE_TARGET] = { "target", sizeof(struct talk_ask), 8192, false },
	[GATE_CLOSED] = { "closed", sizeof(struct talk_closed), sizeof(struct talk_closed), false },
	[GATE_HTTP] = { "http", sizeof(struct talk_http), 8192, false },
	[GATE_ALERT] = { "alert", sizeof(struct talk_alert), 8192, false },
	[GATE_DROP] = { "drop", sizeof(struct talk_drop), sizeof(struct talk_drop), false },
};

_Noreturn void proxy_fail(const char *why)
{
	print_error("the gate ends: %s\n", why);
	abort();
}

void proxy_tell(struct proxy *x, enum gate_says what, uint32_t id, const void *head, size_t len,
		struct span tail)
{
	assert_int_equal(msg_put(x->keeper, (uint16_t)what, id, head, len, tail, -1), 0);
}

static void note(void *arg, const struct msg *m)
{
	struct rig *r = arg;
	struct told *t;

	assert_true(r->told_count < RIG_MESSAGES);
	t = &r->told[r->told_count++];
	memset(t, 0, sizeof(*t));
	t->type = m->type;
	t->id = m->id;
	assert_true(m->payload.len <= sizeof(t->bytes));
	memcpy(t->bytes, m->payload.at, m->payload.len);
	memcpy(&t->ask, t->bytes, accepts[m->type].min);
	t->tail = span_skip(span_of(t->bytes, m->payload.len), accepts[m->type].min);
}

const char *rig_rule_more = "";

static struct policy *compile(void)
{
	char text[1024];
	struct policy_file file = { LAYER_FLAG, "rig.yaml" };
	struct policy_input in = { .files = &file, .file_count = 1 };
	struct err err = { "" };
	struct policy *p;

	snprintf(text, sizeof(text),
		 "version: 1\n"
		 "allow:\n"
		 "  - host: " RIG_HOST "\n"
		 "    ports: [22, 80, 443, 8080%s]\n%s",
		 *rig_rule_more ? "" : ", 123/udp, 4433/udp", rig_rule_more);
	file.text = span_str(text);
	p = policy_load(&in, &err);

	if (!p)
		fail_msg("%s", err.text);
	return p;
}

void rig_open(struct rig *r, size_t flows_max)
{
	struct policy_settings s;
	struct seed seed = { { 1 } };
	uint32_t index;
	int ends[2];

	memset(r, 0, sizeof(*r));
	r->told = calloc(RIG_MESSAGES, sizeof(*r->told));
	r->policy = compile();
	s = policy_settings(r->policy);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	msg_link_init(&r->gate, ends[0], NULL, 0);
	msg_link_init(&r->keeper, ends[1], accepts, ARRAY_SIZE(accepts));
	r->x = (struct proxy){
		.loop = event_base_new(), .keeper = &r->gate, .policy = r->policy,
		.bindings = bindings_new(&s.synthetic4, &s.synthetic6, &seed),
		.flows = flow_table_new(flows_max), .udp = udp_table_new(&seed, flows_max),
		.raw4 = -1, .raw6 = -1, .now_s = 1000,
	};
	assert_true(meter_policy(&r->x, r->policy));
	index = binding_learn(r->x.bindings, SPAN(RIG_HOST));
	r->host = binding_addr4(r->x.bindings, index);
}

void rig_done(struct rig *r)
{
	flow_finish(&r->x);
	udp_finish(&r->x);
	assert_int_equal(flow_count(r->x.flows), 0);
	meter_done(&r->x);
	event_base_free(r->x.loop);
	flow_table_free(r->x.flows);
	udp_table_free(r->x.udp);
	bindings_free(r->x.bindings);
	msg_link_done(&r->gate);
	msg_link_done(&r->keeper);
	policy_free(r->policy);
	free(r->told);
}

void rig_hear(struct rig *r)
{
	assert_int_equal(msg_flush(&r->gate), 0);
	while (msg_read(&r->keeper, note, r) > 0)
		;
}

void rig_run(struct rig *r)
{
	for (int round = 0; round < QUIET_ROUNDS; round++) {
		usleep(200);
		event_base_loop(r->x.loop, EVLOOP_NONBLOCK);
	}
	rig_hear(r);
}

void rig_seconds(struct rig *r, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		r->x.now_s++;
		flow_tick(&r->x);
		udp_tick(&r->x);
	}
	rig_run(r);
}

const struct told *rig_told(struct rig *r, enum gate_says type)
{
	rig_run(r);
	if (r->told_next == r->told_count)
		fail_msg("the keeper was told nothing, not %d", type);
	assert_int_equal(r->told[r->told_next].type, type);
	return &r->told[r->told_next++];
}

void rig_told_nothing(struct rig *r)
{
	rig_run(r);
	if (r->told_next != r->told_count)
		fail_msg("the keeper was told %d", r->told[r->told_next].type);
}

/* One for all pairs of the process: a fuzzer makes more of them than there are ports */
static int listener_of_all(struct sockaddr_in *ret_sa)
{
	static int listener = -1;
	socklen_t len = sizeof(*ret_sa);

	if (listener < 0) {
		*ret_sa = (struct sockaddr_in){ .sin_family = AF_INET,
						.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(listener, (struct sockaddr *)ret_sa, len), 0);
		assert_int_equal(listen(listener, 1), 0);
	}
	assert_int_equal(getsockname(listener, (struct sockaddr *)ret_sa, &len), 0);
	return listener;
}

void rig_pair(int ends[2])
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	int listener = listener_of_all(&sa), on = 1;

	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ends[0], (struct sockaddr *)&sa, len), 0);
	ends[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(ends[1] >= 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ioctl(ends[i], FIONBIO, &on), 0);
		setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
}

static struct line come_in(struct rig *r, enum door door, const struct addr *dst, uint16_t port)
{
	const struct linger inherited = { .l_onoff = 1 };	/* of the jail's listeners */
	struct line l = { -1, -1, 0, 0, 0 };
	struct flow *f;
	int ends[2];

	rig_pair(ends);
	setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &inherited, sizeof(inherited));
	l.client = ends[0];
	f = flow_new(&r->x, ends[1], door, dst, port);
	assert_non_null(f);
	l.ref = f->ref;
	return l;
}

struct line rig_connect(struct rig *r, uint16_t port)
{
	return come_in(r, DOOR_JAIL, &r->host, port);
}

struct line rig_visit(struct rig *r, enum door door)
{
	struct addr own = addr_v4(INADDR_LOOPBACK);
	struct line l = come_in(r, door, &own, 3128);

	rig_drive(r, &l);
	return l;
}

void rig_drive(struct rig *r, struct line *l)
{
	flow_drive(flow_find(r->x.flows, l->ref));
}

static struct flow *flow_of(struct rig *r, const struct line *l)
{
	struct flow *f = flow_find(r->x.flows, l->ref);

	assert_non_null(f);
	return f;
}

void rig_known(struct rig *r, const struct line *l)
{
	explicit_known(flow_of(r, l), &r->host);
}

static void less_room(int fd, int bytes)
{
	if (bytes)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

void rig_allow(struct rig *r, struct line *l, bool watch, bool http)
{
	struct talk_allow a = { .watch = watch, .http = http };
	struct flow *f = flow_of(r, l);
	int ends[2];

	rig_pair(ends);
	less_room(f->agent, l->client_room);
	less_room(ends[1], l->server_room);
	l->server = ends[0];
	ask_allowed(f, &a, ends[1]);
}

void rig_deny(struct rig *r, struct line *l, enum reason reason, const char *body)
{
	struct talk_deny d = { .reason = (uint8_t)reason, .status = 403 };

	ask_denied(flow_of(r, l), &d, span_str(body));
}

void rig_hang_up(struct line *l)
{
	DROP_FD(l->client);
	DROP_FD(l->server);
}

void say_bytes(int fd, struct span bytes)
{
	assert_int_equal(send(fd, bytes.at, bytes.len, MSG_NOSIGNAL), bytes.len);
}

void say(int fd, const char *text)
{
	say_bytes(fd, span_str(text));
}

void heard(struct rig *r, int fd, const char *text)
{
	char got[65536];
	size_t len = 0;
	ssize_t n;

	rig_run(r);
	while (len < sizeof(got) - 1 && (n = recv(fd, got + len, sizeof(got) - 1 - len, 0)) > 0)
		len += (size_t)n;
	got[len] = '\0';
	assert_string_equal(got, text);
}

void heard_end(struct rig *r, int fd)
{
	char byte;

	rig_run(r);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

void heard_reset(struct rig *r, int fd)
{
	char byte;

	rig_run(r);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
}

struct span client_hello(const char *sni, uint8_t at[512])
{
	struct wire_out w = { .at = at, .size = 512 };
	uint16_t name = (uint16_t)strlen(sni);
	static const uint8_t random[32];

	wire_put_u8(&w, 22);
	wire_put_u16(&w, 0x0301);
	wire_put_u16(&w, (uint16_t)(4 + 2 + 32 + 1 + 4 + 2 + 2 + 9 + name));
	wire_put_u8(&w, 1);
	wire_put_u8(&w, 0);
	wire_put_u16(&w, (uint16_t)(2 + 32 + 1 + 4 + 2 + 2 + 9 + name));
	wire_put_u16(&w, 0x0303);
	wire_put(&w, random, sizeof(random));
	wire_put_u8(&w, 0);		/* session */
	wire_put_u16(&w, 2);
	wire_put_u16(&w, 0x1301);
	wire_put_u16(&w, 0x0100);	/* compression */
	wire_put_u16(&w, (uint16_t)(9 + name));
	wire_put_u16(&w, 0);		/* server_name */
	wire_put_u16(&w, (uint16_t)(5 + name));
	wire_put_u16(&w, (uint16_t)(3 + name));
	wire_put_u8(&w, 0);
	wire_put_u16(&w, name);
	wire_put(&w, sni, name);
	return span_of(at, w.len);
}
