/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/dns_msg.h"

#include <assert.h>

#include "base/wire.h"
#include "proto/dns_answer.h"
#include "proto/dns_name.h"

#define HEADER_BYTES 12		/* RFC 1035 4.1.1 */
#define UDP_BYTES_MIN 512	/* RFC 1035 4.2.1, RFC 6891 6.2.3 */
#define OPT_EDE 15		/* RFC 8914 */
#define OPT_BYTES_MAX 17	/* of ours: the fixed part and an extended error without text */
#define TTL_MAX_S INT32_MAX	/* RFC 2181 section 8 */
#define NAME_OF_QUESTION (0xc000 | HEADER_BYTES)	/* pointer, RFC 1035 4.1.4 */

enum {
	FLAG_QR	= 0x8000,
	FLAG_TC	= 0x0200,
	FLAG_RD	= 0x0100,
	FLAG_RA	= 0x0080,
	OPCODE_SHIFT = 11,
};

/* The four counts of a header */
struct counts {
	uint16_t question, answer, authority, additional;
};

static struct counts counts_read(struct wire *w)
{
	struct counts c;

	c.question = wire_u16(w);
	c.answer = wire_u16(w);
	c.authority = wire_u16(w);
	c.additional = wire_u16(w);
	return c;
}

static bool question_read(struct wire *w, struct dns_query *q)
{
	const uint8_t *start = w->left.at;
	size_t room = w->left.len;
	uint16_t type, class;
	bool plain = false;
	size_t name_len = dns_name_read(w, q->name, &plain);

	type = wire_u16(w);
	class = wire_u16(w);
	if (!name_len || w->spent)
		return false;
	q->name_len = name_len;
	q->plain = plain;
	q->type = type;
	q->class = class;
	q->question = span_of(start, room - w->left.len);
	return true;
}

/* RFC 6891 6.1.2: an OPT record fills the rest of the message */
static int opt_read(struct wire *w, struct dns_query *q)
{
	uint8_t root = wire_u8(w), version;
	uint16_t type = wire_u16(w), udp_bytes = wire_u16(w);
	struct wire options;

	wire_u8(w);			/* the rcode's upper bits */
	version = wire_u8(w);
	wire_u16(w);			/* flags; DO means nothing to us: we sign nothing */
	options = wire_sub(w, wire_u16(w));
	if (w->spent || w->left.len || root || type != DNS_OPT)
		return DNS_FORMERR;
	while (options.left.len) {
		wire_u16(&options);
		wire_take(&options, wire_u16(&options));
		if (options.spent)
			return DNS_FORMERR;
	}
	q->edns = true;
	if (udp_bytes > q->udp_bytes)
		q->udp_bytes = udp_bytes;
	return version ? DNS_BADVERS : DNS_NOERROR;
}

/* What is wrong with the message after its flags; NOERROR: nothing */
static int body_read(struct wire *w, uint16_t flags, struct dns_query *q)
{
	struct counts count = counts_read(w);

	if (q->opcode)
		return DNS_NOTIMP;
	/* RFC 9619: a query has exactly one question */
	if (flags & FLAG_TC || count.question != 1 || count.answer || count.authority ||
	    count.additional > 1 || !question_read(w, q))
		return DNS_FORMERR;
	if (count.additional)
		return opt_read(w, q);
	return w->left.len ? DNS_FORMERR : DNS_NOERROR;
}

enum parse dns_query_parse(struct span msg, struct dns_query *ret_query, int *ret_rcode)
{
	struct wire w = wire_over(msg);
	uint16_t id = wire_u16(&w), flags = wire_u16(&w);
	int rcode;

	if (msg.len < HEADER_BYTES || flags & FLAG_QR) {
		*ret_rcode = -1;
		return PARSE_BAD;
	}
	*ret_query = (struct dns_query){
		.id = id,
		.opcode = flags >> OPCODE_SHIFT & 0xf,
		.rd = flags & FLAG_RD,
		.udp_bytes = UDP_BYTES_MIN,
	};
	rcode = body_read(&w, flags, ret_query);
	if (rcode == DNS_NOERROR)
		return PARSE_OK;
	*ret_rcode = rcode;
	return PARSE_BAD;
}

/* One record about the name in question; false: it did not fit and is not there */
static bool record_put(struct wire_out *w, uint16_t type, uint32_t ttl_s, struct span data)
{
	struct wire_out before = *w;

	wire_put_u16(w, NAME_OF_QUESTION);
	wire_put_u16(w, type);
	wire_put_u16(w, DNS_IN);
	wire_put_u32(w, ttl_s < TTL_MAX_S ? ttl_s : TTL_MAX_S);
	wire_put_u16(w, (uint16_t)data.len);
	wire_put(w, data.at, data.len);
	if (!w->full)
		return true;
	*w = before;
	return false;
}

/* Return: false if not all fitted */
static bool addrs_put(struct wire_out *w, const struct dns_query *q, const struct dns_reply *r,
		      uint16_t *count)
{
	bool v4 = q->type == DNS_A;

	for (size_t i = 0; i < r->addr_count; i++) {
		const uint8_t *b = r->addrs[i].b;

		if (addr_is_v4(&r->addrs[i]) != v4)
			continue;
		if (!record_put(w, q->type, r->ttl_s, v4 ? span_of(b + 12, 4) : span_of(b, 16)))
			return false;
		++*count;
	}
	return true;
}

static bool ptr_put(struct wire_out *w, const struct dns_reply *r, uint16_t *count)
{
	uint8_t name[DNS_NAME_WIRE_MAX];
	struct wire_out out = { .at = name, .size = sizeof(name) };

	if (!dns_name_put(&out, r->ptr_name))
		return true;
	if (!record_put(w, DNS_PTR, r->ttl_s, span_of(name, out.len)))
		return false;
	++*count;
	return true;
}

/* The jail learns addresses by addrs_put() alone */
static bool records_put(struct wire_out *w, const struct dns_query *q, const struct dns_reply *r,
			uint16_t *count)
{
	struct span list = r->records, data;

	while (*count < DNS_RECORDS_COUNT_MAX && dns_records_next(&list, &data)) {
		if (!record_put(w, q->type, r->ttl_s, data))
			return false;
		++*count;
	}
	return true;
}

static bool answers_put(struct wire_out *w, const struct dns_query *q, const struct dns_reply *r,
			uint16_t *count)
{
	if (r->rcode != DNS_NOERROR || !q->question.len || q->class != DNS_IN)
		return true;
	if (q->type == DNS_A || q->type == DNS_AAAA)
		return addrs_put(w, q, r, count);
	if (q->type == DNS_PTR && r->ptr_name.len)
		return ptr_put(w, r, count);
	return records_put(w, q, r, count);
}

/* The OPT record of an answer: our size, the rcode's upper bits, an extended error */
static struct span opt_make(const struct dns_query *q, const struct dns_reply *r,
			    uint8_t bytes[OPT_BYTES_MAX])
{
	struct wire_out w = { .at = bytes, .size = OPT_BYTES_MAX };
	bool ede = r->ede != DNS_EDE_NONE;

	if (!q->edns)
		return (struct span){ 0 };
	wire_put_u8(&w, 0);
	wire_put_u16(&w, DNS_OPT);
	wire_put_u16(&w, DNS_REPLY_MAX);
	wire_put_u8(&w, (uint8_t)((unsigned)r->rcode >> 4));
	wire_put_u8(&w, 0);		/* version */
	wire_put_u16(&w, 0);		/* flags */
	wire_put_u16(&w, ede ? 6 : 0);
	if (ede) {
		wire_put_u16(&w, OPT_EDE);
		wire_put_u16(&w, 2);
		wire_put_u16(&w, (uint16_t)r->ede);
	}
	assert(!w.full);
	return span_of(w.at, w.len);
}

static void head_put(const struct dns_query *q, const struct dns_reply *r, bool cut,
		     uint16_t answers, uint8_t *out)
{
	struct wire_out w = { .at = out, .size = HEADER_BYTES };
	unsigned flags = FLAG_QR | FLAG_RA;

	if (q->rd)
		flags |= FLAG_RD;
	if (cut)
		flags |= FLAG_TC;
	flags |= (q->opcode & 0xfu) << OPCODE_SHIFT;
	flags |= r->rcode & 0xfu;
	wire_put_u16(&w, q->id);
	wire_put_u16(&w, (uint16_t)flags);
	wire_put_u16(&w, q->question.len ? 1 : 0);
	wire_put_u16(&w, answers);
	wire_put_u16(&w, 0);
	wire_put_u16(&w, q->edns ? 1 : 0);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t dns_reply_write(const struct dns_query *q, const struct dns_reply *r, bool udp,
		       uint8_t *out, size_t size)
{
	size_t limit = smaller(size, udp ? smaller(q->udp_bytes, DNS_REPLY_MAX) : UINT16_MAX);
	uint8_t opt_bytes[OPT_BYTES_MAX];
	struct span opt = opt_make(q, r, opt_bytes);
	struct wire_out w = { .at = out, .len = HEADER_BYTES };
	uint16_t answers = 0;
	bool whole;

	assert(size >= DNS_REPLY_MAX && q->udp_bytes >= UDP_BYTES_MIN);
	w.size = limit - opt.len;	/* the OPT record must fit, whatever else does not */
	wire_put(&w, q->question.at, q->question.len);
	whole = answers_put(&w, q, r, &answers);
	w.size = limit;
	wire_put(&w, opt.at, opt.len);
	assert(!w.full);
	head_put(q, r, udp && !whole, answers, out);
	return w.len;
}

/* Take the text up to the next dot, and the dot */
static struct span label_take(struct span *text)
{
	ptrdiff_t dot = span_find(*text, '.');
	size_t len = dot < 0 ? text->len : (size_t)dot;
	struct span label = span_head(*text, len);

	*text = span_skip(*text, len + 1);
	return label;
}

static int hex_value(struct span digit)
{
	uint8_t c = digit.len == 1 ? ascii_lower(digit.at[0]) : 0;

	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four decimal labels, last part of the address first (RFC 1035 3.5) */
static bool v4_read(struct span labels, struct addr *ret_addr)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct span label = label_take(&labels);
		uint64_t part;

		if (!span_u64(label, 255, &part) || (label.len > 1 && label.at[0] == '0'))
			return false;
		value |= (uint32_t)part << 8 * i;
	}
	if (labels.len)
		return false;
	*ret_addr = addr_v4(value);
	return true;
}

/* 32 hexadecimal labels, last digit of the address first (RFC 3596 2.5) */
static bool v6_read(struct span labels, struct addr *ret_addr)
{
	struct addr a = { { 0 } };

	for (size_t i = 0; i < 32; i++) {
		int digit = hex_value(label_take(&labels));

		if (digit < 0)
			return false;
		a.b[15 - i / 2] |= (uint8_t)(i % 2 ? digit << 4 : digit);
	}
	if (labels.len)
		return false;
	*ret_addr = a;
	return true;
}

bool dns_ptr_addr(struct span name, struct addr *ret_addr)
{
	const struct span v4 = SPAN(".in-addr.arpa"), v6 = SPAN(".ip6.arpa");
	bool is_v4 = name.len > v4.len && span_eq_fold(span_skip(name, name.len - v4.len), v4);
	bool is_v6 = name.len > v6.len && span_eq_fold(span_skip(name, name.len - v6.len), v6);
	struct span labels;

	if (!is_v4 && !is_v6)
		return false;
	labels = span_head(name, name.len - (is_v4 ? v4.len : v6.len));
	if (span_ends(labels, SPAN(".")))
		return false;
	return is_v4 ? v4_read(labels, ret_addr) : v6_read(labels, ret_addr);
}
