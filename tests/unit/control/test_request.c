/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "control/request.h"

static const char *const bad[] = {
	"", "x", "[]", "{}", "null", "{\"do\":1}", "{\"do\":\"x\"}", "{\"do\":\"status\",\"id\":1}",
	"{\"do\":\"approve\"}", "{\"do\":\"approve\",\"id\":0}", "{\"do\":\"approve\",\"id\":-1}",
	"{\"do\":\"approve\",\"id\":4294967296}", "{\"do\":\"approve\",\"id\":1.0}",
	"{\"do\":\"approve\",\"id\":1,\"scope\":\"for ever\"}", "{\"do\":\"approve\",\"id\":1,\"scope\":1}",
	"{\"do\":\"approve\",\"id\":1,\"for\":5}", "{\"do\":\"approve\",\"id\":1,\"never\":true}",
	"{\"do\":\"approve\",\"id\":1,\"scope\":\"timed\",\"for\":86401}",
	"{\"do\":\"reject\",\"id\":1,\"scope\":\"once\"}", "{\"do\":\"reject\",\"id\":1,\"never\":1}",
	"{\"do\":\"attach\",\"session\":\"x\"}", "{\"do\":\"attach\",\"pid\":1}",
	"{\"do\":\"attach\",\"session\":\"x\",\"pid\":1,\"netns\":\"/n\"}",
	"{\"do\":\"attach\",\"session\":\"x\",\"netns\":\"n\"}",
	"{\"do\":\"attach\",\"session\":\"x\",\"pid\":0}", "{\"do\":\"attach\",\"session\":\"\",\"pid\":1}",
	"{\"do\":\"attach\",\"session\":\"x\\u0000y\",\"pid\":1}",
	"{\"do\":\"attach\",\"session\":\"x\",\"pid\":2147483648}",
	"{\"do\":\"attach\",\"session\":\"x\",\"pid\":1,\"policies\":\"web\"}",
	"{\"do\":\"attach\",\"session\":\"x\",\"pid\":1,\"guest\":\"\"}",
	"{\"do\":\"attach\",\"session\":\"x\",\"pid\":1,\"guest\":1}",
	"{\"do\":\"attach\",\"session\":\"x\",\"pid\":1,\"mode\":true}",
	"{\"do\":\"attach\",\"session\":\"x\",\"pid\":1,\"uplink\":1}",
	"{\"do\":\"detach\",\"session\":\"x\",\"uplink\":true}",
	"{\"do\":\"detach\",\"session\":\"x\",\"guest\":\"tap=52:54:00:00:00:0a\"}",
	"{\"do\":\"attach\",\"session\":\"x\",\"pid\":1,\"policies\":[\"web\",1]}",
	"{\"do\":\"detach\"}", "{\"do\":\"held\",\"session\":\"x\"}",
	"{\"do\":\"approve\",\"id\":1,\"host\":\"a\"}", "{\"do\":\"approve\",\"id\":1,\"port\":1}",
	"{\"do\":\"approve\",\"id\":1,\"host\":\"a\",\"port\":0}",
	"{\"do\":\"approve\",\"id\":1,\"host\":\"a\",\"port\":65536}",
	"{\"do\":\"approve\",\"id\":1,\"host\":\"\",\"port\":1}",
	"{\"do\":\"approve\",\"id\":1,\"host\":\"a\",\"port\":1,\"transport\":\"sctp\"}",
	"{\"do\":\"reject\",\"id\":1,\"transport\":\"tcp\"}", "{\"do\":\"status\",\"host\":\"a\"}",
	"{\"do\":\"events\",\"from\":-1}", "{\"do\":\"events\",\"from\":\"0\"}", "{\"do\":\"web\",\"id\":1}",
	"{\"do\":\"spare\"}", "{\"do\":\"spare\",\"ports\":1}", "{\"do\":\"spare\",\"ports\":[0]}",
	"{\"do\":\"spare\",\"ports\":[65536]}", "{\"do\":\"spare\",\"ports\":[1,2,3]}",
	"{\"do\":\"spare\",\"ports\":[\"1\"]}", "{\"do\":\"status\",\"ports\":[1]}",
	"{\"do\":\"status\",\"do\":\"reload\"}", "{\"do\":\"status\"} x", "{\"do\":\"status\"",
};

static void same_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a)
		assert_string_equal(a, b);
}

static void same_words(const struct control_words *a, const struct control_words *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		assert_string_equal(a->at[i], b->at[i]);
}

static void same_request(const struct control_request *a, const struct control_request *b)
{
	assert_int_equal(a->what, b->what);
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->scope, b->scope);
	assert_int_equal(a->for_s, b->for_s);
	assert_int_equal(a->never, b->never);
	assert_int_equal(a->pid, b->pid);
	same_text(a->host, b->host);
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->transport, b->transport);
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->uplink, b->uplink);
	same_text(a->session, b->session);
	same_text(a->netns, b->netns);
	same_text(a->mode, b->mode);
	same_text(a->guest, b->guest);
	same_words(&a->policies, &b->policies);
	same_words(&a->labels, &b->labels);
	assert_int_equal(a->ports.count, b->ports.count);
	assert_memory_equal(a->ports.at, b->ports.at, sizeof(a->ports.at));
}

static void what_is_written_reads_back(void **state)
{
	static const struct control_request all[] = {
		{ .what = CONTROL_STATUS }, { .what = CONTROL_APPROVALS }, { .what = CONTROL_RELOAD },
		{ .what = CONTROL_APPROVE, .id = 7, .scope = SCOPE_ALWAYS },
		{ .what = CONTROL_APPROVE, .id = UINT32_MAX, .scope = SCOPE_TIMED, .for_s = 300 },
		{ .what = CONTROL_REJECT, .id = 1 }, { .what = CONTROL_REJECT, .id = 1, .never = true },
		{ .what = CONTROL_APPROVE, .id = 3, .scope = SCOPE_ONCE, .host = "a.example", .port = 443 },
		{ .what = CONTROL_REJECT, .id = 3, .host = "::1", .port = 1, .transport = TRANSPORT_UDP },
		{ .what = CONTROL_EVENTS }, { .what = CONTROL_EVENTS, .from = INT64_MAX },
		{ .what = CONTROL_WEB }, { .what = CONTROL_SPARE },
		{ .what = CONTROL_SPARE, .ports = { { 1, UINT16_MAX }, 2 } },
		{ .what = CONTROL_HELD }, { .what = CONTROL_DETACH, .session = "a.b-c" },
		{ .what = CONTROL_ATTACH, .session = "x", .pid = INT32_MAX },
		{ .what = CONTROL_ATTACH, .session = "x", .pid = 7, .uplink = true },
		{ .what = CONTROL_ATTACH, .session = "x", .pid = 7, .mode = "isolated",
		  .guest = "vnet0=52:54:00:00:00:0a" },
		{ .what = CONTROL_ATTACH, .session = "x", .netns = "/run/netns/n",
		  .policies = { { "web", "/p/q.yaml" }, 2 }, .labels = { { "k=v" }, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct buf b = buf_new(CONTROL_LINE_MAX);
		struct control_request r;
		const char *why;

		control_request_write(&all[i], &b);
		assert_int_equal(b.at[b.len - 1], '\n');
		if (!control_request_parse(span_head(buf_span(&b), b.len - 1), &r, &why))
			fail_msg("row %zu: %s", i, why);
		same_request(&r, &all[i]);
		control_request_done(&r);
		/* cut at every byte it is nothing */
		for (size_t len = 0; len + 1 < b.len; len++) {
			assert_false(control_request_parse(span_head(buf_span(&b), len), &r, &why));
			control_request_done(&r);
		}
		buf_done(&b);
	}
}

static void everything_else_is_refused_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct control_request r;
		const char *why = NULL;

		if (control_request_parse(span_str(bad[i]), &r, &why))
			fail_msg("%s", bad[i]);
		assert_non_null(why);
		control_request_done(&r);
	}
}

static void the_web_may_read_and_answer_what_it_names(void **state)
{
	static const struct control_request may[] = {
		{ .what = CONTROL_STATUS }, { .what = CONTROL_APPROVALS }, { .what = CONTROL_HELD },
		{ .what = CONTROL_EVENTS }, { .what = CONTROL_WEB },
		{ .what = CONTROL_APPROVE, .id = 1, .host = "a", .port = 1 },
		{ .what = CONTROL_APPROVE, .id = 1, .scope = SCOPE_SESSION, .host = "a", .port = 1 },
		{ .what = CONTROL_REJECT, .id = 1, .never = true, .host = "a", .port = 1 },
	};
	static const struct control_request may_not[] = {
		{ .what = CONTROL_RELOAD }, { .what = CONTROL_SPARE }, { .what = CONTROL_ATTACH }, { .what = CONTROL_DETACH },
		{ .what = CONTROL_APPROVE, .id = 1 }, { .what = CONTROL_REJECT, .id = 1 },
		{ .what = CONTROL_APPROVE, .id = 1, .scope = SCOPE_ALWAYS, .host = "a", .port = 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(may); i++)
		assert_true(control_request_is_web(&may[i]));
	for (size_t i = 0; i < ARRAY_SIZE(may_not); i++)
		assert_false(control_request_is_web(&may_not[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(the_web_may_read_and_answer_what_it_names),
		cmocka_unit_test(everything_else_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
