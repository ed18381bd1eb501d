/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/socks.h"

#define LIT(s) { (const uint8_t *)(s), sizeof(s) - 1 }

static const struct {
	struct span bytes;
	enum parse want;
	size_t used;
	bool open;
} greetings[] = {
	{ LIT(""), PARSE_MORE },
	{ LIT("\5\1\0"), PARSE_OK, 3, true },
	{ LIT("\5\2\2\0rest"), PARSE_OK, 4, true },
	{ LIT("\5\1\2"), PARSE_OK, 3, false },
	{ LIT("\5\3\1\2\xff"), PARSE_OK, 5, false },
	{ LIT("\5\0"), PARSE_BAD }, { LIT("\4"), PARSE_BAD }, { LIT("\4\1\0\120"), PARSE_BAD },
	{ LIT("\0"), PARSE_BAD }, { LIT("GET / HTTP/1.1\r\n"), PARSE_BAD }, { LIT("\x16\3\1"), PARSE_BAD },
};

static void greetings_are_good_or_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(greetings); i++) {
		struct socks_greeting g = { 99, false };

		if (socks_greeting_parse(greetings[i].bytes, &g) != greetings[i].want)
			fail_msg("row %zu", i);
		assert_int_equal(g.bytes, greetings[i].want == PARSE_OK ? greetings[i].used : 99);
		assert_int_equal(g.open, greetings[i].open);
		for (size_t len = 0; greetings[i].want == PARSE_OK && len < greetings[i].used; len++)
			assert_int_equal(socks_greeting_parse(span_head(greetings[i].bytes, len), &g),
					 PARSE_MORE);
	}
}

#define NAME "\3\6a.test"
#define V6 "\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"

static const struct {
	struct span bytes;
	enum parse want;
	size_t used;
	enum socks_command command;
	const char *host, *addr;
	uint16_t port;
} requests[] = {
	{ LIT(""), PARSE_MORE },
	{ LIT("\5\1\0" NAME "\1\xbb\x16\3\1"), PARSE_OK, 13, SOCKS_CONNECT, "a.test", NULL, 443 },
	{ LIT("\5\1\0\1\300\0\2\1\0\26"), PARSE_OK, 10, SOCKS_CONNECT, "", "192.0.2.1", 22 },
	{ LIT("\5\1\0" V6 "\0\120"), PARSE_OK, 22, SOCKS_CONNECT, "", "2001:db8::1", 80 },
	{ LIT("\5\2\0\1\0\0\0\0\0\0"), PARSE_OK, 10, SOCKS_BIND, "", "0.0.0.0", 0 },
	{ LIT("\5\3\0\1\0\0\0\0\0\0"), PARSE_OK, 10, SOCKS_ASSOCIATE, "", "0.0.0.0", 0 },
	{ LIT("\5\1\0" NAME "\0\0"), PARSE_BAD },
	{ LIT("\4\1\0"), PARSE_BAD }, { LIT("\5\0\0"), PARSE_BAD }, { LIT("\5\4"), PARSE_BAD },
	{ LIT("\5\1\1"), PARSE_BAD }, { LIT("\5\1\0\2"), PARSE_BAD }, { LIT("\5\1\0\0"), PARSE_BAD },
	{ LIT("\5\1\0\3\0"), PARSE_BAD }, { LIT("\5\1\0\3\0\1\xbb"), PARSE_BAD },
	{ LIT("\5\1\0\3\2a\0\1\xbb"), PARSE_BAD }, { LIT("\5\1\0\3\2a \1\xbb"), PARSE_BAD },
	{ LIT("\5\1\0\3\2a\n\1\xbb"), PARSE_BAD }, { LIT("\5\1\0\3\2\303\244\1\xbb"), PARSE_BAD },
};

static void requests_are_good_or_bad(void **state)
{
	char text[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct socks_request r = { .bytes = 99 }, cut;

		if (socks_request_parse(requests[i].bytes, &r) != requests[i].want)
			fail_msg("row %zu", i);
		if (requests[i].want != PARSE_OK) {
			assert_int_equal(r.bytes, 99);
			continue;
		}
		assert_int_equal(r.bytes, requests[i].used);
		assert_int_equal(r.command, requests[i].command);
		assert_int_equal(r.port, requests[i].port);
		assert_true(span_eq(r.host, span_str(requests[i].host)));
		if (requests[i].addr)
			assert_string_equal(addr_text(&r.addr, text), requests[i].addr);
		for (size_t len = 0; len < requests[i].used; len++)
			assert_int_equal(socks_request_parse(span_head(requests[i].bytes, len), &cut),
					 PARSE_MORE);
	}
}

/* The longest name there is fits; a mapped address is the IPv4 address inside */
static void bounds(void **state)
{
	const struct span mapped = SPAN("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\xff\xff\177\0\0\1\0\120");
	uint8_t bytes[SOCKS_REQUEST_MAX] = { 5, 1, 0, 3, 255 };
	struct socks_request r;
	char text[ADDR_TEXT_MAX];

	(void)state;
	memset(bytes + 5, 'a', 255);
	bytes[260] = 1;
	assert_int_equal(socks_request_parse(span_of(bytes, sizeof(bytes)), &r), PARSE_OK);
	assert_int_equal(r.host.len, 255);
	assert_int_equal(r.bytes, SOCKS_REQUEST_MAX);
	assert_int_equal(socks_request_parse(mapped, &r), PARSE_OK);
	assert_string_equal(addr_text(&r.addr, text), "127.0.0.1");
}

static void what_is_said_to_it(void **state)
{
	uint8_t choice[SOCKS_CHOICE_BYTES], reply[SOCKS_REPLY_BYTES];

	(void)state;
	socks_choice(true, choice);
	assert_memory_equal(choice, "\5\0", 2);
	socks_choice(false, choice);
	assert_memory_equal(choice, "\5\xff", 2);
	socks_reply(SOCKS_NOT_ALLOWED, reply);
	assert_memory_equal(reply, "\5\2\0\1\0\0\0\0\0\0", 10);
	socks_reply(SOCKS_DONE, reply);
	assert_memory_equal(reply, "\5\0\0\1\0\0\0\0\0\0", 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greetings_are_good_or_bad),
		cmocka_unit_test(requests_are_good_or_bad),
		cmocka_unit_test(bounds),
		cmocka_unit_test(what_is_said_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
