/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "policy/load.h"

static bool find(void *arg, enum secret_kind kind, const char *text, const char *file,
		 struct secret_found *ret)
{
	static const char *const values[] = { "from-env", "from-file", "from-cmd" };

	assert_string_equal(file, "p.yaml");
	assert_string_equal(text, kind == SECRET_ENV ? "A" : kind == SECRET_FILE ? "/a b" : "x | y");
	*(unsigned *)arg |= 1u << kind;
	*ret = (struct secret_found){ span_str(values[kind]), secret_word(kind), "" };
	return true;
}

static void load(struct policy_secrets *ret)
{
	struct policy_file file = { LAYER_POLICY, "p.yaml", SPAN("version: 1\nallow:\n"
		"- {host: a.example, inject: {header: X-A, value: 'k ${env:A}:${file:/a b}!'}}\n"
		"- {host: b.example}\n"
		"- {host: c.example, inject: {header: X-A, value: '${cmd:x | y}'}}\n"
		"- {host: c.example, inject: {header: X-B, value: plain}}\n") };
	unsigned seen = 0;
	struct policy_input in = { .files = &file, .file_count = 1, .secret = find, .arg = &seen,
				   .secrets = ret };
	struct err err = { "" };
	struct policy *p = policy_load(&in, &err);

	if (!p)
		fail_msg("%s", err.text);
	assert_int_equal(seen, 7);
	policy_free(p);
}

static void check(const struct policy_secrets *s)
{
	static const struct {
		uint32_t rule;
		const char *value, *parts[2], *placeholders[2];
	} want[] = {
		{ 0, "k from-env:from-file!", { "from-env", "from-file" }, { "env", "file" } },
		{ 2, "from-cmd", { "from-cmd" }, { "cmd" } },
		{ 3, "plain", { NULL }, { NULL } },
	};

	assert_int_equal(s->count, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const struct policy_secret *one = &s->list[i];

		assert_int_equal(one->rule, want[i].rule);
		assert_string_equal(one->value, want[i].value);
		for (size_t k = 0; k < one->part_count; k++) {
			assert_true(span_eq(span_of(one->value + one->parts[k].at, one->parts[k].len),
					    span_str(want[i].parts[k])));
			assert_string_equal(one->parts[k].placeholder, want[i].placeholders[k]);
		}
		assert_true(one->part_count == 2 || !want[i].parts[one->part_count]);
	}
}

static void values_are_packed_and_unpacked(void **state)
{
	struct policy_secrets first = { .count = 0 }, second = { .count = 0 };
	struct buf packed = buf_new(4096), small = buf_new(20);

	(void)state;
	load(&first);
	check(&first);
	assert_true(policy_secrets_pack(&first, &packed));
	assert_false(policy_secrets_pack(&first, &small));
	assert_true(policy_secrets_unpack(buf_span(&packed), &second));
	check(&second);
	policy_secrets_done(&second);
	/* cut anywhere, or with a byte too many, it is none */
	for (size_t len = 0; len < packed.len; len++) {
		assert_false(policy_secrets_unpack(span_head(buf_span(&packed), len), &second));
		assert_int_equal(second.count, 0);
	}
	buf_add(&packed, "", 1);
	assert_false(policy_secrets_unpack(buf_span(&packed), &second));
	policy_secrets_done(&first);
	buf_done(&packed);
	buf_done(&small);
}

static void nonsense_is_refused(void **state)
{
	static const struct {
		size_t len;
		const char *bytes;
	} rows[] = {
		{ 4, "\xff\xff\xff\xff" },
		/* a part beyond the value */
		{ 30, "\0\0\0\1" "\0\0\0\0" "\0\0\0\2ab" "\0\0\0\1" "\0\0\0\1" "\0\0\0\2" "\0\0\0\0" },
		/* a NUL in it */
		{ 18, "\0\0\0\1" "\0\0\0\0" "\0\0\0\2a\0" "\0\0\0\0" },
		/* more parts than there are bytes */
		{ 18, "\0\0\0\1" "\0\0\0\0" "\0\0\0\2ab" "\x7f\0\0\0" },
	};
	struct policy_secrets s = { .count = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_false(policy_secrets_unpack(span_of(rows[i].bytes, rows[i].len), &s));
	assert_true(policy_secrets_unpack(span_of("\0\0\0\0", 4), &s));
	policy_secrets_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_packed_and_unpacked),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
