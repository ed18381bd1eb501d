/* SPDX-License-Identifier: Apache-2.0 */
/* Variants of presets, and presets that a rule narrows */
#include "policy_unit.h"

static const char forge[] =
	"preset: forge\n"
	"aliases: [smithy]\n"
	"use_configured: npm\n"
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

#define WHOLE \
	"preset:forge[0] forge.test 80-80,443-443\n" \
	"preset:forge[1] files.forge.test 443-443\n" \
	"preset:forge[2] sign-in.forge.test 443-443,8000-8100\n"
#define MIRROR "preset:forge:configured[0] mirror.test 4873-4873\n"

static void variants_and_narrowing_make_these_rules(void **state)
{
	static const struct {
		const char *rules, *want;
	} rows[] = {
		{ "presets: [forge]", WHOLE MIRROR },
		{ "presets: [forge, smithy, 'forge:ssh', 'smithy:ssh']",
		  WHOLE MIRROR "preset:forge:ssh[0] forge.test 22-22\n" },
		{ "presets: ['forge:ssh']", WHOLE "preset:forge:ssh[0] forge.test 22-22\n" MIRROR },
		{ "presets: ['forge:write', forge]",
		  WHOLE "preset:forge:write[0] up.forge.test 443-443\n" MIRROR },
		{ "allow: [{preset: forge}]", WHOLE MIRROR },
		{ "allow: [{preset: forge, reason: x}]", WHOLE MIRROR },
		/* ports */
		{ "allow: [{preset: forge, ports: [80, '8050-9000'], id: mine, reason: ' why'}]",
		  "mine forge.test 80-80 why\nmine sign-in.forge.test 8050-8100 why\n" },
		{ "allow: [{preset: 'forge:ssh', ports: [22]}]",
		  "preset:forge:ssh[0] forge.test 22-22\n" },
		/* methods: those that both name */
		{ "allow: [{preset: forge, methods: [GET, PUT]}]",
		  "preset:forge[0] forge.test 80-80,443-443 GET\n"
		  "preset:forge[1] files.forge.test 443-443 GET\n"
		  "preset:forge[2] sign-in.forge.test 443-443,8000-8100 GET,PUT\n"
		  "preset:forge:configured[0] mirror.test 4873-4873 GET,PUT\n" },
		{ "allow: [{preset: forge, ports: [80], methods: [POST]}]",
		  "preset:forge[0] forge.test 80-80 POST /**/pull\n"
		  "preset:forge[0] forge.test 80-80 POST /search\n" },
		{ "allow: [{preset: 'forge:write', ports: [80], methods: [PUT]}]",
		  "preset:forge[0] forge.test 80-80 PUT\n" },
		/* repositories; what cannot be narrowed by them is left out */
		{ "allow: [{preset: forge, repos: [acme/*]}]",
		  "preset:forge[0] forge.test 80-80,443-443 GET,HEAD /acme/*,/acme/*/**\n"
		  "preset:forge[0] forge.test 80-80,443-443 POST /acme/*/pull\n"
		  "preset:forge[1] files.forge.test 443-443 GET\n" },
		{ "allow: [{preset: forge, repos: [acme, b/c.d], methods: [GET]}]",
		  "preset:forge[0] forge.test 80-80,443-443 GET "
		  "/acme/*,/acme/*/**,/b/c.d,/b/c.d/**\n"
		  "preset:forge[1] files.forge.test 443-443 GET\n" },
		{ "allow: [{preset: 'forge:write', repos: [a/b]}]",
		  "preset:forge[0] forge.test 80-80,443-443 /a/b,/a/b/**\n"
		  "preset:forge:write[0] up.forge.test 443-443 /up/a/b\n" },
		/* narrowed and whole add up, in both orders */
		{ "presets: [forge]\nallow: [{preset: forge, ports: [80]}]",
		  WHOLE MIRROR "preset:forge[0] forge.test 80-80\n" },
		{ "allow: [{preset: forge, ports: [80]}]\npresets: [forge]",
		  "preset:forge[0] forge.test 80-80\n" WHOLE MIRROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *got = rules_of(rows[i].rules);

		if (strcmp(got, rows[i].want))
			fail_msg("%s gave\n%swanted\n%s", rows[i].rules, got, rows[i].want);
		free(got);
	}
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

/* What is narrowed by requests is not open to any that cannot be seen */
static void narrowed_is_never_wider(void **state)
{
	static const char *const narrowed[] = {
		"allow: [{preset: forge, methods: [GET]}]", "allow: [{preset: forge, repos: [a/b]}]",
		"allow: [{preset: 'forge:ssh', methods: [GET]}]",
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
		cmocka_unit_test(variants_and_narrowing_make_these_rules),
		cmocka_unit_test(mistakes_have_their_words),
		cmocka_unit_test(narrowed_is_never_wider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
