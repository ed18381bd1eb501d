/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top.c - `sluice top`: the sessions that run, live, from their control sockets
 *
 * A key is about the question that the user has read.  So what is chosen is a question, not a
 * row: one that goes (an agent can withdraw it) leaves the mark to the next only after a moment
 * in which nothing is approved.  Lines are wrapped, not cut: the end of a host's name says
 * whose it is.
 */
#include <limits.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "cli/sessions.h"

#define LISTED_MAX 8		/* hosts, and denials, of one session */
#define READ_MS 1000		/* a person needs that to see that it is another question */
#define HEAD_ROWS 2
#define ROW_MARK "  | "		/* before what a row above began */

struct top {
	struct sessions	 sessions;
	json_t		*now, *before;	/* answers to status; before: a turn ago, or NULL */
	int64_t		 now_ms, before_ms;	/* when they were asked for */
	json_t		*questions;	/* answers to approvals */
	char		 session[CONTROL_NAME_MAX + 1];	/* of the question that is chosen */
	uint32_t	 number;	/* in it; 0: there is none */
	int64_t		 since_ms;	/* when it was chosen, not by a key */
	char		 said[ERR_TEXT_MAX];
};

/* ---- what is chosen ---- */

/* Of the questions of all sessions, from 0.  NULL: there are no more */
static const json_t *question_at(const struct top *t, size_t at)
{
	for (size_t i = 0; i < json_array_size(t->questions); i++) {
		const json_t *list = json_object_get(json_array_get(t->questions, i), "approvals");

		if (at < json_array_size(list))
			return json_array_get(list, at);
		at -= json_array_size(list);
	}
	return NULL;
}

/* Where the chosen one is among them; SIZE_MAX: nowhere */
static size_t chosen_at(const struct top *t)
{
	const json_t *q;

	for (size_t i = 0; t->number && (q = question_at(t, i)); i++)
		if (json_number(q, "number") == t->number &&
		    span_eq(json_text(q, "session"), span_str(t->session)))
			return i;
	return SIZE_MAX;
}

static void choose(struct top *t, const json_t *q, int64_t since_ms)
{
	t->number = (uint32_t)json_number(q, "number");
	span_copy(json_text(q, "session"), t->session, sizeof(t->session));
	t->since_ms = since_ms;
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The chosen one may have gone */
static void choose_again(struct top *t)
{
	if (chosen_at(t) == SIZE_MAX)
		choose(t, question_at(t, 0), clock_ms());
}

/* To one that was seen: no moment is needed */
static void move_by(struct top *t, int step)
{
	const json_t *q = question_at(t, chosen_at(t) + (size_t)step);

	if (t->number && q)
		choose(t, q, 0);
}

/* ---- what is asked ---- */

static void refresh_all(struct top *t)
{
	const struct control_request status = { .what = CONTROL_STATUS };
	const struct control_request questions = { .what = CONTROL_APPROVALS };
	struct err err = { "" };

	json_decref(t->before);
	t->before = t->now;
	t->before_ms = t->now_ms;
	json_decref(t->questions);
	t->now = t->questions = NULL;
	if (!sessions_find(&t->sessions, &err)) {
		memcpy(t->said, err.text, sizeof(t->said));
		return;
	}
	t->now = sessions_ask(&t->sessions, &status);
	t->now_ms = clock_ms();
	t->questions = sessions_ask(&t->sessions, &questions);
	choose_again(t);
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

/* How much more of it in a second; 0 for a session that is new */
static unsigned long long rate(const struct top *t, const json_t *now, const char *key)
{
	const json_t *before = before_of(t, json_text(now, "session"));
	unsigned long long old = json_number(before, key), new = json_number(now, key);
	int64_t ms = t->now_ms - t->before_ms;

	return before && new > old && ms > 0 ? (new - old) * 1000 / (unsigned long long)ms : 0;
}

static void decide(struct top *t, enum control_do what, enum scope scope)
{
	struct control_request r = { .what = what, .id = t->number, .scope = scope };
	struct err err = { "" };
	json_t *answer;

	if (!t->number)
		return;
	if (what == CONTROL_APPROVE && clock_ms() - t->since_ms < READ_MS) {
		snprintf(t->said, sizeof(t->said), "another question came: read it first");
		return;
	}
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
	const json_t *hosts = json_object_get(s, "hosts"), *denials = json_object_get(s, "denials");

	print_safe(to, json_text(s, "session"));
	fprintf(to, "  ");
	print_safe(to, json_text(s, "mode"));
	fprintf(to, "  pid %llu  open %llu  conn/s %llu  denied %llu  in %llu B/s  out %llu B/s  "
		"alerts %llu  waiting %llu\n", json_number(s, "pid"), json_number(s, "open"),
		rate(t, s, "connections"), json_number(s, "denied"), rate(t, s, "bytes_in"),
		rate(t, s, "bytes_out"), json_number(s, "alerts"), json_number(s, "waiting"));
	for (size_t i = 0; i < json_array_size(hosts) && i < LISTED_MAX; i++) {
		fprintf(to, "    %6llu  ", json_number(json_array_get(hosts, i), "open"));
		print_safe(to, json_text(json_array_get(hosts, i), "host"));
		fputs("\n", to);
	}
	for (size_t i = 0; i < json_array_size(denials) && i < LISTED_MAX; i++) {
		const json_t *d = json_array_get(denials, i);

		fprintf(to, "    denied %llu times  ", json_number(d, "times"));
		print_safe(to, json_text(d, "host"));
		fprintf(to, ":%llu  (", json_number(d, "port"));
		print_safe(to, json_text(d, "reason"));
		fputs(")\n", to);
	}
}

static void question_line(FILE *to, const json_t *q, bool chosen)
{
	struct span says = json_text(q, "agent_says");

	fputs(chosen ? "> " : "  ", to);
	print_safe(to, json_text(q, "session"));
	fprintf(to, "/%llu  ", json_number(q, "number"));
	print_safe(to, json_text(q, "host"));
	fprintf(to, ":%llu%s  %llu s left", json_number(q, "port"),
		span_eq(json_text(q, "transport"), SPAN("udp")) ? "/udp" : "",
		json_number(q, "left_s"));
	if (says.len) {
		fputs("  the agent says: ", to);
		print_safe(to, says);
	}
	fputs("\n", to);
}

static void question_lines(FILE *to, const struct top *t)
{
	size_t chosen = chosen_at(t);
	const json_t *q;

	for (size_t i = 0; (q = question_at(t, i)); i++)
		question_line(to, q, i == chosen);
}

static char *text_of(const struct top *t)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	fprintf(to, "sluice top: %zu sessions    q quit  up, down choose  y once  s session  n no\n",
		json_array_size(t->now));
	print_safe(to, span_str(t->said));
	fputs("\n", to);
	question_lines(to, t);
	for (size_t i = 0; i < json_array_size(t->now); i++)
		session_lines(to, t, json_array_get(t->now, i));
	fclose(to);
	return text;
}

/* Bytes of @line that go into one row: no character is cut in two */
static size_t row_of(const char *line, bool on)
{
	size_t len = strlen(line), mark = on ? sizeof(ROW_MARK) - 1 : 0;
	size_t most = COLS > (int)mark ? (size_t)COLS - mark : 1;

	if (len <= most)
		return len;
	for (len = most; len > 1 && ((unsigned char)line[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

/* Return: the row after it.  Rows before @first are not seen, but for the head.  What goes on
 * in another row has a mark: it may be the agent's words */
static int show_line(const char *line, int row, int first)
{
	bool on = false;

	do {
		size_t len = row_of(line, on);
		int at = row < HEAD_ROWS ? row : row - first;

		if (at >= (row < HEAD_ROWS ? 0 : HEAD_ROWS) && at < LINES) {
			mvaddstr(at, 0, on ? ROW_MARK : "");
			addnstr(line, (int)len);
		}
		line += len;
		row++;
		on = true;
	} while (*line);
	return row;
}

/* From where the chosen question is seen whole */
static int first_row(const char *text)
{
	char line[4096];
	int row = 0;

	for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
		row = show_line(line, row, INT_MAX / 2);
		if (*at == '>' && row > LINES)
			return row - LINES;
	}
	return 0;
}

static void show(struct top *t)
{
	char *text = text_of(t), *rest = text, *line;
	int row = 0, first = text ? first_row(text) : 0;

	erase();
	while ((line = strsep(&rest, "\n")))
		row = show_line(line, row, first);
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
		move_by(t, 1);
		break;
	case KEY_UP:
		move_by(t, -1);
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
	int code;

	if (!command_alone(argc, argv, rows, "it takes no argument", &code))
		return code;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		err_set(&err, "top: needs a terminal (sluice sessions --format json is for programs)");
	else if (top_run() < 0)
		err_set(&err, "top: this terminal is unknown (set TERM)");
	return err.text[0] ? complain(&err) : 0;
}
