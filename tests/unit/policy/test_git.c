/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/git.h"

static void pushes_are_known_however_they_are_written(void **state)
{
	static const struct {
		const char *target;
		bool push;
	} rows[] = {
		{ "/a/b/info/refs?service=git-receive-pack", true },
		{ "/info/refs?service=git-receive-pack", true },
		{ "http://h.test/a/info/refs?service=git-receive-pack", true },
		{ "/a/info/refs?SERVICE=Git-Receive-Pack", true },
		{ "/a/info/refs?x=1&service=git-receive-pack&y", true },
		{ "/a/info/refs?x=1;service=git-receive-pack", true },
		{ "/a/info/refs?service=git-upload-pack&service=git-receive-pack", true },
		{ "/a/info/refs?service=git-receive-pack&service=git-upload-pack", true },
		{ "/a/info/refs?service=git%2Dreceive%2dpack", true },
		{ "/a/info/refs?%73ervic%65=%67it-%72eceive-pac%6B", true },
		{ "/a/info/refs?%2573ervice=git%25252Dreceive-pack", true },
		{ "/a/info/refs?%%37%33ervice=git-receive-pack", true },
		{ "/a/info/refs?%25%37%33ervice=git-%%2%35%37%32eceive-pack", true },
		{ "/a/info/refs%3fservice=git-receive-pack", true },
		{ "/a/info/refs%253Fservice=git-receive-pack", true },
		{ "/a/info/refs/?service[]=git-receive-pack", true },
		{ "/a/info/refs?service=+git-receive-pack%20", true },
		{ "/a/info/refs??service=git-receive-pack", true },
		{ "/a/info/refs?servservice=git-receive-pack", true },
		{ "/a/info/refs?service=git-receive-receive-pack", true },
		{ "/a/info/refs?%service%=%receive-pack%", true },
		{ "/a/info/refs?service=git-upload-pack", false },
		{ "/a/info/refs", false }, { "", false }, { "/", false }, { "?", false },
		{ "/a/git-receive-pack", false },	/* that is a POST, and seen to be one */
		{ "/service/blob/receive-pack.c", false },
		{ "/service/receive-pack?x", false },
		{ "/search?q=git-receive-pack", false },
		{ "/a/info/refs?service", false }, { "/a?service=receive-pac", false },
		{ "/a?service=receive-pac%6", false }, { "/a?receive-pack&service", false },
		{ "/a?ervice=git-receive-pack", false }, { "/a?service=receive_pack", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (git_is_push(span_str(rows[i].target)) != rows[i].push)
			fail_msg("%s", rows[i].target);
}

/* Cut anywhere it is none, and nothing behind the end is read */
static void cut_at_every_byte(void **state)
{
	static const struct span text = SPAN("/a?x=%2&%2573ervice=git-%72eceive-pac%6B");

	(void)state;
	for (size_t len = 0; len <= text.len; len++) {
		uint8_t *copy = malloc(len + 1);

		memcpy(copy, text.at, len);
		assert_int_equal(git_is_push(span_of(copy, len)), len == text.len);
		free(copy);
	}
}

/* The first request of a push is a GET, and as good as a POST to rules for some methods */
static void a_push_suits_rules_that_let_one_pass(void **state)
{
	static const struct {
		const char *rules;
		enum reason reason;
	} rows[] = {
		{ "allow: [{host: a.test}]", REASON_ALLOWED },
		{ "allow: [{host: a.test, methods: [GET, HEAD]}]", REASON_METHOD },
		{ "allow: [{host: a.test, methods: [GET, HEAD]}, {host: a.test, methods: [POST]}]",
		  REASON_METHOD },
		{ "allow: [{host: a.test, methods: [POST]}]", REASON_METHOD },
		{ "allow: [{host: a.test, methods: [GET, POST]}]", REASON_ALLOWED },
		{ "allow: [{host: a.test, paths: ['/r/**']}]", REASON_ALLOWED },
		{ "allow: [{host: a.test}]\ndeny: [{host: a.test, methods: [POST]}]",
		  REASON_DENY_RULE },
		{ "allow: [{host: a.test}]\ndeny: [{host: a.test, methods: [PUT]}]", REASON_ALLOWED },
		{ "allow: [{host: a.test, under_ceiling: true}]\nceiling: [{host: a.test, methods: [GET]}]",
		  REASON_CEILING },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct question q = ask("a.test:80 http=a.test GET /r/info/refs");
		char text[512];
		struct err err = { "" };
		struct policy *p;

		snprintf(text, sizeof(text), "version: 1\n%s\n", rows[i].rules);
		p = make_layer(strstr(text, "ceiling") ? LAYER_SYSTEM : LAYER_POLICY, text, &err);
		if (!p)
			fail_msg("%s", err.text);
		/* the same request, but of a fetch, shows that it is this which counts */
		if (rows[i].reason == REASON_METHOD && !strstr(text, "[POST]}]"))
			assert_int_equal(policy_decide(p, &q).reason, REASON_ALLOWED);
		q.pushes = true;
		if (policy_decide(p, &q).reason != rows[i].reason)
			fail_msg("%s: %s", rows[i].rules, reason_name(policy_decide(p, &q).reason));
		policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pushes_are_known_however_they_are_written),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(a_push_suits_rules_that_let_one_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
