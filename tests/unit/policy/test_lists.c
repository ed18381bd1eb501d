/* SPDX-License-Identifier: Apache-2.0 */
/* Deny rules by category, host_list and ip_list: what they hold, and what counts more */
#include "policy_unit.h"

#define OPEN "allow:\n- {host: '*.test', unsafe_wildcard: true, ports: [443, 22], protocol: tcp}\n"

static const char *word_of(const struct policy *p, const char *words)
{
	struct question q = ask(words);
	struct verdict v = policy_decide(p, &q);

	return verdict_word(&v);
}

static const struct {
	const char *rules, *question, *want;
} verdicts[] = {
	/* what a category holds: its domains and hosts with all below, and what it takes in */
	{ OPEN "deny: [{category: store}]", "store.test:443", "category" },
	{ OPEN "deny: [{category: store}]", "x.y.store.test:443", "category" },
	{ OPEN "deny: [{category: store}]", "store.test", "category" },
	{ OPEN "deny: [{category: store}]", "paste.test", "category" },
	{ OPEN "deny: [{category: store}]", "a.x.test", "category" },
	{ OPEN "deny: [{category: store}]", "x.test", "allowed" },
	{ OPEN "deny: [{category: store}]", "one.wide.test", "category" },
	{ OPEN "deny: [{category: store}]", "wide.test", "allowed" },
	{ OPEN "deny: [{category: store}]", "a.below.test", "category" },
	{ OPEN "deny: [{category: store}]", "below.test", "allowed" },
	{ OPEN "deny: [{category: paste}]", "store.test", "allowed" },
	/* it is a denial also where nothing is allowed */
	{ "deny: [{category: store}]", "store.test:443", "category" },
	{ "deny: [{category: store}]", "stores.test:443", "no_rule" },
	/* lists */
	{ OPEN "deny: [{host_list: hosts}]", "ads.test", "host_list" },
	{ OPEN "deny: [{host_list: hosts}]", "www.ads.test:443", "host_list" },
	{ OPEN "deny: [{host_list: hosts}]", "a.wild.test", "host_list" },
	{ OPEN "deny: [{host_list: hosts}]", "wild.test", "allowed" },
	{ OPEN "deny: [{host_list: hosts}]", "other.test", "allowed" },
	{ OPEN "deny: [{host_list: same}]", "ads.test", "host_list" },
	{ OPEN "deny: [{host_list: sub/hosts}]", "sub.test", "host_list" },
	{ OPEN "deny: [{host_list: bom}]", "bom.test", "host_list" },
	/* a deny rule is told before, a category before a list */
	{ OPEN "deny: [{category: paste}, {host_list: hosts}, {host: x.test}]", "x.test",
	  "deny_rule" },
	{ OPEN "deny: [{host_list: hosts}, {category: paste}]", "a.x.test", "category" },
	/* ports */
	{ OPEN "deny: [{category: store, ports: [443]}]", "store.test:443", "category" },
	{ OPEN "deny: [{category: store, ports: [443]}]", "store.test:22", "allowed" },
	{ OPEN "deny: [{category: store, ports: [443]}]", "store.test", "allowed" },
	{ OPEN "deny: [{host_list: hosts, ports: [22]}]", "ads.test:22", "host_list" },
	{ OPEN "deny: [{host_list: hosts, ports: [22]}]", "ads.test:443", "allowed" },
	/* an exact allow rule counts more, and it alone: not the wildcard beside it */
	{ "allow: [{host: ads.test, ports: [22]}]\ndeny: [{host_list: hosts}]", "ads.test",
	  "allowed" },
	{ "allow: [{host: ads.test, ports: [22]}]\ndeny: [{host_list: hosts}]",
	  "ads.test:22 other", "allowed" },
	{ "allow: [{host: ads.test, ports: [22]}]\ndeny: [{host_list: hosts}]",
	  "ads.test:443", "port" },
	{ OPEN "- {host: ads.test, ports: [8022]}\ndeny: [{host_list: hosts}]",
	  "ads.test:443", "port" },
	{ OPEN "- {host: ads.test, ports: [8022]}\ndeny: [{host_list: hosts}]",
	  "ads.test:8022 other", "allowed" },
	{ OPEN "- host: ads.test\ndeny: [{host_list: hosts}]", "www.ads.test", "host_list" },
	{ OPEN "- host: .ads.test\ndeny: [{host_list: hosts}]", "ads.test", "host_list" },
	{ OPEN "- host: '*.ads.test'\ndeny: [{host_list: hosts}]", "www.ads.test",
	  "host_list" },
	{ OPEN "- host: ads.test\ndeny: [{host_list: hosts}, {host: ads.test}]", "ads.test",
	  "deny_rule" },
	{ OPEN "- host: a.x.test\ndeny: [{host_list: hosts}, {category: store}]", "a.x.test",
	  "allowed" },
	/* addresses */
	{ "allow: [{ip: 198.51.100.0/24, ports: [22]}]\ndeny: [{ip_list: nets}]",
	  "198.51.100.15:22 other", "ip_list" },
	{ "allow: [{ip: 198.51.100.0/24, ports: [22]}]\ndeny: [{ip_list: nets}]",
	  "198.51.100.16:22 other", "allowed" },
	{ "allow: [{ip: 198.51.100.7, ports: [22]}]\ndeny: [{ip_list: nets}]",
	  "198.51.100.7:22 other", "allowed" },
	{ "deny: [{ip_list: nets}]", "203.0.113.7:22", "ip_list" },
	{ "deny: [{ip_list: nets}]", "203.0.113.8:22", "special_address" },
	{ "deny: [{ip_list: nets, ports: [23]}]", "203.0.113.7:22", "special_address" },
	{ "deny: [{ip_list: nets}]", "[2001:db8:1::5]:22", "ip_list" },
	/* the address inside */
	{ "deny: [{ip_list: nets}]", "[64:ff9b::203.0.113.7]:22", "ip_list" },
	{ "deny: [{ip_list: nets}]", "[64:ff9b::8.8.8.8]:22", "ip_literal" },
	/* a name given on a connection to an address */
	{ "allow: [{ip: 8.8.8.8, ports: [443]}]\ndeny: [{host_list: hosts}]",
	  "8.8.8.8:443 tls=ads.test", "host_list" },
	{ "allow: [{ip: 8.8.8.8, ports: [443]}]\ndeny: [{host_list: hosts}]",
	  "8.8.8.8:443 tls=other.test", "allowed" },
	{ "allow: [{ip: 8.8.8.8, ports: [443]}, {host: ads.test}]\n"
	  "deny: [{host_list: hosts}]", "8.8.8.8:443 tls=ads.test", "allowed" },
	{ "allow: [{ip: 8.8.8.8, ports: [80]}]\ndeny: [{category: store}]",
	  "8.8.8.8:80 http=x.paste.test", "category" },
	/* the jail's own names */
	{ "deny: [{host_list: hosts}]", "localhost", "no_rule" },
};

static void lists_deny_and_exact_rules_count_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		struct policy *p = make(verdicts[i].rules);
		const char *got = word_of(p, verdicts[i].question);

		if (strcmp(got, verdicts[i].want) && !(!strcmp(verdicts[i].want, "allowed") &&
						   (!strcmp(got, "watch") || !strncmp(got, "need", 4))))
			fail_msg("%s: %s\n%s", verdicts[i].question, got, verdicts[i].rules);
		policy_free(p);
	}
}

static struct policy *load(struct policy_file *files, size_t count)
{
	struct policy_input in = {
		.files = files, .file_count = count, .category_text = unit_category,
		.category_name = unit_category_name, .list_read = unit_list,
	};
	struct err err = { "" };
	struct policy *p = policy_load(&in, &err);

	assert_string_equal(err.text, "");
	return p;
}

/* A weaker list that holds the address does not stand before a stronger one with that inside */
static void a_weaker_list_hides_no_stronger_one(void **state)
{
	struct policy_file files[] = {
		{ LAYER_SYSTEM, "a.yaml", SPAN("version: 1\ndeny: [{ip_list: nets}]\n") },
		{ LAYER_POLICY, "b.yaml", SPAN("version: 1\ndeny: [{ip_list: nat}]\n"
			"allow: [{ip: '64:ff9b::203.0.113.7', ports: [22]},"
			" {ip: '64:ff9b::203.0.113.8', ports: [22]}]\n") },
	};
	struct policy *p = load(files, 2);

	(void)state;
	assert_string_equal(word_of(p, "[64:ff9b::203.0.113.7]:22"), "ip_list");
	assert_string_equal(word_of(p, "[64:ff9b::203.0.113.8]:22"), "watch");
	policy_free(p);
}

/* Every pair of layers: the allow rule must be of the same or a stronger one */
static void a_weaker_layer_opens_nothing(void **state)
{
	(void)state;
	for (enum layer allow = LAYER_SYSTEM; allow < LAYER_FLAG; allow++) {
		for (enum layer deny = LAYER_SYSTEM; deny < LAYER_FLAG; deny++) {
			struct policy_file files[] = {
				{ allow, "a.yaml", SPAN("version: 1\nallow: [{host: ads.test}]\n") },
				{ deny, "b.yaml", SPAN("version: 1\ndeny: [{host_list: hosts}]\n") },
			};
			struct policy *p = load(files, 2);

			assert_string_equal(word_of(p, "ads.test"),
					    allow <= deny ? "allowed" : "host_list");
			policy_free(p);
		}
	}
}

/* Of several the strongest layer's list must be beaten, whichever comes first */
static void every_list_must_be_beaten(void **state)
{
	struct policy_file files[] = {
		{ LAYER_SYSTEM, "s.yaml", SPAN("version: 1\ndeny: [{host_list: hosts, id: sys}]\n") },
		{ LAYER_POLICY, "p.yaml", SPAN("version: 1\nallow: [{host: ads.test}]\n"
					       "deny: [{host_list: same, id: own}]\n") },
	};
	struct question q = ask("ads.test");
	struct policy *p = load(files, 2);
	struct verdict v = policy_decide(p, &q);

	(void)state;
	assert_int_equal(v.reason, REASON_HOST_LIST);
	assert_string_equal(policy_rule(p, v.rule).id, "sys");
	assert_string_equal(policy_rule(p, v.rule).list, "host_list");
	assert_string_equal(policy_rule(p, v.rule).host, "hosts");
	assert_string_equal(explain_fixable(p, &v), "admin");
	policy_free(p);
}

static void resolved_addresses_are_judged(void **state)
{
	static const struct {
		const char *rules;
		uint32_t addr;
		enum reason want;
	} rows[] = {
		{ OPEN "deny: [{ip_list: nets}]", 0x08080808, REASON_ALLOWED },
		{ OPEN "deny: [{ip_list: other-nets}]", 0x09090909, REASON_IP_LIST },
		{ OPEN "deny: [{ip_list: other-nets, ports: [22]}]", 0x09090909, REASON_ALLOWED },
		{ OPEN "- {host: a.test, protocol: tcp}\ndeny: [{ip_list: other-nets}]", 0x09090909,
		  REASON_ALLOWED },
		{ OPEN "- {host: a.test, ports: [22]}\ndeny: [{ip_list: other-nets}]", 0x09090909,
		  REASON_IP_LIST },
		{ OPEN "- {host: .a.test, protocol: tcp}\ndeny: [{ip_list: other-nets}]", 0x09090909,
		  REASON_IP_LIST },
		{ OPEN "deny: [{ip_list: other-nets}, {ip: 9.9.9.9}]", 0x09090909,
		  REASON_DENY_RULE },
	};
	static const struct place place;
	struct question q = ask("a.test:443 other");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *p = make(rows[i].rules);
		struct verdict v = policy_decide(p, &q);
		struct addr a = addr_v4(rows[i].addr), inside;

		assert_int_equal(v.answer, ANSWER_ALLOW);
		assert_int_equal(policy_address(p, &q, &v, &place, &a), rows[i].want);
		/* the same address behind a translator */
		addr_parse(SPAN("64:ff9b::"), &inside);
		memcpy(inside.b + 12, a.b + 12, 4);
		assert_int_equal(policy_address(p, &q, &v, &place, &inside), rows[i].want);
		policy_free(p);
	}
}

static void denials_have_words(void **state)
{
	static const struct {
		const char *rules, *question, *want;
	} rows[] = {
		{ "deny: [{category: store}]", "x.paste.test",
		  "x.paste.test is in category store (paste)" },
		{ "deny: [{category: store, reason: no leaks}]", "store.test",
		  "store.test is in category store: no leaks" },
		{ "deny: [{host_list: hosts, reason: ads}]", "ads.test",
		  "ads.test is in host_list hosts: ads" },
		{ "deny: [{ip_list: nets}]", "203.0.113.7:22",
		  "203.0.113.7 is or resolves to an address in ip_list nets" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *p = make(rows[i].rules);
		struct question q = ask(rows[i].question);
		struct verdict v = policy_decide(p, &q);
		struct buf b = buf_new(1000);

		explain_message(&b, p, &q, &v);
		buf_add(&b, "", 1);
		assert_string_equal((const char *)b.at, rows[i].want);
		assert_string_equal(explain_fixable(p, &v), "user");
		buf_done(&b);
		policy_free(p);
	}
}

#define NAMES "NAME, *.NAME for what is below it, an address and names as in hosts(5), # comments)"
#define NETS "an address or a network like 203.0.113.0/24, with no bits beyond its prefix; # or ; " \
	"comments)"

static const struct {
	const char *rule, *want;
} mistakes[] = {
	{ "category: nosuch", "p.yaml:2:19: found the unknown category nosuch (accepted: "
	  "store, paste)" },
	{ "category: ../store", "p.yaml:2:19: found the unknown category ../store (accepted: "
	  "store, paste)" },
	{ "category: round", "category turn:2:12: found the category round, which would take "
	  "in itself (accepted: no circle)" },
	{ "category: self", "category self:2:12: found the category self, which would take in "
	  "itself (accepted: no circle)" },
	{ "category: lost", "category lost:3:12: found the unknown category nosuch (accepted: "
	  "store, paste)" },
	{ "category: hollow", "category hollow:1:1: found an empty category (accepted: domains, "
	  "hosts or includes)" },
	{ "category: other", "category other:1:11: found a category of another name (accepted: "
	  "other)" },
	{ "category: noname", "category noname:1:1: found no name of the category (accepted: "
	  "category: noname)" },
	{ "category: wrong", "category wrong:2:19: found \"b c\" (accepted: NAME with what is "
	  "below it, or \"*.NAME\" for what is below alone)" },
	{ "category: key", "category key:2:1: unknown key names (accepted: category, "
	  "description, suggested_action, note, includes, domains, hosts, preset_overlap, "
	  "sources)" },
	{ "category: store, host_list: hosts",
	  "p.yaml:2:37: found a second subject of the rule (accepted: one)" },
	{ "host_list: nosuch", "nosuch: cannot be read" },
	{ "host_list: empty", "empty:1:1: found nothing in the list (accepted: at least one "
	  "name)" },
	{ "host_list: comments", "comments:4:1: found nothing in the list (accepted: at least "
	  "one name)" },
	{ "host_list: furniture", "furniture:2:1: found nothing in the list (accepted: at least "
	  "one name)" },
	{ "ip_list: empty", "empty:1:1: found nothing in the list (accepted: at least one "
	  "address or network)" },
	{ "host_list: bad-host", "bad-host:2:3: found b_!.test (accepted: " NAMES },
	{ "host_list: old-mac", "old-mac:2:6: found CR inside of a line (accepted: lines that end in "
	  "LF or CR LF)" },
	{ "host_list: filter", "filter:1:1: found ! (accepted: " NAMES },
	{ "host_list: late-bom", "late-bom:2:1: found \xef\xbb\xbf" "0.0.0.0 (accepted: "
	  NAMES },
	{ "host_list: two", "two:1:8: found b.test (accepted: one name a line, or an address "
	  "and names as in hosts(5))" },
	{ "host_list: address", "address:2:1: found 0.0.0.0 (accepted: host names; addresses "
	  "are for an ip_list)" },
	{ "host_list: hosts-star", "hosts-star:1:9: found *.a.test (accepted: after an address "
	  "host names)" },
	{ "host_list: nets", "nets:2:1: found 198.51.100.0/28 (accepted: " NAMES },
	{ "ip_list: bad-net", "bad-net:3:1: found 10.0.0.1/8 (accepted: " NETS },
	{ "ip_list: range", "range:1:1: found 10.0.0.1-10.0.0.9 (accepted: " NETS },
	{ "ip_list: hosts", "hosts:2:1: found 0.0.0.0 x.test ads.test (accepted: " NETS },
};

static void mistakes_have_their_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		char text[200];
		struct err err = { "" };

		snprintf(text, sizeof(text), "version: 1\ndeny: [{%s}]\n", mistakes[i].rule);
		if (make_layer(LAYER_POLICY, text, &err))
			fail_msg("%s was taken", mistakes[i].rule);
		assert_string_equal(err.text, mistakes[i].want);
	}
}

static void a_project_names_its_own_lists(void **state)
{
	static const char *const outside[] = { "/etc/hosts", "..", "../hosts", "sub/../../hosts",
					       "sub/.." };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		char text[200];

		err = (struct err){ "" };
		snprintf(text, sizeof(text), "version: 1\ndeny: [{host_list: %s}]\n", outside[i]);
		assert_null(make_layer(LAYER_PROJECT, text, &err));
		assert_string_equal(err.text, "p.yaml:2:20: found a list outside of the project "
				    "(accepted: a path below the project's folder)");
	}
	err = (struct err){ "" };
	policy_free(make_layer(LAYER_PROJECT, "version: 1\ndeny: [{host_list: sub/hosts}]\n", &err));
	assert_string_equal(err.text, "");
}

static ptrdiff_t list_at_its_place(void *arg, const char *path, enum layer layer, uint64_t at,
				   void *ret_bytes, size_t room)
{
	(void)layer;
	(void)room;
	if (at == 0)
		snprintf(arg, 64, "%s", path);
	memcpy(ret_bytes, "a.test", at ? 0 : 6);
	return at ? 0 : 6;
}

static void a_path_is_relative_to_its_policy(void **state)
{
	static const struct {
		const char *file, *list, *want;
	} rows[] = {
		{ "p.yaml", "l", "l" }, { "./p.yaml", "l", "./l" }, { "/a/b/p.yaml", "l", "/a/b/l" },
		{ "/a/b/p.yaml", "../l", "/a/b/../l" }, { "/a/b/p.yaml", "/c/l", "/c/l" },
		{ "a/p.yaml", "b/l", "a/b/l" }, { "/p.yaml", "l", "/l" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[100], asked[64] = "";
		struct policy_file file = { LAYER_POLICY, rows[i].file, { 0 } };
		struct policy_input in = { .files = &file, .file_count = 1,
					   .list_read = list_at_its_place, .arg = asked };
		struct err err = { "" };

		snprintf(text, sizeof(text), "version: 1\ndeny: [{host_list: %s}]\n", rows[i].list);
		file.text = span_str(text);
		policy_free(policy_load(&in, &err));
		assert_string_equal(err.text, "");
		assert_string_equal(asked, rows[i].want);
	}
}

/* What a list holds is part of the policy's hash, its name and form are not */
static void the_hash_covers_the_lists(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "deny: [{host_list: hosts}]", "deny: [{host_list: same}]", true },
		{ "deny: [{host_list: hosts}]", "deny: [{host_list: sub/hosts}]", false },
		{ "deny: [{host_list: hosts}]", "deny: [{host_list: hosts, ports: [1]}]", false },
		{ "deny: [{host_list: hosts}]", "deny: [{host_list: hosts, id: x, reason: y}]", true },
		{ "deny: [{host_list: hosts}]", "deny: [{host_list: hosts}, {host_list: same}]",
		  true },
		{ "deny: [{host_list: hosts}]", "deny: [{host_list: hosts}, {ip_list: nets}]", false },
		{ "deny: [{ip_list: nets}]", "deny: [{ip_list: other-nets}]", false },
		{ "deny: [{category: store}]", "deny: [{category: paste}]", false },
		{ "deny: [{category: store}]", "deny: [{category: paste}, {category: store}]", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *a = make(rows[i].a), *b = make(rows[i].b);

		if (!strcmp(policy_sha256(a), policy_sha256(b)) != rows[i].same)
			fail_msg("%s\n%s", rows[i].a, rows[i].b);
		policy_free(a);
		policy_free(b);
	}
}

static void an_image_with_lists_may_be_moved(void **state)
{
	struct policy *p = make(OPEN "deny: [{category: store}, {host_list: hosts}, {ip_list: nets}]");
	struct span image = policy_image(p);
	uint64_t *copy = malloc(image.len);
	const struct policy *moved;

	(void)state;
	assert_non_null(copy);
	memcpy(copy, image.at, image.len);
	memset(p, 0xa5, image.len);
	policy_free(p);
	moved = policy_attach(span_of(copy, image.len));
	assert_non_null(moved);
	assert_string_equal(word_of(moved, "x.paste.test"), "category");
	assert_string_equal(word_of(moved, "x.test"), "host_list");
	assert_string_equal(word_of(moved, "y.test"), "allowed");
	assert_string_equal(word_of(moved, "203.0.113.7:1"), "ip_list");
	free(copy);
}

/* What is for some requests is as broad as the list, and beaten by the same rules */
static void an_exact_rule_beats_a_narrowed_list(void **state)
{
	static const struct {
		const char *ask, *want;
	} rows[] = {
		{ "paste.test:443 tls=paste.test", "allowed" },
		{ "paste.test:80 http=paste.test POST /", "allowed" },
		{ "ads.test:443 tls=ads.test", "inspection_required" },
		{ "ads.test:80 http=ads.test POST /", "host_list" },
		{ "ads.test:80 http=ads.test GET /", "allowed" },
		{ "a.x.test:443 tls=a.x.test", "inspection_required" },
	};
	struct policy *p = make("allow: [{host: paste.test}, {host: .ads.test}, "
				"{host: a.x.test, over_lists: false}]\n"
				"deny: [{category: store, methods: [POST]}, "
				"{host_list: hosts, methods: [POST]}]");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct question q = ask(rows[i].ask);
		struct verdict v = policy_decide(p, &q);

		if (strcmp(verdict_word(&v), rows[i].want) != 0)
			fail_msg("%s: %s, not %s", rows[i].ask, verdict_word(&v), rows[i].want);
	}
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_deny_and_exact_rules_count_more),
		cmocka_unit_test(a_weaker_layer_opens_nothing),
		cmocka_unit_test(a_weaker_list_hides_no_stronger_one),
		cmocka_unit_test(every_list_must_be_beaten),
		cmocka_unit_test(resolved_addresses_are_judged),
		cmocka_unit_test(denials_have_words),
		cmocka_unit_test(mistakes_have_their_words),
		cmocka_unit_test(a_project_names_its_own_lists),
		cmocka_unit_test(a_path_is_relative_to_its_policy),
		cmocka_unit_test(the_hash_covers_the_lists),
		cmocka_unit_test(an_image_with_lists_may_be_moved),
		cmocka_unit_test(an_exact_rule_beats_a_narrowed_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
