/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a line on a control socket, a session's or the daemon's */
#include "fuzz.h"

#include "control/request.h"

/* What is taken is written and read back as the same */
static void fuzz_one(struct span input)
{
	struct buf text = buf_new(6 * input.len + CONTROL_LINE_MAX);	/* \u0001 and the like */
	struct control_request r, again;
	const char *why = NULL;

	if (!control_request_parse(input, &r, &why)) {
		assert(why);
		control_request_done(&r);
		buf_done(&text);
		return;
	}
	assert(r.what < CONTROL_NUM && r.scope < SCOPE_NUM && r.for_s >= 0 &&
	       r.for_s <= CONTROL_FOR_MAX_S);
	assert((r.what == CONTROL_APPROVE || r.what == CONTROL_REJECT) == (r.id != 0));
	control_request_write(&r, &text);
	assert(!text.full);
	assert(control_request_parse(span_head(buf_span(&text), text.len - 1), &again, &why));
	assert(again.what == r.what && again.id == r.id && again.scope == r.scope &&
	       again.for_s == r.for_s && again.never == r.never && again.pid == r.pid &&
	       again.from == r.from && again.port == r.port && again.transport == r.transport);
	assert(!r.host == !again.host && (!r.host || !strcmp(again.host, r.host)));
	assert(control_request_is_web(&again) == control_request_is_web(&r));
	assert((r.what == CONTROL_ATTACH || r.what == CONTROL_DETACH) == !!r.session);
	assert(!r.session || !strcmp(again.session, r.session));
	assert(again.policies.count == r.policies.count && again.labels.count == r.labels.count);
	assert(again.ports.count == r.ports.count && r.ports.count <= CONTROL_PORTS_MAX &&
	       !memcmp(again.ports.at, r.ports.at, sizeof(r.ports.at)));
	control_request_done(&again);
	control_request_done(&r);
	buf_done(&text);
}
