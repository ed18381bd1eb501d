/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>

#include "proxy/ask.h"
#include "proxy/handshake.h"
#include "proxy/look.h"
#include "proxy/meter.h"

#define LATE_LOOKS_MAX 4096	/* as LOOKS_MAX: parses of the client's first bytes */

/*
 * The client's first bytes on a port that may carry anything, on their way.
 * Return: true if they may go; else *ret_wants says what to wait for.
 */
static bool late_look(struct flow *f, unsigned *ret_wants)
{
	struct facts facts;
	struct span bytes;
	ssize_t n;

	*ret_wants = WANT_AGENT_MORE;
	n = recv(f->agent, pump_scratch(), LOOK_MAX, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		f->watch = false;	/* it ends: the pump will see how */
		return true;
	}
	bytes = span_of(pump_scratch(), (size_t)n);
	if (look_at(bytes, &facts) != PARSE_OK) {
		bool ended = look_ended(f->agent);

		if (n < LOOK_MAX && f->looks++ < LATE_LOOKS_MAX && !ended)
			return false;
		facts = (struct facts){ .seen = ended ? look_cut(bytes) : SEEN_MALFORMED };
	}
	f->watch = false;
	if (facts.seen == SEEN_OTHER)
		return true;
	*ret_wants = ask_send(f, GATE_ASK_AGAIN, &facts, 0);
	return false;
}

/* More came than there is room for: it waits for its turn, or that was all */
static unsigned full(struct flow *f, bool outward)
{
	enum reason reason = meter_full(f, outward, 1);

	if (reason == REASON_ALLOWED)
		return outward ? WANT_PACE_OUT : WANT_PACE_IN;
	meter_cut(f, reason);
	return WANT_AGAIN;
}

/* As pump_move(), within limits and of no more than @most bytes; *ret_moved were taken */
static enum pumped pump_bounded(struct flow *f, struct pump *p, bool outward, uint64_t most,
				uint64_t *ret_moved)
{
	int from = outward ? f->agent : f->peer, to = outward ? f->peer : f->agent;
	uint64_t room = f->metered ? meter_room(f, outward) : UINT64_MAX;
	enum pumped r;

	if (f->metered && room == UINT64_MAX)
		room--;		/* the pump does not count without a bound */
	if (room > most)
		room = most;
	p->room = room;
	r = pump_move(p, from, to);
	*ret_moved = room - p->room;
	if (f->metered)
		meter_moved(f, outward, *ret_moved);
	return r;
}

/* One direction.  Return: its wants; ends the flow when a side fails. */
static unsigned move(struct flow *f, struct pump *p, bool outward)
{
	uint64_t before = p->bytes, most = handshake_room(f, outward), moved;
	unsigned reads = outward ? WANT_AGENT_READ : WANT_PEER_READ;
	enum pumped r;

	p->last = outward ? f->in.shut : f->out.shut;
	r = pump_bounded(f, p, outward, most, &moved);
	handshake_moved(f, outward, moved);
	if (p->bytes != before)
		f->since_s = f->proxy->now_s;
	switch (r) {
	case PUMPED_READ:
	case PUMPED_AGAIN:
		return reads;
	case PUMPED_WRITE:
		return outward ? WANT_PEER_WRITE : WANT_AGENT_WRITE;
	case PUMPED_FULL:
		return moved == most ? reads : full(f, outward);
	case PUMPED_OVER:
		flow_ends(f, outward ? END_CLIENT : END_SERVER, REASON_ALLOWED);
		return 0;
	case PUMPED_SOURCE_FAILED:
	case PUMPED_TARGET_FAILED:
		break;
	}
	flow_ends(f, END_ERROR, REASON_ALLOWED);
	f->end = END_ERROR;		/* a half that had ended well does not make it orderly */
	flow_become(f, FLOW_OVER);
	return 0;
}

/* May the client's bytes go, as far as they are looked at?  If not, *ret_wants says what to wait for. */
static bool client_may(struct flow *f, unsigned *ret_wants)
{
	return (!f->watch || late_look(f, ret_wants)) &&
	       (!f->handshake || handshake_lets(f, ret_wants));
}

/*
 * What a direction goes on waiting for, if the loop has not reported it: what
 * it waited for, or @first when it begins.  0: it can move.
 */
static unsigned still(const struct flow *f, unsigned mask, unsigned first)
{
	if (f->ready & mask)
		return 0;
	return f->wants & mask ? f->wants & mask : first;
}

unsigned relay_step(struct flow *f)
{
	const unsigned outward = WANT_AGENT_READ | WANT_AGENT_MORE | WANT_PEER_WRITE |
			     WANT_PACE_OUT;
	const unsigned inward = WANT_PEER_READ | WANT_AGENT_WRITE | WANT_PACE_IN;
	unsigned in_wants = f->in.shut ? 0 : still(f, inward, WANT_PEER_READ);
	unsigned out_wants;

	if (!in_wants && !f->in.shut)
		in_wants = move(f, &f->in, false);
	if (f->state != FLOW_RELAY)
		return in_wants & WANT_AGAIN;
	out_wants = f->out.shut ? 0 : still(f, outward, WANT_AGENT_READ);
	if (!out_wants && !f->out.shut && client_may(f, &out_wants))
		out_wants = move(f, &f->out, true);
	if (f->state != FLOW_RELAY)
		return out_wants;
	if (f->in.shut && f->out.shut)
		flow_become(f, FLOW_OVER);
	return out_wants | in_wants;
}
