/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "base/wire.h"
#include "proto/dns_msg.h"
#include "proto/dns_name.h"

/* Name and text stand for each other, but for case */
static void name_check(const struct dns_query *q)
{
	uint8_t name[DNS_NAME_WIRE_MAX];
	struct wire_out out = { .at = name, .size = sizeof(name) };

	assert(q->name_len == strlen(q->name) && q->name_len < DNS_NAME_TEXT_MAX);
	assert(dns_name_put(&out, span_str(q->name)) && !out.full);
	assert(span_eq_fold(span_of(name, out.len), span_head(q->question, out.len)));
	assert(out.len + 4 == q->question.len);
	for (size_t i = 0; i < q->name_len; i++)
		assert(q->name[i] > ' ' && q->name[i] < 0x7f && q->name[i] ==
		       (char)ascii_lower((uint8_t)q->name[i]));
	assert(!q->plain || !strchr(q->name, '\\'));
}

static void reply_check(const struct dns_query *q, enum dns_rcode rcode, bool udp)
{
	static const struct addr addrs[64] = { { { 1 } } };
	uint8_t out[DNS_REPLY_MAX + 500];
	struct dns_reply r = { .rcode = rcode, .ede = DNS_EDE_BLOCKED, .addrs = addrs,
			       .addr_count = ARRAY_SIZE(addrs), .ptr_name = span_str(q->name),
			       .ttl_s = 1 };
	size_t len = dns_reply_write(q, &r, udp, out, sizeof(out));

	assert(len >= 12 && len <= sizeof(out));
	assert(!udp || (len <= DNS_REPLY_MAX && len <= q->udp_bytes));
	assert(out[0] == q->id >> 8 && out[1] == (q->id & 0xff) && out[2] & 0x80);
	assert(span_starts(span_of(out + 12, len - 12), q->question) || !q->question.len);
}

static void fuzz_one(struct span input)
{
	struct dns_query q;
	struct addr a;
	int rcode = DNS_NOERROR;
	enum parse got = dns_query_parse(input, &q, &rcode);

	dns_ptr_addr(input, &a);
	assert(got != PARSE_MORE);
	if (got == PARSE_BAD && rcode < 0)
		return;
	assert((got == PARSE_OK) == (rcode == DNS_NOERROR));
	assert(span_lies_in(q.question, input));
	assert(got == PARSE_BAD || q.question.len);
	if (q.question.len)
		name_check(&q);
	reply_check(&q, (enum dns_rcode)rcode, true);
	reply_check(&q, (enum dns_rcode)rcode, false);
}
