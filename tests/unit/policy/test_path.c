/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/path.h"

static void normal_forms(void **state)
{
	static const struct {
		const char *text;
		enum path_kind kind;
		const char *normal;
	} rows[] = {
		{ "/", PATH_GOOD, "/" }, { "/v1/chat", PATH_GOOD, "/v1/chat" },
		{ "/a.b/..c/...", PATH_GOOD, "/a.b/..c/..." }, { "/a/", PATH_GOOD, "/a/" },
		{ "/%61%2D%7e%5F", PATH_GOOD, "/a-~_" }, { "/a%20b", PATH_GOOD, "/a%20b" },
		{ "/%c3%Bc", PATH_GOOD, "/%C3%BC" }, { "/%25%3f%23", PATH_GOOD, "/%25%3F%23" },
		{ "/a%40b%3a%2b%21%28%29%2a%3B", PATH_GOOD, "/a@b:+!()*;" },
		{ "/%252f", PATH_DOUBTFUL, "/%252f" }, { "/%252e%252e/a", PATH_DOUBTFUL, NULL },
		{ "/%25%32f", PATH_DOUBTFUL, NULL }, { "/%25%45%32", PATH_DOUBTFUL, NULL },
		{ "/%25252e", PATH_DOUBTFUL, NULL }, { "/100%25", PATH_GOOD, "/100%25" },
		{ "/%252", PATH_GOOD, "/%252" }, { "/%25zz", PATH_GOOD, "/%25zz" },
		{ "/%c0%ae", PATH_DOUBTFUL, NULL }, { "/%C1%9C", PATH_DOUBTFUL, NULL },
		{ "/%e0%80%af", PATH_DOUBTFUL, NULL }, { "/%e0%a0%80", PATH_GOOD, "/%E0%A0%80" },
		{ "/%f0%80%80%af", PATH_DOUBTFUL, NULL }, { "/%f0%9f%8c%80", PATH_GOOD, NULL },
		{ "//a", PATH_GOOD, "//a" },
		{ "/%5b%22%3C", PATH_GOOD, "/[\"<" },
		{ "/a%2fb", PATH_DOUBTFUL, "/a%2Fb" }, { "/a%2Fb", PATH_DOUBTFUL, "/a%2Fb" },
		{ "/.", PATH_DOUBTFUL, NULL }, { "/..", PATH_BAD, NULL }, { "/a/../b", PATH_BAD, NULL },
		{ "/a/./b", PATH_DOUBTFUL, NULL }, { "/a/%2e/b", PATH_BAD, NULL },
		{ "/a/./.;/b", PATH_BAD, NULL }, { "/a/./..", PATH_BAD, NULL }, { "/%2e%2E/b", PATH_BAD, NULL },
		{ "/.%2e/b", PATH_BAD, NULL }, { "/a/..;x/b", PATH_BAD, NULL },
		{ "/a/.;/b", PATH_BAD, NULL }, { "/a/..%3bx", PATH_BAD, NULL },
		{ "/a%00", PATH_BAD, NULL }, { "/a%0d%0a", PATH_BAD, NULL }, { "/a%7f", PATH_BAD, NULL },
		{ "/a\\b", PATH_BAD, NULL }, { "/a%5cb", PATH_BAD, NULL }, { "/a%5C..", PATH_BAD, NULL },
		{ "/a b", PATH_BAD, NULL }, { "/\xc3\xbc", PATH_BAD, NULL }, { "/a\x01", PATH_BAD, NULL },
		{ "/%", PATH_BAD, NULL }, { "/%4", PATH_BAD, NULL }, { "/%zz", PATH_BAD, NULL },
		{ "/%+1", PATH_BAD, NULL }, { "/%u002f", PATH_BAD, NULL },
		{ "a", PATH_BAD, NULL }, { "http://x/", PATH_BAD, NULL }, { "%2f", PATH_BAD, NULL },
		{ "", PATH_OTHER, NULL }, { "*", PATH_OTHER, NULL },
	};
	struct path p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		path_normal(span_str(rows[i].text), &p);
		if (p.kind != rows[i].kind ||
		    (rows[i].normal && !span_eq(span_of(p.at, p.len), span_str(rows[i].normal))))
			fail_msg("%s: %d %.*s", rows[i].text, (int)p.kind, (int)p.len, p.at);
	}
}

/* What is cut inside of an escape is bad, else as good as the whole; twice is once */
static void cut_at_every_byte(void **state)
{
	static const struct span text = SPAN("/a%20b/%c3%bc/%40c/d;e=%7e");
	struct path p, again;

	(void)state;
	for (size_t len = 1; len <= text.len; len++) {
		struct span head = span_head(text, len);
		bool cut = head.at[len - 1] == '%' || (len > 1 && head.at[len - 2] == '%');

		path_normal(head, &p);
		assert_int_equal(p.kind, cut ? PATH_BAD : PATH_GOOD);
		if (cut)
			continue;
		path_normal(span_of(p.at, p.len), &again);
		assert_int_equal(again.kind, PATH_GOOD);
		assert_true(span_eq(span_of(again.at, again.len), span_of(p.at, p.len)));
	}
}

static void long_ones_are_not_compared(void **state)
{
	static uint8_t text[PATH_MAX_BYTES + 1];
	struct path p;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[0] = '/';
	path_normal(span_of(text, PATH_MAX_BYTES), &p);
	assert_int_equal(p.kind, PATH_GOOD);
	path_normal(span_of(text, sizeof(text)), &p);
	assert_int_equal(p.kind, PATH_DOUBTFUL);
	assert_int_equal(path_match(SPAN("/**"), &p), PATH_UNSURE);
}

static void patterns(void **state)
{
	static const struct {
		const char *text, *normal;	/* NULL: refused */
	} rows[] = {
		{ "/", "/" }, { "/v1/*", "/v1/*" }, { "/**", "/**" }, { "/%61/**/b", "/a/**/b" },
		{ "/a%20b", "/a%20b" }, { "/@x", "/@x" },
		{ "", NULL }, { "*", NULL }, { "v1", NULL }, { "/a//b", NULL }, { "/a/../b", NULL },
		{ "/a%2fb", NULL }, { "/a?b", NULL }, { "/a#b", NULL }, { "/a\\b", NULL },
		{ "/***", NULL }, { "/a%2ab", NULL }, { "/a%2Ab", NULL }, { "/%", NULL },
		{ "/a b", NULL }, { "/\xc3\xbc", NULL }, { "https://x/", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t normal[PATTERN_MAX];
		size_t len = path_pattern(span_str(rows[i].text), normal);

		if ((len > 0) != (rows[i].normal != NULL) ||
		    (len && !span_eq(span_of(normal, len), span_str(rows[i].normal))))
			fail_msg("%s: %.*s", rows[i].text, (int)len, normal);
	}
}

static void matches(void **state)
{
	static const struct {
		const char *pattern, *path;
		enum path_match want;
	} rows[] = {
		{ "/", "/", PATH_YES }, { "/", "/a", PATH_NO }, { "/a", "/a", PATH_YES },
		{ "/a", "/A", PATH_NO }, { "/a", "/a/", PATH_NO }, { "/a", "/ab", PATH_NO },
		{ "/v1/*", "/v1/x", PATH_YES }, { "/v1/*", "/v1/", PATH_YES },
		{ "/v1/*", "/v1", PATH_NO }, { "/v1/*", "/v1/x/y", PATH_NO },
		{ "/v1/*", "/v2/x", PATH_NO }, { "/v1/*", "/V1/x", PATH_NO },
		{ "/*/x", "/a/x", PATH_YES }, { "/*/x", "/a/b/x", PATH_NO },
		{ "/a*c", "/abbc", PATH_YES }, { "/a*c", "/abcbc", PATH_YES },
		{ "/a*c", "/ab/c", PATH_NO }, { "/a*b*c", "/axbxbxc", PATH_YES },
		{ "/**", "/", PATH_YES }, { "/**", "/a/b/c", PATH_YES },
		{ "/v1/**", "/v1/a/b", PATH_YES }, { "/v1/**", "/v1", PATH_NO },
		{ "/v1/**", "/v1x/a", PATH_NO }, { "/v1/**", "/v2/v1/a", PATH_NO },
		{ "/**/info", "/info", PATH_YES }, { "/**/info", "/a/b/info", PATH_YES },
		{ "/**/info", "/a/binfo", PATH_NO }, { "/**/info", "/a/info/b", PATH_NO },
		{ "/a/**/z", "/a/z", PATH_YES }, { "/a/**/z", "/a/b/z", PATH_YES },
		{ "/a/**/z", "/az", PATH_NO }, { "/a/**/z", "/a", PATH_NO },
		{ "/**/*.tgz", "/a/b/c.tgz", PATH_YES }, { "/**/*.tgz", "/a.tgz/b", PATH_NO },
		{ "/**/a*/b", "/x/a1/ab/a2/b", PATH_YES }, { "/**/a*/b", "/x/a1/c/b", PATH_NO },
		{ "/a**b", "/a/x/b", PATH_YES }, { "/a@b", "/a%40b", PATH_YES },
		{ "/a b", "/a%20b", PATH_NO }, { "/a%20b", "/a%20b", PATH_YES },
		/* slashes that servers merge or not: both readings count */
		{ "/v1/*", "/v1//x", PATH_UNSURE }, { "/v1/**", "/v1//x", PATH_YES },
		{ "/v1/x", "//v1/x", PATH_UNSURE }, { "/v2/x", "//v1/x", PATH_NO },
		{ "/v1/**", "//v1/x", PATH_UNSURE },
		/* parameters that servers cut off or not */
		{ "/admin/*", "/admin;x/y", PATH_UNSURE }, { "/admin/*", "/;x/admin/y", PATH_UNSURE },
		{ "/admin", "/admin;x=", PATH_UNSURE }, { "/a/b", "/a/;x/b", PATH_UNSURE },
		{ "/v1/*", "/v1/x;y=1", PATH_YES }, { "/v1/**", "/v1/a;b/c;d", PATH_YES },
		{ "/v1/*", "/v2/x;y", PATH_NO }, { "/v1/x;y", "/v1/x;y", PATH_YES },
		{ "/admin", "/admin%3Bx", PATH_UNSURE },
		{ "/v1/**", "/v1/a%2fb", PATH_UNSURE }, { "/**", "/..", PATH_UNSURE },
		{ "/**", "*", PATH_NO }, { "/**", "", PATH_NO },
	};
	struct path p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum path_match got;

		path_normal(span_str(rows[i].path), &p);
		got = path_match(span_str(rows[i].pattern), &p);
		if (got != rows[i].want)
			fail_msg("%s %s: %d", rows[i].pattern, rows[i].path, (int)got);
	}
}

/* What would take long ends, and is not taken for a match */
static void matching_is_bounded(void **state)
{
	static struct path p;
	char pattern[PATTERN_MAX];
	size_t len = 0;

	(void)state;
	pattern[len++] = '/';
	while (len + 4 < sizeof(pattern)) {
		pattern[len++] = '*';
		pattern[len++] = '*';
		pattern[len++] = '*' + 1;
	}
	p.kind = PATH_GOOD;
	p.parameters = true;
	p.len = sizeof(p.at);
	memset(p.at, 'a', p.len);
	p.at[0] = '/';
	assert_int_equal(path_match(SPAN("/**a*a*a*a*a*a*ab"), &p), PATH_UNSURE);
	assert_int_equal(path_match(span_of(pattern, len), &p), PATH_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normal_forms), cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(long_ones_are_not_compared), cmocka_unit_test(patterns),
		cmocka_unit_test(matches), cmocka_unit_test(matching_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
