/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_answer.c - read what an upstream name server answers
 *
 * Theory
 *
 * The sender is hostile, or passes on what a hostile zone says.  So: one pass
 * that reads every record of all sections to the last byte, names and all;
 * only a message that has one reading from end to end is looked at again.  Then
 * the chain is walked, a pass over the answer section for each step.  Records
 * of other owners are strangers and count for nothing, as do those of other
 * classes and, but for CNAME, of other types.
 *
 * What costs: at most ANSWERS_MAX records a pass and CHAIN_MAX passes, each name
 * at most 255 octets.
 */
#include "proto/dns_answer.h"

#include <assert.h>

#include "base/auto.h"

#define HEADER_BYTES 12		/* RFC 1035 4.1.1 */
#define ANSWERS_MAX 512		/* records of an answer section; the list has fewer */
#define CHAIN_MAX 16		/* CNAMEs that follow one another; resolvers allow 8 to 16 */
#define PAD_BYTES 128		/* RFC 8467 4.1 */
#define OPTION_PADDING 12	/* RFC 7830 */
#define UDP_BYTES 1232

enum { FLAG_QR = 0x8000, FLAG_OPCODE = 0x7800, FLAG_TC = 0x0200, FLAG_RD = 0x0100,
       FLAG_RCODE = 0xf };

/*
 * What the data of a type are made of:
 *
 *	1 2 4	so many octets		n	a name, perhaps compressed
 *	s	a character-string	t	the same, not empty
 *	S	character-strings, at least one, to the end
 *	r	octets to the end, at least one
 *	R	octets to the end
 */
static const struct layout {
	uint16_t	type;
	const char	*parts;
} layouts[] = {
	{ DNS_A, "4" }, { DNS_AAAA, "4444" }, { DNS_TXT, "S" }, { DNS_MX, "2n" },
	{ DNS_SRV, "222n" }, { DNS_CAA, "1tR" }, { DNS_NS, "n" }, { DNS_CNAME, "n" },
	{ DNS_PTR, "n" }, { DNS_SOA, "nn44444" },
	{ 35, "22sssn" },	/* NAPTR, RFC 3403 4.1 */
	{ 29, "4444" },		/* LOC, RFC 1876 2 */
	{ 44, "11r" },		/* SSHFP, RFC 4255 3.1 */
	{ 52, "111r" },		/* TLSA, RFC 6698 2.1 */
	{ 53, "111r" },		/* SMIMEA, RFC 8162 2 */
	{ 61, "r" },		/* OPENPGPKEY, RFC 7929 2.1 */
	{ 256, "22r" },		/* URI, RFC 7553 4.5 */
};

static const struct layout *layout_of(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

bool dns_answer_knows(uint16_t type)
{
	return layout_of(type);
}

/* ---- asking ---- */

size_t dns_question_write(uint16_t id, struct span host, uint16_t type,
			  uint8_t out[DNS_QUESTION_MAX])
{
	static const uint8_t zeroes[PAD_BYTES];
	struct wire_out w = { .at = out, .size = DNS_QUESTION_MAX };
	size_t pad;

	wire_put_u16(&w, id);
	wire_put_u16(&w, FLAG_RD);
	wire_put_u16(&w, 1);
	wire_put_u32(&w, 0);
	wire_put_u16(&w, 1);
	if (!dns_name_put(&w, host))
		return 0;
	wire_put_u16(&w, type);
	wire_put_u16(&w, DNS_IN);
	pad = -(w.len + 15) & (PAD_BYTES - 1);
	wire_put_u8(&w, 0);
	wire_put_u16(&w, DNS_OPT);
	wire_put_u16(&w, UDP_BYTES);
	wire_put_u32(&w, 0);
	wire_put_u16(&w, (uint16_t)(4 + pad));
	wire_put_u16(&w, OPTION_PADDING);
	wire_put_u16(&w, (uint16_t)pad);
	wire_put(&w, zeroes, pad);
	assert(!w.full && w.len % PAD_BYTES == 0);
	return w.len;
}

/* ---- names and records ---- */

struct name {
	uint8_t	wire[DNS_NAME_WIRE_MAX];
	size_t	len;		/* 0: none */
};

static bool name_same(const struct name *a, const struct name *b)
{
	/* length octets are below 'A': they have no case */
	return span_eq_fold(span_of(a->wire, a->len), span_of(b->wire, b->len));
}

struct record {
	struct name	owner;
	uint16_t	type, class;
	uint32_t	ttl_s;
	struct wire	data;
};

/* The next record; @w is spent if there is none */
static void record_take(struct span msg, struct wire *w, struct record *ret_record)
{
	ret_record->owner.len = dns_name_unpack(msg, w, ret_record->owner.wire);
	ret_record->type = wire_u16(w);
	ret_record->class = wire_u16(w);
	ret_record->ttl_s = wire_u32(w);
	ret_record->data = wire_sub(w, wire_u16(w));
	/* RFC 2181 section 8: the upper bit set is zero */
	if (ret_record->ttl_s > INT32_MAX && ret_record->type != DNS_OPT)
		ret_record->ttl_s = 0;
}

/* Take one part of a record's data and write it out */
static void part_copy(struct span msg, struct wire *from, char part, struct wire_out *to)
{
	uint8_t name[DNS_NAME_WIRE_MAX];
	struct span bytes = { 0 };

	if (part == 'n') {
		bytes = span_of(name, dns_name_unpack(msg, from, name));
	} else if (part == 's' || part == 't' || part == 'S') {
		size_t len = from->left.len ? 1u + from->left.at[0] : 1;

		bytes = wire_take(from, len);
		from->spent |= part == 't' && len == 1;
	} else if (part == 'r' || part == 'R') {
		from->spent |= part == 'r' && !from->left.len;
		bytes = wire_take(from, from->left.len);
	} else {
		bytes = wire_take(from, (size_t)(part - '0'));
	}
	wire_put(to, bytes.at, bytes.len);
}

/* Append a record's data to the list.  Return: false if they lack the layout or do not fit */
static bool data_add(struct span msg, struct wire data, const struct layout *layout,
		     struct dns_found *f)
{
	struct wire_out out = { .at = f->records, .len = f->len, .size = sizeof(f->records) };
	struct wire_out head = out;

	wire_put_u16(&out, 0);
	for (const char *part = layout->parts; *part; part++)
		do
			part_copy(msg, &data, *part, &out);
		while (*part == 'S' && data.left.len && !data.spent);
	if (data.spent || data.left.len || out.full || f->count == DNS_RECORDS_COUNT_MAX)
		return false;
	wire_put_u16(&head, (uint16_t)(out.len - f->len - 2));
	f->len = out.len;
	f->count++;
	return true;
}

/* ---- the message ---- */

struct answer {
	struct span	 msg;
	const struct layout *layout;
	unsigned	 rcode;		/* with the upper bits of an OPT record */
	struct wire	 records;	/* where the answer section begins */
	unsigned	 record_count;
	bool		 has_soa;
	uint32_t	 soa_ttl_s;
};

static bool question_matches(struct span msg, struct wire *w, const struct name *asked,
			     uint16_t type)
{
	struct name name;
	uint16_t its_type, its_class;

	name.len = dns_name_unpack(msg, w, name.wire);
	its_type = wire_u16(w);
	its_class = wire_u16(w);
	return !w->spent && name_same(&name, asked) && its_type == type && its_class == DNS_IN;
}

/* A record outside of the answer section: what it tells of the message */
static bool aside_read(struct answer *a, const struct record *r, bool additional, bool *seen_opt)
{
	if (r->type == DNS_OPT) {
		if (!additional || *seen_opt)
			return false;
		*seen_opt = true;
		a->rcode |= r->ttl_s >> 24 << 4;
	} else if (r->type == DNS_SOA && !additional && !a->has_soa) {
		a->has_soa = true;
		a->soa_ttl_s = r->ttl_s;
	}
	return true;
}

/* Read every record once.  Return: false if the message does not end where they do */
static bool sections_read(struct answer *a, struct wire *w, const uint16_t counts[3])
{
	bool seen_opt = false;
	struct record r;

	a->records = *w;
	a->record_count = counts[0];
	if (counts[0] > ANSWERS_MAX)
		return false;
	for (unsigned section = 0; section < 3; section++) {
		for (unsigned i = 0; i < counts[section]; i++) {
			record_take(a->msg, w, &r);
			if (w->spent)
				return false;
			if (section ? !aside_read(a, &r, section == 2, &seen_opt)
				    : r.type == DNS_OPT)
				return false;
		}
	}
	return !w->left.len;
}

static bool message_read(struct answer *a, const struct name *asked, uint16_t type)
{
	struct wire w = wire_over(a->msg);
	uint16_t flags, questions, counts[3];

	wire_u16(&w);
	flags = wire_u16(&w);
	questions = wire_u16(&w);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		counts[i] = wire_u16(&w);
	if (w.spent || !(flags & FLAG_QR) || flags & (FLAG_OPCODE | FLAG_TC) || questions != 1)
		return false;
	a->rcode = flags & FLAG_RCODE;
	return question_matches(a->msg, &w, asked, type) && sections_read(a, &w, counts);
}

/* ---- the chain ---- */

static void ttl_note(struct dns_found *f, uint32_t ttl_s)
{
	if (!f->has_ttl || ttl_s < f->ttl_s)
		f->ttl_s = ttl_s;
	f->has_ttl = true;
}

/*
 * One pass: the data that @owner has, or the CNAME that leads on from it
 * @ret_next:	its target; no name: it has none
 */
static bool owner_read(const struct answer *a, const struct name *owner, struct dns_found *f,
		       struct name *ret_next)
{
	struct wire w = a->records;
	struct record r;

	ret_next->len = 0;
	for (unsigned i = 0; i < a->record_count; i++) {
		bool wanted, leads;

		record_take(a->msg, &w, &r);
		wanted = r.type == a->layout->type;
		leads = r.type == DNS_CNAME && !wanted;
		if (r.class != DNS_IN || (!wanted && !leads) || !name_same(&r.owner, owner))
			continue;
		ttl_note(f, r.ttl_s);
		if (wanted && !data_add(a->msg, r.data, a->layout, f))
			return false;
		if (!leads)
			continue;
		if (ret_next->len)
			return false;	/* two CNAMEs */
		ret_next->len = dns_name_unpack(a->msg, &r.data, ret_next->wire);
		if (!ret_next->len || r.data.left.len)
			return false;
	}
	return !(ret_next->len && f->count);	/* RFC 1034 3.6.2: CNAME and no other data */
}

static bool chain_walk(const struct answer *a, const struct name *asked, struct dns_found *f)
{
	struct name owner = *asked, next;

	for (unsigned i = 0; i <= CHAIN_MAX; i++) {
		if (!owner_read(a, &owner, f, &next))
			return false;
		if (!next.len)
			return true;
		owner = next;
	}
	return false;
}

enum parse dns_answer_read(struct span msg, struct span host, uint16_t type,
			   struct dns_found *ret_found)
{
	struct answer a = { .msg = msg, .layout = layout_of(type) };
	struct name asked = { .len = 0 };
	struct wire_out out = { .at = asked.wire, .size = sizeof(asked.wire) };

	assert(a.layout);
	if (!dns_name_put(&out, host))
		return PARSE_BAD;
	asked.len = out.len;
	if (!message_read(&a, &asked, type))
		return PARSE_BAD;
	ret_found->outcome = DNS_NO_DATA;
	ret_found->ttl_s = 0;
	ret_found->has_ttl = false;
	ret_found->count = ret_found->len = 0;
	if (a.rcode != DNS_NOERROR && a.rcode != DNS_NXDOMAIN) {
		ret_found->outcome = DNS_UPSTREAM_FAILED;
		return PARSE_OK;
	}
	if (!chain_walk(&a, &asked, ret_found))
		return PARSE_BAD;
	if (a.rcode == DNS_NXDOMAIN && ret_found->count)
		return PARSE_BAD;
	if (ret_found->count) {
		ret_found->outcome = DNS_FOUND;
		return PARSE_OK;
	}
	if (a.rcode == DNS_NXDOMAIN)
		ret_found->outcome = DNS_NO_NAME;
	ret_found->has_ttl = a.has_soa;
	ret_found->ttl_s = a.soa_ttl_s;
	return PARSE_OK;
}

bool dns_records_next(struct span *list, struct span *ret_data)
{
	struct wire w = wire_over(*list);
	struct span data = wire_take(&w, wire_u16(&w));

	if (w.spent)
		return false;
	*list = w.left;
	*ret_data = data;
	return true;
}
