/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - the commands that speak to running sessions: sessions, reload, approvals, approve, reject */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/naming.h"
#include "cli/print.h"
#include "cli/sessions.h"

#define RELOAD_LIMIT_MS 10000	/* files that are being written are waited for */
#define RELOAD_POLL_MS 50

const char *control_folder_make(const char *folder)
{
	struct err err = { "" };

	if (folder_make(folder, &err))
		return folder;
	fprintf(stderr, "sluice: no control socket: %s\n", err.text);
	return NULL;
}

/* ---- the sessions that run ---- */

static bool format_is_json(const char *format, bool *ret_json, struct err *err)
{
	*ret_json = !strcmp(format, "json");
	return *ret_json || !strcmp(format, "text") ||
	       err_set(err, "--format %s: unknown format (text | json)", format);
}

static int dump(json_t *all)
{
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
	return 0;
}

/* A column: its text and blanks up to @width */
static void cell(struct span text, size_t width)
{
	print_safe(stdout, text);
	for (size_t i = text.len; i < width; i++)
		putchar(' ');
	putchar(' ');
}

static void session_print(const json_t *s)
{
	cell(json_text(s, "session"), 20);
	printf("%-8llu ", json_number(s, "pid"));
	cell(json_text(s, "mode"), 9);
	cell(json_text(s, "command"), 14);
	cell(json_text(s, "since"), 20);
	printf("%11llu %8llu %8llu\n", json_number(s, "connections"), json_number(s, "denied"),
	       json_number(s, "waiting"));
}

static int sessions_run(bool json, struct err *err)
{
	static struct sessions s;
	const struct control_request r = { .what = CONTROL_STATUS };
	json_t *all;

	if (!sessions_find(&s, err))
		return EXIT_SLUICE;
	all = sessions_ask(&s, &r);
	if (json)
		return dump(all);
	if (json_array_size(all))
		printf("%-20s %-8s %-9s %-14s %-20s %11s %8s %8s\n", "SESSION", "PID", "MODE",
		       "COMMAND", "SINCE", "CONNECTIONS", "DENIED", "WAITING");
	for (size_t i = 0; i < json_array_size(all); i++)
		session_print(json_array_get(all, i));
	json_decref(all);
	return 0;
}

/* The options of a command that lists; as command_read() */
static bool list_options(int argc, char **argv, int *ret_count, bool *ret_json, int *ret_code)
{
	const char *format = "text";
	const struct option rows[] = {
		{ 0, "format", OPTION_TEXT, "FORMAT", "text | json", &format },
		{ .name = NULL },
	};
	struct err err = { "" };

	if (!command_read(argc, argv, rows, ret_count, ret_code))
		return false;
	if (format_is_json(format, ret_json, &err))
		return true;
	*ret_code = complain(&err);
	return false;
}

int sessions_main(int argc, char **argv)
{
	struct err err = { "" };
	int count, code;
	bool json;

	if (!list_options(argc, argv, &count, &json, &code))
		return code;
	if (count)
		err_set(&err, "sessions: %s: it takes no argument", argv[1]);
	else
		code = sessions_run(json, &err);
	return err.text[0] ? complain(&err) : code;
}

/* ---- what waits ---- */

static void question_print(const json_t *q)
{
	struct span method = json_text(q, "method"), said = json_text(q, "agent_says");
	struct span exe = json_text(q, "exe");

	printf(SPAN_FMT "/%llu  ", SPAN_ARG(json_text(q, "session")), json_number(q, "number"));
	print_safe(stdout, json_text(q, "host"));
	printf(":%llu%s  (" SPAN_FMT ", %llu s left)", json_number(q, "port"),
	       span_eq(json_text(q, "transport"), SPAN("udp")) ? "/udp" : "",
	       SPAN_ARG(json_text(q, "reason")), json_number(q, "left_s"));
	if (method.len) {
		fputs("  ", stdout);
		print_safe(stdout, method);
		putchar(' ');
		print_safe(stdout, json_text(q, "path"));
	}
	if (exe.len) {
		fputs("  by ", stdout);
		print_safe(stdout, exe);
	}
	if (said.len) {
		fputs("\n    the agent says: \"", stdout);
		print_safe(stdout, said);
		putchar('"');
	}
	putchar('\n');
}

static bool is_named(char *const *names, size_t count, struct span session)
{
	for (size_t i = 0; i < count; i++)
		if (span_eq(span_str(names[i]), session))
			return true;
	return !count;
}

/* Those of one session's answer, with an ID that is unique over sessions */
static void add_questions(json_t *list, const json_t *answer, char *const *names, size_t count)
{
	const json_t *questions = json_object_get(answer, "approvals");

	for (size_t i = 0; i < json_array_size(questions); i++) {
		json_t *q = json_array_get(questions, i);

		if (!is_named(names, count, json_text(q, "session")))
			continue;
		json_object_set_new(q, "id", json_sprintf("%s/%llu",
			json_string_value(json_object_get(q, "session")), json_number(q, "number")));
		json_array_append(list, q);
	}
}

static int approvals_run(char *const *names, size_t count, bool json, struct err *err)
{
	static struct sessions s;
	const struct control_request r = { .what = CONTROL_APPROVALS };
	json_t *all, *list;

	if (!sessions_find(&s, err))
		return EXIT_SLUICE;
	all = sessions_ask(&s, &r);
	list = json_array();
	for (size_t i = 0; i < json_array_size(all); i++)
		add_questions(list, json_array_get(all, i), names, count);
	json_decref(all);
	if (json)
		return dump(list);
	for (size_t i = 0; i < json_array_size(list); i++)
		question_print(json_array_get(list, i));
	json_decref(list);
	return 0;
}

int approvals_main(int argc, char **argv)
{
	struct err err = { "" };
	int count, code;
	bool json;

	if (!list_options(argc, argv, &count, &json, &code))
		return code;
	code = approvals_run(argv + 1, (size_t)count, json, &err);
	return err.text[0] ? complain(&err) : code;
}

/* ---- deciding ---- */

/* One session that must live */
static json_t *ask_one(const char *name, const struct control_request *r, struct err *err)
{
	static struct sessions s;
	json_t *answer;

	if (!folder_run(s.folder, err))
		return NULL;
	answer = session_ask(&s, name, r, err);
	if (!answer && !err->text[0])
		err_set(err, "%s: no such session runs (see sluice sessions)", name);
	return answer;
}

/* SESSION/NUMBER, as approvals shows it */
static bool id_parse(const char *text, char session[CONTROL_NAME_MAX + 1], uint32_t *ret, struct err *err)
{
	const char *slash = strrchr(text, '/');
	uint64_t number;

	if (!slash || !span_copy(span_of(text, (size_t)(slash - text)), session, CONTROL_NAME_MAX + 1) ||
	    !span_u64(span_str(slash + 1), UINT32_MAX, &number) || !number)
		return err_set(err, "%s: not an ID (SESSION/NUMBER, see sluice approvals)", text);
	*ret = (uint32_t)number;
	return true;
}

/* 90, 90s, 5m, 2h */
static bool for_parse(const char *text, int64_t *ret_s, struct err *err)
{
	static const struct { char unit; unsigned s; } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
	struct span t = span_str(text);
	uint64_t number;
	unsigned s = 1;

	for (size_t i = 0; t.len && i < ARRAY_SIZE(units); i++) {
		if (t.at[t.len - 1] != units[i].unit)
			continue;
		s = units[i].s;
		t = span_head(t, t.len - 1);
		break;
	}
	if (!span_u64(t, CONTROL_FOR_MAX_S, &number) || !number || number * s > CONTROL_FOR_MAX_S)
		return err_set(err, "--for %s: not a time (90s, 5m, 2h; at most a day)", text);
	*ret_s = (int64_t)(number * s);
	return true;
}

static int decide(const char *id, struct control_request *r, const char *command, struct err *err)
{
	char session[CONTROL_NAME_MAX + 1];
	json_t *answer;

	if (run_in_a_jail()) {
		err_set(err, "%s: not from inside a jail (ask the person outside)", command);
		return EXIT_SLUICE;
	}
	if (!id_parse(id, session, &r->id, err))
		return EXIT_SLUICE;
	answer = ask_one(session, r, err);
	json_decref(answer);
	return answer ? 0 : EXIT_SLUICE;
}

int approve_main(int argc, char **argv)
{
	bool once = false, session = false, always = false;
	const char *time = NULL;
	const struct option rows[] = {
		{ 0, "once", OPTION_FLAG, NULL, "this time (if nothing else is said)", &once },
		{ 0, "session", OPTION_FLAG, NULL, "for as long as the session lasts", &session },
		{ 0, "for", OPTION_TEXT, "TIME", "for a time: 90s, 5m, 2h", &time },
		{ 0, "always", OPTION_FLAG, NULL, "for this project, also in later sessions", &always },
		{ .name = NULL },
	};
	struct control_request r = { .what = CONTROL_APPROVE };
	struct err err = { "" };
	int count, code;

	if (!command_read(argc, argv, rows, &count, &code))
		return code;
	if (count != 1)
		err_set(&err, "approve: one ID (see sluice approvals)");
	else if (once + session + always + (time != NULL) > 1)
		err_set(&err, "approve: one of --once, --session, --for, --always");
	else if (time)
		for_parse(time, &r.for_s, &err);
	if (err.text[0])
		return complain(&err);
	r.scope = time ? SCOPE_TIMED : session ? SCOPE_SESSION : always ? SCOPE_ALWAYS : SCOPE_ONCE;
	code = decide(argv[1], &r, "approve", &err);
	return err.text[0] ? complain(&err) : code;
}

int reject_main(int argc, char **argv)
{
	struct control_request r = { .what = CONTROL_REJECT };
	const struct option rows[] = {
		{ 0, "never", OPTION_FLAG, NULL, "nor later in this session, on any port", &r.never },
		{ .name = NULL },
	};
	struct err err = { "" };
	int count, code;

	if (!command_read(argc, argv, rows, &count, &code))
		return code;
	if (count != 1)
		err_set(&err, "reject: one ID (see sluice approvals)");
	if (err.text[0])
		return complain(&err);
	code = decide(argv[1], &r, "reject", &err);
	return err.text[0] ? complain(&err) : code;
}

/* ---- reload ---- */

/* How it went shows in the status */
static int reload(const char *session, struct err *err)
{
	const struct control_request status = { .what = CONTROL_STATUS };
	const struct control_request again = { .what = CONTROL_RELOAD };
	json_t *answer = ask_one(session, &status, err);
	unsigned long long before = answer ? json_number(answer, "reloads") : 0;

	json_decref(answer);
	if (!answer)
		return EXIT_SLUICE;
	answer = ask_one(session, &again, err);
	json_decref(answer);
	for (int ms = 0; answer && ms < RELOAD_LIMIT_MS; ms += RELOAD_POLL_MS) {
		json_t *now = ask_one(session, &status, err);
		const char *why = json_string_value(json_object_get(now, "reload_error"));
		bool over = !now || json_number(now, "reloads") != before;

		if (over && why)
			err_set(err, "%s: %s (its policy stays as it was)", session, why);
		json_decref(now);
		if (over)
			return err->text[0] ? EXIT_SLUICE : 0;
		usleep(RELOAD_POLL_MS * 1000);
	}
	if (answer)
		err_set(err, "%s: its policy's files are still being written", session);
	return EXIT_SLUICE;
}

int reload_main(int argc, char **argv)
{
	const struct option rows[] = { { .name = NULL } };
	struct err err = { "" };
	int count, code;

	if (!command_read(argc, argv, rows, &count, &code))
		return code;
	if (count != 1)
		err_set(&err, "reload: one SESSION (see sluice sessions)");
	if (err.text[0])
		return complain(&err);
	code = reload(argv[1], &err);
	return err.text[0] ? complain(&err) : code;
}
