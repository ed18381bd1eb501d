/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

struct row {
	const char *ask, *want, *rule;	/* rule: id of the rule named, or NULL for none */
};

static void check_rows(const char *rules, const struct row *rows, size_t count)
{
	struct policy *p = make(rules);

	for (size_t i = 0; i < count; i++) {
		struct question q = ask(rows[i].ask);
		struct verdict v = policy_decide(p, &q);
		const char *rule = v.rule == RULE_NONE ? NULL : policy_rule(p, v.rule).id;

		if (strcmp(verdict_word(&v), rows[i].want))
			fail_msg("%s: %s, not %s", rows[i].ask, verdict_word(&v), rows[i].want);
		if ((rule == NULL) != (rows[i].rule == NULL) ||
		    (rule && strcmp(rule, rows[i].rule)))
			fail_msg("%s: rule %s, not %s", rows[i].ask, rule ? rule : "none",
				 rows[i].rule ? rows[i].rule : "none");
	}
	policy_free(p);
}
#define CHECK(rules, rows) check_rows(rules, rows, ARRAY_SIZE(rows))

static void nothing_is_open_without_rules(void **state)
{
	static const struct row rows[] = {
		{ "example.com", "no_rule", NULL }, { "example.com:443", "no_rule", NULL },
		{ "[8.8.8.8]:443", "ip_literal", NULL }, { "[10.0.0.1]:443", "special_address", NULL },
		{ "[64:ff9b::a00:1]:443", "special_address", NULL },
		{ "[64:ff9b::808:808]:443", "ip_literal", NULL },
		{ "[168.63.129.16]:80", "special_address", NULL },
		{ "[4000::1]:80", "special_address", NULL },
	};

	(void)state;
	CHECK("", rows);
	CHECK("allow: []\ndeny: []\npresets: []", rows);
}

static void types_are_asked_of_allowed_names_only(void **state)
{
	static const struct {
		const char	*types, *ask;
		uint16_t	 type;
		const char	*want;
	} rows[] = {
		{ "[A, AAAA]", "a.example", 1, "allowed" }, { "[A, AAAA]", "a.example", 28, "allowed" },
		{ "[A, AAAA]", "a.example", 0, "allowed" }, { "[A, AAAA]", "a.example", 16, "dns_type" },
		{ "[A, TXT]", "a.example", 16, "allowed" }, { "[A, TXT]", "a.example", 28, "dns_type" },
		{ "[A, TXT]", "a.example", 15, "dns_type" },
		{ "[A, TXT]", "b.example", 16, "no_rule" }, { "[A, TXT]", "d.example", 16, "deny_rule" },
		/* never: HTTPS, SVCB, ANY, AXFR, OPT, and what has no name */
		{ "[A, TXT]", "a.example", 65, "dns_type" }, { "[A, TXT]", "a.example", 64, "dns_type" },
		{ "[A, TXT]", "a.example", 255, "dns_type" }, { "[A, TXT]", "a.example", 252, "dns_type" },
		{ "[A, TXT]", "a.example", 41, "dns_type" }, { "[A, TXT]", "a.example", 65280, "dns_type" },
	};
	char rules[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct question q = ask(rows[i].ask);
		struct policy *p;
		struct verdict v;

		snprintf(rules, sizeof(rules), "allow: [{host: a.example}, {host: d.example}]\n"
			 "deny: [{host: d.example}]\ndns: {types: %s}", rows[i].types);
		p = make(rules);
		q.dns_type = rows[i].type;
		v = policy_decide(p, &q);
		if (strcmp(verdict_word(&v), rows[i].want))
			fail_msg("%s %s/%u: %s, not %s", rows[i].types, rows[i].ask, rows[i].type,
				 verdict_word(&v), rows[i].want);
		policy_free(p);
	}
}

static void names_match_in_three_forms(void **state)
{
	static const struct row rows[] = {
		{ "exact.example.com", "allowed", "exact" },
		{ "a.exact.example.com", "allowed", "below" },
		{ "x.y.example.com", "allowed", "below" },
		{ "example.com", "no_rule", NULL },
		{ "badexample.com", "no_rule", NULL },
		{ "example.org", "allowed", "both" }, { "a.b.example.org", "allowed", "both" },
		{ "example.org.evil.com", "no_rule", NULL },
		{ "com", "no_rule", NULL },
		{ "deep.sub.example.org", "allowed", "deep" },
		{ "sub.example.org", "allowed", "both" },
	};

	(void)state;
	CHECK("allow:\n- {host: '*.example.com', id: below}\n- {host: .example.org, id: both}\n"
	      "- {host: exact.EXAMPLE.com., id: exact}\n- {host: '*.sub.example.org', id: deep}", rows);
}

static void deny_wins_in_any_layer(void **state)
{
	static const struct row rows[] = {
		{ "a.example.com", "deny_rule", "p.yaml:deny[0]" },
		{ "a.example.com:443", "deny_rule", "p.yaml:deny[0]" },
		{ "b.example.com", "allowed", "p.yaml:allow[0]" },
		/* denied on one port: the name may be looked up */
		{ "c.example.com", "allowed", "p.yaml:allow[0]" },
		{ "c.example.com:80", "deny_rule", "p.yaml:deny[1]" },
		{ "c.example.com:443", "need tls", "p.yaml:allow[0]" },
		{ "nobody.invalid", "deny_rule", "p.yaml:deny[2]" },
		{ "[203.0.113.7]:22", "deny_rule", "p.yaml:deny[3]" },
		{ "[203.0.113.8]:22", "watch", "p.yaml:allow[1]" },
		/* the address inside is denied */
		{ "[64:ff9b::203.0.113.7]:22", "deny_rule", "p.yaml:deny[3]" },
		{ "[::ffff:203.0.113.7]:22", "deny_rule", "p.yaml:deny[3]" },
	};

	(void)state;
	CHECK("allow:\n- host: '*.example.com'\n- {ip: 203.0.113.0/24, ports: [22]}\n"
	      "deny:\n- host: a.example.com\n- {host: c.example.com, ports: [80]}\n"
	      "- host: .invalid\n- ip: 203.0.113.7", rows);
}

static void ports_and_transports_must_match(void **state)
{
	static const struct row rows[] = {
		{ "x.example:443", "need tls", "p.yaml:allow[0]" },
		{ "x.example:80", "need http", "p.yaml:allow[0]" },
		{ "x.example:8080", "port", "p.yaml:allow[0]" },
		{ "x.example:443/udp", "port", "p.yaml:allow[0]" },
		{ "y.example:8000", "watch", "p.yaml:allow[1]" },
		{ "y.example:8010", "watch", "p.yaml:allow[1]" },
		{ "y.example:8011", "port", "p.yaml:allow[1]" },
		{ "y.example:443", "port", "p.yaml:allow[1]" },
		{ "y.example:123/udp", "watch", "p.yaml:allow[1]" },
		{ "y.example:123", "port", "p.yaml:allow[1]" },
		{ "[198.51.100.1]:22", "watch", "p.yaml:allow[2]" },
		{ "[198.51.100.1]:23", "port", "p.yaml:allow[2]" },
	};

	(void)state;
	CHECK("allow:\n- host: x.example\n- {host: y.example, ports: [8000-8010, 123/udp]}\n"
	      "- {ip: 198.51.100.0/24, ports: [22]}", rows);
}

static void auto_says_what_a_port_carries(void **state)
{
	static const struct row rows[] = {
		{ "x.example:443 tls=x.example", "allowed", "p.yaml:allow[0]" },
		{ "x.example:443 other", "protocol", "p.yaml:allow[0]" },
		{ "x.example:443 http=x.example", "protocol", "p.yaml:allow[0]" },
		{ "x.example:80 http=x.example", "allowed", "p.yaml:allow[0]" },
		{ "x.example:80 tls=x.example", "protocol", "p.yaml:allow[0]" },
		{ "x.example:80 h2c", "protocol", "p.yaml:allow[0]" },
		{ "x.example:22", "watch", "p.yaml:allow[0]" },
		{ "x.example:22 other", "allowed", "p.yaml:allow[0]" },
		{ "x.example:22 tls=x.example", "allowed", "p.yaml:allow[0]" },
		{ "x.example:22 tls=evil.example", "sni_mismatch", "p.yaml:allow[0]" },
		{ "x.example:22 http=evil.example", "host_mismatch", "p.yaml:allow[0]" },
		{ "x.example:22 h2c", "protocol", "p.yaml:allow[0]" },
		{ "x.example:22 malformed", "malformed", NULL },
		{ "x.example:443/udp", "watch", "p.yaml:allow[0]" },
		{ "x.example:443/udp other", "allowed", "p.yaml:allow[0]" },
		{ "x.example:443/udp quic", "protocol", "p.yaml:allow[0]" },
	};

	(void)state;
	CHECK("allow:\n- {host: x.example, ports: [443, 80, 22, 443/udp]}", rows);
}

static void a_protocol_is_that_or_nothing(void **state)
{
	static const struct row rows[] = {
		{ "tls.example:8443", "need tls", "tls" },
		{ "tls.example:8443 other", "protocol", "tls" },
		{ "tls.example:8443 http=tls.example", "protocol", "tls" },
		{ "tls.example:8443 tls=tls.example", "allowed", "tls" },
		{ "http.example:8080", "need http", "http" },
		{ "http.example:8080 tls=http.example", "protocol", "http" },
		{ "http.example:8080 http=http.example", "allowed", "http" },
		{ "http.example:8080 http=evil.example", "host_mismatch", "http" },
		{ "ssh.example:443", "allowed", "tcp" },
		{ "ssh.example:443 tls=evil.example", "allowed", "tcp" },
		{ "quic.example:443/udp", "allowed", "udp" },
		{ "quic.example:443/udp quic", "allowed", "udp" },
	};

	(void)state;
	CHECK("allow:\n- {host: tls.example, ports: [8443], protocol: tls, id: tls}\n"
	      "- {host: http.example, ports: [8080], protocol: http, id: http}\n"
	      "- {host: ssh.example, ports: [443], protocol: tcp, id: tcp}\n"
	      "- {host: quic.example, ports: [443/udp], protocol: udp, id: udp}", rows);
}

static void sni_and_host_must_be_the_name(void **state)
{
	static const struct row rows[] = {
		{ "x.example:443 tls", "sni_missing", "p.yaml:allow[0]" },
		{ "x.example:443 tls=X.Example.", "allowed", "p.yaml:allow[0]" },
		{ "x.example:443 tls=x.example..", "sni_mismatch", "p.yaml:allow[0]" },
		{ "x.example:443 tls=y.example", "sni_mismatch", "p.yaml:allow[0]" },
		{ "x.example:443 tls=", "sni_mismatch", "p.yaml:allow[0]" },
		{ "x.example:443 ech=x.example", "ech", "p.yaml:allow[0]" },
		{ "x.example:80 http", "host_mismatch", "p.yaml:allow[0]" },
		{ "x.example:80 http=203.0.113.1", "host_mismatch", "p.yaml:allow[0]" },
		{ "xn--bcher-kva.example:443 tls=b\xc3\xbc" "cher.example", "sni_mismatch",
		  "p.yaml:allow[1]" },
		{ "xn--bcher-kva.example:443 tls=XN--bcher-kva.example", "allowed",
		  "p.yaml:allow[1]" },
	};

	(void)state;
	CHECK("allow:\n- host: x.example\n- host: b\xc3\xbc" "cher.example", rows);
}

static void literals_need_an_ip_rule(void **state)
{
	static const struct row rows[] = {
		{ "[192.31.196.1]:443", "need tls", "p.yaml:allow[0]" },
		{ "[192.31.196.1]:443 tls", "allowed", "p.yaml:allow[0]" },
		{ "[192.31.196.1]:443 tls=anything.example", "allowed", "p.yaml:allow[0]" },
		{ "[192.31.196.1]:443 tls=bad.example", "deny_rule", "p.yaml:deny[0]" },
		{ "[192.31.196.1]:443 tls=BAD.example.", "deny_rule", "p.yaml:deny[0]" },
		{ "[192.31.196.1]:443 tls=not_a..name", "sni_mismatch", "p.yaml:allow[0]" },
		{ "[192.31.196.1]:443 ech=x.example", "ech", "p.yaml:allow[0]" },
		{ "[192.31.196.1]:80 http=bad.example", "deny_rule", "p.yaml:deny[0]" },
		{ "[192.31.196.1]:80 http=192.31.196.1", "allowed", "p.yaml:allow[0]" },
		{ "[192.31.196.1]:80 http=192.31.196.2", "host_mismatch", "p.yaml:allow[0]" },
		{ "[192.31.196.1]:80 http=3223307265", "host_mismatch", "p.yaml:allow[0]" },
		{ "[192.31.196.1]:80 http", "allowed", "p.yaml:allow[0]" },
		{ "[192.31.196.1]:80 http=x.example", "allowed", "p.yaml:allow[0]" },
		{ "[2001:4:112::1]:80 http=[2001:4:112::1]", "allowed", "p.yaml:allow[1]" },
		{ "[2001:4:112::1]:80 http=[2001:4:112::2]", "host_mismatch", "p.yaml:allow[1]" },
		{ "[192.31.197.1]:443", "ip_literal", NULL },
		/* the narrowest network names the rule */
		{ "[192.31.196.9]:443 tls", "allowed", "p.yaml:allow[2]" },
	};

	(void)state;
	CHECK("allow:\n- {ip: 192.31.196.0/24, ports: [443, 80]}\n"
	      "- {ip: 2001:4:112::/48, ports: [80]}\n- {ip: 192.31.196.9, ports: [443]}\n"
	      "deny:\n- host: bad.example", rows);
}

static void a_wide_network_names_no_special_address(void **state)
{
	static const struct row rows[] = {
		{ "[8.8.8.8]:22", "watch", "p.yaml:allow[0]" },
		{ "[127.0.0.1]:22", "special_address", NULL },
		{ "[169.254.169.254]:22", "special_address", NULL },
		{ "[168.63.129.16]:22", "special_address", NULL },
		{ "[192.168.0.1]:22", "watch", "p.yaml:allow[1]" },
		{ "[169.254.169.253]:22", "watch", "p.yaml:allow[2]" },
	};

	(void)state;
	CHECK("allow:\n- {ip: 0.0.0.0/0, ports: [22]}\n- {ip: 192.168.0.0/16, ports: [22]}\n"
	      "- {ip: 169.254.169.253, ports: [22]}", rows);
}

static void rules_unite(void **state)
{
	static const struct row ports[] = {
		/* the exact rule lacks the port, the wildcard has it */
		{ "a.example.com:8443", "watch", "wild" },
		{ "a.example.com:443", "need tls", "exact" },
		{ "a.example.com:9999", "port", "exact" },
	};
	static const struct row protocols[] = {
		{ "b.example.com:443", "need both", "b1" },
		{ "b.example.com:443 tls=b.example.com", "allowed", "b1" },
		{ "b.example.com:443 http=b.example.com", "allowed", "b2" },
		{ "b.example.com:443 other", "protocol", "b1" },
		/* what one rule does not look at is not looked at */
		{ "c.example.com:443", "allowed", "tcp" },
		{ "c.example.com:443 tls=evil.com", "allowed", "tcp" },
		{ "c.example.com:443 tls=c.example.com", "allowed", "c" },
	};

	(void)state;
	CHECK("allow:\n- {host: '*.example.com', ports: [8443], id: wild}\n"
	      "- {host: a.example.com, ports: [443], id: exact}", ports);
	CHECK("allow:\n- {host: b.example.com, ports: [443], id: b1}\n"
	      "- {host: b.example.com, ports: [443], protocol: http, id: b2}\n"
	      "- {host: c.example.com, ports: [443], id: c}\n"
	      "- {host: .c.example.com, ports: [443], protocol: tcp, id: tcp}", protocols);
}

static void modes_come_before_rules(void **state)
{
	static const struct row rows[] = {
		{ "x.example", "mode", NULL }, { "x.example:443", "mode", NULL },
		{ "bad.example:443", "mode", NULL }, { "[192.31.196.1]:22", "mode", NULL },
		{ "x.example:443 malformed", "malformed", NULL },
	};

	(void)state;
	CHECK("mode: isolated\nallow: [{host: x.example}, {ip: 192.31.196.1, ports: [22]}]\n"
	      "deny: [{host: bad.example}]", rows);
	CHECK("mode: none\nallow: [{host: x.example}]", rows);
}

static void names_of_the_jail_match_nothing(void **state)
{
	static const struct row rows[] = {
		{ "localhost", "no_rule", NULL }, { "a.localhost", "no_rule", NULL },
		{ "sluice.internal", "no_rule", NULL }, { "a.sluice.internal", "allowed", "p.yaml:allow[0]" },
		{ "localhost:80 http=localhost", "no_rule", NULL },
	};

	(void)state;
	CHECK("allow: [{host: .internal, unsafe_wildcard: true}]\ndeny: [{host: .localhost}]", rows);
}

/* Under a ceiling, with rules that narrow, end and deny */
static struct policy *asking_policy(void)
{
	static const char system[] = "version: 1\nceiling: [{host: .test, unsafe_wildcard: true, ports: [\"1-52\", \"54-852\", "
		"\"854-65535\", \"1-52/udp\", \"54-852/udp\", \"854-65535/udp\"]}]\n";
	static const char user[] = "version: 1\ndefault: ask\n"
		"allow: [{host: a.test}, {host: old.test, expires: 2020-01-01}, {host: m.test, methods: [GET]}]\n"
		"deny: [{host: denied.test}, {category: paste}]\n";
	struct policy_file files[] = {
		{ LAYER_SYSTEM, "s.yaml", span_str(system) }, { LAYER_USER, "u.yaml", span_str(user) },
	};
	struct policy_input in = {
		.files = files, .file_count = 2, .category_text = unit_category,
		.category_name = unit_category_name, .list_read = unit_list,
	};
	struct err err = { "" };
	struct policy *p = policy_load(&in, &err);

	if (!p)
		fail_msg("%s", err.text);
	return p;
}

/* words: "ask REASON" before anybody was asked, then what an approval makes of it */
static const struct {
	const char *ask, *before, *after;
} asked[] = {
	{ "b.test", "ask no_rule", "allowed_approved" },
	{ "b.test:22", "ask no_rule", "watch" }, { "b.test:443", "need tls", "need tls" },
	{ "b.test:443 tls=b.test", "ask no_rule", "allowed_approved" },
	{ "b.test:443 tls=c.test", "sni_mismatch", "sni_mismatch" },
	{ "b.test:80 http=b.test GET /x", "ask no_rule", "allowed_approved" },
	{ "b.test:80 http=c.test GET /x", "host_mismatch", "host_mismatch" },
	{ "b.test:80 tls=b.test", "protocol", "protocol" },
	{ "b.test:80 malformed", "malformed", "malformed" },
	{ "b.test:443/udp quic", "protocol", "protocol" },
	{ "a.test:8080 other", "ask port", "allowed_approved" },
	{ "a.test:443 tls=a.test", "allowed", "allowed" },
	{ "old.test:443 tls=old.test", "ask expired", "allowed_approved" },
	/* never: what is denied, outside of the ceiling, narrowed, an address, the jail's own */
	{ "denied.test:443 tls=denied.test", "deny_rule", "deny_rule" },
	{ "paste.test:443 tls=paste.test", "category", "category" },
	{ "other.org", "ceiling", "ceiling" }, { "other.org:443 tls=other.org", "ceiling", "ceiling" },
	{ "m.test:80 http=m.test POST /x", "method", "method" },
	{ "203.0.113.9:443", "ceiling", "ceiling" }, { "localhost", "ceiling", "ceiling" },
};

static void what_no_rule_matches_is_asked_about(void **state)
{
	struct policy *p = asking_policy();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		struct question q = ask(asked[i].ask);
		struct verdict v = policy_decide(p, &q);
		char word[64];

		snprintf(word, sizeof(word), "%s%s", v.answer == ANSWER_ASK ? "ask " : "",
			 verdict_word(&v));
		if (strcmp(word, asked[i].before) != 0)
			fail_msg("%s: %s, not %s", asked[i].ask, word, asked[i].before);
		q.standing = STANDING_APPROVED;
		v = policy_decide(p, &q);
		if (strcmp(verdict_word(&v), asked[i].after) != 0)
			fail_msg("%s, approved: %s, not %s", asked[i].ask, verdict_word(&v), asked[i].after);
		q.standing = STANDING_REJECTED;
		v = policy_decide(p, &q);
		if (!strncmp(asked[i].before, "ask ", 4) && v.reason != REASON_APPROVAL_DENIED)
			fail_msg("%s, rejected: %s", asked[i].ask, verdict_word(&v));
	}
	policy_free(p);
}

static void ports_that_no_rule_may_have_are_not_asked_about(void **state)
{
	static const struct { const char *ask, *want; } rows[] = {
		{ "b.test:53", "no_rule" }, { "b.test:853", "no_rule" },
		{ "b.test:853/udp", "no_rule" }, { "a.test:853", "port" },
	};
	struct policy *p = make("default: ask\nallow: [{host: a.test}]");
	struct question q = ask("b.test:854");

	(void)state;
	assert_int_equal(policy_decide(p, &q).answer, ANSWER_ASK);	/* the control */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict v;

		q = ask(rows[i].ask);
		v = policy_decide(p, &q);
		assert_int_equal(v.answer, ANSWER_DENY);
		assert_string_equal(verdict_word(&v), rows[i].want);
		q.standing = STANDING_APPROVED;
		assert_int_equal(policy_decide(p, &q).answer, ANSWER_DENY);
	}
	policy_free(p);
}

/* Of several files deny wins over ask; who types --ask says yes himself, but not to the system */
static void defaults_unite(void **state)
{
	static const struct {
		const char *system, *user;
		bool flag, asks, refused;
	} rows[] = {
		{ "", "default: ask\n", false, true, false },
		{ "default: ask\n", "", false, true, false },
		{ "default: deny\n", "default: ask\n", false, false, false },
		{ "default: ask\n", "default: deny\n", false, false, false },
		{ "", "default: deny\n", true, true, false }, { "", "", true, true, false },
		{ "default: deny\n", "", true, false, true },
		{ "mode: isolated\n", "default: ask\n", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char system[64], user[64];
		struct policy_file files[] = {
			{ LAYER_SYSTEM, "s.yaml", { 0 } }, { LAYER_USER, "u.yaml", { 0 } },
		};
		struct policy_input in = { .files = files, .file_count = 2, .ask = rows[i].flag };
		struct err err = { "" };
		struct policy *p;

		snprintf(system, sizeof(system), "version: 1\n%s", rows[i].system);
		snprintf(user, sizeof(user), "version: 1\n%s", rows[i].user);
		files[0].text = span_str(system);
		files[1].text = span_str(user);
		p = policy_load(&in, &err);
		if (rows[i].refused != !p || (p && policy_settings(p).asks != rows[i].asks))
			fail_msg("row %zu: %s", i, err.text);
		policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_open_without_rules),
		cmocka_unit_test(types_are_asked_of_allowed_names_only),
		cmocka_unit_test(names_match_in_three_forms),
		cmocka_unit_test(deny_wins_in_any_layer),
		cmocka_unit_test(ports_and_transports_must_match),
		cmocka_unit_test(auto_says_what_a_port_carries),
		cmocka_unit_test(a_protocol_is_that_or_nothing),
		cmocka_unit_test(sni_and_host_must_be_the_name),
		cmocka_unit_test(literals_need_an_ip_rule),
		cmocka_unit_test(a_wide_network_names_no_special_address),
		cmocka_unit_test(rules_unite),
		cmocka_unit_test(modes_come_before_rules),
		cmocka_unit_test(names_of_the_jail_match_nothing),
		cmocka_unit_test(what_no_rule_matches_is_asked_about),
		cmocka_unit_test(ports_that_no_rule_may_have_are_not_asked_about),
		cmocka_unit_test(defaults_unite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
