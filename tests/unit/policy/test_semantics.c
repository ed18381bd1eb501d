/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Semantics" of contract section 2, sentence by sentence, and the cases that
 * people publish.  A row is a question to the policy above it.
 */
#include "policy_unit.h"

struct row {
	const char *ask, *want, *rule;	/* rule: id of the rule named, or NULL for none */
};

struct files {
	const char *system, *user, *policy;	/* texts behind "version: 1"; or NULL */
};

static struct policy *load(const struct files *f)
{
	const char *const texts[] = { f->system, f->user, f->policy };
	static const enum layer layers[] = { LAYER_SYSTEM, LAYER_USER, LAYER_POLICY };
	static const char *const names[] = { "s.yaml", "u.yaml", "p.yaml" };
	static char text[3][4096];
	struct policy_file files[3];
	struct policy_input in = { .files = files };
	struct err err = { "" };
	struct policy *p;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!texts[i])
			continue;
		snprintf(text[i], sizeof(text[i]), "version: 1\n%s\n", texts[i]);
		files[in.file_count++] = (struct policy_file){ layers[i], names[i],
							       span_str(text[i]) };
	}
	p = policy_load(&in, &err);
	if (!p)
		fail_msg("%s", err.text);
	return p;
}

static void check_rows(const struct files *f, const struct row *rows, size_t count)
{
	struct policy *p = load(f);

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
#define CHECK(files, rows) check_rows(&(files), rows, ARRAY_SIZE(rows))
#define POLICY(text) ((const struct files){ .policy = (text) })

/* "Deny wins: a matching host or ip deny rule in any layer beats every allow." */
static void deny_wins(void **state)
{
	static const struct row rows[] = {
		{ "a.example:443 tls=a.example", "deny_rule", "p.yaml:deny[0]" },
		{ "a.example", "deny_rule", "p.yaml:deny[0]" },
		{ "[192.31.196.1]:443 tls", "deny_rule", "u.yaml:deny[0]" },
		{ "b.example:443 tls=b.example", "allowed", "s.yaml:allow[1]" },
		/* on these ports, for these requests, until that day */
		{ "c.example:80 http=c.example GET /", "deny_rule", "p.yaml:deny[1]" },
		{ "c.example:443 tls=c.example", "allowed", "s.yaml:allow[3]" },
		{ "d.example:80 http=d.example DELETE /x", "deny_rule", "p.yaml:deny[2]" },
		{ "d.example:80 http=d.example delete /x", "deny_rule", "p.yaml:deny[2]" },
		{ "d.example:80 http=d.example GET /admin/x", "deny_rule", "p.yaml:deny[3]" },
		{ "d.example:80 http=d.example GET /%61dmin/x", "deny_rule", "p.yaml:deny[3]" },
		{ "d.example:80 http=d.example GET //admin/x", "malformed", "p.yaml:deny[3]" },
		{ "d.example:80 http=d.example GET /admin%2fx", "malformed", "p.yaml:deny[3]" },
		{ "d.example:80 http=d.example GET /x", "allowed", "s.yaml:allow[4]" },
		{ "d.example:80", "need http", "s.yaml:allow[4]" },
		{ "d.example", "allowed", "s.yaml:allow[4]" },
		/* what cannot be seen would pass */
		{ "d.example:443", "need tls", "s.yaml:allow[4]" },
		{ "d.example:443 tls=d.example", "inspection_required", "p.yaml:deny[3]" },
		{ "d.example:443 https=d.example GET /x", "allowed", "s.yaml:allow[4]" },
		{ "d.example:443 https=d.example DELETE /x", "deny_rule", "p.yaml:deny[2]" },
		{ "d.example:22", "watch", "s.yaml:allow[5]" },
		{ "d.example:22 other", "allowed", "s.yaml:allow[5]" },
		{ "d.example:22 tls=evil.example", "inspection_required", "p.yaml:deny[3]" },
		{ "d.example:22 http=d.example DELETE /", "deny_rule", "p.yaml:deny[2]" },
		{ "e.example:443 tls=e.example", "allowed", "s.yaml:allow[6]" },
		{ "f.example:443 tls=f.example", "deny_rule", "p.yaml:deny[5]" },
	};

	(void)state;
	CHECK(((const struct files){
		.system = "allow:\n- host: a.example\n- host: b.example\n"
			  "- {ip: 192.31.196.1, ports: [443]}\n- host: c.example\n"
			  "- host: d.example\n- {host: d.example, ports: [22], protocol: tcp}\n"
			  "- host: e.example\n- host: f.example",
		.user = "deny: [{ip: 192.31.196.0/24}]",
		.policy = "deny:\n- host: a.example\n- {host: c.example, ports: [80]}\n"
			  "- {host: d.example, methods: [DELETE]}\n"
			  "- {host: d.example, paths: [\"/admin/**\"]}\n"
			  "- {host: e.example, expires: 2027-01-14}\n"
			  "- {host: f.example, expires: 2027-01-15}" }), rows);
}

/* "... a request passes if some allow rule matches all of host, port, protocol, and, where HTTP
 * is seen, method and path." */
static void all_of_it_must_match(void **state)
{
	static const struct row rows[] = {
		{ "a.example:80 http=a.example GET /v1/x", "allowed", "a" },
		{ "a.example:80 http=a.example GET /v1/%78", "allowed", "a" },
		{ "a.example:80 http=a.example HEAD /v1/x", "method", "a" },
		{ "a.example:80 http=a.example get /v1/x", "method", "a" },
		{ "a.example:80 http=a.example GET /v1/x/y", "path", "a" },
		{ "a.example:80 http=a.example GET /V1/x", "path", "a" },
		{ "a.example:80 http=a.example GET *", "path", "a" },
		{ "a.example:80 http=a.example", "method", "a" },
		{ "a.example:8080 http=a.example GET /v1/x", "port", "a" },
		{ "a.example:80 other", "protocol", "a" },
		{ "a.example:80 http=b.example GET /v1/x", "host_mismatch", "a" },
		{ "a.example:80", "need http", "a" },
		{ "a.example", "allowed", "a" },
		/* the port may carry anything, but the request must be seen */
		{ "b.example:8080", "need http", "b" },
		{ "b.example:8080 http=b.example GET /", "allowed", "b" },
		{ "b.example:8080 http=b.example PUT /", "method", "b" },
		{ "b.example:8080 other", "inspection_required", "b" },
		{ "b.example:8080 tls=b.example", "inspection_required", "b" },
	};

	(void)state;
	CHECK(POLICY("allow:\n- {host: a.example, methods: [POST, GET], paths: [/v1/*], id: a}\n"
		     "- {host: b.example, ports: [8080], methods: [GET], id: b}"), rows);
}

/* "Rules are a set": what one does not allow another may */
static void rules_are_a_set(void **state)
{
	static const struct row rows[] = {
		{ "a.example:80 http=a.example GET /r", "allowed", "read" },
		{ "a.example:80 http=a.example POST /w", "allowed", "write" },
		{ "a.example:80 http=a.example POST /r", "path", "write" },
		{ "a.example:80 http=a.example GET /w", "path", "read" },
		{ "a.example:80 http=a.example PUT /w", "method", "read" },
		/* one of two rules narrows: the other one lets it pass unseen */
		{ "b.example:443 tls=b.example", "allowed", "wide" },
		{ "b.example:443 https=b.example PUT /", "allowed", "wide" },
	};

	(void)state;
	CHECK(POLICY("allow:\n- {host: a.example, methods: [GET], paths: [/r], id: read}\n"
		     "- {host: a.example, methods: [POST], paths: [/w], id: write}\n"
		     "- {host: b.example, methods: [GET], id: narrow}\n"
		     "- {host: b.example, id: wide}"), rows);
}

/* "The most specific matching host names the rule in the log; limits count on that rule." */
static void the_most_specific_host_names_the_rule(void **state)
{
	static const struct row rows[] = {
		{ "a.b.example.org:443 tls=a.b.example.org", "allowed", "exact" },
		{ "c.b.example.org:443 tls=c.b.example.org", "allowed", "b" },
		{ "c.example.org:443 tls=c.example.org", "allowed", "all" },
	};

	(void)state;
	CHECK(POLICY("allow:\n- {host: '*.example.org', id: all, quota: {up: 1GB}}\n"
		     "- {host: .b.example.org, id: b}\n- {host: a.b.example.org, id: exact}"), rows);
}

/* "Nothing matches: default." */
static void default_is_deny(void **state)
{
	static const struct row rows[] = {
		{ "a.example", "no_rule", NULL }, { "a.example:443 tls=a.example", "no_rule", NULL },
	};

	(void)state;
	CHECK(POLICY(""), rows);
	CHECK(POLICY("default: deny"), rows);
	CHECK(POLICY("default: deny\nallow: []\nlimits: {requests: 1/s}"), rows);
}

/* "The reason of a denial is the first of ...": each row is stopped by more than its reason */
static void reasons_have_an_order(void **state)
{
	static const struct row rows[] = {
		{ "x.example:80 malformed", "malformed", NULL },
		{ "x.example:80 http=x.example GET /a/../b", "malformed", NULL },
		{ "x.example:9 http=y.example PUT /no", "deny_rule", "p.yaml:deny[0]" },
		{ "out.example:9 http=y.example PUT /no", "ceiling", "p.yaml:allow[1]" },
		{ "nobody.example:9 http=y.example PUT /no", "ceiling", NULL },
		{ "in.example:9 http=y.example PUT /no", "expired", "p.yaml:allow[2]" },
	};
	static const struct row furthest[] = {
		{ "[192.31.196.1]:9", "ip_literal", NULL }, { "[10.0.0.1]:9", "special_address", NULL },
		{ "other.example:9 other", "no_rule", NULL },
		{ "old.example:9 other", "expired", "old" },
		{ "x.example:9 http=y.example PUT /no", "port", "x" },
		{ "x.example:80 tls=y.example", "protocol", "x" },
		{ "x.example:80 http=y.example PUT /no", "host_mismatch", "x" },
		{ "x.example:80 http=x.example PUT /no", "method", "x" },
		{ "x.example:80 http=x.example GET /no", "path", "x" },
		{ "x.example:80 http=x.example GET /a%2fb", "malformed", "x" },
		{ "x.example:80 http=x.example GET /yes 11", "credential", "x" },
		{ "size.example:80 http=size.example GET /yes 11", "request_size", "size" },
		{ "size.example:80 http=size.example GET /yes 10", "allowed", "size" },
	};
	static const struct row isolated[] = {
		{ "x.example:80 malformed", "malformed", NULL },
		{ "x.example:80 http=x.example GET /", "mode", NULL },
	};

	(void)state;
	CHECK(((const struct files){
		.system = "ceiling: [{host: in.example, ports: [9]}, {host: x.example}]",
		.policy = "deny: [{host: x.example}]\nallow:\n- {host: x.example, methods: [GET]}\n"
			  "- {host: out.example, ports: [9]}\n"
			  "- {host: in.example, expires: 2027-01-14}" }), rows);
	CHECK(POLICY("allow:\n- {host: old.example, ports: [80], expires: 2027-01-14, id: old}\n"
		     "- {host: x.example, ports: [80], methods: [GET], paths: [/yes], "
		     "max_request: 10B, credentials: {header: X-Key, sha256: "
		     "[0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]}, id: x}\n"
		     "- {host: size.example, methods: [GET], max_request: 10B, id: size}"), furthest);
	CHECK(POLICY("mode: isolated\nallow: [{host: x.example}]\ndeny: [{host: x.example}]"),
	      isolated);
}

/* "A rule that narrows by method or path never widens by host" */
static void what_narrows_must_be_seen(void **state)
{
	static const struct row rows[] = {
		{ "m.example:443", "need tls", "m" },
		{ "m.example:443 tls=m.example", "inspection_required", "m" },
		{ "m.example:443 tls=evil.example", "sni_mismatch", "m" },
		{ "m.example:443 https=m.example GET /", "allowed", "m" },
		{ "m.example:443 https=m.example PUT /", "method", "m" },
		{ "m.example:443 https=evil.example GET /", "host_mismatch", "m" },
		{ "m.example:80 https=m.example GET /", "protocol", "m" },
		{ "p.example:443 tls=p.example", "inspection_required", "p" },
		{ "tcp.example:22", "inspection_required", "tcp" },
		{ "tcp.example:22 http=tcp.example GET /", "inspection_required", "tcp" },
		{ "udp.example:9/udp", "inspection_required", "udp" },
		{ "never.example:443 tls=never.example", "inspection_required", "never" },
		{ "never.example:443 https=never.example GET /", "inspection_required", "never" },
		{ "never.example:80 http=never.example GET /", "allowed", "never" },
		{ "always.example:443 tls=always.example", "inspection_required", "always" },
		{ "always.example:80 http=always.example GET /", "allowed", "always" },
		{ "key.example:443 tls=key.example", "inspection_required", "key" },
		{ "size.example:443 tls=size.example", "inspection_required", "size" },
		{ "inject.example:443 tls=inject.example", "inspection_required", "inject" },
		{ "inject.example:443 https=inject.example GET /", "allowed", "inject" },
		{ "inject.example:80 http=inject.example GET /", "protocol", "inject" },
		/* requests inside of TLS can't be counted; elsewhere a connection is one */
		{ "rate.example:443 tls=rate.example", "inspection_required", "rate" },
		{ "rate.example:443 https=rate.example GET /", "allowed", "rate" },
		{ "rate.example:80 http=rate.example GET /", "allowed", "rate" },
		{ "rate.example:22 other", "allowed", "rate" },
		/* what needs no sight of requests */
		{ "quota.example:443 tls=quota.example", "allowed", "quota" },
	};

	(void)state;
	CHECK(POLICY("allow:\n- {host: m.example, methods: [GET], id: m}\n"
		     "- {host: p.example, paths: [/x], id: p}\n"
		     "- {host: tcp.example, ports: [22], protocol: tcp, methods: [GET], id: tcp}\n"
		     "- {host: udp.example, ports: [9/udp], methods: [GET], id: udp}\n"
		     "- {host: never.example, methods: [GET], inspect: never, id: never}\n"
		     "- {host: always.example, inspect: always, id: always}\n"
		     "- {host: key.example, credentials: {header: X-Key, sha256: "
		     "[0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]}, id: key}\n"
		     "- {host: size.example, max_request: 1MB, id: size}\n"
		     "- {host: inject.example, inject: {header: X-Key, value: v}, id: inject}\n"
		     "- {host: rate.example, ports: [443, 80, 22], rate: 1/s, id: rate}\n"
		     "- {host: quota.example, quota: {up: 1B}, bandwidth: {up: 1mbit}, "
		     "id: quota}"), rows);
}

/* "HOST:PORT under a rule with methods or paths is allow with depends" (section 1) */
static void nobody_knows_the_request(void **state)
{
	static const struct row rows[] = {
		{ "m.example:443 any tls=m.example", "depends", "m" },
		{ "m.example:80 any http=m.example", "depends", "m" },
		{ "p.example:443 any tls=p.example", "depends", "p" },
		{ "plain.example:443 any tls=plain.example", "allowed", "plain" },
		{ "never.example:443 any tls=never.example", "inspection_required", "never" },
		{ "tcp.example:22 any other", "inspection_required", "tcp" },
		/* hangs on a deny rule's requests */
		{ "deny.example:443 any tls=deny.example", "depends", "deny" },
	};

	(void)state;
	CHECK(POLICY("allow:\n- {host: m.example, methods: [GET], id: m}\n"
		     "- {host: p.example, paths: [/x], id: p}\n- {host: plain.example, id: plain}\n"
		     "- {host: never.example, methods: [GET], inspect: never, id: never}\n"
		     "- {host: tcp.example, ports: [22], protocol: tcp, methods: [GET], id: tcp}\n"
		     "- {host: deny.example, id: deny}\n"
		     "deny: [{host: deny.example, methods: [PUT]}]"), rows);
}

/* "Path rules match the normalised path; a target that two servers could read differently is
 * malformed" */
static void paths_have_one_reading(void **state)
{
	static const struct row rows[] = {
		{ "a.example:80 http=a.example GET /v1/%7euser", "allowed", "p.yaml:allow[0]" },
		{ "a.example:80 http=a.example GET /v1/a%2fb", "malformed", "p.yaml:allow[0]" },
		{ "a.example:80 http=a.example GET /v1/%2e%2e/b", "malformed", NULL },
		{ "a.example:80 http=a.example GET /v1/../b", "malformed", NULL },
		{ "a.example:80 http=a.example GET /v1/..;/b", "malformed", NULL },
		{ "a.example:80 http=a.example GET /v1/x%00", "malformed", NULL },
		{ "a.example:80 http=a.example GET /v1/x%5cy", "malformed", NULL },
		{ "a.example:80 http=a.example GET /v1/x%", "malformed", NULL },
		{ "a.example:80 http=a.example GET /v1//x", "allowed", "p.yaml:allow[0]" },
		{ "a.example:80 http=a.example GET //v1/x", "malformed", "p.yaml:allow[0]" },
		/* no path is compared: what has one reading but for slashes passes */
		{ "b.example:80 http=b.example GET /@a%2fb", "allowed", "p.yaml:allow[1]" },
		{ "b.example:80 http=b.example GET /a/%2e%2e/b", "malformed", NULL },
	};

	(void)state;
	CHECK(POLICY("allow: [{host: a.example, paths: ['/v1/**']}, {host: b.example}]"), rows);
}

/* "expires: to the end of that day UTC, or an RFC 3339 time" */
static void rules_end(void **state)
{
	static const struct row rows[] = {
		{ "a.example", "allowed", "p.yaml:allow[0]" }, { "b.example", "expired", "p.yaml:allow[1]" },
		{ "c.example", "allowed", "p.yaml:allow[2]" }, { "d.example", "expired", "p.yaml:allow[3]" },
	};
	struct policy *p;
	struct question q;

	(void)state;
	CHECK(POLICY("allow:\n- {host: a.example, expires: 2027-01-15}\n"
		     "- {host: b.example, expires: 2027-01-14}\n"
		     "- {host: c.example, expires: 2027-01-15T08:00:01Z}\n"
		     "- {host: d.example, expires: 2027-01-15T08:00:00Z}"), rows);
	/* who does not know the time allows nothing by such a rule, and denies still */
	p = make("allow: [{host: a.example, expires: 2027-01-15}, {host: b.example}]\n"
		 "deny: [{host: b.example, expires: 2027-01-15}]");
	q = ask("a.example");
	q.now_s = 0;
	assert_int_equal(policy_decide(p, &q).reason, REASON_EXPIRED);
	q = ask("b.example");
	q.now_s = 0;
	assert_int_equal(policy_decide(p, &q).reason, REASON_DENY_RULE);
	policy_free(p);
}

/* "QUIC on an allowed UDP port, cleartext HTTP/2 and other upgrades are refused with protocol";
 * websocket: false is the default "wherever HTTP is seen" */
static void websockets_need_a_word(void **state)
{
	static const struct row rows[] = {
		{ "a.example:80 ws=a.example GET /", "protocol", "p.yaml:allow[0]" },
		{ "b.example:80 ws=b.example GET /chat", "allowed", "p.yaml:allow[1]" },
		{ "b.example:80 ws=b.example GET /x", "path", "p.yaml:allow[1]" },
		{ "b.example:80 ws=evil.example GET /chat", "host_mismatch", "p.yaml:allow[1]" },
		{ "b.example:80 h2c", "protocol", "p.yaml:allow[1]" },
		{ "b.example:443/udp quic", "port", "p.yaml:allow[1]" },
	};

	(void)state;
	CHECK(POLICY("allow: [{host: a.example}, {host: b.example, paths: [/chat], "
		     "websocket: true}]"), rows);
}

/* "... else denied with ech, unless the rule says ech: allow" (section 3) */
static void ech_needs_a_word(void **state)
{
	static const struct row rows[] = {
		{ "a.example:443 ech=a.example", "ech", "p.yaml:allow[0]" },
		{ "b.example:443 ech=b.example", "allowed", "p.yaml:allow[1]" },
		{ "b.example:443 ech=outer.example", "sni_mismatch", "p.yaml:allow[1]" },
	};

	(void)state;
	CHECK(POLICY("allow: [{host: a.example}, {host: b.example, ech: allow}]"), rows);
}

/* "credentials: only with this value" */
static void credentials_are_compared(void **state)
{
	static const uint8_t right[CREDENTIALS_MAX][DIGEST_BYTES] = { { 0 }, { 1, 2 } };
	static const uint8_t wrong[CREDENTIALS_MAX][DIGEST_BYTES] = { { 1, 2 }, { 1, 3 } };
	struct policy *p = make(
		"allow:\n- {host: a.example, credentials: {header: X-Other, sha256: "
		"[1100000000000000000000000000000000000000000000000000000000000000]}}\n"
		"- {host: b.example, credentials: {header: Authorization, sha256: "
		"[0102000000000000000000000000000000000000000000000000000000000000, "
		"2200000000000000000000000000000000000000000000000000000000000000]}}");
	struct question q = ask("b.example:80 http=b.example GET /");

	(void)state;
	assert_string_equal(policy_credential(p, 0), "x-other");
	assert_string_equal(policy_credential(p, 1), "authorization");
	assert_null(policy_credential(p, 2));
	assert_int_equal(policy_decide(p, &q).reason, REASON_CREDENTIAL);
	q.credentials = 2;
	assert_int_equal(policy_decide(p, &q).reason, REASON_CREDENTIAL);
	q.digests = wrong;
	assert_int_equal(policy_decide(p, &q).reason, REASON_CREDENTIAL);
	q.digests = right;
	assert_int_equal(policy_decide(p, &q).reason, REASON_ALLOWED);
	q.credentials = 1;
	assert_int_equal(policy_decide(p, &q).reason, REASON_CREDENTIAL);
	policy_free(p);
}

/* check and the data path agreed on these last: found by tests/system/test_agreement.py */
static void cases_of_the_agreement_test(void **state)
{
	static const struct row needs[] = { { "x.example:9418", "need both", "p.yaml:allow[0]" } };
	static const struct row monitor[] = { { "x.example:9418", "need both", NULL } };
	static const struct row nobody[] = {
		{ "[28.15.7.7]:22", "ip_literal", NULL }, { "[2d00:736c::f:7]:22", "ip_literal", NULL },
		{ "[192.31.196.1]:22", "watch", "p.yaml:allow[0]" },
	};
	static const char ceiling[] = "ceiling: [{host: x.example, ports: [9418], protocol: tls}]";

	(void)state;
	CHECK(((const struct files){ .system = ceiling,
				     .policy = "allow: [{host: x.example, ports: [9418]}]" }), needs);
	CHECK(((const struct files){ .system = ceiling, .policy = "mode: monitor" }), monitor);
	CHECK(POLICY("allow: [{ip: 0.0.0.0/0, ports: [22]}, {ip: '2000::/3', ports: [22]}]"), nobody);
}

/* "With ceiling in the system file nothing outside it is ever allowed by a lower layer or mode,
 * in host, port, method or path." */
static void the_ceiling_bounds_lower_layers(void **state)
{
	static const struct row rows[] = {
		{ "a.corp.example:443 tls=a.corp.example", "allowed", "p.yaml:allow[0]" },
		{ "a.corp.example:8443", "ceiling", "p.yaml:allow[0]" },
		{ "evil.example:443 tls=evil.example", "ceiling", "p.yaml:allow[1]" },
		{ "evil.example", "ceiling", "p.yaml:allow[1]" },
		/* in it, but no rule */
		{ "b.corp.example", "no_rule", NULL },
		/* the system's own rules are not bound */
		{ "own.example:443 tls=own.example", "allowed", "s.yaml:allow[0]" },
		/* method and path */
		{ "api.example:80 http=api.example GET /v1/x", "allowed", "p.yaml:allow[2]" },
		{ "api.example:80 http=api.example POST /v1/x", "ceiling", "p.yaml:allow[2]" },
		{ "api.example:80 http=api.example GET /v2/x", "ceiling", "p.yaml:allow[2]" },
		{ "api.example:80", "need http", "p.yaml:allow[2]" },
		{ "api.example:443 tls=api.example", "inspection_required", "p.yaml:allow[2]" },
		{ "api.example:443 https=api.example POST /v1/x", "ceiling", "p.yaml:allow[2]" },
		/* a rule that does not look is made to */
		{ "api.example:22", "need http", "p.yaml:allow[3]" },
		{ "api.example:22 other", "inspection_required", "p.yaml:allow[3]" },
		{ "api.example:22 http=api.example GET /v1/x", "allowed", "p.yaml:allow[3]" },
		/* the protocol, where it is named */
		{ "tls.example:443 http=tls.example GET /", "ceiling", "p.yaml:allow[4]" },
		{ "[192.31.196.1]:22", "watch", "p.yaml:allow[5]" },
		{ "[192.31.197.1]:22", "ceiling", "p.yaml:allow[6]" },
		{ "old.example", "ceiling", "p.yaml:allow[7]" },
	};
	static const struct row empty[] = {
		{ "a.example", "ceiling", NULL }, { "[192.31.196.1]:443", "ceiling", NULL },
	};
	static const struct row monitor[] = {
		{ "a.corp.example:9999", "ceiling", NULL }, { "evil.example", "ceiling", NULL },
		{ "a.corp.example:443 tls=a.corp.example", "allowed_monitor", NULL },
	};

	(void)state;
	CHECK(((const struct files){
		.system = "ceiling:\n- host: '*.corp.example'\n"
			  "- {host: api.example, ports: [443, 80, 22], methods: [GET], "
			  "paths: ['/v1/**']}\n"
			  "- {host: tls.example, protocol: tls}\n"
			  "- {ip: 192.31.196.0/24, ports: [22]}\n"
			  "- {host: old.example, expires: 2027-01-14}\n"
			  "allow: [{host: own.example}]",
		.policy = "allow:\n- {host: a.corp.example, ports: [443, 8443]}\n"
			  "- host: evil.example\n- host: api.example\n"
			  "- {host: api.example, ports: [22], protocol: tcp}\n"
			  "- {host: tls.example, protocol: tcp}\n"
			  "- {ip: 192.31.196.1, ports: [22]}\n- {ip: 192.31.197.1, ports: [22]}\n"
			  "- host: old.example" }), rows);
	CHECK(((const struct files){ .system = "ceiling: []", .policy = "mode: monitor" }), empty);
	CHECK(((const struct files){ .system = "ceiling: [{host: '*.corp.example'}]",
				     .policy = "mode: monitor" }), monitor);
}

/* "monitor: every public destination passes and is logged; denies, ceiling, special addresses and
 * limits still hold." */
static void monitor_lets_pass(void **state)
{
	static const struct row rows[] = {
		{ "any.example", "allowed_monitor", NULL },
		{ "any.example:443 tls=any.example", "allowed_monitor", NULL },
		{ "any.example:443 other", "allowed_monitor", NULL },
		{ "any.example:22", "watch", NULL },
		{ "any.example:9/udp", "allowed_monitor", NULL },
		{ "any.example:80 http=any.example PUT /", "allowed_monitor", NULL },
		{ "any.example:80 ws=any.example GET /", "allowed_monitor", NULL },
		{ "[192.31.196.1]:443 tls", "allowed_monitor", NULL },
		{ "[10.0.0.1]:443", "special_address", NULL },
		{ "[169.254.169.254]:80", "special_address", NULL },
		/* synthetic, and no name has it */
		{ "[28.0.0.15]:443", "ip_literal", NULL },
		{ "[2d00:736c::15]:443", "ip_literal", NULL },
		{ "[10.0.0.2]:22", "watch", "p.yaml:allow[1]" },
		/* of dns.synthetic, and bound to no name: the start-up probe asks for these */
		{ "[28.0.0.15]:9", "ip_literal", NULL }, { "[28.0.0.15]:9/udp", "ip_literal", NULL },
		{ "[2d00:736c::f]:9", "ip_literal", NULL },
		{ "bad.example", "deny_rule", "p.yaml:deny[0]" },
		{ "any.example:443 malformed", "malformed", NULL },
		/* a name must be the name */
		{ "any.example:443 tls=bad.example", "sni_mismatch", NULL },
		{ "any.example:80 http=bad.example GET /", "host_mismatch", NULL },
		/* a rule that matches is the rule; what it stops passes, but not a limit */
		{ "a.example:80", "need http", "p.yaml:allow[0]" },
		{ "a.example:80 http=a.example GET / 9", "allowed", "p.yaml:allow[0]" },
		{ "a.example:80 http=a.example GET / 11", "request_size", "p.yaml:allow[0]" },
		{ "a.example:80 http=a.example PUT /", "allowed_monitor", NULL },
	};

	(void)state;
	CHECK(POLICY("mode: monitor\ndefault: allow\nallow:\n"
		     "- {host: a.example, methods: [GET], max_request: 10B}\n"
		     "- {ip: 10.0.0.2, ports: [22]}\ndeny: [{host: bad.example}]"), rows);
	CHECK(POLICY("mode: bridge\ndefault: deny\nallow:\n"
		     "- {host: a.example, methods: [GET], max_request: 10B}\n"
		     "- {ip: 10.0.0.2, ports: [22]}\ndeny: [{host: bad.example}]"), rows);
}

/* "internal: peers only" */
static void internal_knows_peers_only(void **state)
{
	static const struct row rows[] = {
		{ "a.example", "mode", NULL }, { "a.example:443 tls=a.example", "mode", NULL },
		{ "[192.31.196.1]:22", "mode", NULL }, { "[172.28.2.1]:80", "mode", NULL },
		{ "[172.28.1.9]:8080", "watch", NULL }, { "[172.28.1.9]:9/udp", "allowed", NULL },
		{ "[172.28.1.9]:443 tls=x.example", "allowed", NULL },
		{ "[172.28.1.9]:443 tls=bad.example", "deny_rule", "p.yaml:deny[0]" },
		{ "[172.28.1.7]:80", "deny_rule", "p.yaml:deny[1]" },
	};
	static const struct row ceiling[] = {
		{ "[172.28.1.9]:22", "watch", NULL }, { "[172.28.1.9]:23", "ceiling", NULL },
		{ "[172.28.3.9]:23", "watch", NULL },
	};

	(void)state;
	CHECK(POLICY("mode: internal\npeers: [172.28.1.0/24]\n"
		     "allow: [{host: a.example}, {ip: 192.31.196.1, ports: [22]}]\n"
		     "deny: [{host: bad.example}, {ip: 172.28.1.7}]"), rows);
	CHECK(((const struct files){
		.system = "ceiling: [{ip: 172.28.1.0/24, ports: [22]}]\npeers: [172.28.3.0/24]",
		.policy = "mode: internal\npeers: [172.28.1.0/24]" }), ceiling);
}

/* "the strictest mode and default win (isolated < internal < filtered < monitor)" */
static void the_strictest_mode_wins(void **state)
{
	static const struct row filtered[] = { { "a.example", "no_rule", NULL } };
	static const struct row isolated[] = { { "a.example", "mode", NULL } };

	(void)state;
	CHECK(((const struct files){ .system = "mode: filtered", .policy = "mode: monitor" }),
	      filtered);
	CHECK(((const struct files){ .system = "mode: monitor\ndefault: allow",
				     .policy = "mode: filtered" }), filtered);
	CHECK(((const struct files){ .user = "mode: monitor", .policy = "mode: isolated" }),
	      isolated);
	CHECK(((const struct files){ .user = "mode: internal", .policy = "mode: monitor" }),
	      isolated);
}

/* "Allows add up, denies add up, the lowest number wins for a limit"; "log: the strongest layer
 * that sets one" */
static void layers_add_up(void **state)
{
	struct policy *p = load(&(const struct files){
		.system = "limits: {requests: 600/min, upload_total: 50MB, unique_hosts: 50, "
			  "on_exceed: block}\nlog: {sync: true, max: 1MB}",
		.user = "limits: {requests: 20/s, upload_total: 40MB, error_rate: 30%, "
			"requests_per_host: 2/min, on_exceed: alert}\nlog: {sync: false, max: 2MB}",
		.policy = "limits: {requests: 5/s, upload_total: 60MB, unique_hosts: 60, "
			  "error_rate: 40%, requests_per_host: 60/h, download_total: 5GB, "
			  "upload_per_request: 1MB}" });
	struct policy_settings s = policy_settings(p);

	(void)state;
	assert_int_equal(s.limits.requests.at[0].count, 5);	/* a second */
	assert_int_equal(s.limits.requests.at[1].count, 600);	/* a minute */
	assert_int_equal(s.limits.requests.at[2].count, 0);
	assert_int_equal(s.limits.requests_per_host.at[0].count, 0);
	assert_int_equal(s.limits.requests_per_host.at[1].count, 2);
	assert_int_equal(s.limits.requests_per_host.at[2].count, 60);
	assert_int_equal(s.limits.upload_total, 40000000);
	assert_int_equal(s.limits.unique_hosts, 50);
	assert_int_equal(s.limits.error_rate_percent, 30);
	assert_int_equal(s.limits.download_total, 5000000000);
	assert_int_equal(s.limits.upload_per_request, 1000000);
	assert_int_equal(s.limits.on_exceed, EXCEED_BLOCK);
	assert_true(s.log.sync);
	assert_int_equal(s.log.max_bytes, 1000000);
	assert_int_equal(s.log.paths, DETAIL_REDACT);
	policy_free(p);
}

/* The examples that people publish come out as published */
static void published_cases(void **state)
{
	static const struct row rows[] = {
		{ "api.openai.com:443 https=api.openai.com POST /v1/chat/completions", "allowed",
		  "p.yaml:allow[0]" },
		{ "scholar.google.com:443 https=scholar.google.com GET /", "allowed",
		  "p.yaml:allow[1]" },
		{ "arxiv.org:443 https=arxiv.org GET /", "allowed", "p.yaml:allow[2]" },
		{ "evil.pastebin.com:443 https=evil.pastebin.com GET /", "deny_rule",
		  "p.yaml:deny[0]" },
		{ "internal.service.internal:443 https=internal.service.internal GET /", "deny_rule",
		  "p.yaml:deny[1]" },
		{ "unknown-site.com:443 https=unknown-site.com GET /", "no_rule", NULL },
		{ "api.openai.com:443 https=api.openai.com GET /v1/models", "method",
		  "p.yaml:allow[0]" },
	};

	(void)state;
	CHECK(POLICY("allow:\n- {host: api.openai.com, ports: [443], methods: [POST], rate: 30/min}\n"
		     "- {host: scholar.google.com, ports: [443], methods: [GET]}\n"
		     "- {host: arxiv.org, ports: [443], methods: [GET]}\n"
		     "deny:\n- {host: '*.pastebin.com', reason: Data exfiltration risk}\n"
		     "- host: '*.internal'"), rows);
}

/* Every name is the least specific of all, and no more than that */
static void a_rule_for_every_name(void **state)
{
	static const struct row rows[] = {
		{ "anything.example", "allowed", "p.yaml:allow[0]" }, { "com", "allowed", "p.yaml:allow[0]" },
		{ "anything.example:22 other", "allowed", "p.yaml:allow[0]" },
		{ "anything.example:443 tls=anything.example", "allowed", "p.yaml:allow[0]" },
		{ "anything.example:443 tls=other.example", "sni_mismatch", "p.yaml:allow[0]" },
		{ "anything.example:25", "port", "p.yaml:allow[0]" },
		{ "anything.example:22/udp", "port", "p.yaml:allow[0]" },
		{ "a.example:25 other", "allowed", "p.yaml:allow[2]" },
		{ "b.example:22", "deny_rule", "p.yaml:deny[0]" },
		{ "localhost:22", "no_rule", NULL },
		{ "[8.8.8.8]:22 other", "allowed", "p.yaml:allow[1]" }, { "[8.8.8.8]:25", "port", "p.yaml:allow[1]" },
		{ "[8.8.8.8]:443 tls=b.example", "deny_rule", "p.yaml:deny[0]" },
		{ "[10.0.0.1]:22", "special_address", NULL }, { "[127.0.0.1]:22", "special_address", NULL },
		{ "[169.254.169.254]:22", "special_address", NULL }, { "[2606:4700::1]:22", "ip_literal", NULL },
	};
	static const struct row six[] = {
		{ "[2606:4700::1]:22 other", "allowed", "p.yaml:allow[0]" }, { "[8.8.8.8]:22 other", "ip_literal", NULL },
		{ "[::ffff:8.8.8.8]:22 other", "ip_literal", NULL }, { "[2606:4700::2]:22 other", "deny_rule", "p.yaml:deny[0]" },
	};
	static const struct row not_six[] = {
		{ "[2606:4700::1]:22 other", "deny_rule", "p.yaml:deny[0]" }, { "[8.8.8.8]:22 other", "allowed", "p.yaml:allow[0]" },
	};
	static const struct row under[] = {
		{ "x.corp.example:22 other", "allowed", "p.yaml:allow[0]" },
		{ "anything.example:22 other", "ceiling", "p.yaml:allow[0]" },
	};
	static const struct row below[] = {
		{ "a.example:443", "port", "p.yaml:allow[0]" }, { "a.example:22", "ceiling", "p.yaml:allow[0]" },
	};

	(void)state;
	CHECK(POLICY("allow:\n- {host: '*', ports: [22, 443], unsafe_wildcard: true}\n"
		     "- {ip: 0.0.0.0/0, ports: [22, 443]}\n- {host: a.example, ports: [25]}\n"
		     "deny: [{host: b.example}]"), rows);
	CHECK(POLICY("allow: [{ip: '::/0', ports: [22]}]\ndeny: [{ip: '2606:4700::2'}]"), six);
	CHECK(POLICY("allow: [{ip: 8.8.8.8, ports: [22]}, {ip: '2606:4700::1', ports: [22]}]\ndeny: [{ip: '::/0'}]"), not_six);
	CHECK(((const struct files){ .system = "ceiling: [{host: .corp.example, ports: [22]}]",
				     .policy = "allow: [{host: '*', ports: [22], unsafe_wildcard: true}]" }), under);
	CHECK(((const struct files){ .system = "ceiling: [{host: '*', unsafe_wildcard: true}]",
				     .policy = "allow: [{host: a.example, ports: [22]}]" }), below);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_for_every_name),
		cmocka_unit_test(deny_wins), cmocka_unit_test(all_of_it_must_match),
		cmocka_unit_test(rules_are_a_set),
		cmocka_unit_test(the_most_specific_host_names_the_rule),
		cmocka_unit_test(default_is_deny), cmocka_unit_test(reasons_have_an_order),
		cmocka_unit_test(what_narrows_must_be_seen),
		cmocka_unit_test(nobody_knows_the_request),
		cmocka_unit_test(paths_have_one_reading), cmocka_unit_test(rules_end),
		cmocka_unit_test(websockets_need_a_word), cmocka_unit_test(ech_needs_a_word),
		cmocka_unit_test(credentials_are_compared),
		cmocka_unit_test(the_ceiling_bounds_lower_layers),
		cmocka_unit_test(cases_of_the_agreement_test),
		cmocka_unit_test(monitor_lets_pass), cmocka_unit_test(internal_knows_peers_only),
		cmocka_unit_test(the_strictest_mode_wins), cmocka_unit_test(layers_add_up),
		cmocka_unit_test(published_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
