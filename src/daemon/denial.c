/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/denial.h"

#include "base/json.h"
#include "policy/explain.h"

/* As `sluice check` takes it: of TLS that was not opened yet the request is not known, and of
 * what only asked for a tunnel nothing is */
static void add_target(struct buf *b, const struct question *q)
{
	char text[ADDR_TEXT_MAX];

	if (q->method.len)
		buf_printf(b, SPAN_FMT " ", SPAN_ARG(q->method));
	if (q->method.len || q->sni.len)
		buf_printf(b, "%s://" SPAN_FMT SPAN_FMT, q->inspected ? "https" : "http",
			   SPAN_ARG(q->method.len ? q->http_host : q->sni),
			   SPAN_ARG(span_head(q->path, 512)));
	else if (q->host.len)
		buf_printf(b, SPAN_FMT ":%u", SPAN_ARG(q->host), q->port);
	else
		buf_printf(b, addr_is_v4(&q->addr) ? "%s:%u" : "[%s]:%u",
			   addr_text(&q->addr, text), q->port);
}

void denial_body(struct buf *b, struct keeper *k, const struct question *q,
		 const struct verdict *v)
{
	struct audit_rule rule = keeper_rule(k, v);
	struct buf text = buf_new(1024);

	json_open(b, '{');
	json_key(b, "target");
	add_target(&text, q);
	json_span(b, buf_span(&text));
	json_field_str(b, "verdict", "deny");
	json_field_str(b, "reason", reason_name(v->reason));
	json_field_str(b, "rule", rule.id);
	json_field_str(b, "layer", rule.layer);
	json_key(b, "message");
	buf_clear(&text);
	explain_message(&text, k->policy, q, v);
	json_span(b, buf_span(&text));
	json_field_str(b, "fixable_by", explain_fixable(k->policy, v));
	json_key(b, "suggest");
	buf_clear(&text);
	if (explain_suggest(&text, v->reason, explain_preset(span_str(rule.id ? rule.id : "")),
			    q->host, &q->addr, q->port, q->transport))
		json_span(b, buf_span(&text));
	else
		json_str(b, NULL);
	json_close(b, '}');
	buf_add(b, "\n", 1);
	buf_done(&text);
}

uint16_t denial_status(enum reason reason)
{
	switch (reason) {
	case REASON_UPSTREAM_FAILED:
	case REASON_RESOLVE_FAILED:
		return 502;
	case REASON_REQUEST_SIZE:
		return 413;
	case REASON_RATE:
	case REASON_QUOTA:
	case REASON_LIMIT:
		return 429;
	default:
		return 403;
	}
}
