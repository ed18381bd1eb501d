/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "base/dns_type.h"
#include "proto/dns_answer.h"

#define HOST SPAN("a.test")

/* What is kept can be written out, over TCP whole, and is under the name that was asked for */
static void reply_check(const struct dns_found *f, uint16_t type)
{
	static uint8_t out[DNS_STREAM_REPLY_MAX];
	uint8_t question[DNS_QUESTION_MAX];
	size_t len = dns_question_write(7, HOST, type, question);
	struct dns_reply r = { .ede = DNS_EDE_NONE, .records = span_of(f->records, f->len),
			       .ttl_s = f->ttl_s };
	struct dns_found again;
	struct dns_query q;
	int rcode;

	assert(dns_query_parse(span_of(question, len), &q, &rcode) == PARSE_OK);
	len = dns_reply_write(&q, &r, true, out, sizeof(out));
	assert(len <= DNS_REPLY_MAX);
	len = dns_reply_write(&q, &r, false, out, sizeof(out));
	if (type == DNS_A || type == DNS_AAAA)
		return;		/* those are answered with addresses of ours only */
	assert(!(out[2] & 2) && (unsigned)(out[6] << 8 | out[7]) == f->count);
	assert(dns_answer_read(span_of(out, len), HOST, type, &again) == PARSE_OK);
	assert(again.count == f->count && again.len == f->len);
	assert(!f->len || !memcmp(again.records, f->records, f->len));
}

/* The first byte chooses the type */
static void fuzz_one(struct span input)
{
	static struct dns_found f;
	struct span list, data;
	uint16_t type;
	size_t count = 0;

	if (!input.len)
		return;
	type = dns_type_open(input.at[0] % 17);
	if (dns_answer_read(span_skip(input, 1), HOST, type, &f) != PARSE_OK)
		return;
	assert(f.len <= DNS_RECORDS_MAX && f.count <= DNS_RECORDS_COUNT_MAX);
	assert((f.outcome == DNS_FOUND) == (f.count > 0) && (f.count > 0) == (f.len > 0));
	for (list = span_of(f.records, f.len); dns_records_next(&list, &data); count++)
		assert(type != DNS_A || data.len == 4);
	assert(!list.len && count == f.count);
	if (f.count)
		reply_check(&f, type);
}
