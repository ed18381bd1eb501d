/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - `sluice report`: what was reached, what was denied, what would allow it */
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "audit/verify.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/events.h"
#include "cli/report_style.h"
#include "cli/tally.h"

#define UNKNOWN_FORMAT "--format %s: unknown format (text | json | markdown | html)"
#define TOP_HOSTS 10		/* lines for people; JSON has all */
#define TOP_DENIALS 50
#define TOP_PROGRAMS 10
#define CELL_MAX (4 * HOST_MAX + 256)	/* bytes of a cell; the longest is a suggestion */
#define JSON_BYTES_MAX (64u << 20)

/* ---- for people ---- */

/* A cell that is made of parts; NUL-terminated */
struct cell {
	char text[CELL_MAX];
};

static const char *cell_number(struct cell *c, uint64_t v)
{
	snprintf(c->text, sizeof(c->text), "%" PRIu64, v);
	return c->text;
}

/* "host:443", "[2001:db8::1]:53/udp", or just a name that was denied as such */
static const char *cell_place(struct cell *c, const struct denied *d)
{
	struct buf b = buf_new(sizeof(c->text));
	bool v6 = span_find(d->host, ':') >= 0;

	buf_add_str(&b, v6 ? "[" : "");
	text_escape(&b, d->host);
	buf_add_str(&b, v6 ? "]" : "");
	if (d->port)
		buf_printf(&b, ":%u%s", d->port, d->transport == TRANSPORT_UDP ? "/udp" : "");
	span_copy(buf_span(&b), c->text, sizeof(c->text));
	buf_done(&b);
	return c->text;
}

static const char *cell_suggest(struct cell *c, const struct denied *d)
{
	struct buf b = buf_new(sizeof(c->text) - 1);

	if (!summary_suggest(&b, d))
		buf_add_str(&b, "no flag allows this");
	span_copy(buf_span(&b), c->text, sizeof(c->text));
	buf_done(&b);
	return c->text;
}

/* The json value of an event, whatever its type, as text */
static const char *cell_value(struct cell *c, const json_t *event, const char *key)
{
	struct buf b = buf_new(sizeof(c->text) - 1);
	const json_t *value = json_object_get(event, key);

	if (json_is_string(value))
		text_escape(&b, span_head(event_text(event, key), HOST_MAX));
	else if (json_is_number(value))
		buf_printf(&b, "%.6g", json_number_value(value));
	span_copy(buf_span(&b), c->text, sizeof(c->text));
	buf_done(&b);
	return c->text;
}

static void print_overview(const struct style *s, FILE *to, const struct tally *t)
{
	static const struct column columns[] = { { "", 12, false }, { "", 0, false } };
	const struct table table = { columns, ARRAY_SIZE(columns) };
	char out[BYTES_TEXT_MAX], in[BYTES_TEXT_MAX], duration[DURATION_TEXT_MAX];
	const struct audit_totals *n = &t->totals;
	struct cell c;

#define ROW(name, ...) do { \
	snprintf(c.text, sizeof(c.text), __VA_ARGS__); \
	s->row(to, &table, (const char *const []){ name, c.text }); \
} while (0)
	s->table_begin(to, &table);
	ROW("sessions", "%" PRIu64 "%s", t->sessions,
	    t->unfinished ? " (one or more without an end)" : "");
	ROW("time", "%s to %s (%s)", t->first, t->last, duration_text(t->duration_ms, duration));
	ROW("connections", "%" PRIu64, n->connections);
	ROW("denied", "%" PRIu64, n->denied);
	ROW("dns queries", "%" PRIu64 " (%" PRIu64 " denied)", n->dns, t->dns_denied);
	ROW("bytes", "%s out, %s in", bytes_text(n->bytes_out, out), bytes_text(n->bytes_in, in));
	ROW("alerts", "%" PRIu64, n->alerts);
	if (t->limited)
		ROW("limited", "%" PRIu64 " connections cut off", t->limited);
	if (t->dropped)
		ROW("dropped", "%" PRIu64 " packets", t->dropped);
	if (t->bad)
		ROW("unreadable", "%" PRIu64 " lines (see sluice log verify)", t->bad);
	s->table_end(to);
#undef ROW
}

static void print_host(const struct style *s, FILE *to, const struct table *table,
		       const struct tally_host *h, const char *name)
{
	char out[BYTES_TEXT_MAX], in[BYTES_TEXT_MAX];
	struct cell connections = { "" };

	s->row(to, table, (const char *const []){ name,
		cell_number(&connections, h->connections), bytes_text(h->bytes_out, out),
		bytes_text(h->bytes_in, in) });
}

static void print_hosts(const struct style *s, FILE *to, const struct tally *t)
{
	static const struct column columns[] = { { "HOST", 40, false }, { "CONNECTIONS", 11, true },
						 { "OUT", 8, true }, { "IN", 8, true } };
	const struct table table = { columns, ARRAY_SIZE(columns) };
	size_t shown = t->host_count < TOP_HOSTS ? t->host_count : TOP_HOSTS;
	struct tally_host rest = t->others;

	if (!t->host_count)
		return;
	s->heading(to, "Hosts reached, most bytes first");
	s->table_begin(to, &table);
	for (size_t i = 0; i < shown; i++)
		print_host(s, to, &table, &t->hosts[i], t->hosts[i].name);
	for (size_t i = shown; i < t->host_count; i++) {
		rest.connections += t->hosts[i].connections;
		rest.bytes_out += t->hosts[i].bytes_out;
		rest.bytes_in += t->hosts[i].bytes_in;
	}
	if (rest.connections || rest.bytes_out || rest.bytes_in)
		print_host(s, to, &table, &rest, "all others");
	s->table_end(to);
}

static void print_rest(const struct style *s, FILE *to, const struct tally *t, size_t shown)
{
	uint64_t rest = t->denials.others;
	struct cell c;

	for (size_t i = shown; i < t->denials.count; i++)
		rest += summary_at(&t->denials, i).times;
	if (rest) {
		snprintf(c.text, sizeof(c.text), "%" PRIu64 " more of other kinds", rest);
		s->note(to, c.text);
	}
	for (int r = 0; r < REASON_NUM; r++) {
		if (!t->folded[r])
			continue;
		snprintf(c.text, sizeof(c.text), "%" PRIu64 " more (%s), folded in a flood",
			 t->folded[r], reason_name((enum reason)r));
		s->note(to, c.text);
	}
}

static void print_denials(const struct style *s, FILE *to, const struct tally *t)
{
	static const struct column columns[] = { { "TIMES", 5, true }, { "DENIED", 34, false },
						 { "REASON", 16, false },
						 { "TO ALLOW IT", 0, false } };
	const struct table table = { columns, ARRAY_SIZE(columns) };
	size_t shown = t->denials.count < TOP_DENIALS ? t->denials.count : TOP_DENIALS;
	struct cell times, place, suggest;

	if (!t->totals.denied)
		return;
	s->heading(to, "Denied, most often first");
	s->table_begin(to, &table);
	for (size_t i = 0; i < shown; i++) {
		struct denied d = summary_at(&t->denials, i);

		s->row(to, &table, (const char *const []){ cell_number(&times, d.times),
			cell_place(&place, &d), reason_name(d.reason),
			cell_suggest(&suggest, &d) });
	}
	s->table_end(to);
	print_rest(s, to, t, shown);
}

/* With the column of what was allowed only if the log knows */
static void print_program(const struct style *s, FILE *to, const struct table *table,
			  const struct tally_program *p, const char *name)
{
	struct cell denied = { "" }, allowed = { "" };
	const char *no = cell_number(&denied, p->denied), *yes = cell_number(&allowed, p->allowed);

	if (table->count == 3)
		s->row(to, table, (const char *const []){ no, yes, name });
	else
		s->row(to, table, (const char *const []){ no, name });
}

static void print_programs(const struct style *s, FILE *to, const struct tally *t)
{
	static const struct column columns[] = { { "DENIED", 6, true }, { "ALLOWED", 7, true },
						 { "PROGRAM", 0, false } };
	static const struct column fewer[] = { { "DENIED", 6, true }, { "PROGRAM", 0, false } };
	const struct table table = { t->programs_allowed ? columns : fewer,
				     t->programs_allowed ? ARRAY_SIZE(columns) : ARRAY_SIZE(fewer) };
	size_t shown = t->program_count < TOP_PROGRAMS ? t->program_count : TOP_PROGRAMS;
	struct tally_program rest = t->programs_others;
	struct cell c;

	if (!t->program_count)
		return;
	s->heading(to, "Which programs, most often denied first");
	s->table_begin(to, &table);
	for (size_t i = 0; i < shown; i++)
		print_program(s, to, &table, &t->programs[i], t->programs[i].name);
	for (size_t i = shown; i < t->program_count; i++) {
		rest.denied += t->programs[i].denied;
		rest.allowed += t->programs[i].allowed;
	}
	if (rest.denied || rest.allowed)
		print_program(s, to, &table, &rest, "(others)");
	s->table_end(to);
	if (t->programs_unknown) {
		snprintf(c.text, sizeof(c.text), "%" PRIu64 " more denials of programs that are not known",
			 t->programs_unknown);
		s->note(to, c.text);
	}
	if (!t->programs_allowed)
		s->note(to, "of what was allowed the log names no program (log: {process: true} would)");
}

static void print_alerts(const struct style *s, FILE *to, const struct tally *t)
{
	static const struct column columns[] = { { "TIME", TIME_TEXT, false },
						 { "KIND", 16, false }, { "VALUE", 10, true },
						 { "THRESHOLD", 10, true },
						 { "MESSAGE", 0, false } };
	static const char *const keys[] = { "ts", "kind", "value", "threshold", "message" };
	const struct table table = { columns, ARRAY_SIZE(columns) };
	struct cell cells[ARRAY_SIZE(keys)];
	const char *texts[ARRAY_SIZE(keys)];
	const json_t *event;
	size_t i;

	if (!json_array_size(t->alerts))
		return;
	s->heading(to, "Alerts");
	s->table_begin(to, &table);
	json_array_foreach(t->alerts, i, event) {
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
			texts[k] = cell_value(&cells[k], event, keys[k]);
		s->row(to, &table, texts);
	}
	s->table_end(to);
	if (t->alerts_others) {
		snprintf(cells[0].text, sizeof(cells[0].text), "%" PRIu64 " more (the log has them)",
			 t->alerts_others);
		s->note(to, cells[0].text);
	}
}

static const char *slot_time(const struct timeline *l, size_t slot, char text[32])
{
	time_t at = (l->first + (int64_t)slot) * l->width_s;
	struct tm tm;

	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	return text;
}

static void print_charts(const struct style *s, FILE *to, const struct timeline *l)
{
	uint64_t connections[TIMELINE_SLOTS], denied[TIMELINE_SLOTS];

	for (size_t i = 0; i < l->count; i++) {
		connections[i] = l->slots[i].connections;
		denied[i] = l->slots[i].denied;
	}
	s->chart(to, "connections", connections, l->count);
	s->chart(to, "denied", denied, l->count);
}

/* A single moment needs none */
static void print_timeline(const struct style *s, FILE *to, const struct timeline *l)
{
	static const struct column columns[] = { { "FROM", 20, false }, { "CONNECTIONS", 11, true },
						 { "DENIED", 8, true }, { "BYTES", 8, true } };
	const struct table table = { columns, ARRAY_SIZE(columns) };
	char from[32], bytes[BYTES_TEXT_MAX], heading[64];
	struct cell connections, denied;

	if (l->count < 2)
		return;
	snprintf(heading, sizeof(heading), "Timeline, by %lld s", (long long)l->width_s);
	s->heading(to, heading);
	if (s->chart)
		print_charts(s, to, l);
	s->table_begin(to, &table);
	for (size_t i = 0; i < l->count; i++) {
		const struct timeline_slot *slot = &l->slots[i];

		if (!slot->connections && !slot->denied && !slot->bytes)
			continue;
		s->row(to, &table, (const char *const []){ slot_time(l, i, from),
			cell_number(&connections, slot->connections),
			cell_number(&denied, slot->denied), bytes_text(slot->bytes, bytes) });
	}
	s->table_end(to);
}

static void print_people(const struct style *s, FILE *to, const struct tally *t)
{
	s->begin(to, "sluice report");
	print_overview(s, to, t);
	print_timeline(s, to, &t->timeline);
	print_hosts(s, to, t);
	print_denials(s, to, t);
	print_programs(s, to, t);
	print_alerts(s, to, t);
	s->end(to);
}

/* ---- JSON ---- */

static void json_overview(struct buf *b, const struct tally *t)
{
	const struct audit_totals *n = &t->totals;

	json_field_uint(b, "sessions", t->sessions);
	json_field_uint(b, "unfinished", t->unfinished);
	json_field_str(b, "start", t->first[0] ? t->first : NULL);
	json_field_str(b, "end", t->last[0] ? t->last : NULL);
	json_field_uint(b, "duration_ms", t->duration_ms);
	json_key(b, "totals");
	json_open(b, '{');
	json_field_uint(b, "connections", n->connections);
	json_field_uint(b, "denied", n->denied);
	json_field_uint(b, "dns", n->dns);
	json_field_uint(b, "bytes_out", n->bytes_out);
	json_field_uint(b, "bytes_in", n->bytes_in);
	json_field_uint(b, "alerts", n->alerts);
	json_close(b, '}');
	json_field_uint(b, "dns_denied", t->dns_denied);
	json_field_uint(b, "connections_limited", t->limited);
	json_field_uint(b, "packets_dropped", t->dropped);
	json_field_uint(b, "bad_lines", t->bad);
}

static void json_host_numbers(struct buf *b, const struct tally_host *h)
{
	json_field_uint(b, "connections", h->connections);
	json_field_uint(b, "bytes_out", h->bytes_out);
	json_field_uint(b, "bytes_in", h->bytes_in);
}

static void json_hosts(struct buf *b, const struct tally *t)
{
	json_key(b, "hosts");
	json_open(b, '[');
	for (size_t i = 0; i < t->host_count; i++) {
		json_open(b, '{');
		json_field_str(b, "host", t->hosts[i].name);
		json_host_numbers(b, &t->hosts[i]);
		json_close(b, '}');
	}
	json_close(b, ']');
	json_key(b, "hosts_others");
	json_open(b, '{');
	json_host_numbers(b, &t->others);
	json_close(b, '}');
}

static void json_denial(struct buf *b, const struct denied *d)
{
	struct buf suggest = buf_new(CELL_MAX);

	json_open(b, '{');
	json_field_span(b, "host", d->host);
	json_key(b, "port");
	if (d->port)
		json_uint(b, d->port);
	else
		json_str(b, NULL);
	json_field_str(b, "transport",
		       d->unix_socket ? "unix" : d->transport == TRANSPORT_UDP ? "udp" : "tcp");
	json_field_str(b, "reason", reason_name(d->reason));
	json_field_uint(b, "count", d->times);
	json_key(b, "suggest");
	if (summary_suggest(&suggest, d))
		json_span(b, buf_span(&suggest));
	else
		json_str(b, NULL);
	json_close(b, '}');
	buf_done(&suggest);
}

static void json_denials(struct buf *b, const struct tally *t)
{
	json_key(b, "denials");
	json_open(b, '[');
	for (size_t i = 0; i < t->denials.count; i++) {
		struct denied d = summary_at(&t->denials, i);

		json_denial(b, &d);
	}
	json_close(b, ']');
	json_field_uint(b, "denials_others", t->denials.others);
	json_key(b, "denials_folded");
	json_open(b, '{');
	for (int r = 0; r < REASON_NUM; r++)
		if (t->folded[r])
			json_field_uint(b, reason_name((enum reason)r), t->folded[r]);
	json_close(b, '}');
}

/* null: the log does not know */
static void json_allowed(struct buf *b, const char *key, const struct tally *t, uint64_t v)
{
	if (t->programs_allowed) {
		json_field_uint(b, key, v);
	} else {
		json_key(b, key);
		json_str(b, NULL);
	}
}

static void json_programs(struct buf *b, const struct tally *t)
{
	json_key(b, "programs");
	json_open(b, '[');
	for (size_t i = 0; i < t->program_count; i++) {
		json_open(b, '{');
		json_field_str(b, "exe", t->programs[i].name);
		json_field_uint(b, "denied", t->programs[i].denied);
		json_allowed(b, "allowed", t, t->programs[i].allowed);
		json_close(b, '}');
	}
	json_close(b, ']');
	json_field_uint(b, "programs_others", t->programs_others.denied);
	json_allowed(b, "programs_others_allowed", t, t->programs_others.allowed);
	json_field_uint(b, "programs_unknown", t->programs_unknown);
}

static void json_timeline(struct buf *b, const struct timeline *l)
{
	char from[32];

	json_field_uint(b, "timeline_seconds", (uint64_t)l->width_s);
	json_key(b, "timeline");
	json_open(b, '[');
	for (size_t i = 0; i < l->count; i++) {
		json_open(b, '{');
		json_field_str(b, "from", slot_time(l, i, from));
		json_field_uint(b, "connections", l->slots[i].connections);
		json_field_uint(b, "denied", l->slots[i].denied);
		json_field_uint(b, "bytes", l->slots[i].bytes);
		json_close(b, '}');
	}
	json_close(b, ']');
}

static bool print_json(FILE *to, const struct tally *t, struct err *err)
{
	struct buf b = buf_new(JSON_BYTES_MAX);
	AUTO_FREE char *alerts = json_dumps(t->alerts, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_open(&b, '{');
	json_overview(&b, t);
	json_timeline(&b, &t->timeline);
	json_hosts(&b, t);
	json_denials(&b, t);
	json_programs(&b, t);
	json_key(&b, "alerts");
	buf_add_str(&b, alerts ? alerts : "[]");
	json_field_uint(&b, "alerts_others", t->alerts_others);
	json_close(&b, '}');
	buf_add_str(&b, "\n");
	if (b.full)
		err_set(err, "report: too much for memory");
	else
		fwrite(b.at, 1, b.len, to);
	buf_done(&b);
	return !err->text[0];
}

/* ---- the command ---- */

static bool is_format(const char *format)
{
	return !strcmp(format, "json") || style_find(format);
}

static bool print_tally(struct tally *t, const char *format, FILE *to, struct err *err)
{
	tally_end(t);
	if (!strcmp(format, "json"))
		return print_json(to, t, err);
	print_people(style_find(format), to, t);
	return true;
}

/* A report on what somebody changed would be one more lie */
static bool verified(const char *path, const struct verify_options *o, struct err *err)
{
	struct verify_result r;
	struct pieces pieces;
	int error = pieces_open(&pieces, path, false);

	if (error)
		return err_sys(err, -error, "cannot read %s", path);
	verify_pieces(&pieces, o, &r);
	pieces_close(&pieces);
	return r.ok || err_set(err, "report: %s: line %" PRIu64 ": %s (--unverified reports it all the "
			       "same)", path, r.bad_line, r.why);
}

/* @paths: at least one */
static bool report(char *const *paths, size_t count, const char *format, FILE *to,
		   struct err *err)
{
	struct tally t;
	bool ok = tally_init(&t) || err_set(err, "report: out of memory");

	for (size_t i = 0; ok && i < count; i++)
		ok = tally_file(&t, paths[i], err);
	ok = ok && print_tally(&t, format, to, err);
	tally_done(&t);
	return ok;
}

int report_print(const char *log_path, const char *format, FILE *to)
{
	AUTO_FREE char *path = strdup(log_path);
	struct err err = { "" };

	if (!is_format(format))
		err_set(&err, UNKNOWN_FORMAT, format);
	else if (!path)
		err_set(&err, "report: out of memory");
	else if (report(&path, 1, format, to, &err))
		return 0;
	return complain(&err);
}

int report_main(int argc, char **argv)
{
	const char *format = "text", *key = NULL;
	struct public_key keys[KEYS_MAX];
	struct verify_options o = { .keys = keys };
	bool unverified = false;
	const struct option rows[] = {
		{ 0, "key", OPTION_TEXT, "FILE", "public keys that alone may have signed (keys/audit.key.pub)",
		  &key },
		{ 0, "unverified", OPTION_FLAG, NULL, "also of a log that does not verify", &unverified },
		{ 0, "format", OPTION_TEXT, "FORMAT", "text | json | markdown | html", &format },
		{ .name = NULL },
	};
	char newest[PATH_MAX], *one[] = { newest }, **paths;
	struct err err = { "" };
	bool ok;
	int count, code;

	if (!command_read(argc, argv, rows, &count, &code))
		return code;
	paths = count ? argv + 1 : one;
	count = count ? count : 1;
	ok = is_format(format) || err_set(&err, UNKNOWN_FORMAT, format);
	ok = ok && (!key || !unverified ||
		    err_set(&err, "report: --key and --unverified do not go together"));
	ok = ok && (!key || (o.key_count = public_key_read(keys, key, &err)));
	ok = ok && (paths != one || events_newest(newest, &err));
	for (int i = 0; ok && !unverified && i < count; i++)
		ok = verified(paths[i], &o, &err);
	ok = ok && report(paths, (size_t)count, format, stdout, &err);
	return ok ? 0 : complain(&err);
}
