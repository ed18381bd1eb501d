/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/learn_path.h"

#include "../unit.h"

#include "policy/path.h"

static uint32_t left;

static int init(void **state)
{
	(void)state;
	left = LEARN_NODES_MAX;
	return 0;
}

/* The patterns of @methods, joined by blanks */
static const char *patterns_of(const struct requests *r, uint32_t methods)
{
	static char text[LEARN_PATTERNS_MAX * PATTERN_MAX];
	struct buf b = buf_new(LEARN_PATTERNS_MAX * PATTERN_MAX);

	text[0] = '\0';
	requests_patterns(r, methods, &b);
	assert_false(b.full);
	for (size_t i = 0; i < b.len; i++)
		text[i] = b.at[i] ? (char)b.at[i] : ' ';
	text[b.len ? b.len - 1 : 0] = '\0';
	buf_done(&b);
	return text;
}

static const char *learn(const char *const *paths, size_t count)
{
	struct requests r;
	const char *text;

	requests_init(&r, &left);
	for (size_t i = 0; i < count; i++)
		requests_add(&r, 1, span_str(paths[i]));
	text = patterns_of(&r, 1);
	requests_done(&r);
	assert_int_equal(left, LEARN_NODES_MAX);
	return text;
}

#define LEARN(...) \
	learn((const char *const[]){ __VA_ARGS__ }, ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })))

static void one_path_is_itself(void **state)
{
	(void)state;
	assert_string_equal(LEARN("/"), "/");
	assert_string_equal(LEARN("/v1/chat/completions"), "/v1/chat/completions");
	assert_string_equal(LEARN("/a/"), "/a/");
	assert_string_equal(LEARN("/a?token=x"), "/a");
	assert_string_equal(LEARN("/a%20b"), "/a%20b");
}

static void what_is_one_of_many_is_a_star(void **state)
{
	static const char *const segments[] = {
		"17", "2026", "deadbeef1", "0e3f7a2", "lodash-4.17.21.tgz", "v1.2.3", "1.0.0",
		"***", "123e4567-e89b-12d3-a456-426614174000", "tokenwithdigits123", "a*b", "a;x=1",
		"a-name-that-is-longer-than-names-of-paths-usually-are-in-practice",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		char path[128];

		snprintf(path, sizeof(path), "/x/%s/y", segments[i]);
		assert_string_equal(LEARN(path), "/x/*/y");
	}
}

static void words_are_kept(void **state)
{
	static const char *const segments[] = {
		"v1", "v2beta", "x86_64", "dists", "InRelease", "face", "info", "@scope", "main.js",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/x/%s/y", segments[i]);
		assert_string_equal(LEARN(path), path);
	}
}

static void many_names_become_one_star(void **state)
{
	(void)state;
	assert_string_equal(LEARN("/u/a", "/u/b", "/u/c", "/u/d", "/u/e", "/u/f", "/u/g"), "/u/*");
	assert_string_equal(LEARN("/u/a", "/u/b", "/u/c", "/u/d", "/u/e", "/u/f", "/u/g", "/u/h", "/u/i"),
			    "/u/*");
	assert_string_equal(LEARN("/a/x", "/b/x", "/c/x", "/d/x", "/e/x", "/f/x", "/g/x"), "/*/x");
}

static void few_patterns_come_of_a_large_tree(void **state)
{
	struct requests r;
	struct buf b = buf_new(LEARN_PATTERNS_MAX * PATTERN_MAX);
	char path[64];

	(void)state;
	requests_init(&r, &left);
	for (char a = 'a'; a < 'd'; a++)
		for (char c = 'a'; c < 'f'; c++) {
			snprintf(path, sizeof(path), "/site/%c/%c/end", a, c);
			requests_add(&r, 1, span_str(path));
		}
	assert_string_equal(patterns_of(&r, 1), "/site/a/** /site/b/** /site/c/**");
	buf_done(&b);
	requests_done(&r);
}

static void what_has_two_readings_goes_into_two_stars(void **state)
{
	(void)state;
	assert_string_equal(LEARN("/a//b"), "/a/**");
	assert_string_equal(LEARN("/a/b/c/d/e/f/g/h/i/j/k/l"), "/a/b/c/d/e/f/g/h/i/j/**");
}

static void what_no_pattern_matches_leaves_none(void **state)
{
	(void)state;
	assert_string_equal(LEARN("/@scope%2fname"), "");
	assert_string_equal(LEARN("***"), "");
	assert_string_equal(LEARN("*"), "");
	assert_string_equal(LEARN("/fine", "/not%2ffine"), "");
	assert_string_equal(LEARN("//x"), "");
}

static void a_path_that_the_log_cut_is_open_at_its_end(void **state)
{
	char path[1100] = "/a/b/";

	(void)state;
	memset(path + 5, 'x', 1019);
	strcpy(path + 1024, "...");
	assert_string_equal(LEARN(path), "/a/b/**");
}

static void methods_are_told_apart(void **state)
{
	struct requests r;

	(void)state;
	requests_init(&r, &left);
	requests_add(&r, 1, SPAN("/read"));
	requests_add(&r, 2, SPAN("/write"));
	requests_add(&r, 4, SPAN("/blind%2f"));
	assert_int_equal(requests_methods(&r), 7);
	assert_string_equal(patterns_of(&r, 1), "/read");
	assert_string_equal(patterns_of(&r, 2), "/write");
	assert_string_equal(patterns_of(&r, 4), "");
	assert_string_equal(patterns_of(&r, 5), "");
	requests_done(&r);
}

static void merging_keeps_everything(void **state)
{
	struct requests a, b;

	(void)state;
	requests_init(&a, &left);
	requests_init(&b, &left);
	requests_add(&b, 1, SPAN("/x/y"));
	requests_add(&b, 2, SPAN("/z//z"));
	requests_merge(&a, &b);
	assert_string_equal(patterns_of(&a, 1), "/x/y");
	requests_add(&b, 1, SPAN("/q"));
	requests_add(&b, 4, SPAN("/no%2fpattern"));
	requests_merge(&a, &b);
	assert_string_equal(patterns_of(&a, 2), "/z/**");
	assert_string_equal(patterns_of(&a, 1), "/x/y /q");
	assert_int_equal(requests_methods(&a), 7);
	requests_done(&a);
	requests_done(&b);
	assert_int_equal(left, LEARN_NODES_MAX);
}

static bool any_matches(const struct requests *r, const char *text)
{
	struct buf b = buf_new(LEARN_PATTERNS_MAX * PATTERN_MAX);
	bool matches = !requests_patterns(r, 1, &b);
	struct span rest = buf_span(&b);
	struct path path;

	path_normal(span_str(text), &path);
	while (rest.len && !matches) {
		struct span one = span_str((const char *)rest.at);
		uint8_t normal[PATTERN_MAX];

		assert_int_equal(path_pattern(one, normal), one.len);
		matches = path_match(one, &path) == PATH_YES;
		rest = span_skip(rest, one.len + 1);
	}
	buf_done(&b);
	return matches;
}

/* Whatever is put in: everything before it is matched still, and so is it */
static void what_was_put_in_is_matched(void **state)
{
	static const char *const parts[] = { "a", "b", "17", "", "c;x", "dists", "x-1.2", "e%20f", "*" };
	uint32_t random = 12345;

	(void)state;
	for (int round = 0; round < 300; round++) {
		char paths[40][128];
		struct requests r, merged;

		requests_init(&r, &left);
		requests_init(&merged, &left);
		for (int i = 0; i < 40; i++) {
			size_t len = 0;

			random = random * 1103515245 + 12345;
			for (unsigned n = 0; n <= (random >> 16) % 5; n++) {
				random = random * 1103515245 + 12345;
				len += (size_t)snprintf(paths[i] + len, sizeof(paths[i]) - len, "/%s%c",
							parts[(random >> 16) % ARRAY_SIZE(parts)],
							'a' + (char)((random >> 24) % (unsigned)(1 + round % 9)));
			}
			requests_add(&r, 1, span_str(paths[i]));
		}
		requests_merge(&merged, &r);
		for (int i = 0; i < 40; i++) {
			assert_true(any_matches(&r, paths[i]));
			assert_true(any_matches(&merged, paths[i]));
		}
		requests_done(&r);
		requests_done(&merged);
	}
}

static void memory_has_a_bound(void **state)
{
	struct requests r;
	char path[64];

	(void)state;
	left = 100;
	requests_init(&r, &left);
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/%c%c/%c%c/%c", 'a' + i % 5, 'a' + i / 5 % 26,
			 'a' + i / 25 % 26, 'a' + i / 7 % 26, 'a' + i % 26);
		requests_add(&r, 1, span_str(path));
		assert_true(any_matches(&r, path));
	}
	requests_done(&r);
	assert_int_equal(left, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_path_is_itself, init),
		cmocka_unit_test_setup(what_is_one_of_many_is_a_star, init),
		cmocka_unit_test_setup(words_are_kept, init),
		cmocka_unit_test_setup(many_names_become_one_star, init),
		cmocka_unit_test_setup(few_patterns_come_of_a_large_tree, init),
		cmocka_unit_test_setup(what_has_two_readings_goes_into_two_stars, init),
		cmocka_unit_test_setup(what_no_pattern_matches_leaves_none, init),
		cmocka_unit_test_setup(a_path_that_the_log_cut_is_open_at_its_end, init),
		cmocka_unit_test_setup(methods_are_told_apart, init),
		cmocka_unit_test_setup(merging_keeps_everything, init),
		cmocka_unit_test_setup(what_was_put_in_is_matched, init),
		cmocka_unit_test_setup(memory_has_a_bound, init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
