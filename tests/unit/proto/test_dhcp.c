/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/dhcp.h"

#define HEAD 240		/* bytes before the options, the magic number included */
#define REQUEST_MAX 512

static struct dhcp_net net(void)
{
	struct dhcp_net n = { .bits = 24 };

	assert_true(addr_parse(SPAN("192.168.101.10"), &n.client));
	assert_true(addr_parse(SPAN("192.168.101.1"), &n.server));
	return n;
}

/* A request with these options; @flags: as two bytes */
static size_t request(uint8_t out[REQUEST_MAX], const char *options, size_t len)
{
	memset(out, 0, REQUEST_MAX);
	memcpy(out, "\1\1\6\0\xaa\xbb\xcc\xdd", 8);
	memcpy(out + 28, "\x52\x54\0\0\0\x0a", 6);
	memcpy(out + 236, "\x63\x82\x53\x63", 4);
	memcpy(out + HEAD, options, len);
	return HEAD + len;
}

struct said {
	uint8_t	bytes[DHCP_ANSWER_MAX];
	size_t	len;
	bool	all;
};

static struct said say(const uint8_t *bytes, size_t len)
{
	struct dhcp_net n = net();
	struct said s = { .len = 0 };

	s.len = dhcp_answer(span_of(bytes, len), &n, s.bytes, &s.all);
	assert_true(s.len <= DHCP_ANSWER_MAX);
	return s;
}

/* The value of an option of an answer; fails if it is not there */
static const uint8_t *option_of(const struct said *s, uint8_t code, uint8_t len)
{
	for (size_t i = HEAD; i + 1 < s->len && s->bytes[i] != 255; i += 2u + s->bytes[i + 1])
		if (s->bytes[i] == code) {
			assert_int_equal(s->bytes[i + 1], len);
			return s->bytes + i + 2;
		}
	fail_msg("no option %u", code);
	return NULL;
}

#define ASK(s, options) \
	do { \
		uint8_t b[REQUEST_MAX]; \
		(s) = say(b, request(b, options, sizeof(options) - 1)); \
	} while (0)

static void discover_is_offered_everything(void **state)
{
	struct said s;

	(void)state;
	ASK(s, "\x35\1\1\x37\3\1\3\6\xff");
	assert_int_equal(s.len, 300);
	assert_false(s.all);
	assert_memory_equal(s.bytes, "\2\1\6\0\xaa\xbb\xcc\xdd", 8);
	assert_memory_equal(s.bytes + 16, "\300\250\145\12", 4);
	assert_memory_equal(s.bytes + 28, "\x52\x54\0\0\0\x0a\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(*option_of(&s, 53, 1), 2);
	assert_memory_equal(option_of(&s, 54, 4), "\300\250\145\1", 4);
	assert_memory_equal(option_of(&s, 1, 4), "\377\377\377\0", 4);
	assert_memory_equal(option_of(&s, 3, 4), "\300\250\145\1", 4);
	assert_memory_equal(option_of(&s, 6, 4), "\300\250\145\1", 4);
	assert_memory_equal(option_of(&s, 51, 4), "\0\1\x51\x80", 4);
}

static void request_for_the_address_is_granted(void **state)
{
	struct said s;

	(void)state;
	ASK(s, "\x35\1\3\x32\4\300\250\145\12\x36\4\300\250\145\1\xff");
	assert_int_equal(*option_of(&s, 53, 1), 5);
	assert_memory_equal(s.bytes + 16, "\300\250\145\12", 4);
}

static void renewal_names_the_address_in_its_head(void **state)
{
	uint8_t b[REQUEST_MAX];
	size_t len = request(b, "\x35\1\3\xff", 4);
	struct said s;

	(void)state;
	memcpy(b + 12, "\300\250\145\12", 4);
	s = say(b, len);
	assert_int_equal(*option_of(&s, 53, 1), 5);
	assert_memory_equal(s.bytes + 12, "\300\250\145\12", 4);
}

static void another_address_is_denied_to_everybody(void **state)
{
	struct said s;

	(void)state;
	ASK(s, "\x35\1\3\x32\4\300\250\145\13\xff");
	assert_int_equal(*option_of(&s, 53, 1), 6);
	assert_true(s.all);
	assert_memory_equal(s.bytes + 16, "\0\0\0\0", 4);
}

static void who_cannot_be_reached_is_told_by_broadcast(void **state)
{
	uint8_t b[REQUEST_MAX];
	size_t len = request(b, "\x35\1\1\xff", 4);
	struct said s;

	(void)state;
	b[10] = 0x80;
	s = say(b, len);
	assert_true(s.len && s.all && s.bytes[10] == 0x80);
}

static void inform_gets_no_address(void **state)
{
	struct said s;

	(void)state;
	ASK(s, "\x35\1\x08\xff");
	assert_int_equal(*option_of(&s, 53, 1), 5);
	assert_memory_equal(s.bytes + 16, "\0\0\0\0", 4);
	assert_memory_equal(option_of(&s, 6, 4), "\300\250\145\1", 4);
}

static void nothing_is_said_to_what_is_no_request_of_ours(void **state)
{
	static const struct {
		const char *what;
		struct span options;
	} rows[] = {
		{ "no kind", SPAN("\xff") }, { "two kinds", SPAN("\x35\1\1\x35\1\1\xff") },
		{ "a kind of two bytes", SPAN("\x35\2\1\1\xff") }, { "kind 0", SPAN("\x35\1\0\xff") },
		{ "no end", SPAN("\x35\1\1") }, { "cut", SPAN("\x35\1\1\x32\4\1") },
		{ "two addresses", SPAN("\x35\1\3\x32\4\1\1\1\1\x32\4\1\1\1\1\xff") },
		{ "a short address", SPAN("\x35\1\3\x32\3\1\1\1\xff") },
		{ "another server's offer", SPAN("\x35\1\3\x36\4\300\250\145\2\xff") },
		{ "decline", SPAN("\x35\1\4\xff") }, { "release", SPAN("\x35\1\7\xff") },
		{ "an offer", SPAN("\x35\1\2\xff") },
	};
	uint8_t b[REQUEST_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (say(b, request(b, (const char *)rows[i].options.at, rows[i].options.len)).len)
			fail_msg("%s", rows[i].what);
}

static void heads_of_others_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t is;
	} rows[] = { { 0, 2 }, { 1, 6 }, { 2, 16 }, { 24, 1 }, { 236, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t b[REQUEST_MAX];
		size_t len = request(b, "\x35\1\1\xff", 4);

		assert_int_not_equal(say(b, len).len, 0);
		b[rows[i].at] = rows[i].is;
		assert_int_equal(say(b, len).len, 0);
	}
}

static void cut_anywhere_it_is_no_request(void **state)
{
	uint8_t b[REQUEST_MAX];
	size_t len = request(b, "\0\x35\1\1\x0c\2ab\xff", 9);

	(void)state;
	assert_int_not_equal(say(b, len).len, 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(say(b, cut).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(discover_is_offered_everything),
		cmocka_unit_test(request_for_the_address_is_granted),
		cmocka_unit_test(renewal_names_the_address_in_its_head),
		cmocka_unit_test(another_address_is_denied_to_everybody),
		cmocka_unit_test(who_cannot_be_reached_is_told_by_broadcast),
		cmocka_unit_test(inform_gets_no_address),
		cmocka_unit_test(nothing_is_said_to_what_is_no_request_of_ours),
		cmocka_unit_test(heads_of_others_are_refused),
		cmocka_unit_test(cut_anywhere_it_is_no_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
