/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/explicit.h"
#include "proxy/handshake.h"
#include "proxy/meter.h"
#include "proxy/streams.h"
#include "proxy/tls.h"

#include <assert.h>
#include <sys/socket.h>

/* Successor sets, for the table below only */
enum {
	LOOK = BIT(FLOW_LOOK), TARGET = BIT(FLOW_TARGET), ASK = BIT(FLOW_ASK),
	CONNECT = BIT(FLOW_CONNECT), RELAY = BIT(FLOW_RELAY),
	INSPECT = BIT(FLOW_INSPECT), HTTP = BIT(FLOW_HTTP), STREAMS = BIT(FLOW_STREAMS),
	CUT = BIT(FLOW_CUT), DENY = BIT(FLOW_DENY), OVER = BIT(FLOW_OVER),
};

static unsigned over_step(struct flow *f);

static const struct stage {
	const char	*name;
	unsigned	(*step)(struct flow *f);
	unsigned	 next;		/* every state that may follow */
	uint32_t	 limit_s;	/* without a byte moved; then the flow ends */
	enum flow_end	 end;		/* as this */
} stages[] = {
	[FLOW_LOOK]  = { "look",  look_step,  ASK | OVER,		10,   END_LIMIT },
	[FLOW_TARGET] = { "target", explicit_step, ASK | HTTP | OVER,	0,    END_CLIENT },
	[FLOW_ASK]   = { "ask",   ask_step, LOOK | ASK | CONNECT | INSPECT | RELAY | HTTP | DENY |
			 OVER, 60, END_LIMIT },
	[FLOW_CONNECT] = { "connect", connect_step, ASK | INSPECT | RELAY | HTTP | OVER, 7,
			   END_ERROR },
	[FLOW_INSPECT] = { "inspect", inspect_step, ASK | HTTP | STREAMS | DENY | OVER,
			 9, END_ERROR },
	[FLOW_RELAY] = { "relay", relay_step, ASK | CUT | DENY | OVER,	7200, END_IDLE },
	[FLOW_HTTP]  = { "http",  http_step,  TARGET | ASK | RELAY | CUT | DENY | OVER, 7200,
			 END_IDLE },
	[FLOW_STREAMS] = { "streams", streams_step, DENY | OVER,	7200, END_IDLE },
	[FLOW_CUT]   = { "cut",   cut_step,   OVER,			10,   END_LIMIT },
	[FLOW_DENY]  = { "deny",  deny_step,  OVER,			2,    END_SERVER },
	[FLOW_OVER]  = { "over",  over_step,  0,			0,    END_ERROR },
};
static_assert(ARRAY_SIZE(stages) == FLOW_NUM, "one row per flow state");

/*
 * Flows live in blocks that never move, so that their events may point to
 * them.  A reference is a generation and an index: one that outlived its flow
 * finds nothing.
 */
#define BLOCK_FLOWS 64
#define INDEX_BITS 14

struct slot {
	struct flow	 flow;
	uint32_t	 generation;
	bool		 used;
	struct slot	*next_free;
};

struct flow_table {
	size_t		 max, count, blocks;
	struct slot	*free;
	struct slot	*block[];
};

struct flow_table *flow_table_new(size_t max)
{
	struct flow_table *t;

	if (max > BIT(INDEX_BITS))
		max = BIT(INDEX_BITS);
	t = calloc(1, sizeof(*t) + (max / BLOCK_FLOWS + 1) * sizeof(struct slot *));
	if (t)
		t->max = max;
	return t;
}

void flow_table_free(struct flow_table *t)
{
	for (size_t i = 0; t && i < t->blocks; i++)
		free(t->block[i]);
	free(t);
}

size_t flow_count(const struct flow_table *t)
{
	return t->count;
}

static struct slot *slot_take(struct flow_table *t)
{
	struct slot *s;

	if (t->count == t->max)
		return NULL;
	if (!t->free) {
		struct slot *block = calloc(BLOCK_FLOWS, sizeof(*block));

		if (!block)
			return NULL;
		for (size_t i = BLOCK_FLOWS; i-- > 0;) {
			block[i].flow.ref = (uint32_t)(t->blocks * BLOCK_FLOWS + i);
			block[i].next_free = t->free;
			t->free = &block[i];
		}
		t->block[t->blocks++] = block;
	}
	s = t->free;
	t->free = s->next_free;
	t->count++;
	s->used = true;
	return s;
}

static struct slot *slot_at(const struct flow_table *t, uint32_t index)
{
	return index / BLOCK_FLOWS < t->blocks ?
	       &t->block[index / BLOCK_FLOWS][index % BLOCK_FLOWS] : NULL;
}

struct flow *flow_find(const struct flow_table *t, uint32_t ref)
{
	struct slot *s = slot_at(t, ref & (BIT(INDEX_BITS) - 1));

	return s && s->used && s->flow.ref == ref ? &s->flow : NULL;
}

static void on_agent(evutil_socket_t fd, short what, void *arg)
{
	struct flow *f = arg;

	(void)fd;
	f->ready |= (uint8_t)((what & EV_READ ? WANT_AGENT_READ : 0) |
			      (what & EV_WRITE ? WANT_AGENT_WRITE : 0));
	flow_drive(f);
}

static void on_peer(evutil_socket_t fd, short what, void *arg)
{
	struct flow *f = arg;

	(void)fd;
	f->ready |= (uint8_t)((what & EV_READ ? WANT_PEER_READ : 0) |
			      (what & EV_WRITE ? WANT_PEER_WRITE : 0));
	flow_drive(f);
}

static void slot_give(struct flow_table *t, struct flow *f)
{
	struct slot *s = slot_at(t, f->ref & (BIT(INDEX_BITS) - 1));

	assert(s && &s->flow == f && s->used);
	s->used = false;
	s->next_free = t->free;
	t->free = s;
	t->count--;
}

struct flow *flow_new(struct proxy *x, int agent, enum door door, const struct addr *dst,
		      uint16_t port)
{
	bool asks = door == DOOR_HTTP || door == DOOR_SOCKS;
	struct slot *s = slot_take(x->flows);
	struct flow *f;
	uint32_t index;

	if (!s)
		return NULL;
	f = &s->flow;
	index = f->ref & (BIT(INDEX_BITS) - 1);
	s->generation = (s->generation + 1) & 0xffff;
	*f = (struct flow){
		.ref = s->generation << INDEX_BITS | index,
		.door = (uint8_t)door, .state = asks ? FLOW_TARGET : FLOW_LOOK,
		.agent = agent, .peer = -1, .dst = *dst, .port = port,
		.host = BINDING_NONE, .since_s = x->now_s, .proxy = x,
	};
	if (door == DOOR_JAIL)
		f->host = binding_of_addr(x->bindings, dst);
	f->usage.account = ACCOUNT_NONE;
	pump_init(&f->out);
	pump_init(&f->in);
	if (asks && !explicit_start(f)) {
		slot_give(x->flows, f);
		return NULL;
	}
	return f;
}

void flow_become(struct flow *f, enum flow_state next)
{
	assert(stages[f->state].next & BIT(next));
	f->state = (uint8_t)next;
	f->since_s = f->proxy->now_s;
}

void flow_ends(struct flow *f, enum flow_end end, enum reason reason)
{
	if (f->ended)
		return;
	f->ended = true;
	/* whatever ends now ends because the command is */
	f->end = (uint8_t)(f->proxy->killed ? END_KILLED : end);
	f->reason = (uint8_t)(f->proxy->killed ? REASON_KILLED : reason);
}

/* Arm one side's event for exactly what is wanted; leave it alone if it is */
static void arm(struct flow *f, struct event *ev, int fd, short what, bool changed)
{
	if (!changed)
		return;
	if (event_initialized(ev))
		event_del(ev);
	if (!what)
		return;
	event_assign(ev, f->proxy->loop, fd, (short)(what | EV_PERSIST),
		     ev == &f->agent_ev ? on_agent : on_peer, f);
	if (event_add(ev, NULL) < 0)
		proxy_fail("cannot watch a socket");
}

static void flow_watch(struct flow *f, unsigned wants)
{
	const unsigned agent = WANT_AGENT_READ | WANT_AGENT_WRITE | WANT_AGENT_MORE;
	const unsigned peer = WANT_PEER_READ | WANT_PEER_WRITE;
	unsigned changed = f->wants ^ wants;
	short what = 0;

	if (wants & (WANT_AGENT_READ | WANT_AGENT_MORE))
		what |= EV_READ;
	if (wants & WANT_AGENT_WRITE)
		what |= EV_WRITE;
	/* Bytes that are too few stay in the socket: only an edge tells of more */
	if (wants & WANT_AGENT_MORE)
		what |= EV_ET;
	arm(f, &f->agent_ev, f->agent, what, changed & agent);
	what = 0;
	if (wants & WANT_PEER_READ)
		what |= EV_READ;
	if (wants & WANT_PEER_WRITE)
		what |= EV_WRITE;
	arm(f, &f->peer_ev, f->peer, what, changed & peer);
	f->wants = (uint8_t)wants;
	/* what TLS has read already the sockets do not tell of */
	if (f->tls && f->tls->agent.more && wants & WANT_AGENT_READ)
		event_active(&f->agent_ev, EV_READ, 0);
	if (f->tls && f->tls->peer.more && wants & WANT_PEER_READ)
		event_active(&f->peer_ev, EV_READ, 0);
}

void flow_drive(struct flow *f)
{
	unsigned wants = WANT_AGAIN;

	while (wants & WANT_AGAIN && f->state != FLOW_OVER)
		wants = stages[f->state].step(f);
	if (f->state == FLOW_OVER) {
		over_step(f);		/* @f is gone */
		return;
	}
	f->ready = 0;
	flow_watch(f, wants);
}

/* With nothing to answer for it, an accepted socket that is closed sends a reset:
 * it @resets, for the listener's SO_LINGER {1, 0} is inherited.  An orderly end
 * takes that back, any other end sets it on a socket that has it not. */
static void close_socket(int fd, bool resets, bool orderly)
{
	struct linger l = { .l_onoff = !orderly };

	if (fd < 0)
		return;
	if (orderly == resets)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}

static bool ends_well(const struct flow *f)
{
	return f->ended && (f->end == END_CLIENT || f->end == END_SERVER) &&
	       f->reason == REASON_ALLOWED;
}

void flow_leave_peer(struct flow *f)
{
	flow_watch(f, f->wants & ~(unsigned)(WANT_PEER_READ | WANT_PEER_WRITE));
	if (f->tls && f->peer >= 0 && ends_well(f))
		flow_shut(f, false);
	close_socket(f->peer, false, ends_well(f));
	f->peer = -1;
}

static unsigned over_step(struct flow *f)
{
	struct proxy *x = f->proxy;
	struct heir heir;

	flow_watch(f, 0);
	http_over(f);
	streams_over(f);
	if (f->allowed) {
		struct talk_closed c = {
			.bytes_out = f->out.bytes, .bytes_in = f->in.bytes,
			.end = f->ended ? f->end : (uint8_t)END_ERROR, .reason = f->reason,
		};

		proxy_tell(x, GATE_CLOSED, f->ref, &c, sizeof(c), (struct span){ 0 });
	}
	if (f->tls && (ends_well(f) || f->refusal.max))
		flow_shut(f, true);
	/* A refusal that was written must not be overtaken by a reset */
	heir = explicit_will(f);
	close_socket(f->agent, f->door != DOOR_PUBLISH, ends_well(f) || f->refusal.max);
	flow_leave_peer(f);
	meter_end(f);
	pump_done(&f->out);
	pump_done(&f->in);
	buf_done(&f->answer);
	buf_done(&f->refusal);
	http_free(f->http);
	explicit_free(f->explicit);
	handshake_end(f);
	tls_end(f);
	slot_give(x->flows, f);
	explicit_inherit(x, &heir);
	return 0;
}

static void tick_one(struct flow *f)
{
	const struct stage *stage = &stages[f->state];

	pump_rest(&f->out);
	pump_rest(&f->in);
	if (f->state == FLOW_TARGET) {
		explicit_tick(f);
		return;
	}
	if (f->proxy->now_s - f->since_s <= stage->limit_s || (f->state == FLOW_ASK && f->waits)) {
		if (f->state == FLOW_HTTP)
			http_tick(f);
		else if (f->state == FLOW_STREAMS)
			streams_tick(f);
		return;
	}
	if (f->state == FLOW_ASK)
		proxy_fail("the keeper does not answer");
	if (f->state == FLOW_CONNECT) {
		connect_failed(f, 0);
		flow_drive(f);
		return;
	}
	if (f->state == FLOW_INSPECT) {
		inspect_late(f);
		return;
	}
	if (f->state == FLOW_LOOK) {
		f->looks = UINT16_MAX;	/* it never said: judge what is there */
		flow_drive(f);
		return;
	}
	flow_ends(f, stage->end, REASON_ALLOWED);
	flow_become(f, FLOW_OVER);
	flow_drive(f);
}

static void for_each(struct flow_table *t, void (*visit)(struct flow *f))
{
	for (size_t b = 0; b < t->blocks; b++)
		for (size_t i = 0; i < BLOCK_FLOWS; i++)
			if (t->block[b][i].used)
				visit(&t->block[b][i].flow);
}

void flow_tick(struct proxy *x)
{
	for_each(x->flows, tick_one);
}

void flow_kill(struct flow *f, enum reason reason)
{
	if (!f->allowed)
		return;
	f->ended = false;	/* a half that had ended well does not make it orderly */
	flow_ends(f, END_KILLED, reason);
	flow_become(f, FLOW_OVER);
	flow_drive(f);
}

static void rejudge_one(struct flow *f)
{
	enum reason reason = REASON_ALLOWED;

	if (f->state == FLOW_LOOK && f->looks && f->door == DOOR_JAIL)
		look_need(f);
	if (f->state == FLOW_HTTP)
		reason = http_rejudge(f);
	else if (f->state == FLOW_STREAMS)
		reason = streams_rejudge(f);
	if (reason != REASON_ALLOWED)
		flow_kill(f, reason);
}

void flow_rejudge(struct proxy *x)
{
	for_each(x->flows, rejudge_one);
}

static void distrust_one(struct flow *f)
{
	if (f->tls)
		flow_kill(f, REASON_UPSTREAM_FAILED);
}

void flow_distrust(struct proxy *x)
{
	for_each(x->flows, distrust_one);
}

static void finish_one(struct flow *f)
{
	flow_ends(f, END_CLIENT, REASON_ALLOWED);
	flow_become(f, FLOW_OVER);
	flow_drive(f);
}

void flow_finish(struct proxy *x)
{
	for_each(x->flows, finish_one);
}
