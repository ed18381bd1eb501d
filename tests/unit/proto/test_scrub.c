/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/scrub.h"

static struct scrub_set *set_of(const char *const *values)
{
	struct scrub_set *set = scrub_set_new();

	for (; *values; values++)
		assert_true(scrub_set_add(set, span_str(*values), SPAN("hidden-here")));
	return set;
}

/* Feed @text in two pieces and more, cut at @first and then every @step bytes */
static void scrub_text(struct scrub_set *set, const char *text, size_t first, size_t step, char *ret)
{
	size_t len = strlen(text), at = 0, wait = 0, done = 0, piece = first;
	uint8_t bytes[256];
	struct scrub s;

	assert_true(scrub_begin(&s, set));
	for (; at < len; at += piece, piece = step) {
		size_t final;

		piece = piece < len - at ? piece : len - at;
		memcpy(bytes + wait, text + at, piece);
		final = scrub_feed(&s, bytes, wait, wait + piece);
		memcpy(ret + done, bytes, final);
		done += final;
		wait = wait + piece - final;
		memmove(bytes, bytes + final, wait);
	}
	memcpy(ret + done, bytes, wait);
	ret[done + wait] = '\0';
	scrub_end(&s);
}

static void values_are_overwritten_at_any_cut(void **state)
{
	static const struct {
		const char *values[4], *text, *want;
	} rows[] = {
		{ { "secret-1" }, "say secret-1 again secret-1", "say hidden-h again hidden-h" },
		{ { "secret-1" }, "secret-1secret-1", "hidden-hhidden-h" },
		{ { "secret-1" }, "secretsecret-1-", "secrethidden-h-" },
		{ { "secret-1" }, "secret-2 secret-", "secret-2 secret-" },
		{ { "a-much-longer-secret" }, "=a-much-longer-secret=", "=hidden-here*********=" },
		/* one begins another one, is its end, is within it, overlaps it */
		{ { "secret", "secret-long" }, "secret secret-long secret-lon",
		  "hidden hidden-here hidden-lon" },
		{ { "secret-long", "t-long" }, "xt-long secret-long", "xhidden hidden-here" },
		{ { "cret-l", "secret-long" }, "secret-long cret-l", "hidden-here hidden" },
		{ { "AAABBB", "BBBCCC" }, "AAABBBCCC", "hidhidden" },
		/* itself overlapping */
		{ { "ababab" }, "abababab abababa", "hihidden hiddena" },
		{ { "aaaaaa" }, "aaaaaaaaaaaab aaaaa", "" },
		{ { "short" }, "short", "short" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scrub_set *set = set_of(rows[i].values);
		char whole[256], cut[256];

		scrub_text(set, rows[i].text, SIZE_MAX, 1, whole);
		if (*rows[i].want && strcmp(whole, rows[i].want) != 0)
			fail_msg("row %zu: %s", i, whole);
		for (size_t k = 0; rows[i].values[k]; k++)
			assert_true(strlen(rows[i].values[k]) < SCRUB_LEAST ||
				    !strstr(whole, rows[i].values[k]));
		for (size_t first = 0; first <= strlen(rows[i].text); first++)
			for (size_t step = 1; step < 20; step++) {
				scrub_text(set, rows[i].text, first, step, cut);
				if (strcmp(whole, cut) != 0)
					fail_msg("row %zu at %zu, %zu: %s", i, first, step, cut);
			}
		scrub_set_unref(set);
	}
}

/* What waits is never more than the longest value, and only what may be one waits */
static void what_waits_has_a_bound(void **state)
{
	static const char *const values[] = { "secret-1", "secret-longer", NULL };
	struct scrub_set *set = set_of(values);
	uint8_t bytes[] = "no. secret-longe";
	struct scrub s;

	(void)state;
	assert_true(scrub_begin(&s, set));
	assert_int_equal(scrub_feed(&s, bytes, 0, 4), 4);
	assert_int_equal(scrub_feed(&s, bytes, 4, 16), 4);
	assert_int_equal(scrub_feed(&s, bytes + 4, 12, 12), 0);
	scrub_end(&s);
	scrub_set_unref(set);
}

static void a_stream_is_not_disturbed_by_a_whole(void **state)
{
	static const char *const values[] = { "secret-1", NULL };
	struct scrub_set *set = set_of(values);
	uint8_t field[] = "x: secret-1", bytes[] = "secret-1";
	struct scrub s;

	(void)state;
	assert_true(scrub_begin(&s, set));
	assert_int_equal(scrub_feed(&s, bytes, 0, 6), 0);
	scrub_whole(&s, field, sizeof(field) - 1);
	assert_string_equal((char *)field, "x: hidden-h");
	assert_int_equal(scrub_feed(&s, bytes, 6, 8), 8);
	assert_string_equal((char *)bytes, "hidden-h");
	scrub_end(&s);
	/* one that is not begun lets all pass */
	assert_int_equal(scrub_feed(&s, field, 0, 5), 5);
	scrub_whole(&s, field, 5);
	scrub_set_unref(set);
}

static void sets_have_bounds(void **state)
{
	struct scrub_set *set = scrub_set_new();
	uint8_t *big = calloc(1, SCRUB_MOST + 1);

	(void)state;
	assert_true(scrub_set_add(set, SPAN("short"), SPAN("x")));
	assert_int_equal(scrub_set_count(set), 0);
	assert_true(scrub_set_add(set, SPAN("secret"), SPAN("x")));
	assert_true(scrub_set_add(set, SPAN("secret"), SPAN("x")));
	assert_int_equal(scrub_set_count(set), 1);
	assert_false(scrub_set_add(set, span_of(big, SCRUB_MOST + 1), SPAN("x")));
	assert_true(scrub_set_add(set, span_of(big, SCRUB_MOST), SPAN("x")));
	assert_int_equal(scrub_set_count(set), 2);
	scrub_set_unref(scrub_set_ref(set));
	scrub_set_unref(set);
	scrub_set_unref(NULL);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_overwritten_at_any_cut),
		cmocka_unit_test(what_waits_has_a_bound),
		cmocka_unit_test(a_stream_is_not_disturbed_by_a_whole),
		cmocka_unit_test(sets_have_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
