/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <sys/socket.h>

#include "policy/load.h"
#include "proxy/look.h"

static void a_hello_may_come_in_any_cut(void **state)
{
	uint8_t at[512];
	struct span hello = client_hello(RIG_HOST, at);

	(void)state;
	for (size_t cut = 1; cut < hello.len; cut++) {
		const struct told *t;
		struct rig r;
		struct line l;

		rig_open(&r, 4);
		l = rig_connect(&r, 443);
		say_bytes(l.client, span_head(hello, cut));
		rig_drive(&r, &l);
		rig_told_nothing(&r);
		say_bytes(l.client, span_skip(hello, cut));
		t = rig_told(&r, GATE_ASK);
		assert_int_equal(t->ask.seen, SEEN_TLS);
		assert_true(span_eq(span_head(t->tail, t->ask.sni_len), SPAN(RIG_HOST)));
		rig_hang_up(&l);
		rig_done(&r);
	}
}

static void a_client_that_goes_without_a_word_dials_nothing(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 4);
	l = rig_connect(&r, 443);
	rig_drive(&r, &l);
	rig_told_nothing(&r);
	DROP_FD(l.client);
	assert_int_equal(rig_told(&r, GATE_ASK)->ask.flags, TALK_EMPTY);
	ask_passed(flow_find(r.x.flows, l.ref), &(struct talk_pass){ 0 });
	assert_int_equal(rig_told(&r, GATE_CLOSED)->closed.end, END_CLIENT);
	assert_int_equal(flow_count(r.x.flows), 0);
	rig_done(&r);
}

static const struct {
	const char	*bytes;
	bool		 end;
	uint32_t	 wait_s;
	int		 seen;
} firsts[] = {
	{ "\x16\x03\x01\x02", true, 0, SEEN_MALFORMED },
	{ "\x16\x03\x01\x02", false, 12, SEEN_MALFORMED },
	{ "GET /", true, 0, SEEN_MALFORMED },
	{ "hello", false, 0, SEEN_OTHER },
	{ "", false, 12, SEEN_OTHER },
	{ "SSH-2.0-x\r\n", false, 0, SEEN_OTHER },
};

static void what_must_be_seen_is_not_waited_for_longer_than_it_can_come(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		struct rig r;
		struct line l;

		rig_open(&r, 4);
		l = rig_connect(&r, 443);
		say(l.client, firsts[i].bytes);
		if (firsts[i].end)
			shutdown(l.client, SHUT_WR);
		rig_drive(&r, &l);
		rig_seconds(&r, firsts[i].wait_s);
		assert_int_equal(rig_told(&r, GATE_ASK)->ask.seen, firsts[i].seen);
		rig_hang_up(&l);
		rig_done(&r);
	}
}

static void a_head_without_end_is_malformed(void **state)
{
	static char head[LOOK_MAX];
	struct rig r;
	struct line l;

	(void)state;
	memset(head, 'a', sizeof(head));
	memcpy(head, "GET /", 5);
	rig_open(&r, 4);
	l = rig_connect(&r, 80);
	say_bytes(l.client, span_of(head, sizeof(head)));
	rig_drive(&r, &l);
	assert_int_equal(rig_told(&r, GATE_ASK)->ask.seen, SEEN_MALFORMED);
	rig_hang_up(&l);
	rig_done(&r);
}

/* What is said of a first line does not depend on how much of it was there at first */
static void no_prefix_is_judged_otherwise(void **state)
{
	static const char *const lines[] = {
		"GET / HTTP/1.1\r\nHost: " RIG_HOST "\r\n\r\n", "\r\n\r\nGET / HTTP/1.1\r\n",
		"GET /a b\tHTTP/1.1\r\n", "EHLO there\r\n", "PING\r\n", "*1\r\n$4\r\nPING\r\n",
		"\x16\x03\x01", "0\x0c\x02\x01", "GET /\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	};
	struct facts whole, part;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct span all = span_str(lines[i]);
		enum parse p = look_at(all, &whole);

		for (size_t len = 1; len < all.len; len++)
			if (look_at(span_head(all, len), &part) == PARSE_OK) {
				assert_int_equal(p, PARSE_OK);
				assert_int_equal(part.seen, whole.seen);
			}
	}
}

static void only_some_policies_look_always(void **state)
{
	static const struct {
		const char	*rules;
		bool		 always;
		const char	*mode;
	} cases[] = {
		{ "allow: [{host: a.example}]", true },
		{ "allow: [{host: a.example, ports: [443]}, {host: b.example, ports: [80]}]", true },
		{ "allow: [{host: a.example, ports: [8443], protocol: tls}]", true },
		{ "allow: [{host: a.example, ports: [8080], protocol: http}]", true },
		{ "allow: [{host: a.example, ports: [443, 443/udp]}]", true },
		{ "allow: [{host: a.example}]\ndeny: [{host: b.example}]", true },
		{ "allow: [{host: a.example}, {host: b.example, ports: [22]}]", false },
		{ "allow: [{host: a.example, ports: [80-81]}]", false },
		{ "allow: [{host: a.example, ports: [443], protocol: tcp}]", false },
		{ "allow: [{host: a.example}]", false, "isolated" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf text = buf_new(1024);
		struct policy_file file = { LAYER_FLAG, "look.yaml", { 0 } };
		struct policy_input in = { .files = &file, .file_count = 1,
					   .mode = cases[i].mode };
		struct err err = { "" };
		struct policy *p;

		buf_printf(&text, "version: 1\n%s\n", cases[i].rules);
		file.text = buf_span(&text);
		p = policy_load(&in, &err);
		if (!p)
			fail_msg("%s: %s", cases[i].rules, err.text);
		if (look_always(p) != cases[i].always)
			fail_msg("%s", cases[i].rules);
		policy_free(p);
		buf_done(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_may_come_in_any_cut),
		cmocka_unit_test(a_client_that_goes_without_a_word_dials_nothing),
		cmocka_unit_test(what_must_be_seen_is_not_waited_for_longer_than_it_can_come),
		cmocka_unit_test(a_head_without_end_is_malformed),
		cmocka_unit_test(no_prefix_is_judged_otherwise),
		cmocka_unit_test(only_some_policies_look_always),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
