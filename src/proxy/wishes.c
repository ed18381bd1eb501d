/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/wishes.h"

#include "policy/host.h"
#include "proto/wish.h"

static bool is_wish(const struct flow *f, const struct facts *facts)
{
	return f->door == DOOR_NOTICE && facts->seen == SEEN_HTTP &&
	       span_eq(facts->request.method, SPAN("POST")) &&
	       span_eq(facts->request.path, SPAN(WISH_PATH));
}

enum parse wish_look(struct flow *f, struct span bytes, const struct facts *facts)
{
	const struct http_request *r = &facts->request;
	struct talk_wish told = { 0 };
	struct span body;
	struct buf tail;
	struct wish w;

	if (!is_wish(f, facts))
		return PARSE_OK;
	body = span_skip(bytes, r->head_bytes);
	if (r->framing == HTTP_BODY_LENGTH && r->length <= WISH_BYTES_MAX && body.len < r->length)
		return PARSE_MORE;
	tail = buf_new(TALK_HOST_MAX + TALK_REASON_MAX);
	if (r->framing == HTTP_BODY_LENGTH && r->length <= WISH_BYTES_MAX &&
	    wish_parse(span_head(body, (size_t)r->length), &w)) {
		told.port = w.port;
		told.host_len = (uint16_t)w.host.len;
		told.reason_len = (uint16_t)w.reason_len;
		buf_add_span(&tail, w.host);
		buf_add(&tail, w.reason, w.reason_len);
	}
	proxy_tell(f->proxy, GATE_WISH, f->ref, &told, sizeof(told), buf_span(&tail));
	buf_done(&tail);
	return PARSE_OK;
}
