/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/compare.h"

#define TOLD_MAX 8192

/* "+ words\n" and "- words\n" */
static void tell(void *arg, enum change change, const char *words)
{
	char *told = arg;
	size_t len = strlen(told);

	snprintf(told + len, TOLD_MAX - len, "%c %s\n", change == CHANGE_OPENS ? '+' : '-', words);
}

static const char *compared(const char *before, const char *after)
{
	static char told[TOLD_MAX];
	struct policy *a = make(before), *b = make(after);

	told[0] = '\0';
	assert_true(policy_compare(a, b, "stranger", 1000, tell, told));
	policy_free(a);
	policy_free(b);
	return told;
}

#define KEY(two) "{header: X-Key, sha256: ['" two "112233445566778899aabbccddeeff" \
	"00112233445566778899aabbccddeeff']}"

static const struct {
	const char *before, *after, *want;
} rows[] = {
	{"", "", ""},
	{"allow: [{host: a.test}]", "allow: [{host: a.test}]", ""},
	{"", "allow: [{host: a.test}]", "+ a.test:80,443\n"},
	{"allow: [{host: a.test}]", "", "- a.test:80,443\n"},
	{"", "allow: [{host: .a.test}]", "+ .a.test:80,443\n"},
	{"", "allow: [{host: '*.a.test'}]", "+ *.a.test:80,443\n"},
	{"allow: [{host: '*.a.test'}]", "allow: [{host: .a.test}]", "+ a.test:80,443\n"},
	/* one that is opened already opens nothing */
	{"allow: [{host: .a.test}]", "allow: [{host: .a.test}, {host: b.a.test}]", ""},
	{"allow: [{host: .a.test}]",
	 "allow: [{host: .a.test}, {host: b.a.test, ports: [22]}]", "+ b.a.test:22\n"},
	/* every name, and those that another rule tells besides */
	{"", "allow: [{host: '*', unsafe_wildcard: true}]", "+ *:80,443\n"},
	{"allow: [{host: '*', unsafe_wildcard: true}]", "", "- *:80,443\n"},
	{"allow: [{host: a.test}]", "allow: [{host: '*', unsafe_wildcard: true}]", "+ *:80,443\n"},
	{"allow: [{host: '*', unsafe_wildcard: true}]",
	 "allow: [{host: '*', unsafe_wildcard: true}, {host: a.test, ports: [443, 22]}]", "+ a.test:22\n"},
	{"allow: [{host: '*', unsafe_wildcard: true}]",
	 "allow: [{host: '*', unsafe_wildcard: true}]\ndeny: [{host: a.test}]", "- a.test:80,443\n"},
	/* what the wider line tells is told once */
	{"", "allow: [{host: .a.test}, {host: b.a.test}]", "+ .a.test:80,443\n"},
	{"allow: [{host: b.a.test}]", "allow: [{host: '*.a.test'}]", "+ *.a.test:80,443\n"},
	/* denials */
	{"allow: [{host: .a.test}]", "allow: [{host: .a.test}]\ndeny: [{host: b.a.test}]",
	 "- b.a.test:80,443\n"},
	{"allow: [{host: .a.test}]\ndeny: [{host: '*.b.a.test', ports: [443]}]",
	 "allow: [{host: .a.test}]", "+ *.b.a.test:443\n"},
	{"deny: [{host: b.test}]", "", ""},
	/* ports */
	{"allow: [{host: a.test, ports: ['8000-8010']}]",
	 "allow: [{host: a.test, ports: ['8005-8020', 123/udp]}]",
	 "- a.test:8000-8004\n+ a.test:8011-8020,123/udp\n"},
	{"allow: [{host: a.test, ports: [79-82]}]",
	 "allow: [{host: a.test, ports: [79-82]}]\ndeny: [{host: a.test, ports: [81]}]",
	 "- a.test:81\n"},
	/* protocols: the client says what the rule wants to see */
	{"allow: [{host: a.test, ports: [443], protocol: tls}]",
	 "allow: [{host: a.test, ports: [443], protocol: auto}]", ""},
	/* networks */
	{"", "allow: [{ip: 203.0.113.0/24, ports: [22]}]", "+ 203.0.113.0/24:22\n"},
	{"allow: [{ip: 8.8.8.0/24, ports: [22]}]",
	 "allow: [{ip: 8.8.8.0/24, ports: [22]}]\ndeny: [{ip: 8.8.8.8}]", "- 8.8.8.8/32:22\n"},
	/* the base alone is shut: the network is told all the same */
	{"", "allow: [{ip: 8.8.8.0/24, ports: [22]}]\ndeny: [{ip: 8.8.8.0}]",
	 "+ 8.8.8.0/24:22\n"},
	{"", "allow: [{ip: '2001:db8::/32', ports: [22]}]", "+ 2001:db8::/32:22\n"},
	/* what lies first in a wide one is special, and shut */
	{"", "allow: [{ip: 0.0.0.0/0, ports: [22]}]", "+ 0.0.0.0/0:22\n"},
	{"allow: [{ip: '::/0', ports: [22]}]", "", "- ::/0:22\n"},
	{"allow: [{ip: 10.0.0.0/7, ports: [22]}]", "", "- 10.0.0.0/7:22\n"},
	{"allow: [{ip: 10.0.0.0/8, ports: [22]}]", "allow: [{ip: 10.0.0.0/7, ports: [22]}]",
	 "- 10.0.0.0/8:22\n+ 10.0.0.0/7:22\n"},
	/* requests */
	{"", "allow: [{host: a.test, ports: [80], methods: [GET]}]", "+ GET on a.test:80\n"},
	{"allow: [{host: a.test, ports: [80], methods: [GET]}]",
	 "allow: [{host: a.test, ports: [80], methods: [GET, PUT]}]", "+ PUT on a.test:80\n"},
	{"allow: [{host: a.test, ports: [80], methods: [GET]}]",
	 "allow: [{host: a.test, ports: [80]}]",
	 "+ any other method on a.test:80\n"},
	{"allow: [{host: a.test, ports: [80], methods: [GET], paths: ['/v1/*']}]",
	 "allow: [{host: a.test, ports: [80], methods: [GET], paths: ['/v1/**']}]",
	 "+ GET /v1/** on a.test:80\n"},
	{"allow: [{host: a.test, ports: [80]}]",
	 "allow: [{host: a.test, ports: [80]}]\ndeny: [{host: a.test, methods: [DELETE]}]",
	 "- DELETE on a.test:80\n"},
	{"", "allow: [{host: a.test, ports: [443], methods: [GET], paths: [/x]}]",
	 "+ GET /x on a.test:443 (only where requests can be seen)\n"},
	{"allow: [{host: a.test, ports: [443], methods: [GET]}]",
	 "allow: [{host: a.test, ports: [443]}]", "+ a.test:443\n"},
	/* two stars reach deeper than any that are named one by one */
	{"allow: [{host: a.test, ports: [80], paths: ['/v1/*', '/v1/*/*']}]",
	 "allow: [{host: a.test, ports: [80], paths: ['/v1/*', '/v1/*/*', '/v1/**']}]",
	 "+ any other method /v1/** on a.test:80\n"},
	/* lists: an address that none holds stands for a network */
	{"deny: [{ip_list: nets}]",
	 "allow: [{ip: 198.51.100.0/24, ports: [22]}]\ndeny: [{ip_list: nets}]",
	 "+ 198.51.100.0/24:22\n"},
	{"", "allow: [{ip: 198.51.100.0/28, ports: [22]}]\ndeny: [{ip_list: nets}]", ""},
	{"", "allow: [{ip: '64:ff9b::a00:0/104', ports: [22]}]\ndeny: [{ip_list: nets}]", ""},
	{"", "allow: [{ip: '64:ff9b::a00:0/103', ports: [22]}]\ndeny: [{ip_list: nets}]",
	 "+ 64:ff9b::a00:0/103:22\n"},
	/* time */
	{"", "allow: [{host: a.test, expires: 1970-01-01}]", "+ a.test:80,443\n"},
	{"", "allow: [{host: a.test, expires: '1970-01-01T00:00:01Z'}]", ""},
	/* private addresses */
	{"allow: [{host: a.test}]", "allow: [{host: a.test, private: true}]",
	 "+ a.test:80,443 (at private addresses too)\n"},
	/* what passes besides */
	{"allow: [{host: a.test}]", "allow: [{host: a.test, websocket: true}]",
	 "+ a.test:80,443 (websockets)\n"},
	{"", "allow: [{host: a.test, ports: [80], websocket: true}]",
	 "+ a.test:80\n+ a.test:80 (websockets)\n"},
	{"allow: [{host: a.test, websocket: true, methods: [GET], ports: [80]}]",
	 "allow: [{host: a.test, methods: [GET], ports: [80]}]", "- GET on a.test:80 (websockets)\n"},
	{"allow: [{host: a.test}]", "allow: [{host: a.test, ech: allow}]",
	 "+ a.test:443 (ech: a hidden name)\n"},
	{"", "allow: [{host: a.test, ports: [443], ech: allow, inspect: never}]",
	 "+ a.test:443\n+ a.test:443 (ech: a hidden name)\n+ a.test:443 (never inspected)\n"},
	{"allow: [{host: a.test}]", "allow: [{host: a.test, inspect: never}]",
	 "+ a.test:80,443 (never inspected)\n"},
	{"allow: [{host: a.test, inspect: never}]", "allow: [{host: a.test}]",
	 "- a.test:80,443 (never inspected)\n"},
	{"allow: [{host: a.test, ports: [443]}]",
	 "allow: [{host: a.test, ports: [443], protocol: tcp}]",
	 "+ a.test:443 (what is neither TLS nor HTTP)\n"},
	{"allow: [{host: a.test, ports: [8443], protocol: tls}]",
	 "allow: [{host: a.test, ports: [8443]}]",
	 "+ a.test:8443 (what is neither TLS nor HTTP)\n"},
	/* bounds: lifted or raised opens, lowered closes */
	{"allow: [{host: a.test, ports: [80], rate: 30/min}]", "allow: [{host: a.test, ports: [80]}]",
	 "+ a.test:80 (rate: none, before 30/min)\n"},
	{"allow: [{host: a.test, ports: [80], rate: 30/min}]",
	 "allow: [{host: a.test, ports: [80], rate: 1/min}]",
	 "- a.test:80 (rate: 1/min, before 30/min)\n"},
	{"allow: [{host: a.test, ports: [80], rate: 30/min}]",
	 "allow: [{host: a.test, ports: [80], rate: 1/s}]", "+ a.test:80 (rate: 1/s, before 30/min)\n"},
	/* neither is narrower: 30 at once, or 31 in a minute */
	{"allow: [{host: a.test, ports: [80], rate: 1/s}]",
	 "allow: [{host: a.test, ports: [80], rate: 30/min}]",
	 "+ a.test:80 (rate: 30/min, before 1/s)\n"},
	{"allow: [{host: a.test, ports: [80], rate: 60/min}]",
	 "allow: [{host: a.test, ports: [80], rate: 1/s}]", "- a.test:80 (rate: 1/s, before 60/min)\n"},
	{"allow: [{host: a.test, ports: [22], quota: {up: 1MB, down: 1GB}}]",
	 "allow: [{host: a.test, ports: [22], quota: {up: 2MB, down: 5kB}}]",
	 "- a.test:22 (quota down: 5kB, before 1GB)\n+ a.test:22 (quota up: 2MB, before 1MB)\n"},
	{"allow: [{host: a.test, ports: [22], bandwidth: {up: 1mbit, burst: 1kB}}]",
	 "allow: [{host: a.test, ports: [22], bandwidth: {up: 1mbit, burst: 1MB}}]",
	 "+ a.test:22 (burst: 1MB, before 1kB)\n"},
	{"allow: [{host: a.test, ports: [22], bandwidth: {up: 1mbit}}]",
	 "allow: [{host: a.test, ports: [22]}]",
	 "+ a.test:22 (bandwidth up: none, before 1000kbit)\n"},
	{"allow: [{host: a.test, ports: [80], max_request: 1MB}]",
	 "allow: [{host: a.test, ports: [80], max_request: 2MB}]",
	 "+ a.test:80 (max_request: 2MB, before 1MB)\n"},
	/* another rule lets pass what is too large for this one */
	{"allow: [{host: a.test, ports: [80], max_request: 1MB}]",
	 "allow: [{host: a.test, ports: [80], max_request: 1MB}, {host: .a.test, ports: [80]}]",
	 "+ a.test:80 (max_request: none, before 1MB)\n+ *.a.test:80\n"},
	{"allow: [{host: a.test, ports: [80], expires: 2027-01-31}]",
	 "allow: [{host: a.test, ports: [80]}]",
	 "+ a.test:80 (expires: never, before 2027-02-01T00:00:00Z)\n"},
	/* credentials */
	{"", "allow: [{host: a.test, ports: [80], credentials: " KEY("11") "}]", "+ a.test:80\n"},
	{"allow: [{host: a.test, ports: [80], credentials: " KEY("11") "}]",
	 "allow: [{host: a.test, ports: [80], credentials: " KEY("22") "}]",
	 "+ a.test:80 (with other credentials)\n"},
	{"allow: [{host: a.test, ports: [80], credentials: " KEY("11") "}]",
	 "allow: [{host: a.test, ports: [80]}]", "+ a.test:80 (with other credentials)\n"},
	{"allow: [{host: a.test, ports: [80]}]",
	 "allow: [{host: a.test, ports: [80], credentials: " KEY("11") "}]",
	 "- a.test:80 (with other credentials)\n"},
	/* limits, and other settings */
	{"limits: {requests: 600/min, on_exceed: block}", "limits: {requests: 1/s, on_exceed: block}",
	 "- limits: requests: 1/s, before 600/min\n"},
	{"limits: {requests: [600/min, 20/s]}", "limits: {requests: 600/min}",
	 "+ limits: requests: 600/min, before [20/s, 600/min]\n"},
	{"limits: {requests_per_host: 1/min}", "", "+ limits: requests_per_host: none, before 1/min\n"},
	{"limits: {upload_total: 1MB, unique_hosts: 5, error_rate: 10%}",
	 "limits: {upload_total: 2MB, unique_hosts: 4, error_rate: 20%}",
	 "- limits: unique_hosts: 4, before 5\n+ limits: upload_total: 2MB, before 1MB\n"
	 "+ limits: error_rate, in per cent: 20, before 10\n"},
	{"limits: {on_exceed: kill}", "", "+ limits: on_exceed: alert\n"},
	{"private_networks: [10.0.0.0/8]", "private_networks: [10.0.0.0/8, a.test=10.1.0.0/16]",
	 "+ private_networks: a.test=10.1.0.0/16\n"},
	{"host_ports: [5432]\npublish: [3000]", "host_ports: ['80:5432']",
	 "- host_ports: 5432:5432\n+ host_ports: 80:5432\n- publish: 127.0.0.1 port 3000:3000\n"},
	{"", "dns: {types: [A, AAAA, TXT]}", "+ dns: types: TXT\n"},
	/* modes */
	{"allow: [{host: a.test}]", "mode: isolated\nallow: [{host: a.test}]",
	 "- a.test:80,443\n"},
};


static void differences_have_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *told = compared(rows[i].before, rows[i].after);

		if (strcmp(told, rows[i].want))
			fail_msg("%s\n=>\n%s\ngave\n%swanted\n%s", rows[i].before, rows[i].after, told,
				 rows[i].want);
	}
}

/* Whoever names the stranger hides what he opens: so it must not be guessed */
static void the_stranger_stands_for_all_names(void **state)
{
	(void)state;
	assert_string_equal(
		compared("", "allow: [{host: '*.a.test'}]\ndeny: [{host: .stranger.a.test}]"), "");
	assert_string_equal(
		compared("", "allow: [{host: '*.a.test'}]\ndeny: [{host: .any.a.test}]"),
		"+ *.a.test:80,443\n");
}

/* A pattern of many stars stands for short paths too */
static void many_stars(void **state)
{
	struct buf text = buf_new(8192);

	(void)state;
	buf_add_str(&text, "allow: [{host: a.test, ports: [80], paths: ['/x/");
	for (size_t i = 0; i < 300; i++)
		buf_add_str(&text, "**/");
	buf_add_str(&text, "*']}]");
	buf_add(&text, "", 1);
	assert_true(span_starts(span_str(compared("", (const char *)text.at)), SPAN("+ any other method /x/**/")));
	buf_done(&text);
}

/* Names so long that no stranger fits below them have none */
static void long_names(void **state)
{
	char label[64], text[700];

	(void)state;
	memset(label, 'x', sizeof(label) - 1);
	label[63] = '\0';
	snprintf(text, sizeof(text), "allow: [{host: %s.%s.%s.%.60s}]", label, label, label, label);
	assert_true(strlen(compared("", text)) > 240);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_have_words),
		cmocka_unit_test(the_stranger_stands_for_all_names),
		cmocka_unit_test(many_stars),
		cmocka_unit_test(long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
