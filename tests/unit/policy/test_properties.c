/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold for every policy, tried on small random ones: a deny rule more
 * never allows more, an allow rule more never denies more, and order is nothing.
 * All questions of a small world are asked of each.
 */
#include "policy_unit.h"

#include "policy/show.h"

#define POLICIES 1000
#define RULES 8

static uint64_t seed;

/* xorshift64*: the same policies in every run */
static unsigned pick(unsigned count)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)((seed * 0x2545f4914f6cdd1dull) >> 33) % count;
}

struct rule {
	bool allow;
	char text[256];
};

/* What the system's file says above the rules */
static const char *const above[] = {
	"", "", "", "mode: monitor", "mode: internal\npeers: [198.51.100.0/28]",
	"ceiling: [{host: .x.test, ports: [443, 80]}, {ip: 198.51.100.0/24, ports: [22, 443]}]",
	("ceiling: [{host: .x.test, methods: [GET], ports: [80, 22, 443]}, "
	 "{host: y.test, paths: [/a/*], expires: 2027-02-01}]\nmode: monitor"),
};

/* Keys that say which requests, and until when */
static size_t random_more(char *text, size_t size, bool allow)
{
	static const char *const more[] = {
		", methods: [GET]", ", methods: [POST, GET]", ", paths: [/a/*]", ", paths: ['/**/b']",
		", methods: [GET], paths: ['/a/**']", ", expires: 2027-01-14", ", expires: 2027-01-16",
		", websocket: true", ", max_request: 10B", ", inspect: always", ", ech: allow",
		", inspect: never, methods: [GET]",
	};

	if (pick(2))
		return 0;
	return (size_t)snprintf(text, size, "%s", more[pick(allow ? ARRAY_SIZE(more) : 7)]);
}

static struct rule random_rule(void)
{
	static const char *const hosts[] = {
		"x.test", "a.x.test", "b.a.x.test", "'*.x.test'", "'*.a.x.test'", ".x.test",
		".a.x.test", "y.test",
	};
	static const char *const nets[] = { "198.51.100.0/24", "198.51.100.7", "10.0.0.0/8", "0.0.0.0/0",
					    "\"64:ff9b::/96\"" };
	static const char *const lists[] = {
		"host_list: hosts", "host_list: same", "ip_list: nets", "category: paste",
		"category: store",
	};
	static const char *const ports[] = { "443", "80", "22, 443", "443/udp, 80" };
	static const char *const protocols[] = { "auto", "auto", "auto", "tls", "http", "tcp" };
	struct rule r = { .allow = pick(3) > 0 };
	unsigned port = pick(ARRAY_SIZE(ports)), protocol = pick(ARRAY_SIZE(protocols));
	bool net = !pick(4), list = !r.allow && !pick(3);
	size_t len;

	/* UDP goes with auto only */
	protocol = port == 3 ? 0 : protocol;
	len = (size_t)snprintf(r.text, sizeof(r.text), "- {%s%s",
			       list ? "" : net ? "ip: " : "host: ",
			       list ? lists[pick(ARRAY_SIZE(lists))]
			       : net ? nets[pick(ARRAY_SIZE(nets))] : hosts[pick(ARRAY_SIZE(hosts))]);
	if (r.allow || pick(2))
		len += (size_t)snprintf(r.text + len, sizeof(r.text) - len, ", ports: [%s]", ports[port]);
	if (r.allow)
		len += (size_t)snprintf(r.text + len, sizeof(r.text) - len, ", protocol: %s%s",
					protocols[protocol], !net && !pick(3) ? ", private: true" : "");
	len += random_more(r.text + len, sizeof(r.text) - len, r.allow);
	snprintf(r.text + len, sizeof(r.text) - len, "}\n");
	return r;
}

static struct policy *compile(const struct rule *rules, unsigned count, const char *system)
{
	struct buf text = buf_new(1 << 16), first = buf_new(1 << 16);
	struct policy_file files[2] = { { LAYER_SYSTEM, "s.yaml" }, { LAYER_POLICY, "p.yaml" } };
	struct policy_input in = {
		.files = files, .file_count = 2, .category_text = unit_category,
		.category_name = unit_category_name, .list_read = unit_list,
	};
	struct err err = { "" };
	struct policy *p;

	buf_printf(&first, "version: 1\n%s\n", system);
	buf_add_str(&text, "version: 1\n");

	for (unsigned pass = 0; pass < 2; pass++) {
		buf_add_str(&text, pass ? "deny:\n" : "allow:\n");
		for (unsigned i = 0; i < count; i++)
			if (rules[i].allow == !pass)
				buf_add_str(&text, rules[i].text);
		/* one that no question meets, so that the list is a list */
		buf_add_str(&text, "- host: nobody.test\n");
	}
	files[0].text = buf_span(&first);
	files[1].text = buf_span(&text);
	p = policy_load(&in, &err);
	if (!p)
		fail_msg("%s", err.text);
	buf_done(&text);
	buf_done(&first);
	return p;
}

/* Every question of the world, and then every address for it */
static const char *const questions[] = {
	"x.test", "a.x.test", "c.b.a.x.test", "y.test", "z.test",
	"x.test:443", "a.x.test:443", "b.a.x.test:443", "a.x.test:443 tls=a.x.test",
	"a.x.test:443 tls=y.test", "a.x.test:443 tls", "a.x.test:443 other", "x.test:80",
	"x.test:80 http=x.test", "x.test:80 http=y.test", "b.a.x.test:22", "b.a.x.test:22 other",
	"b.a.x.test:22 tls=b.a.x.test", "x.test:443/udp", "x.test:443/udp quic", "y.test:81",
	"x.test:443 malformed",
	"[198.51.100.7]:443", "[198.51.100.7]:443 tls=y.test", "[198.51.100.7]:80 http=198.51.100.7",
	"[198.51.100.8]:22", "[10.0.0.1]:443", "[10.0.0.1]:22 other", "[8.8.8.8]:443 tls",
	"[64:ff9b::198.51.100.7]:443 tls", "[64:ff9b::10.0.0.1]:22",
	"x.test:80 http=x.test GET /a/x", "x.test:80 http=x.test POST /a/x/b",
	"x.test:80 http=x.test GET /a//x 11", "x.test:80 http=x.test GET /a/%2e%2e/b",
	"a.x.test:22 http=a.x.test DELETE /a%2fb", "a.x.test:80 ws=a.x.test GET /b",
	"b.a.x.test:443 https=b.a.x.test GET /a/b", "a.x.test:443 any tls=a.x.test",
	"a.x.test:443 ech=a.x.test", "y.test:80 http=y.test GET /a/x 10",
	"[198.51.100.7]:80 http=x.test POST /b", "[198.51.100.7]:80", "[198.51.100.7]:22",
	"x.test:22 other", "ads.test:443", "[198.51.100.7]:443 tls=a.x.test", "[203.0.113.7]:443 tls",
};
static const uint32_t addrs[] = { 0x08080808, 0x0a000001, 0x7f000001, 0xa9fea9fe, 0xc6336407 };

struct outcome {
	struct verdict	verdict;
	enum reason	addrs[ARRAY_SIZE(addrs)];
};

static struct outcome judge(const struct policy *p, const char *words)
{
	static const struct place place;
	struct question q = ask(words);
	struct outcome o = { .verdict = policy_decide(p, &q) };

	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
		struct addr a = addr_v4(addrs[i]);

		o.addrs[i] = policy_address(p, &q, &o.verdict, &place, q.host.len ? &a : &q.addr);
	}
	return o;
}

/* In mode monitor a rule may ask to look at what would pass without it */
static unsigned rank(const struct policy *p, enum answer a)
{
	return a == ANSWER_ALLOW ? 2 : a == ANSWER_NEED && policy_mode(p) == MODE_MONITOR ? 2 :
	       a == ANSWER_NEED;
}

/* @more never denies what @less allows */
static void check_wider(const struct policy *less, const struct policy *more, const char *rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct outcome a = judge(less, questions[i]), b = judge(more, questions[i]);

		/* limits of a rule hold in mode monitor too, and there nothing held before it */
		if (a.verdict.reason == REASON_ALLOWED_MONITOR &&
		    b.verdict.reason == REASON_REQUEST_SIZE)
			continue;
		if (rank(more, b.verdict.answer) < rank(less, a.verdict.answer))
			fail_msg("%s: %s, then %s, by %s", questions[i], verdict_word(&a.verdict),
				 verdict_word(&b.verdict), rule);
		for (size_t k = 0; k < ARRAY_SIZE(addrs); k++)
			if (a.addrs[k] == REASON_ALLOWED && b.addrs[k] != REASON_ALLOWED &&
			    b.verdict.answer == ANSWER_ALLOW)
				fail_msg("%s: address %zu denied by %s", questions[i], k, rule);
	}
}

static void a_rule_more_goes_one_way(void **state)
{
	(void)state;
	seed = 0x736c75696365;
	for (unsigned n = 0; n < POLICIES; n++) {
		struct rule rules[RULES];
		unsigned count = pick(RULES);
		const char *system = above[pick(ARRAY_SIZE(above))];
		struct policy *p, *one_more;

		for (unsigned i = 0; i <= count; i++)
			rules[i] = random_rule();
		p = compile(rules, count, system);
		one_more = compile(rules, count + 1, system);
		if (rules[count].allow)
			check_wider(p, one_more, rules[count].text);
		else
			check_wider(one_more, p, rules[count].text);
		policy_free(p);
		policy_free(one_more);
	}
}

static void check_same(const struct policy *p, const struct policy *shuffled)
{
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct outcome a = judge(p, questions[i]), b = judge(shuffled, questions[i]);

		assert_string_equal(verdict_word(&a.verdict), verdict_word(&b.verdict));
		assert_memory_equal(a.addrs, b.addrs, sizeof(a.addrs));
		assert_int_equal(a.verdict.rule == RULE_NONE, b.verdict.rule == RULE_NONE);
		if (a.verdict.rule != RULE_NONE)
			assert_string_equal(policy_rule(p, a.verdict.rule).host,
					    policy_rule(shuffled, b.verdict.rule).host);
	}
}

static void order_is_nothing(void **state)
{
	(void)state;
	seed = 0x6f72646572;
	for (unsigned n = 0; n < POLICIES; n++) {
		struct rule rules[RULES];
		const char *system = above[pick(ARRAY_SIZE(above))];
		struct policy *p, *shuffled;

		for (unsigned i = 0; i < RULES; i++)
			rules[i] = random_rule();
		p = compile(rules, RULES, system);
		for (unsigned i = RULES - 1; i; i--) {
			unsigned k = pick(i + 1);
			struct rule other = rules[i];

			rules[i] = rules[k];
			rules[k] = other;
		}
		shuffled = compile(rules, RULES, system);
		assert_string_equal(policy_sha256(p), policy_sha256(shuffled));
		check_same(p, shuffled);
		policy_free(p);
		policy_free(shuffled);
	}
}

/* ---- show ---- */

#define FILES 3

/* The rules each in some layer; the system's file has what stands above */
static struct policy *compile_layers(const struct rule *rules, const enum layer *layer,
				     const char *system)
{
	static const enum layer layers[FILES] = { LAYER_SYSTEM, LAYER_USER, LAYER_POLICY };
	struct policy_file files[FILES];
	struct buf texts[FILES];
	struct policy_input in = {
		.files = files, .file_count = FILES, .category_text = unit_category,
		.category_name = unit_category_name, .list_read = unit_list,
	};
	struct err err = { "" };
	struct policy *p;

	for (unsigned f = 0; f < FILES; f++) {
		texts[f] = buf_new(1 << 16);
		buf_printf(&texts[f], "version: 1\n%s\n", f ? "" : system);
		for (unsigned pass = 0; pass < 2; pass++) {
			buf_add_str(&texts[f], pass ? "deny:\n" : "allow:\n");
			for (unsigned i = 0; i < RULES; i++)
				if (rules[i].allow == !pass && layer[i] == layers[f])
					buf_add_str(&texts[f], rules[i].text);
			buf_add_str(&texts[f], "- host: nobody.test\n");
		}
		files[f] = (struct policy_file){ layers[f], "p.yaml", buf_span(&texts[f]) };
	}
	p = policy_load(&in, &err);
	if (!p)
		fail_msg("%s", err.text);
	for (unsigned f = 0; f < FILES; f++)
		buf_done(&texts[f]);
	return p;
}

static void check_shown(const struct policy *p, enum layer layer)
{
	struct buf text = buf_new(1 << 18), again = buf_new(1 << 18);
	struct err err = { "" };
	struct policy *q;

	policy_show(&text, p, false);
	assert_true(buf_add(&text, "", 1));
	q = make_layer(layer, (const char *)text.at, &err);
	if (!q)
		fail_msg("%s\n%s", err.text, (const char *)text.at);
	check_wider(q, p, (const char *)text.at);
	policy_show(&again, q, false);
	assert_true(buf_add(&again, "", 1));
	assert_string_equal((const char *)again.at, (const char *)text.at);
	policy_free(q);
	buf_done(&text);
	buf_done(&again);
}

/* A policy of several layers is shown as one file, and that never lets more pass */
static void shown_never_opens(void **state)
{
	static const enum layer layers[] = { LAYER_SYSTEM, LAYER_USER, LAYER_POLICY };
	unsigned held = 0;

	(void)state;
	seed = 0x73686f77;
	for (unsigned n = 0; n < POLICIES; n++) {
		const char *system = above[pick(ARRAY_SIZE(above))];
		enum layer layer[RULES];
		struct rule rules[RULES];
		struct policy *p;

		for (unsigned i = 0; i < RULES; i++) {
			rules[i] = random_rule();
			layer[i] = layers[pick(FILES)];
		}
		p = compile_layers(rules, layer, system);
		check_shown(p, LAYER_SYSTEM);
		if (!strstr(system, "ceiling")) {
			check_shown(p, LAYER_POLICY);
			held++;
		}
		policy_free(p);
	}
	assert_true(held > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_more_goes_one_way),
		cmocka_unit_test(order_is_nothing),
		cmocka_unit_test(shown_never_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
