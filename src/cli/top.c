/* SPDX-License-Identifier: Apache-2.0 */
/* top.c - `sluice top`: the sessions that run, live, from their control sockets */
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "cli/sessions.h"

#define LISTED_MAX 8		/* hosts, and denials, of one session */

struct top {
	struct sessions	 sessions;
	json_t		*now, *before;	/* answers to status; before: a turn ago, or NULL */
	json_t		*questions;	/* answers to approvals */
	size_t		 chosen;	/* of the questions, counted over all sessions */
	char		 session[SESSION_MAX + 1];	/* the chosen one's, and its number */
	uint32_t	 number;
	char		 said[ERR_TEXT_MAX];
};

/* ---- what is asked ---- */

static void refresh_all(struct top *t)
{
	const struct control_request status = { .what = CONTROL_STATUS };
	const struct control_request questions = { .what = CONTROL_APPROVALS };
	struct err err = { "" };

	json_decref(t->before);
	t->before = t->now;
	json_decref(t->questions);
	t->now = t->questions = NULL;
	if (!sessions_find(&t->sessions, &err)) {
		memcpy(t->said, err.text, sizeof(t->said));
		return;
	}
	t->now = sessions_ask(&t->sessions, &status);
	t->questions = sessions_ask(&t->sessions, &questions);
}

static const json_t *before_of(const struct top *t, struct span session)
{
	for (size_t i = 0; i < json_array_size(t->before); i++) {
		const json_t *s = json_array_get(t->before, i);

		if (span_eq(json_text(s, "session"), session))
			return s;
	}
	return NULL;
}

/* How much more than a turn ago; 0 for a session that is new */
static unsigned long long rate(const json_t *now, const json_t *before, const char *key)
{
	unsigned long long old = json_number(before, key), new = json_number(now, key);

	return before && new > old ? new - old : 0;
}

static void decide(struct top *t, enum control_do what, enum scope scope)
{
	struct control_request r = { .what = what, .id = t->number, .scope = scope };
	struct err err = { "" };
	json_t *answer;

	if (!t->number)
		return;
	if (run_in_a_jail())
		err_set(&err, "not from inside a jail (ask the person outside)");
	answer = err.text[0] ? NULL : session_ask(&t->sessions, t->session, &r, &err);
	snprintf(t->said, sizeof(t->said), "%s/%u: %s", t->session, t->number,
		 answer ? what == CONTROL_REJECT ? "rejected" : "approved" : err.text);
	json_decref(answer);
}

/* ---- what is shown ---- */

static void session_lines(FILE *to, const struct top *t, const json_t *s)
{
	const json_t *before = before_of(t, json_text(s, "session"));
	const json_t *hosts = json_object_get(s, "hosts"), *denials = json_object_get(s, "denials");

	print_safe(to, json_text(s, "session"));
	fprintf(to, "  ");
	print_safe(to, json_text(s, "mode"));
	fprintf(to, "  pid %llu  open %llu  conn/s %llu  denied %llu  in %llu B/s  out %llu B/s  "
		"alerts %llu  waiting %llu\n", json_number(s, "pid"), json_number(s, "open"),
		rate(s, before, "connections"), json_number(s, "denied"), rate(s, before, "bytes_in"),
		rate(s, before, "bytes_out"), json_number(s, "alerts"), json_number(s, "waiting"));
	for (size_t i = 0; i < json_array_size(hosts) && i < LISTED_MAX; i++) {
		fprintf(to, "    %6llu  ", json_number(json_array_get(hosts, i), "open"));
		print_safe(to, json_text(json_array_get(hosts, i), "host"));
		fputs("\n", to);
	}
	for (size_t i = 0; i < json_array_size(denials) && i < LISTED_MAX; i++) {
		const json_t *d = json_array_get(denials, i);

		fprintf(to, "    denied %llu times  ", json_number(d, "times"));
		print_safe(to, json_text(d, "host"));
		fprintf(to, ":%llu  (" SPAN_FMT ")\n", json_number(d, "port"),
			SPAN_ARG(json_text(d, "reason")));
	}
}

/* All that waits; the chosen one is kept as what the keys are about */
static void question_lines(FILE *to, struct top *t)
{
	size_t at = 0;

	t->number = 0;
	for (size_t i = 0; i < json_array_size(t->questions); i++) {
		const json_t *list = json_object_get(json_array_get(t->questions, i), "approvals");

		for (size_t k = 0; k < json_array_size(list); k++, at++) {
			const json_t *q = json_array_get(list, k);

			fputs(at == t->chosen ? "> " : "  ", to);
			print_safe(to, json_text(q, "session"));
			fprintf(to, "/%llu  ", json_number(q, "number"));
			print_safe(to, json_text(q, "host"));
			fprintf(to, ":%llu  %llu s left  ", json_number(q, "port"),
				json_number(q, "left_s"));
			print_safe(to, json_text(q, "agent_says"));
			fputs("\n", to);
			if (at != t->chosen)
				continue;
			t->number = (uint32_t)json_number(q, "number");
			span_copy(json_text(q, "session"), t->session, sizeof(t->session));
		}
	}
	if (at && t->chosen >= at)
		t->chosen = at - 1;
}

static char *text_of(struct top *t)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	fprintf(to, "sluice top: %zu sessions    q quit  up, down choose  y once  s session  n no\n%s\n",
		json_array_size(t->now), t->said);
	question_lines(to, t);
	for (size_t i = 0; i < json_array_size(t->now); i++)
		session_lines(to, t, json_array_get(t->now, i));
	fclose(to);
	return text;
}

static void show(struct top *t)
{
	char *text = text_of(t), *rest = text, *line;
	int row = 0;

	erase();
	while ((line = strsep(&rest, "\n")) && row < LINES)
		mvaddnstr(row++, 0, line, COLS - 1);
	refresh();
	free(text);
}

/* Return: false: it is over */
static bool take_key(struct top *t, int key)
{
	switch (key) {
	case 'q':
		return false;
	case KEY_DOWN:
		t->chosen++;
		break;
	case KEY_UP:
		t->chosen -= t->chosen > 0;
		break;
	case 'y':
		decide(t, CONTROL_APPROVE, SCOPE_ONCE);
		break;
	case 's':
		decide(t, CONTROL_APPROVE, SCOPE_SESSION);
		break;
	case 'n':
		decide(t, CONTROL_REJECT, SCOPE_ONCE);
		break;
	default:
		break;
	}
	return true;
}

static int top_run(void)
{
	static struct top t;
	SCREEN *screen;
	int key;

	setlocale(LC_CTYPE, "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return -1;
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	timeout(1000);
	do {
		refresh_all(&t);
		show(&t);
		key = getch();
	} while (take_key(&t, key) && (key != ERR || isatty(STDIN_FILENO)));
	endwin();
	delscreen(screen);
	json_decref(t.now);
	json_decref(t.before);
	json_decref(t.questions);
	return 0;
}

int top_main(int argc, char **argv)
{
	const struct option rows[] = { { .name = NULL } };
	struct err err = { "" };
	int count, code;

	if (!command_read(argc, argv, rows, &count, &code))
		return code;
	if (count)
		err_set(&err, "top: takes no argument");
	else if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		err_set(&err, "top: needs a terminal (sluice sessions --format json is for programs)");
	else if (top_run() < 0)
		err_set(&err, "top: this terminal is unknown (set TERM)");
	return err.text[0] ? complain(&err) : 0;
}
