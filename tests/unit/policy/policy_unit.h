/* SPDX-License-Identifier: Apache-2.0 */
/* policy_unit.h - policies from text, and questions from a line, for the tests of policy/ */
#ifndef SLUICE_TESTS_POLICY_UNIT_H
#define SLUICE_TESTS_POLICY_UNIT_H

#include "../unit.h"

#include "policy/explain.h"
#include "policy/load.h"

/* What policies of the tests may name: categories, and the files of lists, as name and text */
static const char *const unit_categories[][2] = {
	{ "store", "category: store\nincludes: [paste]\ndomains: [store.test]\n"
		   "hosts: [one.wide.test, '*.below.test']\n" },
	{ "paste", "category: paste\ndomains: [paste.test, a.x.test]\n" },
	{ "round", "category: round\nincludes: [turn]\n" },
	{ "turn", "category: turn\nincludes: [round]\n" },
	{ "self", "category: self\nincludes: [self]\n" },
	{ "lost", "category: lost\ndomains: [a.test]\nincludes: [nosuch]\n" },
	{ "hollow", "category: hollow\n" },
	{ "other", "category: another\ndomains: [a.test]\n" },
	{ "noname", "domains: [a.test]\n" },
	{ "wrong", "category: wrong\ndomains: [a.test, 'b c']\n" },
	{ "key", "category: key\nnames: [a.test]\n" },
};
static const char *const unit_lists[][2] = {
	{ "hosts", "# ads\n0.0.0.0 x.test ads.test\n*.wild.test\n" },
	{ "same", "X.test.\r\nADS.test # comment\r\n\r\n*.wild.test" },
	{ "nets", "# bad\n198.51.100.0/28\n203.0.113.7 ; one\n10.0.0.0/8\n2001:db8:1::/48\n" },
	{ "other-nets", "9.9.9.0/24\n" },
	{ "nat", "64:ff9b::/96\n" },
	{ "sub/hosts", "sub.test\n" },
	{ "empty", "" },
	{ "comments", "# nothing\n\n   \n# more\n" },
	{ "bad-host", "a.test\n  b_!.test\n" },
	{ "bad-net", "10.0.0.0/8\n\n10.0.0.1/8 # x\n" },
	{ "range", "10.0.0.1-10.0.0.9\n" },
	{ "filter", "! title\n||a.test^\n" },
	{ "two", "a.test b.test\n" },
	{ "address", "0.0.0.0 a.test\n0.0.0.0\n" },
	{ "furniture", "127.0.0.1 localhost\n::1 ip6-localhost\n" },
	{ "hosts-star", "0.0.0.0 *.a.test\n" },
	{ "bom", "\xef\xbb\xbf" "0.0.0.0 bom.test\n" },
	{ "old-mac", "a.test\n# ads\rb.test\rc.test\nd.test\n" },
	{ "late-bom", "0.0.0.0 a.test\n\xef\xbb\xbf" "0.0.0.0 b.test\n" },
};

static inline struct span unit_category(void *arg, const char *name)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(unit_categories); i++)
		if (!strcmp(unit_categories[i][0], name))
			return span_str(unit_categories[i][1]);
	return (struct span){ 0 };
}

static inline const char *unit_category_name(void *arg, size_t i)
{
	(void)arg;
	return i < 2 ? unit_categories[i][0] : NULL;
}

/* In pieces of seven bytes, so that lines are cut everywhere */
static inline ptrdiff_t unit_list(void *arg, const char *path, enum layer layer, uint64_t at,
				  void *ret_bytes, size_t room)
{
	(void)arg;
	(void)layer;
	for (size_t i = 0; i < ARRAY_SIZE(unit_lists); i++) {
		struct span text = span_str(unit_lists[i][1]);

		if (strcmp(unit_lists[i][0], path) != 0)
			continue;
		text = span_head(span_skip(text, (size_t)at), room < 7 ? room : 7);
		if (text.len)
			memcpy(ret_bytes, text.at, text.len);
		return (ptrdiff_t)text.len;
	}
	return -1;
}

/* A policy of one file of the layer; NULL and @err if it is refused */
static inline struct policy *make_layer(enum layer layer, const char *text, struct err *err)
{
	struct policy_file file = { layer, "p.yaml", span_str(text) };
	struct policy_input in = {
		.files = &file, .file_count = 1, .category_text = unit_category,
		.category_name = unit_category_name, .list_read = unit_list,
	};

	return policy_load(&in, err);
}

/* A policy that must be right; @rules follows "version: 1" */
static inline struct policy *make(const char *rules)
{
	char text[8192];
	struct err err = { "" };
	struct policy *p;

	snprintf(text, sizeof(text), "version: 1\n%s\n", rules);
	p = make_layer(LAYER_POLICY, text, &err);
	if (!p)
		fail_msg("%s\n%s", err.text, text);
	return p;
}

#define ASK_NOW 1800000000	/* 2027-01-15T08:00:00Z */

/* The first word of @text, which is cut off */
static inline struct span ask_word(struct span *text)
{
	ptrdiff_t at = span_find(*text, ' ');
	struct span word = at < 0 ? *text : span_head(*text, (size_t)at);

	*text = at < 0 ? (struct span){ 0 } : span_skip(*text, (size_t)at + 1);
	return word;
}

/* "[any ]WHAT[=NAME][ METHOD PATH[ BYTES]]" into the question */
static inline void ask_seen(struct question *q, struct span seen)
{
	static char seen_text[3000];
	struct span more = { 0 };
	ptrdiff_t at;

	assert_true(span_copy(seen, seen_text, sizeof(seen_text)));
	seen = span_str(seen_text);
	q->any_request = span_starts(seen, SPAN("any "));
	seen = span_skip(seen, q->any_request ? 4 : 0);
	at = span_find(seen, ' ');
	if (at >= 0) {
		more = span_skip(seen, (size_t)at + 1);
		seen = span_head(seen, (size_t)at);
	}
	q->method = ask_word(&more);
	q->path = ask_word(&more);
	if (more.len)
		assert_true(span_u64(more, UINT64_MAX, &q->body_bytes));
	at = span_find(seen, '=');
	if (span_starts(seen, SPAN("tls")) || span_starts(seen, SPAN("ech"))) {
		q->seen = SEEN_TLS;
		q->has_sni = at >= 0;
		q->ech = seen.at[0] == 'e';
		q->sni = at < 0 ? (struct span){ 0 } : span_skip(seen, (size_t)at + 1);
	} else if (span_starts(seen, SPAN("http")) || span_starts(seen, SPAN("ws"))) {
		q->websocket = seen.at[0] == 'w';
		q->seen = q->websocket ? SEEN_UPGRADE : SEEN_HTTP;
		q->inspected = span_starts(seen, SPAN("https"));
		q->http_host = at < 0 ? (struct span){ 0 } : span_skip(seen, (size_t)at + 1);
	} else if (seen.len) {
		q->seen = span_eq(seen, SPAN("other")) ? SEEN_OTHER :
			 span_eq(seen, SPAN("h2c")) ? SEEN_UPGRADE :
			 span_eq(seen, SPAN("quic")) ? SEEN_QUIC : SEEN_MALFORMED;
	}
}

/*
 * A question from words: "NAME", or "HOST:PORT[/udp]" or "[ADDR]:PORT[/udp]"
 * and then what was seen: other, tls, tls=SNI, ech=SNI, http=HOST, h2c, quic, malformed.
 * Behind http=HOST, https=HOST (inside of TLS) or ws=HOST (a websocket) may stand
 * METHOD PATH [BYTES of the body].  "any " in front of what was seen: nobody knows the request.
 */
static inline struct question ask(const char *words)
{
	static char host[300];
	struct question q = { .about = ABOUT_NAME, .now_s = ASK_NOW };
	struct span text = span_str(words), seen = { 0 };
	ptrdiff_t at = span_find(text, ' ');
	uint64_t port;

	if (at >= 0) {
		seen = span_skip(text, (size_t)at + 1);
		text = span_head(text, (size_t)at);
	}
	if (span_ends(text, SPAN("/udp"))) {
		q.transport = TRANSPORT_UDP;
		text.len -= 4;
	}
	for (at = (ptrdiff_t)text.len - 1; at >= 0 && text.at[at] != ':';)
		at--;
	if (at >= 0) {
		assert_true(span_u64(span_skip(text, (size_t)at + 1), 65535, &port));
		q.about = ABOUT_CONN;
		q.port = (uint16_t)port;
		text = span_head(text, (size_t)at);
	}
	if (text.len && text.at[0] == '[')
		text = span_head(span_skip(text, 1), text.len - 2);
	if (q.about == ABOUT_NAME || !addr_parse(text, &q.addr)) {
		assert_true(span_copy(text, host, sizeof(host)));
		q.host = span_str(host);
	}
	ask_seen(&q, seen);
	return q;
}

/* A verdict in a word: a reason, "watch", "depends", "need tls", "need http", "need both" */
static inline const char *verdict_word(const struct verdict *v)
{
	static const char *const needs[] = { "need nothing", "need tls", "need http", "need both" };

	if (v->answer == ANSWER_NEED)
		return needs[v->need & 3];
	if (v->answer == ANSWER_ALLOW && v->depends)
		return "depends";
	if (v->answer == ANSWER_ALLOW && v->watch)
		return "watch";
	return reason_name(v->reason);
}

#endif
