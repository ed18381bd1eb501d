/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c - `sluice policy`: lint, show, test, diff of policy files */
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/difference.h"
#include "cli/judge.h"
#include "cli/known.h"
#include "cli/print.h"
#include "policy/lint.h"
#include "policy/show.h"
#include "policy/tree.h"

#define SHOW_BYTES_MAX (1u << 30)
#define CASES_BYTES_MAX (512u << 20)	/* the tree of a file of cases at its bound */
#define EXIT_DIFFERS 1

struct policy_command {
	struct judge_options	judge;
	bool			strict;
	char			*const *files;	/* operands */
	int			count;
};

/* Files that are operands are policy files as those of --policy */
static bool judge_files(struct policy_command *c, struct judged *ret_judged, struct err *err)
{
	for (int i = 0; i < c->count; i++)
		if (!option_list_add(&c->judge.policies, c->files[i], err))
			return false;
	return judge(&c->judge, ret_judged, err);
}

/* ---- show ---- */

static int show(struct policy_command *c, struct err *err)
{
	struct buf text = buf_new(SHOW_BYTES_MAX);
	struct judged judged;

	if (!judge_files(c, &judged, err))
		return EXIT_SLUICE;
	policy_show(&text, judged.policy, true);
	if (text.full)
		err_set(err, "policy show: more than 1 GB");
	else
		fwrite(text.at, 1, text.len, stdout);
	buf_done(&text);
	judge_done(&judged);
	return err->text[0] ? EXIT_SLUICE : 0;
}

/* ---- lint ---- */

struct linting {
	const struct policy_command	*command;
	const struct policy		*policy;
	size_t				 count;
};

/* Rules of the files that were named; of all files if none was */
static bool is_asked(const struct linting *l, const struct rule_view *v)
{
	bool named = !l->command->count;

	for (int i = 0; i < l->command->count; i++)
		named = named || !strcmp(v->origin.file, l->command->files[i]);
	/* presets and flags are not written in files, and are there because they were asked for */
	return named || !v->origin.line || !strncmp(v->origin.file, "preset ", 7);
}

static void tell(void *arg, uint32_t rule, const char *text)
{
	struct linting *l = arg;
	struct rule_view v = policy_rule(l->policy, rule);

	if (!is_asked(l, &v))
		return;
	l->count++;
	print_safe(stdout, span_str(v.origin.file));
	if (v.origin.line)
		printf(":%u", v.origin.line);
	fputs(": ", stdout);
	print_safe(stdout, span_str(v.host));
	fputs(": ", stdout);
	print_safe(stdout, span_str(text));
	putchar('\n');
}

static int lint(struct policy_command *c, struct err *err)
{
	struct known *known = known_open(err);
	struct linting l = { .command = c };
	struct judged judged = { .policy = NULL };
	char stranger[STRANGER_MAX + 1];
	struct path_list unset = { 0 };

	c->judge.unset = &unset;
	if (known && stranger_make(stranger, err) && judge_files(c, &judged, err)) {
		const struct lint check = {
			.policy = judged.policy, .stranger = stranger, .now_s = time(NULL),
			.shared = known_shared, .leaks = known_leaks, .fronts = known_fronts, .known = known,
			.tell = tell, .arg = &l,
		};

		l.policy = judged.policy;
		policy_lint(&check);
		if (policy_mode(judged.policy) == MODE_MONITOR) {
			puts("mode monitor: wide: every public destination passes that no rule denies");
			l.count++;
		}
		for (size_t i = 0; i < unset.count; i++, l.count++)
			printf("${%s} is not %s: run refuses this policy\n", unset.at[i],
			       !strncmp(unset.at[i], "env:", 4) ? "set" : "there");
		judge_done(&judged);
	}
	known_done(known);
	path_list_done(&unset);
	if (err->text[0])
		return EXIT_SLUICE;
	return c->strict && l.count ? EXIT_DIFFERS : 0;
}

/* ---- test ---- */

struct testing {
	const struct policy	*policy;
	const char		*file;
	size_t			 cases, wrong;
	struct err		*err;
};

static bool bad_case(struct testing *t, const struct node *n, const char *what)
{
	struct spot s = { t->file, n->line, n->column };

	return spot_bad(&s, t->err, "%s", what);
}

static const char *case_text(struct testing *t, const struct node *item, const char *key)
{
	const struct node *n = tree_get(item, key);

	if (!n)
		return NULL;
	if (n->kind != NODE_TEXT || !n->text.len) {
		bad_case(t, n, "found no text (accepted: texts in target, verdict, reason)");
		return NULL;
	}
	return (const char *)n->text.at;
}

static bool check_case(struct testing *t, const struct node *item)
{
	static const char *const keys[] = { "target", "verdict", "reason" };

	if (item->kind != NODE_MAP)
		return bad_case(t, item, "found no case (accepted: {target: URL, verdict: allow})");
	for (const struct node *name = item->first; name; name = name->next->next) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			known = known || span_eq(name->text, span_str(keys[i]));
		if (!known)
			return bad_case(t, name, "unknown key (accepted: target, verdict, reason)");
	}
	return true;
}

static bool test_case(struct testing *t, const struct node *item)
{
	const char *target, *verdict, *reason, *is_reason, *is;

	if (!check_case(t, item))
		return false;
	target = case_text(t, item, "target");
	verdict = case_text(t, item, "verdict");
	reason = case_text(t, item, "reason");
	if (t->err->text[0])
		return false;
	if (!target || !verdict)
		return bad_case(t, item, "found a case without target or verdict (accepted: both)");
	if (strcmp(verdict, "allow") && strcmp(verdict, "deny") && strcmp(verdict, "ask"))
		return bad_case(t, tree_get(item, "verdict"), "unknown verdict (accepted: allow, deny "
				"or ask)");
	if (reason && reason_from_name(span_str(reason)) == REASON_NUM)
		return bad_case(t, tree_get(item, "reason"), "unknown reason (accepted: the codes of "
				"sluice check)");
	is = check_answer(t->policy, span_str(target), &is_reason);
	if (!is)
		return bad_case(t, tree_get(item, "target"), is_reason);
	t->cases++;
	if (!strcmp(is, verdict) && (!reason || !strcmp(is_reason, reason)))
		return true;
	t->wrong++;
	print_safe(stdout, span_str(t->file));
	printf(":%u: ", item->line);
	print_safe(stdout, span_str(target));
	printf(": %s (%s), not %s%s%s%s\n", is, is_reason, verdict, reason ? " (" : "",
	       reason ? reason : "", reason ? ")" : "");
	return true;
}

static bool test_file(struct testing *t)
{
	struct arena arena = arena_new(CASES_BYTES_MAX);
	struct node *root = NULL;
	struct buf text;
	bool ok = false;

	switch (file_read(t->file, FILE_ANYONES, &text, t->err)) {
	case FILE_ABSENT:
		return err_set(t->err, "%s: No such file or directory", t->file);
	case FILE_FAILED:
		return false;
	case FILE_READ:
		root = tree_read(t->file, buf_span(&text), &arena, t->err);
		break;
	}
	buf_done(&text);
	if (root && (root->kind != NODE_LIST || !root->first))
		bad_case(t, root, "found no cases (accepted: a list of {target: URL, verdict: allow})");
	else
		ok = root;
	for (const struct node *n = ok ? root->first : NULL; n && ok; n = n->next)
		ok = test_case(t, n);
	arena_done(&arena);
	return ok;
}

static int test(struct policy_command *c, struct err *err)
{
	struct testing t = { .err = err };
	struct judged judged;
	bool ok = true;

	if (!c->count) {
		err_set(err, "policy test: no file of CASES (sluice policy test CASES -p POLICY)");
		return EXIT_SLUICE;
	}
	if (!judge(&c->judge, &judged, err))
		return EXIT_SLUICE;
	t.policy = judged.policy;
	for (int i = 0; i < c->count && ok; i++) {
		t.file = c->files[i];
		ok = test_file(&t);
	}
	judge_done(&judged);
	if (!ok)
		return EXIT_SLUICE;
	if (t.wrong)
		printf("%zu of %zu cases differ\n", t.wrong, t.cases);
	else
		printf("%zu cases agree\n", t.cases);
	return t.wrong ? EXIT_DIFFERS : 0;
}

/* ---- diff ---- */

static void print_changes(const char *title, enum colour colour, const struct difference *d,
			  enum change change)
{
	if (d->count[change])
		puts(title);
	for (size_t i = 0; i < d->count[change]; i++) {
		printf("  %s%c%s ", print_colour(stdout, colour), change == CHANGE_OPENS ? '+' : '-',
		       print_colour(stdout, COLOUR_PLAIN));
		print_safe(stdout, span_str(d->lines[change][i]));
		putchar('\n');
	}
}

static bool judge_one(struct policy_command *c, char *file, struct judged *ret_judged,
		      struct err *err)
{
	struct judge_options o = c->judge;
	bool ok;

	o.policies = (struct option_list){ 0 };
	for (size_t i = 0; i < c->judge.policies.count; i++)
		if (!option_list_add(&o.policies, c->judge.policies.at[i], err))
			return false;
	ok = option_list_add(&o.policies, file, err) && judge(&o, ret_judged, err);
	option_list_done(&o.policies);
	return ok;
}

static int diff(struct policy_command *c, struct err *err)
{
	struct judged old = { .policy = NULL }, new = { .policy = NULL };
	struct difference d = { .count = { 0 } };

	if (c->count != 2) {
		err_set(err, "policy diff: two files (sluice policy diff OLD NEW)");
		return EXIT_SLUICE;
	}
	if (judge_one(c, c->files[0], &old, err) && judge_one(c, c->files[1], &new, err) &&
	    difference_make(&d, old.policy, new.policy, err)) {
		print_changes("Becomes allowed:", COLOUR_GOOD, &d, CHANGE_OPENS);
		print_changes("Stops being allowed:", COLOUR_BAD, &d, CHANGE_CLOSES);
		if (!d.count[CHANGE_OPENS] && !d.count[CHANGE_CLOSES])
			puts("Nothing becomes allowed, and nothing stops being allowed.");
	}
	difference_done(&d);
	judge_done(&old);
	judge_done(&new);
	return err->text[0] ? EXIT_SLUICE : 0;
}

/* ---- the command ---- */

static const struct {
	const char	*word;
	int		(*run)(struct policy_command *c, struct err *err);
} words[] = { { "lint", lint }, { "show", show }, { "test", test }, { "diff", diff } };

int policy_main(int argc, char **argv)
{
	struct policy_command c = { .strict = false };
	const struct option rows[] = {
		JUDGE_OPTIONS(&c.judge),
		{ 0, "strict", OPTION_FLAG, NULL, "lint: exit 1 if there is a warning", &c.strict },
		{ .name = NULL },
	};
	struct err err = { "" };
	bool help = false;
	int count = 0, code = EXIT_SLUICE;

	if (!options_parse_mixed(argc, argv, rows, &count, &help, &err)) {
		judge_options_done(&c.judge);
		return complain(&err);
	}
	if (help) {
		judge_options_done(&c.judge);
		return command_help("policy", rows);
	}
	c.files = argv + 2;
	c.count = count - 1;
	for (size_t i = 0; i < ARRAY_SIZE(words) && count; i++)
		if (!strcmp(argv[1], words[i].word)) {
			code = words[i].run(&c, &err);
			judge_options_done(&c.judge);
			return err.text[0] ? complain(&err) : code;
		}
	judge_options_done(&c.judge);
	err_set(&err, "policy: name what to do (lint, show, test or diff)");
	return complain(&err);
}
