/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <assert.h>
#include <string.h>

#include "cli/print.h"
#include "cli/commands.h"

#define HELP_COLUMN 30	/* where the words of --help begin */

/* What is being parsed; the value of an option is looked for in one place */
struct parse_state {
	char		**argv;
	int		  argc, at;	/* argv[at] is the argument in hand */
	struct err	 *err;
};

/* NULL while nobody but people asks for help */
static void (*help_show)(void *arg, const struct option *rows);
static void *help_arg;

bool option_list_add(struct option_list *l, char *value, struct err *err)
{
	char **at = realloc(l->at, (l->count + 2) * sizeof(*at));

	if (!at)
		return err_set(err, "out of memory");
	at[l->count++] = value;
	at[l->count] = NULL;
	l->at = at;
	return true;
}

void option_list_done(struct option_list *l)
{
	free(l->at);
	*l = (struct option_list){ 0 };
}

static bool option_set(const struct option *o, char *value, struct err *err)
{
	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)o->into = true;
		return true;
	case OPTION_TEXT:
		*(const char **)o->into = value;
		return true;
	case OPTION_MAYBE:
		*(const char **)o->into = value ? value : "";
		return true;
	case OPTION_LIST:
		return option_list_add(o->into, value, err);
	}
	return false;
}

static bool takes_value(const struct option *o)
{
	return o->kind == OPTION_TEXT || o->kind == OPTION_LIST;
}

static bool bad_option(const struct parse_state *p, const char *what, const char *why)
{
	return err_set(p->err, "%s: %s (see sluice %s --help)", what, why, p->argv[0]);
}

/* The argument after the one in hand, which becomes the one in hand; or NULL */
static char *next_value(struct parse_state *p)
{
	return p->at + 1 < p->argc ? p->argv[++p->at] : NULL;
}

static bool parse_long(struct parse_state *p, const struct option *rows)
{
	char *name = p->argv[p->at] + 2;
	char *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	char *value = eq ? eq + 1 : NULL;
	char shown[64];

	snprintf(shown, sizeof(shown), "--%.*s", (int)(len < 48 ? len : 48), name);
	for (const struct option *o = rows; o->name; o++) {
		/* "learn=full" is a name too: its value follows */
		if (eq && strchr(o->name, '=') && !strcmp(o->name, name))
			return (value = next_value(p)) ? option_set(o, value, p->err)
						       : bad_option(p, name, "needs a value");
		if (strlen(o->name) != len || memcmp(o->name, name, len))
			continue;
		if (o->kind == OPTION_FLAG && value)
			return bad_option(p, shown, "takes no value");
		if (takes_value(o) && !value)
			value = next_value(p);
		if (takes_value(o) && !value)
			return bad_option(p, shown, "needs a value");
		return option_set(o, value, p->err);
	}
	return bad_option(p, shown, "no such option");
}

static const struct option *by_letter(const struct option *rows, char letter)
{
	for (const struct option *o = rows; o->name; o++)
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

static bool parse_letters(struct parse_state *p, const struct option *rows, bool *ret_help)
{
	for (char *c = p->argv[p->at] + 1; *c; c++) {
		const struct option *o = by_letter(rows, *c);
		char shown[] = { '-', *c, '\0' };
		char *value = NULL;

		if (!o && *c == 'h') {
			*ret_help = true;
			return true;
		}
		if (!o)
			return bad_option(p, shown, "no such option");
		if (!takes_value(o)) {
			if (!option_set(o, NULL, p->err))
				return false;
			continue;
		}
		value = c[1] ? c + 1 : next_value(p);
		if (!value)
			return bad_option(p, shown, "needs a value");
		return option_set(o, value, p->err);
	}
	return true;
}

/* The option in hand, and its value if it has one */
static bool parse_one(struct parse_state *p, const struct option *rows, bool *ret_help)
{
	const char *arg = p->argv[p->at];

	if (!strcmp(arg, "--help")) {
		*ret_help = true;
		return true;
	}
	return arg[1] == '-' ? parse_long(p, rows) : parse_letters(p, rows, ret_help);
}

/* "-" alone is an operand: standard input */
static bool is_operand(const char *arg)
{
	return arg[0] != '-' || !arg[1];
}

bool options_parse(int argc, char **argv, const struct option *rows, int *ret_rest,
		   bool *ret_help, struct err *err)
{
	struct parse_state p = { .argv = argv, .argc = argc, .err = err };

	for (p.at = 1; p.at < argc && !is_operand(argv[p.at]); p.at++) {
		if (!strcmp(argv[p.at], "--")) {
			p.at++;
			break;
		}
		if (!parse_one(&p, rows, ret_help))
			return false;
	}
	*ret_rest = p.at;
	return true;
}

bool options_parse_mixed(int argc, char **argv, const struct option *rows, int *ret_count,
			 bool *ret_help, struct err *err)
{
	struct parse_state p = { .argv = argv, .argc = argc, .err = err };
	bool only_operands = false;
	int count = 0;

	for (p.at = 1; p.at < argc; p.at++) {
		/* an operand moves to the front, over what was read already */
		if (only_operands || is_operand(argv[p.at]))
			argv[1 + count++] = argv[p.at];
		else if (!strcmp(argv[p.at], "--"))
			only_operands = true;
		else if (!parse_one(&p, rows, ret_help))
			return false;
	}
	argv[1 + count] = NULL;
	*ret_count = count;
	return true;
}

void options_print(const struct option *rows, FILE *to)
{
	static const struct option help = { 'h', "help", OPTION_FLAG, NULL, "print this", NULL };

	for (const struct option *o = rows; o; o = o == &help ? NULL : o->name ? o + 1 : &help) {
		char left[96], letter[] = { '-', o->letter, ',', ' ', '\0' };
		const char *joint = o->kind == OPTION_MAYBE ? "[=" : o->arg ? " " : "";
		int width;

		if (!o->name)
			continue;
		width = snprintf(left, sizeof(left), "  %s--%s%s%s%s", o->letter ? letter : "    ",
				 o->name, joint, o->arg ? o->arg : "",
				 o->kind == OPTION_MAYBE ? "]" : "");
		if (width < HELP_COLUMN)
			fprintf(to, "%-*s%s\n", HELP_COLUMN, left, o->help);
		else
			fprintf(to, "%s\n%*s%s\n", left, HELP_COLUMN, "", o->help);
	}
}

const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

int command_help(const char *name, const struct option *rows)
{
	const struct command *c = command_find(name);

	assert(c);
	if (help_show) {
		help_show(help_arg, rows);
		return 0;
	}
	printf("Usage: sluice %s %s\n%s\n\nOptions:\n", c->name, c->usage, c->summary);
	options_print(rows, stdout);
	return 0;
}

bool command_read(int argc, char **argv, const struct option *rows, int *ret_count, int *ret_code)
{
	struct err err = { "" };
	bool help = false;

	if (!options_parse_mixed(argc, argv, rows, ret_count, &help, &err))
		*ret_code = complain(&err);
	else if (help)
		*ret_code = command_help(argv[0], rows);
	else
		return true;
	return false;
}

bool command_alone(int argc, char **argv, const struct option *rows, const char *why, int *ret_code)
{
	struct err err = { "" };
	int count;

	if (!command_read(argc, argv, rows, &count, ret_code))
		return false;
	if (!count)
		return true;
	err_set(&err, "%s: %s: %s", argv[0], argv[1], why);
	*ret_code = complain(&err);
	return false;
}

void command_options(const struct command *c,
		     void (*show)(void *arg, const struct option *rows), void *arg)
{
	char name[32], help[] = "--help", *argv[] = { name, help, NULL };

	snprintf(name, sizeof(name), "%s", c->name);
	help_show = show;
	help_arg = arg;
	c->main(2, argv);
	help_show = NULL;
}

int complain(const struct err *err)
{
	fputs("sluice: ", stderr);
	print_safe(stderr, span_str(err->text));
	fputc('\n', stderr);
	return EXIT_SLUICE;
}
