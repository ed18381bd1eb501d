/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/wire.h"
#include "dns/query.h"
#include "proto/dns_msg.h"

#define ID_BIT (1u << 30)

struct desk {
	struct dns	*dns;
	uint32_t	 ids[DNS_SLOTS + 1];
	size_t		 asked, answered;
	struct talk_dns_ask ask;
	char		 name[256];
	uint8_t		 answer[DNS_REPLY_MAX];
	size_t		 answer_len;
	uint16_t	 port;
};

static void tell(void *arg, uint32_t id, const struct talk_dns_ask *ask, struct span name)
{
	struct desk *d = arg;

	d->ids[d->asked++] = id;
	d->ask = *ask;
	assert_true(span_copy(name, d->name, sizeof(d->name)));
}

static void datagram(void *arg, const struct addr *server, const struct addr *client, uint16_t port,
		     struct span answer)
{
	struct desk *d = arg;

	(void)server, (void)client;
	d->answered++;
	d->port = port;
	d->answer_len = answer.len;
	memcpy(d->answer, answer.at, answer.len);
}

static struct desk *desk_new(void)
{
	struct desk *d = calloc(1, sizeof(*d));
	struct dns_host host = { .id_bit = ID_BIT, .tell = tell, .datagram = datagram, .arg = d };

	d->dns = dns_new(&host);
	assert_non_null(d->dns);
	return d;
}

static void desk_free(struct desk *d)
{
	dns_free(d->dns);
	free(d);
}

static void ask(struct desk *d, uint16_t id, uint16_t port)
{
	static const uint8_t question[] = "\3api\7example\3com\0\0\1\0\1";
	struct dns_origin o = { .client = addr_v4(1), .server = addr_v4(2), .client_port = port };
	uint8_t bytes[64];
	struct wire_out w = { .at = bytes, .size = sizeof(bytes) };

	wire_put_u16(&w, id);
	wire_put_u16(&w, 0x0100);
	wire_put_u16(&w, 1);
	for (int i = 0; i < 3; i++)
		wire_put_u16(&w, 0);
	wire_put(&w, question, sizeof(question) - 1);
	dns_take(d->dns, &o, span_of(bytes, w.len));
}

static unsigned rcode(const struct desk *d)
{
	return d->answer[3] & 0xf;
}

static void a_query_is_put_and_answered(void **state)
{
	struct talk_dns_answer a = { .has_addr = 1, .ede = DNS_EDE_NONE, .ttl_s = 60,
				     .addr = addr_v4(0x1c000010) };
	struct desk *d = desk_new();

	(void)state;
	ask(d, 0x1234, 5353);
	assert_int_equal(d->asked, 1);
	assert_string_equal(d->name, "api.example.com");
	assert_int_equal(d->ask.type, DNS_A);
	assert_true(d->ids[0] & ID_BIT);
	dns_answer(d->dns, d->ids[0], &a, (struct span){ 0 });
	assert_int_equal(d->answered, 1);
	assert_int_equal(d->port, 5353);
	assert_memory_equal(d->answer, "\x12\x34", 2);
	assert_int_equal(rcode(d), DNS_NOERROR);
	assert_memory_equal(d->answer + d->answer_len - 4, "\x1c\x00\x00\x10", 4);
	desk_free(d);
}

static void records_are_answered_under_the_name_that_was_asked(void **state)
{
	struct talk_dns_answer a = { .ede = DNS_EDE_NONE, .ttl_s = 30, .records = 1 };
	static const uint8_t question[] = "\0\7\1\0\0\1\0\0\0\0\0\0\3TxT\7example\0\0\20\0\1";
	struct dns_origin o = { .client_port = 5 };
	struct desk *d = desk_new();

	(void)state;
	dns_take(d->dns, &o, span_of(question, sizeof(question) - 1));
	assert_int_equal(d->ask.type, DNS_TXT);
	dns_answer(d->dns, d->ids[0], &a, SPAN("\0\2\1x\0\3\2yz"));
	assert_int_equal(d->answer[7], 2);
	assert_true(span_ends(span_of(d->answer, d->answer_len),
			      SPAN("\3TxT\7example\0\0\20\0\1"
				   "\300\14\0\20\0\1\0\0\0\36\0\2\1x"
				   "\300\14\0\20\0\1\0\0\0\36\0\3\2yz")));
	/* a list that breaks ends there; one for a question about addresses is none */
	dns_take(d->dns, &o, span_of(question, sizeof(question) - 1));
	dns_answer(d->dns, d->ids[1], &a, SPAN("\0\2\1x\0\3\2"));
	assert_int_equal(d->answer[7], 1);
	ask(d, 1, 1);
	dns_answer(d->dns, d->ids[2], &a, SPAN("\0\4\1\2\3\4"));
	assert_int_equal(d->answer[7], 0);
	desk_free(d);
}

static void an_answer_finds_its_query_once(void **state)
{
	struct talk_dns_answer a = { .rcode = DNS_NXDOMAIN, .ede = DNS_EDE_BLOCKED };
	struct desk *d = desk_new();

	(void)state;
	ask(d, 1, 1);
	dns_answer(d->dns, d->ids[0], &a, (struct span){ 0 });
	dns_answer(d->dns, d->ids[0], &a, (struct span){ 0 });	/* late, or again */
	assert_int_equal(d->answered, 1);
	ask(d, 2, 2);
	assert_int_not_equal(d->ids[1], d->ids[0]);	/* the slot's next life */
	dns_answer(d->dns, d->ids[0], &a, (struct span){ 0 });
	assert_int_equal(d->answered, 1);
	dns_answer(d->dns, ID_BIT | 77, &a, (struct span){ 0 });	/* nobody's */
	assert_int_equal(d->answered, 1);
	dns_answer(d->dns, d->ids[1], &a, (struct span){ 0 });
	assert_int_equal(d->answered, 2);
	assert_int_equal(rcode(d), DNS_NXDOMAIN);
	desk_free(d);
}

static void beyond_the_bound_the_answer_is_servfail(void **state)
{
	struct talk_dns_answer a = { .rcode = DNS_NXDOMAIN, .ede = DNS_EDE_NONE };
	struct desk *d = desk_new();

	(void)state;
	for (uint16_t i = 0; i < DNS_SLOTS; i++)
		ask(d, i, 1);
	assert_int_equal(d->asked, DNS_SLOTS);
	assert_int_equal(d->answered, 0);
	ask(d, 9999, 1);
	assert_int_equal(d->asked, DNS_SLOTS);
	assert_int_equal(d->answered, 1);
	assert_int_equal(rcode(d), DNS_SERVFAIL);
	for (size_t i = 0; i < DNS_SLOTS; i++)		/* and then there is room again */
		dns_answer(d->dns, d->ids[i], &a, (struct span){ 0 });
	assert_int_equal(d->answered, DNS_SLOTS + 1);
	d->asked = 0;
	ask(d, 1, 1);
	assert_int_equal(d->asked, 1);
	desk_free(d);
}

static void what_is_no_query_is_not_put(void **state)
{
	static const uint8_t response[12] = { 0, 1, 0x80 }, no_question[12] = { 0, 2, 1 };
	struct dns_origin o = { .client_port = 1 };
	struct desk *d = desk_new();

	(void)state;
	dns_take(d->dns, &o, (struct span){ 0 });
	dns_take(d->dns, &o, span_of(response, sizeof(response)));
	assert_int_equal(d->answered, 0);
	dns_take(d->dns, &o, span_of(no_question, sizeof(no_question)));
	assert_int_equal(d->answered, 1);
	assert_int_equal(rcode(d), DNS_FORMERR);
	assert_int_equal(d->asked, 0);
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_put_and_answered),
		cmocka_unit_test(records_are_answered_under_the_name_that_was_asked),
		cmocka_unit_test(an_answer_finds_its_query_once),
		cmocka_unit_test(beyond_the_bound_the_answer_is_servfail),
		cmocka_unit_test(what_is_no_query_is_not_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
