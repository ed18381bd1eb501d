/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/http_scrub.h"

#define BYTES_MAX 512

/* Pass the body on as a relay does: in pieces of @step bytes, the first of @first */
static bool pass(struct scrub_set *set, enum http_framing framing, const char *text, size_t first,
		 size_t step, char *ret)
{
	size_t len = strlen(text), at = 0, wait = 0, done = 0, piece = first;
	enum parse p = PARSE_MORE;
	uint8_t bytes[BYTES_MAX];
	struct http_body body;
	struct http_scrub s;
	bool ok = http_scrub_begin(&s, set);

	http_body_init(&body, framing, framing == HTTP_BODY_LENGTH ? len : 0);
	for (; ok && at < len && p == PARSE_MORE; at += piece, piece = step) {
		size_t final, used;

		piece = piece < len - at ? piece : len - at;
		memcpy(bytes + wait, text + at, piece);
		ok = http_scrub_feed(&s, &body, bytes, wait + piece, &final);
		p = http_body_feed(&body, span_of(bytes, final), &used);
		memcpy(ret + done, bytes, used);
		done += used;
		wait = wait + piece - used;
		memmove(bytes, bytes + used, wait);
	}
	if (framing == HTTP_BODY_CLOSE) {
		memcpy(ret + done, bytes, wait);
		done += wait;
	} else {
		ok &= p == PARSE_OK && !wait;
	}
	ret[done] = '\0';
	http_scrub_end(&s);
	return ok;
}

static const struct {
	enum http_framing framing;
	const char *text, *want;
} rows[] = {
	{ HTTP_BODY_LENGTH, "a secret-1 b secret-", "a hidden-1 b secret-" },
	{ HTTP_BODY_CLOSE, "a secret-1 b secret-", "a hidden-1 b secret-" },
	{ HTTP_BODY_CHUNKED, "a\r\na secret-1\r\n0\r\n\r\n", "a\r\na hidden-1\r\n0\r\n\r\n" },
	/* cut by frames */
	{ HTTP_BODY_CHUNKED, "5\r\na sec\r\n4\r\nret-\r\n3\r\n1 b\r\n0\r\n\r\n",
	  "5\r\na hid\r\n4\r\nden-\r\n3\r\n1 b\r\n0\r\n\r\n" },
	{ HTTP_BODY_CHUNKED, "1\r\ns\r\n1;x=y\r\ne\r\n1\r\nc\r\n1\r\nr\r\n1\r\ne\r\n1\r\nt\r\n1\r\n-\r\n"
	  "1\r\n1\r\n0\r\n\r\n",
	  "1\r\nh\r\n1;x=y\r\ni\r\n1\r\nd\r\n1\r\nd\r\n1\r\ne\r\n1\r\nn\r\n1\r\n-\r\n1\r\n1\r\n0\r\n\r\n" },
	/* in frames */
	{ HTTP_BODY_CHUNKED, "1;secret-1\r\ns\r\n0;x=\"secret-1\"\r\nX: secret-1\r\n\r\n",
	  "1;hidden-1\r\ns\r\n0;x=\"hidden-1\"\r\nX: hidden-1\r\n\r\n" },
	/* no value after all */
	{ HTTP_BODY_CHUNKED, "7\r\nsecret-\r\n3\r\n2 1\r\n0\r\nX: secret-\r\n\r\n",
	  "7\r\nsecret-\r\n3\r\n2 1\r\n0\r\nX: secret-\r\n\r\n" },
};

static void bodies_are_scrubbed_at_any_cut(void **state)
{
	struct scrub_set *set = scrub_set_new();
	char got[BYTES_MAX];

	(void)state;
	assert_true(scrub_set_add(set, SPAN("secret-1"), SPAN("hidden-1")));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t first = 1; first <= strlen(rows[i].text); first++)
			for (size_t step = 1; step < 24; step++) {
				assert_true(pass(set, rows[i].framing, rows[i].text, first, step, got));
				if (strcmp(got, rows[i].want) != 0)
					fail_msg("row %zu at %zu, %zu: %s", i, first, step, got);
			}
	scrub_set_unref(set);
}

/* A value that looks like a chunk's size must not make two readings of the frames */
static void frames_are_read_as_they_go_on(void **state)
{
	struct scrub_set *set = scrub_set_new();
	char got[BYTES_MAX];

	(void)state;
	assert_true(scrub_set_add(set, SPAN("000001"), SPAN("hidden")));
	assert_false(pass(set, HTTP_BODY_CHUNKED, "000001\r\na\r\n0\r\n\r\n", SIZE_MAX, 1, got));
	scrub_set_unref(set);
}

static void nothing_is_done_without_a_set(void **state)
{
	struct http_scrub s = { .data_waits = 0 };
	struct http_body body;
	uint8_t bytes[] = "secret-1";
	size_t final = 0;

	(void)state;
	http_body_init(&body, HTTP_BODY_CLOSE, 0);
	assert_true(http_scrub_feed(&s, &body, bytes, 8, &final));
	assert_int_equal(final, 8);
	http_scrub_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_are_scrubbed_at_any_cut),
		cmocka_unit_test(frames_are_read_as_they_go_on),
		cmocka_unit_test(nothing_is_done_without_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
