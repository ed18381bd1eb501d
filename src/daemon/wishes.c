/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wishes.c - POST http://sluice.internal/requests: the agent asks for approval in words
 *
 * The gate has read the body and tells what it says, just before it asks for the page of
 * the same flow.  The question goes into the queue where connections wait, and the answer is at once:
 * the agent tries again later.
 */
#include "base/json.h"
#include "daemon/approvals.h"
#include "daemon/notice.h"

static struct wish_answer judge(struct keeper *k, const struct talk_wish *w, struct span host_text,
				struct span said)
{
	struct wish_answer a = { .status = 400, .state = "malformed", .reason = REASON_MALFORMED };
	char host[HOST_MAX + 1];
	bool waits;

	if (!w->host_len || !host_normal(host_text, host) || !w->port)
		return a;
	a.reason = approval_wish(k, span_str(host), w->port, said, &waits);
	if (waits) {
		a.status = 202;
		a.state = "waiting";
	} else if (a.reason == REASON_ALLOWED || a.reason == REASON_ALLOWED_APPROVED ||
		   a.reason == REASON_ALLOWED_MONITOR) {
		a.status = 200;
		a.state = "allowed";
	} else {
		a.status = a.reason == REASON_APPROVAL_DENIED ? 429 : 403;
		a.state = "denied";
	}
	return a;
}

void wish_take(struct keeper *k, uint32_t ref, const struct talk_wish *w, struct span tail)
{
	struct notice *n = &k->notice;
	struct wish_answer *a = &n->wishes[n->last_wish++ % WISHES_MAX];

	if ((size_t)w->host_len + w->reason_len != tail.len || w->host_len > TALK_HOST_MAX ||
	    w->reason_len > TALK_REASON_MAX || k->cooperative) {
		keeper_close(k, "the gate tells of a request that cannot be");
		return;
	}
	*a = judge(k, w, span_head(tail, w->host_len), span_skip(tail, w->host_len));
	a->ref = ref;
	keeper_stir(k);
}

static struct wish_answer answer_for(struct notice *n, uint32_t ref)
{
	struct wish_answer none = { .status = 429, .state = "denied", .reason = REASON_LIMIT };

	for (size_t i = 0; i < WISHES_MAX; i++) {
		if (n->wishes[i].ref != ref || !n->wishes[i].state)
			continue;
		none = n->wishes[i];
		n->wishes[i] = (struct wish_answer){ .ref = 0 };
		break;
	}
	return none;
}

unsigned wish_write(struct conn *c, struct buf *body)
{
	struct wish_answer a = answer_for(&c->keeper->notice, c->ref);

	json_open(body, '{');
	json_field_str(body, "state", a.state);
	json_field_str(body, "reason", a.status == 202 ? NULL : reason_name(a.reason));
	if (a.status == 400)
		json_field_str(body, "accepted",
			       "{\"host\": NAME, \"port\": NUMBER, \"reason\": TEXT}");
	json_close(body, '}');
	buf_add_str(body, "\n");
	return a.status;
}
