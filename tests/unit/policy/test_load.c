/* SPDX-License-Identifier: Apache-2.0 */
/* Layers, presets, flags and settings */
#include "policy_unit.h"

#include "base/dns_type.h"

#define V "version: 1\n"

static const struct extra_host mirrors[] = { { "npm.corp.example", 4873 }, { "b.example", 443 } };

static size_t configured(void *arg, const char *manager, const struct extra_host **ret_hosts)
{
	(void)arg;
	if (strcmp(manager, "npm"))
		return 0;
	*ret_hosts = mirrors;
	return ARRAY_SIZE(mirrors);
}

static struct span preset_text(void *arg, const char *name)
{
	static const char npm[] =
		"preset: npm\n"
		"title: \"npm registry\"\n"
		"description: \"Packages\"\n"
		"aliases: [node, yarn]\n"
		"use_configured: npm\n"
		"often_with: [github]\n"
		"hosts:\n"
		"  - host: registry.npmjs.org\n"
		"    ports: [443]\n"
		"    optional: true\n"
		"    unverified: true\n"
		"    exfil_risk: true\n"
		"    read: [{methods: [GET, HEAD]}, {methods: [POST], paths: [\"/-/npm/v1/security/**\"]}]\n"
		"    note: \"...\"\n"
		"  - host: \"*.npmjs.org\"\n"
		"sources: [\"...\"]\n";

	(void)arg;
	/* the caller opens a file of this name */
	assert_null(strpbrk(name, "/."));
	if (!strcmp(name, "npm") || !strcmp(name, "node"))
		return span_str(npm);
	if (!strcmp(name, "liar"))
		return SPAN("preset: other\nhosts: []\n");
	if (!strcmp(name, "empty"))
		return SPAN("preset: empty\n");
	if (!strcmp(name, "broken"))
		return SPAN("preset: broken\nhosts:\n  - hots: a.example\n");
	if (!strcmp(name, "suffix"))
		return SPAN("preset: suffix\nhosts:\n  - {host: '*.readthedocs.io', "
			    "unsafe_wildcard: true}\n");
	return (struct span){ 0 };
}

static struct policy *load(struct policy_input in, struct err *err)
{
	in.preset_text = preset_text;
	in.configured = configured;
	*err = (struct err){ "" };
	return policy_load(&in, err);
}

static struct policy *must_load(struct policy_input in)
{
	struct err err;
	struct policy *p = load(in, &err);

	if (!p)
		fail_msg("%s", err.text);
	return p;
}

static void must_fail(struct policy_input in, const char *want)
{
	struct err err;

	if (load(in, &err))
		fail_msg("loaded, not: %s", want);
	assert_string_equal(err.text, want);
}

static const char *verdict(const struct policy *p, const char *words)
{
	struct question q = ask(words);
	struct verdict v = policy_decide(p, &q);

	return verdict_word(&v);
}

static void layers_add_up(void **state)
{
	static const struct policy_file files[] = {
		{ LAYER_SYSTEM, "/etc/sluice/policy.yaml",
		  SPAN(V "deny: [{host: bad.example, reason: never}]") },
		{ LAYER_PROJECT, ".sluice.yaml", SPAN(V "allow: [{host: .example.org}]") },
		{ LAYER_POLICY, "p.yaml", SPAN(V "allow: [{host: bad.example}, {host: a.example}]") },
	};
	char b[] = "b.example:8443", deny[] = "x.example.org";
	char *const allows[] = { b, NULL }, *const denies[] = { deny, NULL };
	struct policy *p = must_load((struct policy_input){
		.files = files, .file_count = 3, .allows = allows, .denies = denies });
	struct question q = ask("bad.example:443");
	struct verdict v = policy_decide(p, &q);
	struct rule_view r = policy_rule(p, v.rule);

	(void)state;
	assert_int_equal(v.reason, REASON_DENY_RULE);
	assert_string_equal(r.id, "/etc/sluice/policy.yaml:deny[0]");
	assert_string_equal(r.note, "never");
	assert_int_equal(r.layer, LAYER_SYSTEM);
	assert_false(r.allow);
	assert_int_equal(r.port_count, 0);
	assert_string_equal(verdict(p, "a.example"), "allowed");
	assert_string_equal(verdict(p, "y.example.org"), "allowed");
	assert_string_equal(verdict(p, "x.example.org"), "deny_rule");
	assert_string_equal(verdict(p, "b.example:8443"), "watch");
	assert_string_equal(verdict(p, "b.example:443"), "port");
	assert_int_equal(policy_rule_count(p), 6);
	r = policy_rule(p, 4);
	assert_string_equal(r.id, "flag:allow[0]");
	assert_string_equal(r.host, "b.example");
	assert_int_equal(r.layer, LAYER_FLAG);
	policy_free(p);
}

static void the_strictest_mode_wins(void **state)
{
	static const struct policy_file files[] = {
		{ LAYER_SYSTEM, "s.yaml", SPAN(V "mode: isolated") },
		{ LAYER_POLICY, "p.yaml", SPAN(V "mode: restricted") },
	};
	struct policy *p = must_load((struct policy_input){ .files = files, .file_count = 2 });

	(void)state;
	assert_int_equal(policy_mode(p), MODE_ISOLATED);
	policy_free(p);
	p = must_load((struct policy_input){ .files = files + 1, .file_count = 1 });
	assert_int_equal(policy_mode(p), MODE_FILTERED);
	policy_free(p);
	p = must_load((struct policy_input){ .files = files + 1, .file_count = 1, .mode = "none" });
	assert_int_equal(policy_mode(p), MODE_ISOLATED);
	policy_free(p);
	must_fail((struct policy_input){ .files = files, .file_count = 2, .mode = "filtered" },
		  "--mode: found filtered, but the system layer demands isolated "
		  "(accepted: no weaker mode)");
}

static void presets_open_their_hosts(void **state)
{
	static const struct policy_file file = { LAYER_POLICY, "p.yaml",
		SPAN(V "presets: [npm]\nallow: [{preset: node, reason: twice}, {host: c.example}]") };
	char npm[] = "npm";
	char *const presets[] = { npm, NULL };
	struct policy *p = must_load((struct policy_input){
		.files = &file, .file_count = 1, .presets = presets });
	static const char *const ids[] = {
		"preset:npm[0]", "preset:npm[0]", "preset:npm[1]", "preset:npm:configured[0]",
		"preset:npm:configured[1]", "p.yaml:allow[1]",
	};

	(void)state;
	assert_int_equal(policy_rule_count(p), ARRAY_SIZE(ids));
	for (uint32_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_string_equal(policy_rule(p, i).id, ids[i]);
	assert_string_equal(verdict(p, "registry.npmjs.org:443"), "need tls");
	assert_string_equal(verdict(p, "registry.npmjs.org:80"), "need http");
	assert_string_equal(verdict(p, "x.npmjs.org"), "allowed");
	assert_string_equal(verdict(p, "npm.corp.example:4873"), "watch");
	assert_string_equal(verdict(p, "npm.corp.example:443"), "port");
	policy_free(p);
}

static void presets_say_who_they_are(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "liar", "preset liar:1:9: found a preset of another name (accepted: liar)" },
		{ "../npm", "--preset: found the unknown preset ../npm (accepted: a name that "
			    "`sluice presets` lists)" },
		{ "empty", "preset empty:1:1: found no hosts (accepted: hosts: a list)" },
		{ "broken", "preset broken:3:5: unknown key hots (accepted: host, ip, ports, protocol, "
			    "unsafe_wildcard, repos, optional, unverified, exfil_risk, read, note)" },
	};
	char name[16];
	char *const presets[] = { name, NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(span_copy(span_str(rows[i].name), name, sizeof(name)));
		must_fail((struct policy_input){ .presets = presets }, rows[i].want);
	}
}

/* What a project may not say itself, a preset of the machine may */
static void a_project_may_name_any_preset(void **state)
{
	static const struct policy_file file = { LAYER_PROJECT, ".sluice.yaml",
						 SPAN(V "presets: [suffix]") };
	struct policy *p = must_load((struct policy_input){ .files = &file, .file_count = 1 });

	(void)state;
	assert_string_equal(verdict(p, "x.readthedocs.io"), "allowed");
	assert_int_equal(policy_rule(p, 0).layer, LAYER_PROJECT);
	policy_free(p);
}

static void flags_are_rules(void **state)
{
	char a[] = "a.example", b[] = "b.example:22,8000-8010,123/udp", c[] = "*.c.example";
	char net[] = "203.0.113.0/24:22", six[] = "[2001:db8::1]:22", six_net[] = "[2001:db8:1::/48]:22";
	char bad[] = ".bad.example", bad4[] = "203.0.113.7", bad6[] = "[2001:db8:1:2::/64]";
	char *const allows[] = { a, b, c, net, six, six_net, NULL };
	char *const denies[] = { bad, bad4, bad6, NULL };
	struct policy *p = must_load((struct policy_input){ .allows = allows, .denies = denies });

	(void)state;
	assert_string_equal(verdict(p, "a.example:443"), "need tls");
	assert_string_equal(verdict(p, "a.example:80"), "need http");
	assert_string_equal(verdict(p, "a.example:22"), "port");
	assert_string_equal(verdict(p, "b.example:22"), "watch");
	assert_string_equal(verdict(p, "b.example:8005"), "watch");
	assert_string_equal(verdict(p, "b.example:123/udp"), "watch");
	assert_string_equal(verdict(p, "b.example:443"), "port");
	assert_string_equal(verdict(p, "x.c.example"), "allowed");
	assert_string_equal(verdict(p, "c.example"), "no_rule");
	assert_string_equal(verdict(p, "[203.0.113.1]:22"), "watch");
	assert_string_equal(verdict(p, "[203.0.113.7]:22"), "deny_rule");
	assert_string_equal(verdict(p, "[2001:db8::1]:22"), "watch");
	assert_string_equal(verdict(p, "[2001:db8:1::1]:22"), "watch");
	assert_string_equal(verdict(p, "[2001:db8:1:2::1]:22"), "deny_rule");
	assert_string_equal(verdict(p, "x.bad.example"), "deny_rule");
	assert_string_equal(verdict(p, "bad.example"), "deny_rule");
	policy_free(p);
}

static void settings_are_kept(void **state)
{
	static const struct policy_file files[] = {
		{ LAYER_SYSTEM, "s.yaml", SPAN(V "dns: {synthetic: [10.0.0.0/8]}") },
		{ LAYER_POLICY, "p.yaml", SPAN(V "dns: {synthetic: [\"fd00::/64\"]}\n"
					       "host_ports: [5432, \"15432:5433\"]\n"
					       "publish: [3000, \"[::1]:3001:80\"]") },
	};
	char host_port[] = "5432", publish[] = "0.0.0.0:3002:81";
	char *const host_ports[] = { host_port, NULL }, *const publishes[] = { publish, NULL };
	struct policy *p = must_load((struct policy_input){
		.files = files, .file_count = 2, .host_ports = host_ports, .publishes = publishes });
	struct policy_settings s = policy_settings(p);
	char text[NET_TEXT_MAX];

	(void)state;
	/* the strongest layer that has dns decides for all of it */
	assert_string_equal(net_text(&s.synthetic4, text), "10.0.0.0/8");
	assert_string_equal(net_text(&s.synthetic6, text), "2d00:736c::/64");
	assert_int_equal(s.host_port_count, 2);
	assert_int_equal(s.host_ports[1].outside, 5433);
	assert_int_equal(s.host_ports[1].inside, 15432);
	assert_int_equal(s.publish_count, 3);
	assert_string_equal(addr_text(&s.publish[1].addr, text), "::1");
	assert_int_equal(s.publish[1].inside, 80);
	assert_string_equal(addr_text(&s.publish[2].addr, text), "0.0.0.0");
	policy_free(p);

	p = make("");
	s = policy_settings(p);
	assert_string_equal(net_text(&s.synthetic4, text), "28.0.0.0/12");
	assert_int_equal(s.host_port_count + s.publish_count, 0);
	assert_int_equal(s.dns_types, dns_type_bit(1) | dns_type_bit(28));
	assert_int_equal(s.upstream_count, 1);
	assert_string_equal(policy_upstream(p, 0), "system");
	policy_free(p);
}

static void dns_of_the_strongest_layer_holds_whole(void **state)
{
	static const struct policy_file files[] = {
		{ LAYER_SYSTEM, "s.yaml", SPAN(V "dns: {upstream: [\"tls://9.9.9.9#Dns.Quad9.net.\", "
					       "\"tls://[2620:fe::fe]:8853#dns.quad9.net\"]}") },
		{ LAYER_POLICY, "p.yaml", SPAN(V "dns: {upstream: [system], types: [TXT]}") },
	};
	struct policy *p = must_load((struct policy_input){ .files = files, .file_count = 2 });
	struct policy_settings s = policy_settings(p);

	(void)state;
	assert_int_equal(s.dns_types, dns_type_bit(1) | dns_type_bit(28));
	assert_int_equal(s.upstream_count, 2);
	assert_string_equal(policy_upstream(p, 0), "tls://9.9.9.9:853#dns.quad9.net");
	assert_string_equal(policy_upstream(p, 1), "tls://[2620:fe::fe]:8853#dns.quad9.net");
	policy_free(p);

	p = must_load((struct policy_input){ .files = files + 1, .file_count = 1 });
	assert_int_equal(policy_settings(p).dns_types, dns_type_bit(16));
	policy_free(p);
}

static void an_id_is_there_once_in_all_files(void **state)
{
	static const struct policy_file files[] = {
		{ LAYER_SYSTEM, "s.yaml", SPAN(V "deny: [{host: a.example, id: one}]") },
		{ LAYER_POLICY, "p.yaml", SPAN(V "allow: [{host: a.example, id: one}]") },
	};

	(void)state;
	must_fail((struct policy_input){ .files = files, .file_count = 2 },
		  "p.yaml:2:31: found the id one, which s.yaml:2:30 has (accepted: each once)");
}

static void too_many_rules_are_refused(void **state)
{
	AUTO_FREE char *text = malloc(100010 * 20);
	struct policy_file file = { LAYER_POLICY, "p.yaml", { 0 } };
	size_t len = (size_t)sprintf(text, V "deny:\n");
	size_t full = 0;
	struct policy *p;

	(void)state;
	for (unsigned i = 0; i < 100001; i++) {
		full = i == 100000 ? len : full;
		len += (size_t)sprintf(text + len, "- host: h%u.a\n", i);
	}
	file.text = span_of(text, len);
	must_fail((struct policy_input){ .files = &file, .file_count = 1 },
		  "p.yaml:100003:3: found more than fits (accepted: at most 100000 rules and "
		  "1600000 port ranges)");
	file.text.len = full;
	p = must_load((struct policy_input){ .files = &file, .file_count = 1 });
	assert_string_equal(verdict(p, "h99999.a"), "deny_rule");
	assert_string_equal(verdict(p, "h100000.a"), "no_rule");
	policy_free(p);
}

static void ports_of_a_host_are_told(void **state)
{
	struct policy *p = make("allow:\n- {host: a.example, ports: [22, 443/udp]}\n"
				"- {host: .example, ports: [80], unsafe_wildcard: true}\n"
				"deny: [{host: b.example, ports: [1]}]");
	struct port_range r[3];
	bool more;

	(void)state;
	assert_int_equal(policy_ports(p, SPAN("a.example"), r, 3, &more), 3);
	assert_false(more);
	assert_int_equal(r[0].first, 22);
	assert_int_equal(r[1].transport, TRANSPORT_UDP);
	assert_int_equal(r[2].first, 80);
	assert_int_equal(policy_ports(p, SPAN("a.example"), r, 2, &more), 2);
	assert_true(more);
	assert_int_equal(policy_ports(p, SPAN("b.example"), r, 3, &more), 1);
	assert_int_equal(policy_ports(p, SPAN("a.test"), r, 3, &more), 0);
	policy_free(p);
	p = make("mode: isolated\nallow: [{host: a.example}]");
	assert_int_equal(policy_ports(p, SPAN("a.example"), r, 3, &more), 0);
	policy_free(p);
}

static char *webhook_of(const char *system, const char *given, char ret_sha[65])
{
	struct policy_file files[] = {
		{ .path = "s.yaml", .layer = LAYER_SYSTEM, .text = span_str(system) },
		{ .path = "p.yaml", .layer = LAYER_POLICY, .text = span_str(given) },
	};
	char *webhook = NULL;
	struct policy_input in = { .files = files, .file_count = 2, .webhook = &webhook };
	struct err err = { "" };
	struct policy *p = policy_load(&in, &err);

	assert_string_equal(err.text, "");
	assert_non_null(p);
	memcpy(ret_sha, policy_sha256(p), 65);
	policy_free(p);
	return webhook;
}

/* It may hold a token: the image that the gate maps has nothing of it */
static void the_strongest_webhook_counts_and_is_no_part_of_the_policy(void **state)
{
	char sha[65], other[65];
	AUTO_FREE char *none = webhook_of("version: 1\n", "version: 1\n", sha);
	AUTO_FREE char *one = webhook_of("version: 1\n",
		"version: 1\nalerts: {webhook: 'https://hooks.example:8443/in?token=x'}\n", other);
	AUTO_FREE char *two = NULL;

	(void)state;
	assert_null(none);
	assert_string_equal(one, "https://hooks.example:8443/in?token=x");
	assert_string_equal(sha, other);
	two = webhook_of("version: 1\nalerts: {webhook: 'http://[::1]:80/'}\n",
			 "version: 1\nalerts: {webhook: 'https://hooks.example/'}\n", other);
	assert_string_equal(two, "http://[::1]:80/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layers_add_up),
		cmocka_unit_test(the_strictest_mode_wins),
		cmocka_unit_test(presets_open_their_hosts),
		cmocka_unit_test(presets_say_who_they_are),
		cmocka_unit_test(a_project_may_name_any_preset),
		cmocka_unit_test(flags_are_rules),
		cmocka_unit_test(settings_are_kept),
		cmocka_unit_test(dns_of_the_strongest_layer_holds_whole),
		cmocka_unit_test(an_id_is_there_once_in_all_files),
		cmocka_unit_test(too_many_rules_are_refused),
		cmocka_unit_test(ports_of_a_host_are_told),
		cmocka_unit_test(the_strongest_webhook_counts_and_is_no_part_of_the_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
