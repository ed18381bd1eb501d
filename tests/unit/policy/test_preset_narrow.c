/* SPDX-License-Identifier: Apache-2.0 */
/* Variants of presets, and presets that a rule narrows */
#include "policy_unit.h"

static const char forge[] =
	"preset: forge\n"
	"aliases: [smithy]\n"
	"use_configured: npm\n"
	"configured_read: [{methods: [GET]}, {methods: [POST], paths: [\"/**/audit\"]}]\n"
	"hosts:\n"
	"  - host: forge.test\n"
	"    ports: [443, 80]\n"
	"    repos: [\"/{repo}\", \"/{repo}/**\"]\n"
	"    read:\n"
	"      - {methods: [GET, HEAD]}\n"
	"      - {methods: [POST], paths: [\"/**/pull\"], repos: [\"/{repo}/pull\"]}\n"
	"      - {methods: [POST], paths: [\"/search\"]}\n"
	"  - host: files.forge.test\n"
	"    ports: [443]\n"
	"    read: [{methods: [GET]}]\n"
	"  - host: sign-in.forge.test\n"
	"    ports: [443, \"8000-8100\"]\n"
	"variants:\n"
	"  - variant: write\n"
	"    hosts: [{host: up.forge.test, ports: [443], repos: [\"/up/{repo}\"]}]\n"
	"  - {variant: ssh, description: x, hosts: [{host: forge.test, ports: [22], protocol: tcp}]}\n";

static struct span preset_text(void *arg, const char *name)
{
	(void)arg;
	if (!strcmp(name, "forge") || !strcmp(name, "smithy"))
		return span_str(forge);
	if (!strcmp(name, "plain"))
		return SPAN("preset: plain\nhosts: [{host: plain.test}]\n");
	if (!strcmp(name, "twice"))
		return SPAN("preset: twice\nhosts: []\nvariants: [{hosts: []}]\n");
	if (!strcmp(name, "lower"))
		return SPAN("preset: lower\nhosts: [{host: a.test, read: [{methods: [get]}]}]\n");
	if (!strcmp(name, "hollow"))
		return SPAN("preset: hollow\nhosts: [{host: a.test, read: [{}]}]\n");
	if (!strcmp(name, "crooked"))
		return SPAN("preset: crooked\nhosts: [{host: a.test, read: [{paths: [/a/../b]}]}]\n");
	return (struct span){ 0 };
}

static size_t configured(void *arg, const char *manager, const struct extra_host **ret_hosts)
{
	static const struct extra_host mirrors[] = { { "mirror.test", 4873, true } };

	(void)arg;
	(void)manager;
	*ret_hosts = mirrors;
	return ARRAY_SIZE(mirrors);
}

static struct policy *load(const char *text, struct err *err)
{
	struct policy_file file = { LAYER_POLICY, "p.yaml", span_str(text) };
	struct policy_input in = { .files = &file, .file_count = 1, .preset_text = preset_text,
				   .configured = configured };

	return policy_load(&in, err);
}

static void add_texts(struct buf *b, const char *before, struct texts t)
{
	for (uint32_t i = 0; i < t.count; i++)
		buf_printf(b, "%s%s", i ? "," : before, texts_at(&t, i));
}

/* Every rule of the policy, one a line: id host ports methods paths */
static char *rules_of(const char *rules)
{
	struct buf b = buf_new(1 << 16);
	struct err err = { "" };
	char text[1024];
	struct policy *p;

	snprintf(text, sizeof(text), "version: 1\n%s\n", rules);
	p = load(text, &err);
	if (!p)
		fail_msg("%s\n%s", text, err.text);
	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		struct rule_view v = policy_rule(p, i);

		buf_printf(&b, "%s %s", v.id, v.host);
		for (size_t k = 0; k < v.port_count; k++)
			buf_printf(&b, "%s%u-%u", k ? "," : " ", v.ports[k].first, v.ports[k].last);
		add_texts(&b, " ", v.methods);
		add_texts(&b, " ", v.paths);
		buf_add_str(&b, v.note);
		buf_add_str(&b, "\n");
	}
	buf_add(&b, "", 1);
	policy_free(p);
	return (char *)b.at;
}

#define READING \
	"preset:forge[0] forge.test 80-80,443-443 GET,HEAD\n" \
	"preset:forge[0] forge.test 80-80,443-443 POST /**/pull\n" \
	"preset:forge[0] forge.test 80-80,443-443 POST /search\n" \
	"preset:forge[1] files.forge.test 443-443 GET\n" \
	"preset:forge[2] sign-in.forge.test 443-443,8000-8100\n"
#define MIRROR \
	"preset:forge:configured[0] mirror.test 4873-4873 GET\n" \
	"preset:forge:configured[0] mirror.test 4873-4873 POST /**/audit\n"
#define WHOLE \
	"preset:forge[0] forge.test 80-80,443-443\n" \
	"preset:forge[1] files.forge.test 443-443\n" \
	"preset:forge[2] sign-in.forge.test 443-443,8000-8100\n"
#define WHOLE_MIRROR "preset:forge:configured[0] mirror.test 4873-4873\n"

struct made {
	const char	*rules, *want;
};

static void check_made(const struct made *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *got = rules_of(rows[i].rules);

		if (strcmp(got, rows[i].want))
			fail_msg("%s gave\n%swanted\n%s", rows[i].rules, got, rows[i].want);
		free(got);
	}
}

static void presets_and_variants_make_these_rules(void **state)
{
	static const struct made rows[] = {
		{ "presets: [forge]", READING MIRROR },
		{ "presets: [forge, smithy, 'forge:ssh', 'smithy:ssh']",
		  READING MIRROR "preset:forge:ssh[0] forge.test 22-22\n" },
		{ "presets: ['forge:ssh']", READING "preset:forge:ssh[0] forge.test 22-22\n" MIRROR },
		{ "presets: ['forge:write']",
		  WHOLE "preset:forge:write[0] up.forge.test 443-443\n" WHOLE_MIRROR },
		{ "presets: [forge, 'forge:write', 'smithy:write', forge, 'forge:ssh']",
		  READING MIRROR WHOLE "preset:forge:write[0] up.forge.test 443-443\n" WHOLE_MIRROR
		  "preset:forge:ssh[0] forge.test 22-22\n" },
		{ "presets: ['forge:write', forge]",
		  WHOLE "preset:forge:write[0] up.forge.test 443-443\n" WHOLE_MIRROR },
		{ "presets: [plain]", "preset:plain[0] plain.test 80-80,443-443\n" },
		{ "allow: [{preset: forge}]", READING MIRROR },
		{ "allow: [{preset: plain, reason: x}]", "preset:plain[0] plain.test 80-80,443-443\n" },
	};

	(void)state;
	check_made(rows, ARRAY_SIZE(rows));
}

static void narrowing_makes_these_rules(void **state)
{
	static const struct made rows[] = {
		/* what narrows is a rule of its file */
		{ "allow: [{preset: forge, ports: [80, '8050-9000'], methods: [PUT, GET], id: mine, "
		  "reason: ' why'}]",
		  "mine forge.test 80-80 GET why\nmine sign-in.forge.test 8050-8100 GET,PUT why\n" },
		{ "allow: [{host: a.test}, {preset: 'forge:ssh', ports: [22]}]",
		  "p.yaml:allow[0] a.test 80-80,443-443\np.yaml:allow[1] forge.test 22-22\n" },
		/* methods: those that both name */
		{ "allow: [{preset: forge, methods: [GET, PUT]}]",
		  "p.yaml:allow[0] forge.test 80-80,443-443 GET\n"
		  "p.yaml:allow[0] files.forge.test 443-443 GET\n"
		  "p.yaml:allow[0] sign-in.forge.test 443-443,8000-8100 GET,PUT\n"
		  "p.yaml:allow[0] mirror.test 4873-4873 GET\n" },
		{ "allow: [{preset: forge, ports: [80], methods: [POST]}]",
		  "p.yaml:allow[0] forge.test 80-80 POST /**/pull\n"
		  "p.yaml:allow[0] forge.test 80-80 POST /search\n" },
		{ "allow: [{preset: 'forge:write', ports: [80], methods: [PUT]}]",
		  "p.yaml:allow[0] forge.test 80-80 PUT\n" },
		/* repositories; what cannot be narrowed by them is left out */
		{ "allow: [{preset: forge, repos: [acme/*], ports: [80, 443]}]",
		  "p.yaml:allow[0] forge.test 80-80,443-443 GET,HEAD /acme/*,/acme/*/**\n"
		  "p.yaml:allow[0] forge.test 80-80,443-443 POST /acme/*/pull\n"
		  "p.yaml:allow[0] files.forge.test 443-443 GET\n" },
		{ "allow: [{preset: forge, repos: [acme, b/c.d, ~x/y.git, z/.git], methods: [GET], "
		  "ports: [80, 443]}]",
		  "p.yaml:allow[0] forge.test 80-80,443-443 GET /acme/*,/acme/*/**,/b/c.d,/b/c.d/**,"
		  "/z/.git,/z/.git/**,/~x/y,/~x/y/**\n"
		  "p.yaml:allow[0] files.forge.test 443-443 GET\n" },
		{ "allow: [{preset: 'forge:write', repos: [a/b]}]",
		  "p.yaml:allow[0] forge.test 80-80,443-443 /a/b,/a/b/**\n"
		  "p.yaml:allow[0] up.forge.test 443-443 /up/a/b\n" },
		/* narrowed and not add up, in both orders */
		{ "presets: [forge]\nallow: [{preset: forge, ports: [8000]}]",
		  READING MIRROR "p.yaml:allow[0] sign-in.forge.test 8000-8000\n" },
		{ "allow: [{preset: forge, ports: [8000]}]\npresets: [forge]",
		  "p.yaml:allow[0] sign-in.forge.test 8000-8000\n" READING MIRROR },
	};

	(void)state;
	check_made(rows, ARRAY_SIZE(rows));
}

static void mistakes_have_their_words(void **state)
{
	static const struct {
		const char *rules, *want;
	} rows[] = {
		{ "presets: ['forge:read']",
		  "found the unknown variant forge:read (accepted: forge, forge:write, forge:ssh)" },
		{ "presets: ['plain:write']", "found the unknown variant plain:write (accepted: plain)" },
		{ "presets: ['forge:']", "found the unknown preset forge: (accepted" },
		{ "presets: ['forge:a/b']", "found the unknown preset forge:a/b (accepted" },
		{ "presets: ['forge:write:ssh']", "found the unknown preset forge:write:ssh (accepted" },
		{ "presets: ['nosuch:write']", "found the unknown preset nosuch:write (accepted" },
		{ "presets: [twice]", "found a variant without a name" },
		{ "allow: [{preset: plain, repos: [a/b]}]",
		  "found repos for a preset whose paths name no repository" },
		{ "allow: [{preset: 'forge:ssh', repos: [a/b]}]",
		  "p.yaml:2:18: found repos for forge:ssh, over which no repository can be seen" },
		{ "allow: [{preset: forge, repos: [a/../b]}]", "found a/../b" },
		{ "allow: [{preset: forge, repos: [a//b]}]", "found a//b" },
		{ "allow: [{preset: forge, repos: [a%2fb]}]", "found a%2fb" },
		{ "allow: [{preset: forge, repos: ['a/**']}]", "found \"a/**\"" },
		{ "allow: [{preset: forge, repos: [a/b?x]}]", "found a/b?x" },
		{ "presets: [lower]", "found get (accepted: methods in capitals" },
		{ "presets: [hollow]", "found requests of any kind" },
		{ "presets: [crooked]", "found /a/../b" },
		{ "allow: [{preset: forge, ports: [23]}]", "found a preset narrowed to nothing" },
		{ "allow: [{preset: plain, private: true}]", "found private in a rule for a preset" },
		{ "allow: [{preset: plain, paths: [/x]}]", "found paths in a rule for a preset" },
		{ "allow: [{host: a.test, repos: [a/b]}]", "found repos without a preset" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { "" };
		char text[512];

		snprintf(text, sizeof(text), "version: 1\n%s\n", rows[i].rules);
		assert_null(load(text, &err));
		if (!strstr(err.text, rows[i].want))
			fail_msg("%s gave %s", rows[i].rules, err.text);
	}
}

/* Repositories have exact boundaries, however the path is written */
static void repositories_end_where_they_end(void **state)
{
	static const struct {
		const char *request;
		enum reason reason;
	} rows[] = {
		{ "GET /acme/tool", REASON_ALLOWED }, { "GET /acme/tool/", REASON_ALLOWED },
		{ "GET /acme/tool/info/refs", REASON_ALLOWED }, { "GET /open/any/x/y", REASON_ALLOWED },
		{ "POST /acme/tool/pull", REASON_ALLOWED }, { "GET /acme/to%6fl/x", REASON_ALLOWED },
		{ "POST /acme/tool/push", REASON_PATH }, { "POST /acme/tool2/pull", REASON_PATH },
		{ "POST /x/acme/tool/pull", REASON_PATH }, { "POST /search", REASON_PATH },
		{ "GET /", REASON_PATH }, { "GET /acme", REASON_PATH }, { "GET /acme/", REASON_PATH },
		{ "GET /acme/tool2", REASON_PATH }, { "GET /acme/tool.x/y", REASON_PATH },
		{ "GET /acme2/tool/x", REASON_PATH }, { "GET /open2/any/x", REASON_PATH },
		{ "GET /ACME/tool/x", REASON_PATH }, { "GET /open", REASON_PATH },
		{ "GET /x/acme/tool", REASON_PATH },
		{ "GET /acme/tool/../other", REASON_MALFORMED },
		{ "GET /acme/tool/%2e%2e/other", REASON_MALFORMED },
		{ "GET /acme/tool/..;/other", REASON_MALFORMED },
		{ "GET /acme/tool/./x", REASON_MALFORMED },
		{ "GET /acme%2ftool/x", REASON_MALFORMED }, { "GET /acme/tool%2f..%2fother", REASON_MALFORMED },
		{ "GET /acme%252ftool/x", REASON_MALFORMED }, { "GET /acme//tool/x", REASON_MALFORMED },
		{ "GET //acme/tool/x", REASON_MALFORMED }, { "GET /acme/other;/tool", REASON_PATH },
		{ "GET /acme/tool;x/y", REASON_MALFORMED }, { "GET /acme/tool\\..\\x", REASON_MALFORMED },
	};
	struct err err = { "" };
	struct policy *p = load("version: 1\n"
				"allow: [{preset: forge, repos: [acme/tool, open/*]}]\n", &err);

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[256];
		struct question q;
		enum reason got;

		snprintf(text, sizeof(text), "forge.test:443 https=forge.test %s", rows[i].request);
		q = ask(text);
		got = policy_decide(p, &q).reason;
		if (got != rows[i].reason)
			fail_msg("%s: %s", rows[i].request, reason_name(got));
	}
	policy_free(p);
}

/* The line that is told opens what was denied, beside the preset that denied it */
static void what_is_suggested_works(void **state)
{
	static const char *const requests[] = {
		"forge.test:443 https=forge.test PUT /x", "forge.test:80 http=forge.test POST /x/push",
		"files.forge.test:443 https=files.forge.test HEAD /",
		"mirror.test:4873 http=mirror.test PUT /x",
	};
	char name[32];
	char *const presets[] = { name, NULL };
	struct policy_file file = { LAYER_POLICY, "p.yaml", SPAN("version: 1\npresets: [forge]\n") };
	struct policy_input in = { .files = &file, .file_count = 1, .preset_text = preset_text,
				   .configured = configured };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct question q = ask(requests[i]);
		struct buf b = buf_new(100);
		struct err err = { "" };
		struct verdict v;
		struct policy *p;

		in.presets = NULL;
		p = policy_load(&in, &err);
		assert_non_null(p);
		v = policy_decide(p, &q);
		assert_int_equal(v.answer, ANSWER_DENY);
		assert_true(explain_suggest(&b, v.reason,
					    explain_preset(span_str(policy_rule(p, v.rule).id)), q.host,
					    NULL, q.port, q.transport));
		policy_free(p);
		assert_true(span_starts(buf_span(&b), SPAN("--preset ")));
		assert_true(span_copy(span_skip(buf_span(&b), 9), name, sizeof(name)));
		in.presets = presets;
		p = policy_load(&in, &err);
		assert_non_null(p);
		assert_int_equal(policy_decide(p, &q).answer, ANSWER_ALLOW);
		policy_free(p);
		buf_done(&b);
	}
}

/* What is narrowed by requests is not open to any that cannot be seen */
static void narrowed_is_never_wider(void **state)
{
	static const char *const narrowed[] = {
		"allow: [{preset: forge, methods: [GET]}]", "allow: [{preset: forge, repos: [a/b]}]",
		"allow: [{preset: 'forge:ssh', methods: [GET]}]", "presets: [forge]",
	};
	struct err err = { "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(narrowed); i++) {
		static const char *const questions[] = {
			"forge.test:443 tls=forge.test", "files.forge.test:443 tls=files.forge.test",
			"forge.test:22", "forge.test:22 other", "up.forge.test:443 tls=up.forge.test",
		};
		char text[512];
		struct policy *p;

		snprintf(text, sizeof(text), "version: 1\n%s\n", narrowed[i]);
		p = load(text, &err);
		assert_non_null(p);
		for (size_t k = 0; k < ARRAY_SIZE(questions); k++) {
			struct question q = ask(questions[k]);

			assert_int_not_equal(policy_decide(p, &q).answer, ANSWER_ALLOW);
		}
		policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_and_variants_make_these_rules),
		cmocka_unit_test(narrowing_makes_these_rules),
		cmocka_unit_test(mistakes_have_their_words),
		cmocka_unit_test(repositories_end_where_they_end),
		cmocka_unit_test(what_is_suggested_works),
		cmocka_unit_test(narrowed_is_never_wider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
