/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/query.h"

#include <assert.h>

#include "proto/dns_answer.h"
#include "proto/dns_msg.h"

#define QUESTION_MAX 260	/* bytes of a question section: name 255, type, class */

/* What is kept of a query until its answer comes */
struct slot {
	struct dns_origin origin;
	uint16_t	 id, type, class, udp_bytes;
	bool		 rd, edns;
	uint16_t	 generation;
	uint16_t	 question_len;
	uint8_t		 question[QUESTION_MAX];
	uint16_t	 next_free;
	bool		 used;
};

struct dns {
	struct dns_host	 host;
	struct dns_streams *streams;
	uint16_t	 free;		/* 1 + the slot given back last; 0: none */
	uint16_t	 fresh;		/* slots from here on were never used: no page is touched */
	struct slot	 slots[DNS_SLOTS];
};

#define SLOT_BITS 12
static_assert(DNS_SLOTS == 1 << SLOT_BITS, "slot numbers fit into the message id");
static_assert(TALK_RECORDS_MAX == DNS_RECORDS_MAX, "the keeper hands on every list");

struct dns *dns_new(const struct dns_host *host)
{
	struct dns *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->host = *host;
	return d;
}

void dns_free(struct dns *d)
{
	free(d);
}

struct dns_streams **dns_streams_of(struct dns *d)
{
	return &d->streams;
}

const struct dns_host *dns_host_of(const struct dns *d)
{
	return &d->host;
}

static void reply(struct dns *d, const struct dns_origin *o, const struct dns_query *q,
		  const struct dns_reply *r)
{
	uint8_t out[DNS_STREAM_REPLY_MAX];
	size_t len = dns_reply_write(q, r, !o->stream, out, sizeof(out));

	if (o->stream)
		dns_stream_answer(o->stream, o->stream_id, span_of(out, len));
	else
		d->host.datagram(d->host.arg, &o->server, &o->client, o->client_port,
				 span_of(out, len));
}

static struct slot *slot_take(struct dns *d)
{
	struct slot *s;

	if (d->free) {
		s = &d->slots[d->free - 1];
		d->free = s->next_free;
	} else if (d->fresh < DNS_SLOTS) {
		s = &d->slots[d->fresh++];
	} else {
		return NULL;
	}
	s->used = true;
	s->generation++;
	return s;
}

static void keep(struct slot *s, const struct dns_origin *o, const struct dns_query *q)
{
	s->origin = *o;
	s->id = q->id;
	s->type = q->type;
	s->class = q->class;
	s->udp_bytes = q->udp_bytes;
	s->rd = q->rd;
	s->edns = q->edns;
	s->question_len = (uint16_t)q->question.len;
	memcpy(s->question, q->question.at, q->question.len);
}

static uint32_t slot_id(const struct dns *d, const struct slot *s)
{
	return d->host.id_bit | (uint32_t)(s->generation & 0xff) << SLOT_BITS |
	       (uint32_t)(s - d->slots);
}

void dns_take(struct dns *d, const struct dns_origin *o, struct span message)
{
	struct dns_reply refusal = { .rcode = DNS_SERVFAIL, .ede = DNS_EDE_NONE };
	struct talk_dns_ask ask;
	struct dns_query q;
	struct slot *s;
	int rcode = -1;

	if (dns_query_parse(message, &q, &rcode) != PARSE_OK) {
		refusal.rcode = (enum dns_rcode)rcode;
		if (rcode >= 0)
			reply(d, o, &q, &refusal);
		return;
	}
	if (q.class != DNS_IN) {	/* CHAOS and the like: about a server that is none of theirs */
		refusal.rcode = DNS_REFUSED;
		reply(d, o, &q, &refusal);
		return;
	}
	s = q.question.len <= QUESTION_MAX ? slot_take(d) : NULL;
	if (!s) {
		reply(d, o, &q, &refusal);
		return;
	}
	keep(s, o, &q);
	ask = (struct talk_dns_ask){
		.type = q.type, .plain = q.plain, .client = o->client, .server = o->server,
		.client_port = o->client_port,
		.transport = o->stream ? TRANSPORT_TCP : TRANSPORT_UDP,
	};
	d->host.tell(d->host.arg, slot_id(d, s), &ask, span_of(q.name, q.name_len));
}

void dns_answer(struct dns *d, uint32_t id, const struct talk_dns_answer *a, struct span tail)
{
	struct slot *s = &d->slots[id & (DNS_SLOTS - 1)];
	struct dns_reply r = {
		.rcode = a->rcode, .ede = (enum dns_ede)a->ede, .addrs = &a->addr,
		.addr_count = a->has_addr, .ttl_s = a->ttl_s,
	};
	struct dns_query q = { .id = 0 };

	if (!s->used || slot_id(d, s) != id)
		return;
	if (a->records && (s->type == DNS_A || s->type == DNS_AAAA)) {
		r.addrs = (const struct addr *)tail.at;	/* of bytes alone: aligned anywhere */
		r.addr_count = tail.len / sizeof(struct addr);
	} else {
		*(a->records ? &r.records : &r.ptr_name) = tail;
	}
	q.id = s->id;
	q.rd = s->rd;
	q.type = s->type;
	q.class = s->class;
	q.edns = s->edns;
	q.udp_bytes = s->udp_bytes;
	q.question = span_of(s->question, s->question_len);
	reply(d, &s->origin, &q, &r);
	s->used = false;
	s->next_free = d->free;
	d->free = (uint16_t)(s - d->slots + 1);
}
