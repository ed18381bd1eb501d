/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/question.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/auto.h"
#include "cli/print.h"

#define WRONG_MAX 3		/* answers with other letters; then it is no */
#define ASK_MAX_S 3600
#define CTRL_C 3

static const struct {
	char		key;
	enum decision	decision;
	enum scope	scope;
	const char	*words;
} answers[] = {
	{ 'y', DECISION_APPROVED, SCOPE_ONCE, "allowed once" },
	{ 's', DECISION_APPROVED, SCOPE_SESSION, "allowed for the session" },
	{ 't', DECISION_APPROVED, SCOPE_TIMED, "allowed for 5 minutes" },
	{ 'a', DECISION_APPROVED, SCOPE_ALWAYS, "allowed always, for this project" },
	{ 'n', DECISION_DENIED, SCOPE_ONCE, "denied" },
	{ '\r', DECISION_DENIED, SCOPE_ONCE, "denied" },
	{ '\n', DECISION_DENIED, SCOPE_ONCE, "denied" },
	{ CTRL_C, DECISION_DENIED, SCOPE_ONCE, "denied" },
	{ 'v', DECISION_DENIED, SCOPE_SESSION, "denied for the session" },
};

bool ask_time_parse(const char *text, int64_t *ret_ms, struct err *err)
{
	uint64_t s = APPROVAL_WAIT_MS / 1000;

	if (*text && (!span_u64(span_str(text), ASK_MAX_S, &s) || !s))
		return err_set(err, "--ask=%s: not a number of seconds (1 to %d)", text, ASK_MAX_S);
	*ret_ms = (int64_t)s * 1000;
	return true;
}

/* ---- what is shown ---- */

static void draw_letters(struct asker *a)
{
	uint8_t random[QUESTION_LETTERS];

	a->typed_len = 0;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		abort();
	for (size_t i = 0; i < QUESTION_LETTERS; i++)
		a->letters[i] = (char)('a' + random[i] % 26);
}

static const char *why_text(enum reason why)
{
	return why == REASON_PORT ? "a rule has other ports" :
	       why == REASON_EXPIRED ? "its rule has expired" : "no rule matches";
}

#define QUOTE_BEGIN "\r\n  | "	/* a row of text that the agent chose */
#define QUOTE_COLUMNS 4

/* @text between words of ours; if that is more than a row, below them, each row with a mark: where
 * it wraps is up to the agent, and what begins a row there must not look like ours */
static void add_quote(FILE *to, const char *head, const char *text, const char *tail, size_t columns)
{
	AUTO_FREE char *safe = NULL;
	size_t len = 0, room = columns > QUOTE_COLUMNS ? columns - QUOTE_COLUMNS : 1;
	FILE *out = open_memstream(&safe, &len);
	bool fits;

	if (!out)
		return;
	print_safe(out, span_str(text));
	fclose(out);
	fits = strlen(head) + len + strlen(tail) <= columns;
	fprintf(to, "\r\n  %s%s%s", head, fits ? safe : "", tail);
	for (struct span rest = span_of(safe, len); rest.len && !fits;) {
		size_t row = rest.len < room ? rest.len : room;

		while (row < rest.len && row > 1 && (rest.at[row] & 0xc0) == 0x80)
			row--;		/* no character is cut in two */
		fputs(QUOTE_BEGIN, to);
		fwrite(rest.at, 1, row, to);
		rest = span_skip(rest, row);
	}
}

static void add_about(FILE *to, const struct approval_about *a, size_t columns)
{
	char text[APPROVAL_METHOD_MAX + APPROVAL_TEXT_MAX + 3], pid[40];

	if (a->method[0]) {
		snprintf(text, sizeof(text), "%s %s", a->method, a->path);
		add_quote(to, "it sent: ", text, "", columns - 2);
	}
	if (a->exe[0]) {
		snprintf(pid, sizeof(pid), " (pid %d in the jail)", a->pid);
		add_quote(to, "program: ", a->exe, pid, columns - 2);
	}
	if (a->said[0]) {
		snprintf(text, sizeof(text), "\"%s\"", a->said);
		add_quote(to, "the agent says (nobody has checked it): ", text, "", columns - 2);
	}
}

static void add_question(FILE *to, const struct asker *a, const struct approval_question *q,
			 bool whole, size_t columns)
{
	size_t others = approvals_count(a->keeper->approvals) - 1;

	fputs("sluice: the command wants to reach ", to);
	print_safe(to, span_str(q->host));
	fprintf(to, ":%u%s (%s)", q->port, q->transport == TRANSPORT_UDP ? "/udp" : "",
		why_text(q->about.why));
	if (whole)
		add_about(to, &q->about, columns);
	else
		fputs("\r\n  (more is known than fits here: sluice approvals)", to);
	if (others)
		fprintf(to, "\r\n  (%zu more wait)", others);
	fprintf(to, "\r\n  y once, s session, t 5 minutes, a always: then type %s"
		"\r\n  n or Enter no, v never: ", a->letters);
}

/* Rows that it takes, at most: no byte takes more than a column */
static size_t rows_of(struct span text, size_t columns)
{
	size_t rows = 1, column = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '\n' || column == columns) {
			rows++;
			column = 0;
		}
		column += text.at[i] >= ' ';
	}
	return rows;
}

/* Return: false: not all of it would be seen */
static bool show_if_it_fits(struct asker *a, const struct approval_question *q, bool whole)
{
	struct terminal_size size = terminal_size(a->terminal);
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return false;
	add_question(to, a, q, whole, size.columns - 1);
	fclose(to);
	a->rows = rows_of(span_of(text, len), size.columns - 1U);
	if (a->rows >= size.rows)
		return false;
	terminal_write(a->terminal, span_of(text, len));
	return true;
}

static void show_words(struct asker *a, const char *words)
{
	terminal_write(a->terminal, span_str(words));
	terminal_write(a->terminal, SPAN("\r\n"));
}

/* What is asked must be seen whole, or the command's own text above could stand for the rest */
static void show_question(struct asker *a, const struct approval_question *q)
{
	a->shown = show_if_it_fits(a, q, true) || show_if_it_fits(a, q, false);
	if (!a->shown)
		show_words(a, "sluice: a question waits (make this window larger; n is no)");
}

/* ---- what is typed ---- */

static void typed(void *arg, struct span bytes);

static void ask_again(struct asker *a, const char *why)
{
	const struct approval_question *q = approvals_find(a->keeper->approvals, a->number);

	draw_letters(a);
	terminal_flush(a->terminal);
	show_words(a, why);
	if (q)
		show_question(a, q);
}

/* Others take its place, or the command has its terminal again */
static void next(struct asker *a)
{
	const struct approval_question *q = approvals_at(a->keeper->approvals, 0);

	a->number = q ? q->number : 0;
	a->wrong = 0;
	if (!q) {
		if (terminal_is_held(a->terminal))
			terminal_release(a->terminal);
		return;
	}
	draw_letters(a);
	if (terminal_is_held(a->terminal)) {
		terminal_flush(a->terminal);
	} else if (!terminal_hold(a->terminal, typed, a)) {
		a->number = 0;		/* it waits: somebody may answer from elsewhere */
		return;
	}
	show_question(a, q);
}

static void decide(struct asker *a, size_t answer)
{
	struct approval_answer said = {
		.decision = answers[answer].decision, .scope = answers[answer].scope,
		.for_ms = APPROVAL_TIMED_MS, .by = "terminal",
	};
	uint32_t number = a->number;
	struct err err = { "" };

	terminal_write(a->terminal, SPAN(" "));
	show_words(a, answers[answer].words);
	a->number = 0;		/* asker_changed() is called meanwhile */
	if (!approval_decide(a->keeper, number, &said, &err)) {
		a->number = number;
		ask_again(a, err.text);
	}
	if (answers[answer].key == CTRL_C)
		terminal_type(a->terminal, SPAN("\003"));
}

static void take_letters(struct asker *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		if (answers[i].key != a->typed[0])
			continue;
		if (!memcmp(a->typed + 1, a->letters, QUESTION_LETTERS))
			decide(a, i);
		else if (++a->wrong < WRONG_MAX)
			ask_again(a, ": other letters");
		else
			decide(a, 4);	/* no */
		return;
	}
}

/* The first letter says what, and what allows something must be followed by the letters shown */
static void take_key(struct asker *a, char key)
{
	if (a->typed_len) {
		a->typed[a->typed_len++] = key;
		terminal_write(a->terminal, SPAN("*"));
		if (a->typed_len == sizeof(a->typed))
			take_letters(a);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		if (answers[i].key != key)
			continue;
		if (answers[i].decision == DECISION_DENIED) {
			decide(a, i);
		} else if (a->shown) {
			a->typed[a->typed_len++] = key;
			terminal_write(a->terminal, span_of(&key, 1));
		}
		return;
	}
}

static void typed(void *arg, struct span bytes)
{
	struct asker *a = arg;
	uint32_t number = a->number;

	if (!bytes.len && (!a->shown || a->rows >= terminal_size(a->terminal).rows))
		ask_again(a, "");
	for (size_t i = 0; i < bytes.len; i++) {
		char c = (char)bytes.at[i];

		if (c == CTRL_C || c == '\r' || c == '\n' || c == 0x7f)
			a->typed_len = 0;
		take_key(a, c);
		/* the rest was typed for a question that is gone */
		if (a->number != number || !a->number)
			break;
	}
}

void asker_changed(void *arg, struct keeper *k)
{
	struct asker *a = arg;

	a->keeper = k;
	if (a->number && approvals_find(k->approvals, a->number))
		return;
	if (a->number)
		show_words(a, ": no answer, or answered elsewhere");
	next(a);
}
