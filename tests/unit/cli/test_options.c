/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "cli/options.h"

#define ARGS_MAX 8

struct got {
	bool			 quiet, fail;
	const char		*mode, *report;
	struct option_list	 policies;
};

static struct got got;

static const struct option rows[] = {
	{ 'q', "quiet", OPTION_FLAG, NULL, "say nothing", &got.quiet },
	{ 'f', "fail-on-deny", OPTION_FLAG, NULL, "fail", &got.fail },
	{ 'p', "policy", OPTION_LIST, "FILE", "a file", &got.policies },
	{ 0, "mode", OPTION_TEXT, "MODE", "a mode", &got.mode },
	{ 0, "report", OPTION_MAYBE, "FORMAT", "a report", &got.report },
	{ .name = NULL },
};

static int teardown(void **state)
{
	(void)state;
	option_list_done(&got.policies);
	got = (struct got){ .quiet = false };
	return 0;
}

struct args {
	char	 text[ARGS_MAX][32];
	char	*at[ARGS_MAX + 2];
	int	 count;
};

/* "sluice" arguments from a text with blanks between them */
static struct args *args_of(struct args *a, const char *text)
{
	char copy[128], *save, *word;

	*a = (struct args){ .at = { (char *)(uintptr_t)"run" }, .count = 1 };
	snprintf(copy, sizeof(copy), "%s", text);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(a->count <= ARGS_MAX);
		snprintf(a->text[a->count - 1], sizeof(a->text[0]), "%s", word);
		a->at[a->count] = a->text[a->count - 1];
		a->count++;
	}
	a->at[a->count] = NULL;
	return a;
}

static bool parse(const char *text, int *ret_rest, bool *ret_help, struct err *err)
{
	struct args a;

	args_of(&a, text);
	teardown(NULL);
	*err = (struct err){ "" };
	*ret_help = false;
	return options_parse(a.count, a.at, rows, ret_rest, ret_help, err);
}

static void the_first_operand_ends_the_options(void **state)
{
	static const struct {
		const char	*text;
		int		 rest;
		bool		 quiet;
	} lines[] = {
		{ "-q ls -f", 2, true }, { "ls -q", 1, false }, { "-- -q", 2, false },
		{ "-q -- ls", 3, true }, { "-q", 2, true }, { "", 1, false }, { "- -q", 1, false },
	};
	struct err err;
	bool help;
	int rest;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_true(parse(lines[i].text, &rest, &help, &err));
		assert_int_equal(rest, lines[i].rest);
		assert_int_equal(got.quiet, lines[i].quiet);
		assert_false(got.fail);
	}
}

static void values_come_in_three_ways(void **state)
{
	static const char *const lines[] = {
		"--policy a", "--policy=a", "-p a", "-pa", "-qp a", "-qpa",
	};
	struct args a;
	struct err err = { "" };
	bool help = false;
	int rest;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		teardown(NULL);
		args_of(&a, lines[i]);
		assert_true(options_parse(a.count, a.at, rows, &rest, &help, &err));
		assert_int_equal(rest, a.count);
		assert_int_equal(got.policies.count, 1);
		assert_string_equal(got.policies.at[0], "a");
		assert_null(got.policies.at[1]);
	}
}

static void lists_add_and_texts_replace(void **state)
{
	struct args a;
	struct err err = { "" };
	bool help = false;
	int rest;

	(void)state;
	args_of(&a, "-p a --mode x -p --mode --mode=y --report");
	assert_true(options_parse(a.count, a.at, rows, &rest, &help, &err));
	assert_int_equal(got.policies.count, 2);
	assert_string_equal(got.policies.at[1], "--mode");
	assert_string_equal(got.mode, "y");
	assert_string_equal(got.report, "");
	args_of(&a, "--report=json");
	assert_true(options_parse(a.count, a.at, rows, &rest, &help, &err));
	assert_string_equal(got.report, "json");
}

static void what_is_no_option_is_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} lines[] = {
		{ "--quie", "--quie: no such option (see sluice run --help)" },
		{ "--quiett", "--quiett: no such option (see sluice run --help)" },
		{ "--", NULL }, { "--=x", "--: no such option (see sluice run --help)" },
		{ "-x", "-x: no such option (see sluice run --help)" },
		{ "-qx", "-x: no such option (see sluice run --help)" },
		{ "--policy", "--policy: needs a value (see sluice run --help)" },
		{ "-qp", "-p: needs a value (see sluice run --help)" },
		{ "--quiet=1", "--quiet: takes no value (see sluice run --help)" },
	};
	struct err err;
	bool help;
	int rest;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(parse(lines[i].text, &rest, &help, &err), !lines[i].message);
		assert_string_equal(err.text, lines[i].message ? lines[i].message : "");
	}
}

static void help_is_known_to_all(void **state)
{
	struct err err;
	bool help;
	int rest;

	(void)state;
	assert_true(parse("--help", &rest, &help, &err) && help);
	assert_true(parse("-h", &rest, &help, &err) && help);
	assert_true(parse("-qh", &rest, &help, &err) && help && got.quiet);
	assert_true(parse("-- --help", &rest, &help, &err) && !help);
	assert_true(parse("ls --help", &rest, &help, &err) && !help);
}

static void mixed_operands_come_to_the_front(void **state)
{
	struct args a;
	struct err err = { "" };
	bool help = false;
	int count;

	(void)state;
	args_of(&a, "one -p a two -q -- -f three");
	assert_true(options_parse_mixed(a.count, a.at, rows, &count, &help, &err));
	assert_int_equal(count, 4);
	assert_string_equal(a.at[1], "one");
	assert_string_equal(a.at[2], "two");
	assert_string_equal(a.at[3], "-f");
	assert_string_equal(a.at[4], "three");
	assert_null(a.at[5]);
	assert_true(got.quiet && !got.fail);
	assert_string_equal(got.policies.at[0], "a");
	args_of(&a, "one --nope");
	assert_false(options_parse_mixed(a.count, a.at, rows, &count, &help, &err));
}

static void show(void *arg, const struct option *shown)
{
	*(const char **)arg = shown[0].name;
}

static void a_command_tells_its_options(void **state)
{
	const struct command *c = command_find("try");
	const char *name = NULL;

	(void)state;
	assert_non_null(c);
	assert_null(command_find("tr"));
	command_options(c, show, &name);
	assert_string_equal(name, "flag");
}

static void help_lines_have_columns(void **state)
{
	AUTO_FREE char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	assert_non_null(to);
	options_print(rows, to);
	fclose(to);
	assert_string_equal(text,
		"  -q, --quiet                 say nothing\n"
		"  -f, --fail-on-deny          fail\n"
		"  -p, --policy FILE           a file\n"
		"      --mode MODE             a mode\n"
		"      --report[=FORMAT]       a report\n"
		"  -h, --help                  print this\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_first_operand_ends_the_options, teardown),
		cmocka_unit_test_teardown(values_come_in_three_ways, teardown),
		cmocka_unit_test_teardown(lists_add_and_texts_replace, teardown),
		cmocka_unit_test_teardown(what_is_no_option_is_refused, teardown),
		cmocka_unit_test_teardown(help_is_known_to_all, teardown),
		cmocka_unit_test_teardown(mixed_operands_come_to_the_front, teardown),
		cmocka_unit_test_teardown(a_command_tells_its_options, teardown),
		cmocka_unit_test_teardown(help_lines_have_columns, teardown),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
