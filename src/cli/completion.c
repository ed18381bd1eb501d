/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion.c - `sluice completion`: scripts for shells
 *
 * The words come from the tables that parse them, so they cannot fall behind.
 * Every word is our own; only help texts need quoting.
 */
#include <string.h>

#include "cli/commands.h"

/* The words of one command, for the script that is being written */
struct words {
	const char	*command;
	void		(*print)(const char *command, const struct option *o);
};

static void print_rows(void *arg, const struct option *rows)
{
	const struct words *w = arg;

	for (const struct option *o = rows; o->name; o++)
		w->print(w->command, o);
}

static void print_options(const struct command *c,
			  void (*print)(const char *command, const struct option *o))
{
	struct words w = { c->name, print };

	command_options(c, print_rows, &w);
}

static bool takes_file(const struct option *o)
{
	return o->arg && (!strcmp(o->arg, "FILE") || !strcmp(o->arg, "PATH"));
}

/* Inside single quotes, for zsh and fish; @drop: what means something to the shell even there */
static void print_quoted(const char *text, const char *drop)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (!strchr(drop, *text))
			putchar(*text);
	}
}

static void bash_option(const char *command, const struct option *o)
{
	(void)command;
	printf(" --%s", o->name);
}

static void bash_print(void)
{
	fputs("# bash completion for sluice\n_sluice()\n{\n"
	      "\tlocal cur=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\twords=\"--help --version", stdout);
	for (const struct command *c = commands; c->name; c++)
		printf(" %s", c->name);
	fputs("\"\n\telse\n\t\tcase \"${COMP_WORDS[1]}\" in\n", stdout);
	for (const struct command *c = commands; c->name; c++) {
		printf("\t\t%s) words=\"--help", c->name);
		print_options(c, bash_option);
		puts("\";;");
	}
	fputs("\t\tesac\n"
	      "\t\tcase \"${COMP_WORDS[COMP_CWORD-1]}\" in\n"
	      "\t\t--preset) words=\"$(sluice presets --names 2>/dev/null)\";;\n"
	      "\t\t*) case \"$cur\" in -*) ;; *) words=\"\";; esac;;\n"
	      "\t\tesac\n\tfi\n"
	      "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
	      "complete -o default -F _sluice sluice\n", stdout);
}

static void zsh_option(const char *command, const struct option *o)
{
	const char *join = o->kind == OPTION_MAYBE ? "=-" : o->arg ? "=" : "";

	(void)command;
	if (strchr(o->name, '='))	/* no name to this shell */
		return;
	printf("\t\t\t'%s--%s%s[", o->kind == OPTION_LIST ? "*" : "", o->name, join);
	print_quoted(o->help, "[]:");
	putchar(']');
	if (o->arg) {
		printf("%s", o->kind == OPTION_MAYBE ? "::" : ":");
		print_quoted(o->arg, "[]:");
		printf("%s", takes_file(o) ? ":_files" : ":");
	}
	puts("' \\");
}

static void zsh_print(void)
{
	fputs("#compdef sluice\n_sluice()\n{\n\tlocal -a names=(\n", stdout);
	for (const struct command *c = commands; c->name; c++) {
		printf("\t\t'%s:", c->name);
		print_quoted(c->summary, "");
		puts("'");
	}
	fputs("\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command names\n\t\treturn\n\tfi\n"
	      "\tlocal command=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n"
	      "\tcase $command in\n", stdout);
	for (const struct command *c = commands; c->name; c++) {
		printf("\t%s)\n\t\t_arguments \\\n", c->name);
		print_options(c, zsh_option);
		fputs("\t\t\t'--help[print help]' '*::arg:_default';;\n", stdout);
	}
	fputs("\tesac\n}\ncompdef _sluice sluice\n", stdout);
}

static void fish_option(const char *command, const struct option *o)
{
	if (strchr(o->name, '='))	/* no name to this shell */
		return;
	printf("complete -c sluice -n '__fish_seen_subcommand_from %s' -l %s", command, o->name);
	if (o->letter)
		printf(" -s %c", o->letter);
	if (o->arg && o->kind != OPTION_MAYBE)
		fputs(takes_file(o) ? " -rF" : " -x", stdout);
	fputs(" -d '", stdout);
	print_quoted(o->help, "\\");
	puts("'");
}

static void fish_print(void)
{
	puts("# fish completion for sluice");
	for (const struct command *c = commands; c->name; c++) {
		printf("complete -c sluice -n __fish_use_subcommand -f -a %s -d '", c->name);
		print_quoted(c->summary, "\\");
		puts("'");
	}
	for (const struct command *c = commands; c->name; c++)
		print_options(c, fish_option);
}

int completion_main(int argc, char **argv)
{
	static const struct {
		const char	*name;
		void		(*print)(void);
	} shells[] = { { "bash", bash_print }, { "zsh", zsh_print }, { "fish", fish_print } };
	static const struct option rows[] = { { .name = NULL } };
	struct err err = { "" };
	int count, code;

	if (!command_read(argc, argv, rows, &count, &code))
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(shells) && count == 1; i++) {
		if (!strcmp(argv[1], shells[i].name)) {
			shells[i].print();
			return 0;
		}
	}
	err_set(&err, "completion: name one shell (bash, zsh or fish)");
	return complain(&err);
}
