/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown loads again, is the same policy, and is shown as the same */
#include "policy_unit.h"

#include "policy/show.h"

#define POLICIES 300

static uint64_t seed;

static unsigned pick(unsigned count)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)((seed * 0x2545f4914f6cdd1dull) >> 33) % count;
}

static char *shown(const struct policy *p, bool comments)
{
	struct buf b = buf_new(1 << 20);

	policy_show(&b, p, comments);
	assert_true(buf_add(&b, "", 1));
	return (char *)b.at;
}

/* The text of @p, and of what it loads as; the system's layer, since it may have a ceiling */
static void check_round(const struct policy *p)
{
	char *bare = shown(p, false), *full = shown(p, true), *again;
	struct err err = { "" };
	struct policy *q = make_layer(LAYER_SYSTEM, full, &err);

	if (!q)
		fail_msg("%s\n%s", err.text, full);
	assert_string_equal(policy_sha256(p), policy_sha256(q));
	again = shown(q, false);
	assert_string_equal(bare, again);
	policy_free(q);
	free(bare);
	free(full);
	free(again);
}

static void round_trip(const char *rules)
{
	struct err err = { "" };
	char text[8192];
	struct policy *p;

	snprintf(text, sizeof(text), "version: 1\n%s\n", rules);
	p = make_layer(LAYER_SYSTEM, text, &err);
	if (!p)
		fail_msg("%s\n%s", err.text, text);
	check_round(p);
	policy_free(p);
}

static void every_key_survives(void **state)
{
	static const char *const rows[] = {
		"", "mode: isolated", "mode: monitor", "mode: internal\npeers: [172.28.1.0/24, 'fd00::/8']",
		"allow: [{host: a.test}, {host: '*.b.test', ports: [22]}, {host: .c.test}]",
		"allow: [{host: a.test, ports: [443, '8000-8010', 123/udp, 60000-60010/udp]}]",
		"allow: [{host: B\xc3\xbc" "cher.test}, {host: A.Test.}]",
		"allow: [{ip: 203.0.113.0/24, ports: [22]}, {ip: '2001:db8::1', ports: [1]}]",
		"allow: [{host: '*.github.io', unsafe_wildcard: true, private: true}]",
		"allow: [{host: a.test, protocol: tls}, {host: b.test, protocol: tcp, ports: [443]},"
		" {host: c.test, protocol: udp, ports: [1/udp]}, {host: d.test, protocol: http}]",
		"allow: [{host: a.test, methods: [POST, GET], paths: ['/v1/*', '/a/**/\"x', '/%20']}]",
		"allow: [{host: a.test, rate: 30/min}, {host: b.test, rate: 1/s}, {host: c.test, rate: 5/h}]",
		"allow: [{host: a.test, bandwidth: {down: 10mbit, up: 12345bit, burst: 1MiB}}]",
		"allow: [{host: a.test, bandwidth: {up: 8001bit}, quota: {down: 1GB}}]",
		"allow: [{host: a.test, quota: {up: 50MB}, max_request: 1MB, websocket: true}]",
		"allow: [{host: a.test, inspect: always, ech: allow}, {host: b.test, inspect: never}]",
		"allow: [{host: a.test, credentials: {header: X-Key, sha256: ["
		"'00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff']}}]",
		"allow: [{host: a.test, expires: 2027-01-31}, {host: b.test, expires: 9999-12-31},"
		" {host: c.test, expires: '2028-02-29T12:30:59+01:00'},"
		" {host: d.test, expires: '9999-12-31T23:59:58-23:59'}, {host: e.test, expires: 1970-01-01}]",
		"allow: [{host: a.test, reason: \"a\\\"b\\\\c\\n\\td\\u2028\\ufeff\\u00e4\\U0001f600 '\"}]",
		"allow: [{host: a.test, reason: ' # x: y', id: a/b:c}]",
		"allow: [{host: a.test, over_lists: false}, {ip: 8.8.8.8, ports: [1], under_ceiling: true}]",
		"deny: [{host: a.test}, {ip: 0.0.0.0/0}, {host: .b.test, ports: [80], methods: [PUT],"
		" paths: [/x], expires: 2030-01-01, reason: no, id: z, quiet: true}]",
		"ceiling: []", "ceiling: [{host: .a.test, ports: [443], methods: [GET]}]",
		"private_networks: [10.20.0.0/16, a.test=192.168.0.0/24]",
		"host_ports: [5432, '80:8080']\npublish: [3000, '0.0.0.0:80:8080', '[::1]:1:2']",
		"dns: {synthetic: [29.0.0.0/12, '2d00:736d::/64']}",
		"dns: {types: [A, AAAA, TXT, SRV]}", "dns: {upstream: [system], types: [MX]}",
		"dns: {upstream: ['tls://9.9.9.9#dns.quad9.net', 'tls://[2620:fe::fe]#dns.quad9.net']}",
		"limits: {requests: 600/min, requests_per_host: 2/s, unique_hosts: 50,"
		" upload_per_request: 1MB, upload_total: 50MB, download_total: 5GB, error_rate: 30%,"
		" on_exceed: kill}",
		"limits: {on_exceed: block}",
		"limits: {requests: [1/s, 3000/h], requests_per_host: [20/min, 5/s, 30/min]}",
		"log: {dns: true, max: 1GB}",
		"log: {dns: false, paths: full, command: none, sync: true, process: true}",
		"log: {paths: none, command: full}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		round_trip(rows[i]);
}

/* ---- any policy ---- */

static void add_some(struct buf *b, const char *const *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!pick(3))
			buf_add_str(b, words[i]);
}

static void add_rule(struct buf *b, bool allow, unsigned number)
{
	static const char *const hosts[] = {
		"host: a.test", "host: '*.a.test'", "host: .b.a.test", "host: c.test",
		"ip: 8.8.8.0/24", "ip: 10.0.0.1", "ip: '2001:db8::/32'",
	};
	static const char *const more[] = {
		", methods: [GET]", ", paths: ['/x/**', /y]", ", expires: 2031-05-06",
		", reason: \"why \\\" not\"",
	};
	static const char *const of_allow[] = {
		", rate: 7/min", ", quota: {down: 5kB}", ", max_request: 9", ", websocket: true",
		", bandwidth: {down: 64kbit}", ", inspect: always",
	};
	unsigned host = pick(ARRAY_SIZE(hosts));

	buf_printf(b, "- {%s", hosts[host]);
	if (pick(2) || host > 3)
		buf_add_str(b, pick(2) ? ", ports: [443]" : ", ports: [22, '80-90', 443/udp]");
	add_some(b, more, ARRAY_SIZE(more));
	if (allow)
		add_some(b, of_allow, ARRAY_SIZE(of_allow));
	if (allow && host < 4 && !pick(4))
		buf_add_str(b, ", private: true");
	if (!pick(4))
		buf_printf(b, ", id: rule-%u", number);
	buf_add_str(b, "}\n");
}

static void any_policy_survives(void **state)
{
	(void)state;
	for (unsigned i = 0; i < POLICIES; i++) {
		struct buf text = buf_new(1 << 16);
		unsigned allows = 1 + pick(6), denies = 1 + pick(4);

		seed = 0x9e3779b97f4a7c15ull * (i + 1);
		buf_add_str(&text, "allow:\n");
		for (unsigned k = 0; k < allows; k++)
			add_rule(&text, true, k);
		buf_add_str(&text, "deny:\n");
		for (unsigned k = 0; k < denies; k++)
			add_rule(&text, false, 100 + k);
		buf_add(&text, "", 1);
		round_trip((const char *)text.at);
		buf_done(&text);
	}
}

static void rules_say_where_they_are_from(void **state)
{
	struct policy_file files[] = {
		{ LAYER_USER, "/u\n.yaml", SPAN("version: 1\nallow:\n  - host: a.test\n") },
		{ LAYER_POLICY, "p.yaml", SPAN("version: 1\ndeny:\n\n  - host: b.test\n") },
	};
	char flag[] = "c.test", *const flags[] = { flag, NULL };
	const struct policy_input in = { .files = files, .file_count = 2, .allows = flags };
	struct policy *p = policy_load(&in, NULL);
	char *text;

	(void)state;
	assert_non_null(p);
	text = shown(p, true);
	assert_non_null(strstr(text, "allow:\n  # user, /u?.yaml:3\n  - host: \"a.test\"\n"));
	assert_non_null(strstr(text, "  # flag, --allow\n  - host: \"c.test\"\n"));
	assert_non_null(strstr(text, "deny:\n  # policy, p.yaml:4\n  - host: \"b.test\"\n"));
	free(text);
	policy_free(p);
}

/* Without it the rule would let TLS pass that nobody looks into */
static void inject_stays_without_its_value(void **state)
{
	struct policy *p = make("allow: [{host: a.test, inject: {header: X-Key, value: secret}}]"), *q;
	char *text = shown(p, false);
	struct question ask_tls = ask("a.test:443 tls=a.test");
	struct err err = { "" };

	(void)state;
	assert_null(strstr(text, "secret"));
	q = make_layer(LAYER_POLICY, text, &err);
	assert_non_null(q);
	assert_int_equal(policy_decide(p, &ask_tls).reason, REASON_INSPECTION_REQUIRED);
	assert_int_equal(policy_decide(q, &ask_tls).reason, REASON_INSPECTION_REQUIRED);
	policy_free(q);
	policy_free(p);
	free(text);
}

static void a_rule_has_words(void **state)
{
	struct policy *p = make("allow: [{host: '*.a.test', ports: [80, 1/udp, '5-7'],"
				" methods: [GET, PUT], paths: [/x]}]");
	struct rule_view v = policy_rule(p, 0);
	struct buf b = buf_new(4096);

	(void)state;
	rule_words(&b, &v);
	assert_true(span_eq(buf_span(&b), SPAN("GET,PUT /x on *.a.test:5-7,80,1/udp")));
	buf_done(&b);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_survives),
		cmocka_unit_test(any_policy_survives),
		cmocka_unit_test(rules_say_where_they_are_from),
		cmocka_unit_test(inject_stays_without_its_value),
		cmocka_unit_test(a_rule_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
