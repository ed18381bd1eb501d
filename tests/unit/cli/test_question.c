/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is typed is here, and so is the terminal: terminal_*() and approval_decide() stand in for
 * those of lib_daemon.  The books are the real ones.
 */
#include "../unit.h"

#include <stdio.h>

#include "base/buf.h"
#include "cli/question.h"

static struct keeper keeper;
static struct asker asker;
static struct terminal *const tty = (struct terminal *)(void *)&keeper;	/* nobody looks into it */
static struct buf shown;
static void (*typed_to)(void *arg, struct span bytes);
static void *typed_arg;
static bool held, fails;
static unsigned flushes, holds, releases;
static char to_command[16];

static struct approval_answer answer;
static uint32_t answered;
static unsigned answers_count;

/* ---- stand-ins ---- */

bool terminal_is_held(const struct terminal *t)
{
	(void)t;
	return held;
}

struct terminal_size terminal_size(const struct terminal *t)
{
	(void)t;
	return (struct terminal_size){ .rows = 24, .columns = 80 };
}

void terminal_flush(struct terminal *t)
{
	(void)t;
	flushes++;
}

bool terminal_hold(struct terminal *t, void (*typed)(void *arg, struct span bytes), void *arg)
{
	typed_to = typed;
	typed_arg = arg;
	held = true;
	holds++;
	terminal_flush(t);
	return true;
}

void terminal_release(struct terminal *t)
{
	(void)t;
	held = false;
	releases++;
}

void terminal_write(struct terminal *t, struct span bytes)
{
	(void)t;
	buf_add_span(&shown, bytes);
}

void terminal_type(struct terminal *t, struct span bytes)
{
	(void)t;
	snprintf(to_command, sizeof(to_command), SPAN_FMT, SPAN_ARG(bytes));
}

bool approval_decide(struct keeper *k, uint32_t number, const struct approval_answer *a,
		     struct err *err)
{
	bool paused;

	if (fails)
		return err_set(err, "the disk is full");
	answers_count++;
	answered = number;
	answer = *a;
	assert_true(approvals_take(k->approvals, number, a->decision, a->scope, 0, a->for_ms, &paused));
	asker_changed(&asker, k);
	return true;
}

/* ---- a person ---- */

static void wanted(const char *host, const struct approval_about *about)
{
	struct approval_question *q;

	approvals_ask(keeper.approvals, span_str(host), 443, TRANSPORT_TCP, about, true, 0, &q);
	asker_changed(&asker, &keeper);
}

static int begin(void **state)
{
	static const struct approval_about plain = { .why = REASON_NO_RULE };

	(void)state;
	keeper.approvals = approvals_new(30000);
	asker = (struct asker){ .terminal = tty, .keeper = &keeper };
	shown = buf_new(1 << 20);
	held = fails = false;
	flushes = holds = releases = answers_count = answered = 0;
	to_command[0] = '\0';
	wanted("a.example", &plain);
	return 0;
}

static int end(void **state)
{
	(void)state;
	approvals_free(keeper.approvals);
	buf_done(&shown);
	return 0;
}

static void type(const char *text)
{
	assert_true(held);
	typed_to(typed_arg, span_str(text));
}

/* @key and the letters that are shown */
static void type_with_letters(char key)
{
	char text[4] = { key, asker.letters[0], asker.letters[1], '\0' };

	type(text);
}

static char other_letter(char c)
{
	return c == 'z' ? 'a' : (char)(c + 1);
}

static const char *screen(void)
{
	buf_add(&shown, "", 1);
	shown.len--;
	return (const char *)shown.at;
}

/* ---- tests ---- */

static void every_answer(void **state)
{
	static const struct {
		char		key;
		bool		letters;
		enum decision	decision;
		enum scope	scope;
		const char	*words;
	} rows[] = {
		{ 'y', true, DECISION_APPROVED, SCOPE_ONCE, "allowed once\r\n" },
		{ 's', true, DECISION_APPROVED, SCOPE_SESSION, "allowed for the session\r\n" },
		{ 't', true, DECISION_APPROVED, SCOPE_TIMED, "allowed for 5 minutes\r\n" },
		{ 'a', true, DECISION_APPROVED, SCOPE_ALWAYS, "allowed always, for this project\r\n" },
		{ 'n', false, DECISION_DENIED, SCOPE_ONCE, "denied\r\n" },
		{ '\r', false, DECISION_DENIED, SCOPE_ONCE, "denied\r\n" },
		{ '\n', false, DECISION_DENIED, SCOPE_ONCE, "denied\r\n" },
		{ 3, false, DECISION_DENIED, SCOPE_ONCE, "denied\r\n" },
		{ 'v', false, DECISION_DENIED, SCOPE_SESSION, "denied for the session\r\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char key[2] = { rows[i].key, '\0' };

		if (rows[i].letters)
			type_with_letters(rows[i].key);
		else
			type(key);
		assert_int_equal(answers_count, 1);
		assert_int_equal(answered, 1);
		assert_int_equal(answer.decision, rows[i].decision);
		assert_int_equal(answer.scope, rows[i].scope);
		assert_int_equal(answer.for_ms, APPROVAL_TIMED_MS);
		assert_string_equal(answer.by, "terminal");
		assert_non_null(strstr(screen(), rows[i].words));
		assert_false(held);
		assert_int_equal(releases, 1);
		assert_string_equal(to_command, rows[i].key == 3 ? "\003" : "");
		end(state);
		begin(state);
	}
}

/* No other byte is an answer, nor is one of several letters without them */
static void no_other_key_is_an_answer(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char key[2] = { (char)c, '\0' };

		if (strchr("ystanv\r\n\003", c))
			continue;
		type(key);
		assert_int_equal(answers_count, 0);
		assert_int_equal(asker.typed_len, 0);
		assert_int_equal(asker.wrong, 0);
	}
	type("Y");
	type("Q");
	for (const char *c = "ysta"; *c; c++) {
		char key[2] = { *c, '\0' };

		type(key);
		assert_int_equal(asker.typed_len, 1);
		type("\177");	/* taken back */
		assert_int_equal(asker.typed_len, 0);
	}
	assert_int_equal(answers_count, 0);
}

static void letters_must_be_those_shown(void **state)
{
	char text[4] = { 'y' }, before[QUESTION_LETTERS + 1];

	(void)state;
	for (unsigned wrong = 1; wrong < 3; wrong++) {
		strcpy(before, asker.letters);
		text[1] = wrong == 1 ? other_letter(asker.letters[0]) : asker.letters[0];
		text[2] = wrong == 1 ? asker.letters[1] : other_letter(asker.letters[1]);
		type(text);
		assert_int_equal(answers_count, 0);
		assert_int_equal(asker.wrong, wrong);
		/* asked anew: what was typed ahead is thrown away, and nothing stays half typed */
		assert_int_equal(flushes, 1 + wrong);
		assert_int_equal(asker.typed_len, 0);
		assert_non_null(strstr(screen(), ": other letters"));
		assert_non_null(strstr(screen(), asker.letters));
	}
	text[1] = other_letter(asker.letters[0]);
	text[2] = asker.letters[1];
	type(text);
	assert_int_equal(answers_count, 1);
	assert_int_equal(answer.decision, DECISION_DENIED);
}

static void letters_are_drawn_anew(void **state)
{
	unsigned same = 0, firsts[26] = { 0 }, used = 0;
	char before[QUESTION_LETTERS + 1] = "";

	for (int i = 0; i < 500; i++) {
		assert_int_equal(strlen(asker.letters), QUESTION_LETTERS);
		assert_int_equal(strspn(asker.letters, "abcdefghijklmnopqrstuvwxyz"), QUESTION_LETTERS);
		same += !strcmp(before, asker.letters);
		used += !firsts[asker.letters[0] - 'a']++;
		strcpy(before, asker.letters);
		end(state);
		begin(state);
	}
	assert_true(same < 20);		/* 500 / 676 is to be expected */
	assert_true(used == 26);
}

static void one_key_at_a_time_or_all_at_once(void **state)
{
	char key[2] = "";

	type("y");
	for (size_t i = 0; i < QUESTION_LETTERS; i++) {
		assert_int_equal(answers_count, 0);
		key[0] = asker.letters[i];
		type(key);
	}
	assert_int_equal(answers_count, 1);
	assert_int_equal(answer.decision, DECISION_APPROVED);
	/* the letters are not shown as they are typed */
	assert_non_null(strstr(screen(), "y**"));
	end(state);
	begin(state);
	type("sx\r");		/* Enter takes it back, and is no */
	assert_int_equal(answer.decision, DECISION_DENIED);
}

/* What was typed for one question answers no other */
static void the_rest_is_for_a_question_that_is_gone(void **state)
{
	static const struct approval_about plain = { .why = REASON_PORT };

	(void)state;
	wanted("b.example", &plain);
	assert_int_equal(asker.number, 1);
	type("nvvvn");
	assert_int_equal(answers_count, 1);
	assert_int_equal(asker.number, 2);
	assert_true(held && holds == 1 && flushes == 2);
	assert_non_null(strstr(screen(), "b.example:443 (a rule has other ports)"));
	type("v");
	assert_int_equal(answered, 2);
	assert_false(held);
}

static void time_is_over_or_another_decides(void **state)
{
	bool paused;

	(void)state;
	type("y");
	assert_true(approvals_take(keeper.approvals, 1, DECISION_TIMEOUT, SCOPE_ONCE, 0, 0, &paused));
	asker_changed(&asker, &keeper);
	assert_non_null(strstr(screen(), ": no answer, or answered elsewhere"));
	assert_false(held);
	assert_int_equal(asker.number, 0);
	assert_int_equal(answers_count, 0);
	/* half an answer is none to the next */
	wanted("b.example", &(struct approval_about){ .why = REASON_NO_RULE });
	assert_int_equal(asker.typed_len, 0);
}

static void an_answer_that_cannot_be_kept(void **state)
{
	(void)state;
	fails = true;
	type_with_letters('a');
	assert_non_null(strstr(screen(), "the disk is full"));
	assert_int_equal(asker.number, 1);
	assert_true(held);
	fails = false;
	type_with_letters('y');
	assert_int_equal(answers_count, 1);
}

/* All of it may be the agent's: nothing of it acts on the terminal, and its words are marked */
static void what_the_agent_chose_is_escaped(void **state)
{
	struct approval_about about = { .why = REASON_EXPIRED, .pid = 7 };
	size_t from = shown.len;
	const char *text;

	(void)state;
	strcpy(about.method, "GE\033T");
	strcpy(about.path, "/\r\n\x9b" "2J\xe2\x80\xae");
	strcpy(about.exe, "/bin/\a\x7f");
	strcpy(about.said, "sluice: \033[1mtype \b\b\"n\"");
	wanted("evil.example", &about);
	type("n");
	text = screen() + from;
	assert_non_null(strstr(text, "evil.example:443 (its rule has expired)"));
	assert_non_null(strstr(text, "the agent says (nobody has checked it): \""));
	assert_non_null(strstr(text, "(pid 7 in the jail)"));
	for (const char *c = text; *c; c++)
		assert_true((*c >= ' ' && *c < 0x7f) || *c == '\r' || *c == '\n');
	/* each line begins with our own words */
	for (const char *c = strstr(text, "\r\n"); c && c[2]; c = strstr(c + 2, "\r\n"))
		assert_true(!strncmp(c + 2, "  ", 2) || !strncmp(c + 2, "sluice: ", 8));
}

static void times_are_seconds(void **state)
{
	static const char *const wrong[] = { "0", "3601", "-1", "1s", " 1", "1.5", "99999999999999999999" };
	struct err err = { "" };
	int64_t ms;

	(void)state;
	assert_true(ask_time_parse("", &ms, &err) && ms == APPROVAL_WAIT_MS);
	assert_true(ask_time_parse("1", &ms, &err) && ms == 1000);
	assert_true(ask_time_parse("3600", &ms, &err) && ms == 3600000);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		err.text[0] = '\0';
		assert_false(ask_time_parse(wrong[i], &ms, &err));
		assert_non_null(strstr(err.text, "not a number of seconds (1 to 3600)"));
	}
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(every_answer), WITH(no_other_key_is_an_answer), WITH(letters_must_be_those_shown),
		WITH(letters_are_drawn_anew),
		WITH(one_key_at_a_time_or_all_at_once), WITH(the_rest_is_for_a_question_that_is_gone),
		WITH(time_is_over_or_another_decides), WITH(an_answer_that_cannot_be_kept),
		WITH(what_the_agent_chose_is_escaped), cmocka_unit_test(times_are_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
