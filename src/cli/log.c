/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - `sluice log`: show, verify, follow the audit log */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>

#include "audit/verify.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/events.h"
#include "cli/log_filter.h"
#include "cli/print.h"

#define EXIT_BAD 1		/* the log does not hold (contract section 1) */
#define FOLLOW_LINES 10		/* shown of what is there already, as tail(1) does */
#define FOLLOW_BYTES 65536	/* where the last lines are looked for */
#define FOLLOW_MS 1000

struct log {
	const char	*format, *head, *key;
	bool		 strict, json;
	struct log_filter filter;
	char		 path[PATH_MAX];
};

/* ---- show ---- */

/* ASCII alone, and DEL, which JSON lets stand in text, escaped */
static void print_json(const json_t *event)
{
	AUTO_FREE char *text = json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII);

	for (const char *c = text; c && *c; c++) {
		if (*c == 0x7f)
			fputs("\\u007f", stdout);
		else
			putchar(*c);
	}
}

static void print_event(const struct log *l, const json_t *event)
{
	if (l->json)
		print_json(event);
	else
		events_print(stdout, event);
}

static int log_show(struct log *l, struct err *err)
{
	const char *before = "[\n";
	struct reader r;
	json_t *event;

	if (!reader_open(&r, l->path, err))
		return EXIT_SLUICE;
	while ((event = reader_next(&r, err))) {
		if (log_filter_wants(&l->filter, event)) {
			if (l->json)
				fputs(before, stdout);
			before = ",\n";
			print_event(l, event);
		}
		json_decref(event);
	}
	if (l->json)
		puts(*before == '[' ? "[]" : "\n]");
	if (r.bad || r.torn)
		fprintf(stderr, "sluice: %" PRIu64 " lines are no events%s (sluice log verify "
			"tells more)\n", r.bad, r.torn ? ", and the last one is torn" : "");
	reader_done(&r);
	return err->text[0] ? EXIT_SLUICE : 0;
}

/* ---- verify ---- */

static void print_row(const char *name, const char *text)
{
	printf("  %-10s%s\n", name, text);
}

static void print_result(const struct log *l, const struct verify_result *r)
{
	const char *end = r->torn ? "no: the last line is torn, as a crash leaves it"
				  : "no: it does not end in session.end and checkpoint";

	print_safe(stdout, span_str(l->path));
	printf(": %s%s%s", print_colour(stdout, r->ok ? COLOUR_GOOD : COLOUR_BAD),
	       r->ok ? "good" : "BAD", print_colour(stdout, COLOUR_PLAIN));
	if (!r->ok && r->bad_line)
		printf(": line %" PRIu64, r->bad_line);
	if (!r->ok) {
		fputs(": ", stdout);
		print_safe(stdout, span_str(r->why));
	}
	printf("\n  %-10s%" PRIu64 " in %" PRIu64 " sessions%s\n", "lines",
	       r->bad_line ? r->bad_line - 1 : r->lines, r->sessions,
	       r->bad_line ? " before that" : "");
	printf("  %-10s%" PRIu64 "\n", "signed", r->signed_lines);
	if (!r->bad_line)
		printf("  %-10s%" PRIu64 "\n", "unsigned", r->lines - r->signed_lines);
	if (!r->bad_line && r->lines)
		print_row("head", r->head);
	if (r->key_id[0])
		printf("  %-10s%s%s\n", "key", r->key_id, l->key ? "" :
		       " (named by the log itself; --key FILE.pub proves whose it is)");
	if (r->ok)
		print_row("complete", r->complete ? "yes" : end);
}

static void result_json(const struct log *l, const struct verify_result *r)
{
	struct buf b = buf_new(PATH_MAX * 8);

	json_open(&b, '{');
	json_field_str(&b, "file", l->path);
	json_field_bool(&b, "ok", r->ok);
	json_key(&b, "line");
	if (r->bad_line)
		json_uint(&b, r->bad_line);
	else
		json_str(&b, NULL);
	json_field_str(&b, "error", r->ok ? NULL : r->why);
	json_field_uint(&b, "lines", r->lines);
	json_field_uint(&b, "signed", r->signed_lines);
	json_field_uint(&b, "unsigned", r->lines - r->signed_lines);
	json_field_uint(&b, "sessions", r->sessions);
	json_field_bool(&b, "complete", r->complete);
	json_field_bool(&b, "torn", r->torn);
	json_field_str(&b, "head", r->lines ? r->head : NULL);
	json_field_str(&b, "key_id", r->key_id[0] ? r->key_id : NULL);
	json_close(&b, '}');
	buf_add_str(&b, "\n");
	fwrite(b.at, 1, b.len, stdout);
	buf_done(&b);
}

static int log_verify(struct log *l, struct err *err)
{
	struct public_key keys[KEYS_MAX];
	struct verify_options o = { .head = l->head, .keys = keys, .strict = l->strict };
	struct pieces pieces;
	struct verify_result r;
	int error;

	if (l->key) {
		o.key_count = public_key_read(keys, l->key, err);
		if (!o.key_count)
			return EXIT_SLUICE;
	}
	error = pieces_open(&pieces, l->path, false);
	if (error) {
		err_sys(err, -error, "cannot read %s", l->path);
		return EXIT_SLUICE;
	}
	verify_pieces(&pieces, &o, &r);
	pieces_close(&pieces);
	if (l->json)
		result_json(l, &r);
	else
		print_result(l, &r);
	return r.ok ? 0 : EXIT_BAD;
}

/* ---- follow ---- */

/* Put @fd in front of its last FOLLOW_LINES lines, as far back as FOLLOW_BYTES */
static bool seek_tail(int fd, const char *path, struct err *err)
{
	off_t size = lseek(fd, 0, SEEK_END);
	off_t start = size > FOLLOW_BYTES ? size - FOLLOW_BYTES : 0;
	AUTO_FREE char *text = malloc(FOLLOW_BYTES);
	ssize_t at = size < 0 || !text ? -1 : pread(fd, text, FOLLOW_BYTES, start);
	int lines = 0;

	if (at < 0)
		return err_sys(err, errno, "cannot follow %s", path);
	/* the newline at the very end closes the last line: it begins none */
	for (at--; at > 0 && lines < FOLLOW_LINES; at--)
		lines += text[at - 1] == '\n';
	if (lines == FOLLOW_LINES)
		start += at + 1;
	return lseek(fd, start, SEEK_SET) >= 0;
}

/* A change, or a second: in the moment of a rotation there is nothing to watch.
 * Return: false if waiting failed; a signal ends the program here */
static bool wait_change(int watch)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct pollfd p = { .fd = watch, .events = POLLIN };
	int r = poll(&p, 1, FOLLOW_MS);

	return r == 0 || (r > 0 && read(watch, events, sizeof(events)) > 0);
}

/* Before it is read, so that no line falls between; again for what the name becomes in a
 * rotation, of which the first watch tells */
static bool watch_log(int watch, const char *path, struct err *err)
{
	return (watch >= 0 && (inotify_add_watch(watch, path, IN_MODIFY | IN_MOVE_SELF) >= 0 ||
			       errno == ENOENT)) ||
	       err_sys(err, errno, "cannot follow %s", path);
}

static int log_follow(struct log *l, struct err *err)
{
	AUTO_CLOSE int watch = inotify_init1(IN_CLOEXEC);
	struct reader r;
	json_t *event;

	if (!reader_open_last(&r, l->path, err))
		return EXIT_SLUICE;
	if (watch_log(watch, l->path, err))
		seek_tail(r.pieces.fd, l->path, err);
	while (!err->text[0]) {
		unsigned piece = r.pieces.index;

		while ((event = reader_next(&r, err))) {
			if (log_filter_wants(&l->filter, event)) {
				print_event(l, event);
				if (l->json)
					putchar('\n');
			}
			json_decref(event);
		}
		if (fflush(stdout) || (piece == r.pieces.index && !wait_change(watch)))
			break;
		watch_log(watch, l->path, err);
	}
	reader_done(&r);
	return err->text[0] ? EXIT_SLUICE : 0;
}

/* ---- the command ---- */

static const struct action {
	const char	*name;
	int		(*run)(struct log *l, struct err *err);
} actions[] = {
	{ "show", log_show },
	{ "verify", log_verify },
	{ "follow", log_follow },
};

static const struct action *action_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(actions); i++)
		if (!strcmp(name, actions[i].name))
			return &actions[i];
	return NULL;
}

static bool prepare(struct log *l, const struct action *action, const char *const *operands,
		    int count, struct err *err)
{
	bool proof = action && action->run == log_verify;

	l->json = l->format && !strcmp(l->format, "json");
	if (!action)
		return err_set(err, "log: %s (show, verify or follow)",
			       count ? "no such action" : "which action");
	if (l->format && !l->json && strcmp(l->format, "text"))
		return err_set(err, "--format %s: unknown format (text | json)", l->format);
	if (!proof && (l->head || l->key || l->strict))
		return err_set(err, "log %s: --head, --key and --strict are for log verify",
			       action->name);
	if (proof && log_filter_any(&l->filter))
		return err_set(err, "log verify: --host, --verdict and --event are for log show and "
			       "follow");
	if (!log_filter_check(&l->filter, err))
		return false;
	if (count > 2)
		return err_set(err, "log %s: one FILE at a time", action->name);
	if (count < 2)
		return events_newest(l->path, err);
	if (!span_copy(span_str(operands[1]), l->path, sizeof(l->path)))
		return err_sys(err, ENAMETOOLONG, "%s", operands[1]);
	return true;
}

static int act(struct log *l, char **argv, int count, struct err *err)
{
	const struct action *action = action_find(argv[1]);
	int code;

	if (!prepare(l, action, (const char *const *)argv + 1, count, err))
		return complain(err);
	code = action->run(l, err);
	return err->text[0] ? complain(err) : code;
}

int log_main(int argc, char **argv)
{
	struct log l = { .format = NULL };
	const struct option rows[] = {
		{ 0, "format", OPTION_TEXT, "FORMAT", "text | json", &l.format },
		{ 0, "head", OPTION_TEXT, "HASH", "verify: the hash that the last line must have",
		  &l.head },
		{ 0, "key", OPTION_TEXT, "FILE", "verify: public keys that alone may have signed "
		  "(keys/audit.key.pub)", &l.key },
		{ 0, "strict", OPTION_FLAG, NULL, "verify: a torn or incomplete log is bad too",
		  &l.strict },
		LOG_FILTER_OPTIONS(&l.filter),
		{ .name = NULL },
	};
	struct err err = { "" };
	bool help = false;
	int count, code;

	if (!options_parse_mixed(argc, argv, rows, &count, &help, &err))
		code = complain(&err);
	else if (help)
		code = command_help("log", rows);
	else
		code = act(&l, argv, count, &err);
	log_filter_done(&l.filter);
	return code;
}
