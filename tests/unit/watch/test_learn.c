/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/learn.h"

#include "event.h"

#include "policy/load.h"

static struct learn *learn;
static struct learn_options options;
static struct buf text;
static struct learn_result result;
static unsigned number;

static const char *shared(void *known, const char *name)
{
	(void)known;
	return strcmp(name, "hosting.test") ? NULL : "strangers have names there";
}

/* What was taken in is the policy of the test: begin anew */
static void begin(struct learn_options o)
{
	learn_free(learn);
	buf_done(&text);
	text = buf_new(LEARN_TEXT_MAX);
	options = o;
	options.shared = shared;
	learn = learn_new(&options);
	number = 0;
	assert_non_null(learn);
}

static int setup(void **state)
{
	(void)state;
	begin((struct learn_options){ .all = false });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	learn_free(learn);
	learn = NULL;
	buf_done(&text);
	return 0;
}

static void event(const char *fmt, ...) PRINTF(1, 2);

static void event(const char *fmt, ...)
{
	json_t *e;
	va_list ap;

	va_start(ap, fmt);
	e = event_of(fmt, ap);
	va_end(ap);
	learn_event(learn, e);
	json_decref(e);
}

static void open_conn(const char *host, unsigned port, const char *proto)
{
	event("{\"event\":\"conn.open\",\"conn\":%u,\"host\":\"%s\",\"ips\":[\"192.0.9.1\"],\"port\":%u,"
	      "\"proto\":\"%s\",\"verdict\":\"allow\",\"reason\":\"allowed_monitor\"}", ++number, host,
	      port, proto);
}

static void close_conn(const char *more)
{
	event("{\"event\":\"conn.close\",\"conn\":%u,\"bytes_out\":9%s}", number, more);
}

static void conn(const char *host, unsigned port, const char *proto)
{
	open_conn(host, port, proto);
	close_conn(",\"bytes_in\":9");
}

static void request(const char *host, unsigned port, const char *method, const char *path)
{
	event("{\"event\":\"http\",\"conn\":%u,\"host\":\"%s\",\"port\":%u,\"method\":\"%s\",\"path\":\"%s\","
	      "\"status\":200,\"verdict\":\"allow\",\"reason\":\"allowed_monitor\"}", number, host, port,
	      method, path);
}

static void asked(const char *host, const char *method, const char *path)
{
	open_conn(host, 443, "tls");
	request(host, 443, method, path);
	close_conn("");
}

static struct policy *load(struct span policy, const char *preset)
{
	char *presets[] = { (char *)(uintptr_t)preset, NULL };
	struct policy_file file = { LAYER_POLICY, "learnt", policy, false, false };
	struct policy_input in = { .files = &file, .file_count = 1, .presets = preset ? presets : NULL };
	struct err err = { "" };
	struct policy *p = policy_load(&in, &err);

	if (!p)
		fail_msg("%s", err.text);
	return p;
}

/* The policy, which must load and let pass all that it was written for */
static const char *learnt(void)
{
	char first[HOST_MAX + 16] = "";
	struct policy *p;

	if (!text.len) {
		assert_true(learn_write(learn, &text, &result));
		assert_true(buf_add(&text, "", 1));
		p = load(span_head(buf_span(&text), text.len - 1), NULL);
		if (learn_stopped(learn, p, first))
			fail_msg("%s is stopped", first);
		policy_free(p);
	}
	return (const char *)text.at;
}

#define HAS(part) \
	do { \
		if (!strstr(learnt(), part)) \
			fail_msg("no %s in:\n%s", part, learnt()); \
	} while (0)
#define HAS_NOT(part) \
	do { \
		if (strstr(learnt(), part)) \
			fail_msg("%s in:\n%s", part, learnt()); \
	} while (0)

static void nothing_gives_a_policy_that_allows_nothing(void **state)
{
	(void)state;
	HAS(LEARN_MARK);
	HAS("version: 1\n");
	HAS_NOT("allow:");
}

static void hosts_and_ports(void **state)
{
	(void)state;
	conn("b.test", 443, "tls");
	conn("b.test", 8443, "tls");
	conn("b.test", 5432, "tcp");
	conn("time.test", 123, "udp");
	conn("a.test", 443, "ssh");
	conn("a.test", 80, "tls");
	conn("192.0.9.7", 22, "ssh");
	conn("2600:9::7", 22, "ssh");
	HAS("  - host: \"b.test\"\n    ports: [443, 5432, 8443]\n");
	HAS("  - host: \"time.test\"\n    ports: [\"123/udp\"]\n");
	HAS("  - host: \"a.test\"\n    ports: [443]\n    protocol: tcp\n");
	HAS("  - host: \"a.test\"\n    ports: [80]\n    protocol: tls\n");
	HAS("  - ip: \"192.0.9.7\"\n    ports: [22]\n");
	HAS("  - ip: \"2600:9::7\"\n    ports: [22]\n");
	HAS_NOT("review");
}

static void requests_are_learnt_where_they_were_seen(void **state)
{
	(void)state;
	asked("api.test", "GET", "/v1/models");
	asked("api.test", "HEAD", "/v1/models");
	asked("api.test", "POST", "/v1/chat/17");
	HAS("  - host: \"api.test\"\n    ports: [443]\n    methods: [GET, HEAD]\n"
	    "    paths: [\"/v1/models\"]\n");
	HAS("    methods: [POST]\n    paths: [\"/v1/chat/*\"]\n");
}

static void a_connection_without_requests_opens_the_whole_port(void **state)
{
	(void)state;
	asked("api.test", "GET", "/v1/models");
	conn("api.test", 443, "tls");
	HAS("  - host: \"api.test\"\n    ports: [443]\n");
	HAS_NOT("methods");
}

static void a_connection_that_said_nothing_does_not(void **state)
{
	(void)state;
	asked("api.test", "GET", "/v1/models");
	open_conn("api.test", 443, "tls");
	event("{\"event\":\"conn.close\",\"conn\":%u,\"bytes_out\":0}", number);
	HAS("methods: [GET]");
}

/* mode monitor lets pass before the client has spoken, and conn.close tells what it was */
static void what_spoke_late_is_what_it_turned_out_to_be(void **state)
{
	(void)state;
	open_conn("tls.test", 443, "tcp");
	close_conn(",\"proto\":\"tls\"");
	open_conn("http.test", 80, "tcp");
	request("http.test", 80, "GET", "/x");
	close_conn(",\"proto\":\"http\"");
	open_conn("odd.test", 443, "tcp");
	close_conn(",\"bytes_in\":3");
	open_conn("idle.test", 443, "tcp");
	event("{\"event\":\"conn.close\",\"conn\":%u,\"bytes_out\":0,\"bytes_in\":0}", number);
	open_conn("open.test", 443, "tcp");
	HAS("  - host: \"tls.test\"\n    ports: [443]\n");
	HAS("  - host: \"http.test\"\n    ports: [80]\n    methods: [GET]\n    paths: [\"/x\"]\n");
	HAS("  - host: \"odd.test\"\n    ports: [443]\n    protocol: tcp\n");
	HAS("  - host: \"idle.test\"\n    ports: [443]\n  - host: \"odd.test\"\n");
	HAS("  - host: \"open.test\"\n    ports: [443]\n  - host: \"tls.test\"\n");
}

/* Its conn.open was lost, or is of a line that is no event */
static void a_request_of_an_unknown_connection(void **state)
{
	(void)state;
	number = 99;
	request("x.test", 443, "PROPFIND", "/a%2fb");
	request("x.test", 80, "GET", "/a");
	HAS("  - host: \"x.test\"\n    ports: [443]\n    methods: [PROPFIND]\n");
	HAS("  - host: \"x.test\"\n    ports: [80]\n    methods: [GET]\n    paths: [\"/a\"]\n");
}

static void a_push_is_learnt_with_its_first_request(void **state)
{
	(void)state;
	asked("git.test", "GET", "/a.git/info/refs");
	asked("git.test", "POST", "/a.git/git-receive-pack");
	HAS("methods: [POST]\n    paths: [\"/a.git/info/refs\", \"/a.git/git-receive-pack\"]");
}

static void denied_is_never_learnt(void **state)
{
	static const char *const reasons[] = {
		"malformed", "mode", "deny_rule", "category", "host_list", "ip_list", "ceiling",
		"special_address", "host_mismatch", "sni_mismatch", "protocol", "killed", "no such",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		char more[64];

		event("{\"event\":\"conn.open\",\"conn\":%u,\"host\":\"deny%zu.test\",\"port\":443,"
		      "\"proto\":\"tls\",\"verdict\":\"deny\",\"reason\":\"%s\"}", ++number, i, reasons[i]);
		close_conn("");
		event("{\"event\":\"dns.query\",\"name\":\"deny%zu.test\",\"type\":\"A\",\"verdict\":\"deny\"}", i);
		snprintf(more, sizeof(more), ",\"reason\":\"%s\"", reasons[i]);
		open_conn("deny-late.test", 443, "tls");
		close_conn(more);
		open_conn("deny-http.test", 80, "http");
		event("{\"event\":\"http\",\"conn\":%u,\"host\":\"deny-http.test\",\"port\":80,\"method\":\"GET\","
		      "\"path\":\"/\",\"verdict\":\"deny\",\"reason\":\"%s\"}", number, reasons[i]);
		close_conn(more);
	}
	event("{\"event\":\"denials\",\"reason\":\"no_rule\",\"sample\":[\"deny.test\"]}");
	event("{\"event\":\"packet.drop\",\"proto\":\"tcp\",\"ip\":\"192.0.9.1\",\"port\":443}");
	open_conn("limited.test", 443, "tls");
	close_conn(",\"reason\":\"limit\"");
	HAS_NOT("deny");
	HAS("limited.test");
}

static void many_siblings_become_a_wildcard(void **state)
{
	char host[64];

	(void)state;
	for (int i = 0; i < LEARN_SIBLINGS_MIN; i++) {
		snprintf(host, sizeof(host), "img%d.cdn.test", i);
		conn(host, 443, "tls");
		if (!i)
			continue;
		snprintf(host, sizeof(host), "few%d.other.test", i);
		conn(host, 443, "tls");
	}
	HAS("  - host: \"*.cdn.test\"\n    ports: [443]\n");
	HAS_NOT("img1");
	HAS("few1.other.test");
	HAS_NOT("*.other.test");
}

static void no_wildcard_over_a_suffix(void **state)
{
	static const char *const parents[] = {
		"com", "co.uk", "github.io", "s3.amazonaws.com", "cloudfront.net", "hosting.test",
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(parents); k++) {
		for (int i = 0; i < 3 * LEARN_SIBLINGS_MIN; i++) {
			char host[64];

			snprintf(host, sizeof(host), "n%d.%s", i, parents[k]);
			conn(host, 443, "tls");
		}
	}
	HAS_NOT("*");
}

/* s3.amazonaws.com among its siblings: below their parent strangers have names */
static void no_wildcard_over_what_holds_a_suffix(void **state)
{
	(void)state;
	for (int i = 0; i < 3 * LEARN_SIBLINGS_MIN; i++) {
		char host[64];

		snprintf(host, sizeof(host), "n%d.amazonaws.com", i);
		conn(i ? host : "s3.amazonaws.com", 443, "tls");
	}
	HAS_NOT("*");
}

static void random_names_wait_for_review(void **state)
{
	(void)state;
	conn("a8f3k2m9q1z7x4w6.evil.test", 443, "tls");
	conn("good.test", 443, "tls");
	HAS("  # - host: \"a8f3k2m9q1z7x4w6.evil.test\"\n  #   ports: [443]\n");
	HAS("  - host: \"good.test\"\n");
	assert_int_equal(result.review, 1);
	begin((struct learn_options){ .all = true });
	conn("a8f3k2m9q1z7x4w6.evil.test", 443, "tls");
	HAS("  - host: \"a8f3k2m9q1z7x4w6.evil.test\"\n");
	assert_int_equal(result.review, 0);
}

static void what_is_rare_waits_only_beside_what_is_usual(void **state)
{
	(void)state;
	conn("once.test", 443, "tls");
	HAS("  - host: \"once.test\"");
	begin((struct learn_options){ .all = false });
	for (int i = 0; i < LEARN_SESSIONS_MIN; i++) {
		event("{\"event\":\"session.start\"}");
		conn("usual.test", 443, "tls");
		if (!i)
			conn("once.test", 443, "tls");
	}
	HAS("  # - host: \"once.test\"");
	HAS("  - host: \"usual.test\"");
	begin((struct learn_options){ .all = false });
	for (int i = 0; i < LEARN_USES_MIN; i++)
		conn("usual.test", 443, "tls");
	conn("late.test", 443, "tls");
	HAS("  # - host: \"late.test\"");
}

static void names_that_were_only_looked_up(void **state)
{
	(void)state;
	event("{\"event\":\"dns.query\",\"name\":\"used.test\",\"type\":\"A\",\"verdict\":\"allow\"}");
	event("{\"event\":\"dns.query\",\"name\":\"only.test\",\"type\":\"TXT\",\"verdict\":\"allow\"}");
	conn("used.test", 443, "tls");
	HAS("types: [A, AAAA, TXT]");
	HAS("  - host: \"only.test\"\n    ports: [9]");
	HAS("  - host: \"used.test\"\n    ports: [443]\n");
	HAS_NOT("\"used.test\"\n    ports: [9]");
}

static void special_addresses_are_told(void **state)
{
	(void)state;
	event("{\"event\":\"conn.open\",\"conn\":7,\"host\":\"db.test\",\"ips\":[\"10.1.2.3\"],\"port\":5432,"
	      "\"proto\":\"tcp\",\"verdict\":\"allow\"}");
	event("{\"event\":\"conn.open\",\"conn\":8,\"host\":\"meta.test\",\"ips\":[\"169.254.169.254\"],"
	      "\"port\":80,\"proto\":\"tcp\",\"verdict\":\"allow\"}");
	HAS("  - host: \"db.test\"\n    ports: [5432]\n    private: true");
	HAS("  # - host: \"meta.test\"");
	assert_int_equal(result.private, 1);
}

/* A name was looked up for a place that waits: it waits too, unless another place has a rule */
static void a_name_waits_with_its_place(void **state)
{
	static const char name[] = "a8f3k2m9q1z7x4w6.evil.test";

	(void)state;
	begin((struct learn_options){ .forged = true });
	event("{\"event\":\"dns.query\",\"name\":\"%s\",\"type\":\"A\",\"verdict\":\"allow\"}", name);
	event("{\"event\":\"dns.query\",\"name\":\"db.test\",\"type\":\"A\",\"verdict\":\"allow\"}");
	conn(name, 443, "tls");
	event("{\"event\":\"conn.open\",\"conn\":70,\"host\":\"db.test\",\"ips\":[\"10.1.2.3\"],\"port\":5432,"
	      "\"proto\":\"tcp\",\"verdict\":\"allow\"}");
	HAS("  # - host: \"a8f3k2m9q1z7x4w6.evil.test\"");
	HAS("  # - host: \"db.test\"");
	HAS_NOT("ports: [9]");
	HAS_NOT("\n  - host");
}

static void without_proof_special_addresses_wait(void **state)
{
	(void)state;
	begin((struct learn_options){ .forged = true });
	event("{\"event\":\"conn.open\",\"conn\":7,\"host\":\"db.test\",\"ips\":[\"10.1.2.3\"],\"port\":5432,"
	      "\"proto\":\"tcp\",\"verdict\":\"allow\"}");
	HAS("  # - host: \"db.test\"");
	assert_int_equal(result.private, 0);
}

static void only_the_last_session_counts(void **state)
{
	(void)state;
	begin((struct learn_options){ .last = true });
	event("{\"event\":\"session.start\"}");
	conn("old.test", 443, "tls");
	event("{\"event\":\"session.start\"}");
	conn("new.test", 443, "tls");
	HAS_NOT("old.test");
	HAS("new.test");
	assert_int_equal(result.sessions, 1);
}

static void words_of_an_agent_are_no_yaml(void **state)
{
	static const char *const hosts[] = {
		"a.test\\n  - host: evil.test", "\\\"", "*.com", ".com", "a b.test", "a.test#", "-x.test",
		"\\u0000a.test", "xn--\\u00e4.test", "0x7f.1", "[::1]", "a..test", "",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		conn(hosts[i], 443, "tls");
	conn("a.test", 53, "tcp");
	conn("a.test", 853, "tls");
	conn("a.test", 0, "tls");
	conn("a.test", 70000, "tls");
	conn("a.test", 443, "\\n  - host: evil.test");
	asked("b.test", "GET\\n", "/");
	asked("b.test", "get", "/");
	asked("c.test", "GET", "/\\\"]\\n  - host: evil.test");
	asked("d.test", "GET", "/a'b,c]{d}");
	HAS_NOT("evil");
	HAS_NOT("a.test");
	HAS_NOT("b.test");
	HAS("  - host: \"c.test\"\n    ports: [443]\n    methods: [GET]\n");
	HAS("paths: [\"/a'b,c]");
}

static void presets_stand_for_what_they_cover(void **state)
{
	static const char read_only[] =
		"version: 1\nallow:\n"
		"  - {host: main.test, ports: [443], methods: [GET]}\n"
		"  - {host: side.test, ports: [443], methods: [GET]}\n";
	static const char wide[] = "version: 1\nallow:\n  - host: main.test\n  - host: x.test\n  - host: y.test\n";
	struct policy *a = load(SPAN(read_only), NULL), *b = load(SPAN(wide), NULL);
	const struct learn_preset presets[] = { { "reads", a }, { "wide", b } };
	const struct learn_options o = { .presets = presets, .preset_count = 2 };
	char *written;

	(void)state;
	begin(o);
	asked("main.test", "GET", "/x");
	assert_true(learn_write(learn, &text, &result));
	written = strndup((const char *)text.at, text.len);
	assert_non_null(strstr(written, "presets: [\"reads\"]\n"));
	assert_null(strstr(written, "main.test"));
	free(written);
	/* it writes; nobody looked inside; a preset that is not what it is about */
	begin(o);
	asked("main.test", "GET", "/x");
	asked("main.test", "POST", "/x");
	HAS_NOT("presets");
	begin(o);
	conn("main.test", 443, "tls");
	HAS_NOT("presets");
	begin(o);
	asked("side.test", "GET", "/x");
	HAS_NOT("presets");
	policy_free(a);
	policy_free(b);
}

static void memory_has_a_bound(void **state)
{
	char host[64];

	(void)state;
	for (unsigned i = 0; i < LEARN_PLACES_MAX + 100; i++) {
		snprintf(host, sizeof(host), "h.n%u.test", i);
		conn(host, 443, "tls");
	}
	assert_int_equal(result.left_out, 0);
	HAS("places beyond the first");
	HAS_NOT("no rule can name");
	assert_int_equal(result.left_out, 0);
	assert_int_equal(result.lost, 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_gives_a_policy_that_allows_nothing),
		TEST(hosts_and_ports),
		TEST(requests_are_learnt_where_they_were_seen),
		TEST(a_connection_without_requests_opens_the_whole_port),
		TEST(a_connection_that_said_nothing_does_not),
		TEST(what_spoke_late_is_what_it_turned_out_to_be),
		TEST(a_request_of_an_unknown_connection),
		TEST(a_push_is_learnt_with_its_first_request),
		TEST(denied_is_never_learnt),
		TEST(many_siblings_become_a_wildcard),
		TEST(no_wildcard_over_a_suffix),
		TEST(no_wildcard_over_what_holds_a_suffix),
		TEST(random_names_wait_for_review),
		TEST(what_is_rare_waits_only_beside_what_is_usual),
		TEST(names_that_were_only_looked_up),
		TEST(special_addresses_are_told),
		TEST(a_name_waits_with_its_place),
		TEST(without_proof_special_addresses_wait),
		TEST(only_the_last_session_counts),
		TEST(words_of_an_agent_are_no_yaml),
		TEST(presets_stand_for_what_they_cover),
		TEST(memory_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
