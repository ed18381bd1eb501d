/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tally.h"

#include <errno.h>
#include <time.h>

#include "cli/events.h"
#include "policy/explain.h"

bool tally_init(struct tally *t)
{
	*t = (struct tally){ .host_index = json_object(), .program_index = json_object(),
			     .alerts = json_array() };
	return t->host_index && t->program_index && t->alerts;
}

void tally_done(struct tally *t)
{
	summary_done(&t->denials);
	free(t->hosts);
	free(t->programs);
	json_decref(t->host_index);
	json_decref(t->program_index);
	json_decref(t->alerts);
}

/* Milliseconds since 1970, or -1 if it is no time of ours */
static int64_t time_ms(const char *ts)
{
	struct tm tm = { 0 };
	int ms, end = 0;

	if (sscanf(ts, "%4d-%2d-%2dT%2d:%2d:%2d.%3d%*3dZ%n", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms, &end) != 7 || !end)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (int64_t)timegm(&tm) * 1000 + ms;
}

/* A log may lie about its counts: sums stop at the top instead of wrapping to little */
static void add(uint64_t *sum, uint64_t more)
{
	if (__builtin_add_overflow(*sum, more, sum))
		*sum = UINT64_MAX;
}

static void put_in_time(struct tally *t, const json_t *event, uint64_t connections,
			uint64_t denied, uint64_t bytes)
{
	char ts[TIME_TEXT + 1];
	int64_t at = span_copy(event_text(event, "ts"), ts, sizeof(ts)) ? time_ms(ts) : -1;

	if (at >= 0)
		timeline_add(&t->timeline, at / 1000,
			     &(struct timeline_slot){ connections, denied, bytes });
}

static void close_session(struct tally *t)
{
	int64_t from = time_ms(t->begun), to = time_ms(t->seen);

	add(&t->totals.connections, t->session.connections);
	add(&t->totals.denied, t->session.denied);
	add(&t->totals.dns, t->session.dns);
	add(&t->totals.bytes_out, t->session.bytes_out);
	add(&t->totals.bytes_in, t->session.bytes_in);
	add(&t->totals.alerts, t->session.alerts);
	t->session = (struct audit_totals){ 0 };
	if (from >= 0 && to > from)
		add(&t->duration_ms, (uint64_t)(to - from));
	t->begun[0] = '\0';
}

static bool grow_hosts(struct tally *t)
{
	size_t size = t->host_size ? 2 * t->host_size : 64;
	struct tally_host *hosts;

	if (t->host_count < t->host_size)
		return true;
	hosts = reallocarray(t->hosts, size, sizeof(*hosts));
	if (!hosts)
		return false;
	t->hosts = hosts;
	t->host_size = size;
	return true;
}

static struct tally_host *host_of(struct tally *t, struct span name)
{
	struct buf text = buf_new(4 * HOST_MAX + 1);
	struct tally_host *host = &t->others;
	const json_t *index;
	char cut[HOST_MAX + 1];

	text_escape(&text, span_head(name, HOST_MAX));
	span_copy(span_head(buf_span(&text), HOST_MAX), cut, sizeof(cut));
	buf_done(&text);
	index = json_object_get(t->host_index, cut);
	if (index)
		return &t->hosts[json_integer_value(index)];
	if (t->host_count < TALLY_HOSTS_MAX && grow_hosts(t) &&
	    !json_object_set_new(t->host_index, cut, json_integer((json_int_t)t->host_count))) {
		host = &t->hosts[t->host_count++];
		*host = (struct tally_host){ 0 };
		memcpy(host->name, cut, sizeof(cut));
	}
	return host;
}

static bool grow_programs(struct tally *t)
{
	size_t size = t->program_size ? 2 * t->program_size : 16;
	struct tally_program *programs;

	if (t->program_count < t->program_size)
		return true;
	programs = reallocarray(t->programs, size, sizeof(*programs));
	if (!programs)
		return false;
	t->programs = programs;
	t->program_size = size;
	return true;
}

/* Of a long path the end tells more */
static struct tally_program *program_of(struct tally *t, struct span exe)
{
	struct buf text = buf_new(4 * HOST_MAX + 1);
	struct tally_program *program = &t->programs_others;
	const json_t *index;
	char cut[HOST_MAX + 1];

	text_escape(&text, span_skip(exe, exe.len > HOST_MAX ? exe.len - HOST_MAX : 0));
	span_copy(span_head(buf_span(&text), HOST_MAX), cut, sizeof(cut));
	buf_done(&text);
	index = json_object_get(t->program_index, cut);
	if (index)
		return &t->programs[json_integer_value(index)];
	if (t->program_count < TALLY_PROGRAMS_MAX && grow_programs(t) &&
	    !json_object_set_new(t->program_index, cut,
				 json_integer((json_int_t)t->program_count))) {
		program = &t->programs[t->program_count++];
		*program = (struct tally_program){ 0 };
		memcpy(program->name, cut, sizeof(cut));
	}
	return program;
}

static void count_program(struct tally *t, const json_t *event, bool denied)
{
	struct span exe = event_text(event, "exe");

	if (!exe.len) {
		t->programs_unknown += denied;
	} else if (denied) {
		program_of(t, exe)->denied++;
	} else {
		program_of(t, exe)->allowed++;
		t->programs_allowed = true;
	}
}

/* A denial that has a record of its own */
static void count_denial(struct tally *t, const json_t *event, const char *host_key)
{
	const json_t *ip = json_array_get(json_object_get(event, "ips"), 0);
	uint64_t port = event_uint(event, "port");
	struct denied d = {
		.host = event_text(event, host_key), .port = port < 65536 ? (uint16_t)port : 0,
		.reason = reason_from_name(event_text(event, "reason")), .times = 1,
		.preset = explain_preset(event_text(event, "rule")),
		.transport = span_eq(event_text(event, "proto"), SPAN("udp")) ? TRANSPORT_UDP
									      : TRANSPORT_TCP,
		.unix_socket = span_eq(event_text(event, "proto"), SPAN("unix")),
	};
	struct addr addr;

	t->session.denied++;
	put_in_time(t, event, 0, 1, 0);
	if (d.reason == REASON_NUM) {
		t->denials.others++;
		return;
	}
	if (!d.unix_socket && addr_parse(d.host, &addr)) {
		d.host = (struct span){ 0 };
		d.addr = &addr;
	} else if (addr_parse(span_of(json_string_value(ip), json_string_length(ip)), &addr)) {
		d.addr = &addr;
	}
	summary_add(&t->denials, &d);
}

static bool is_denied(const json_t *event)
{
	return span_eq(event_text(event, "verdict"), SPAN("deny"));
}

static void session_start(struct tally *t, const json_t *event)
{
	t->unfinished += t->begun[0] != '\0';
	close_session(t);
	t->sessions++;
	span_copy(event_text(event, "ts"), t->begun, sizeof(t->begun));
}

/* The session's own count is better than ours: it knows what was folded */
static void session_end(struct tally *t, const json_t *event)
{
	const json_t *totals = json_object_get(event, "totals");

	t->session = (struct audit_totals){
		event_uint(totals, "connections"), event_uint(totals, "denied"),
		event_uint(totals, "dns"), event_uint(totals, "bytes_out"),
		event_uint(totals, "bytes_in"), event_uint(totals, "alerts"),
	};
	span_copy(event_text(event, "ts"), t->seen, sizeof(t->seen));
	close_session(t);
}

static void dns_query(struct tally *t, const json_t *event)
{
	t->session.dns++;
	if (!is_denied(event))
		return;
	t->dns_denied++;
	count_program(t, event, true);
	count_denial(t, event, "name");
}

static void conn_open(struct tally *t, const json_t *event)
{
	t->session.connections++;
	count_program(t, event, is_denied(event));
	if (is_denied(event)) {
		count_denial(t, event, "host");
	} else {
		host_of(t, event_text(event, "host"))->connections++;
		put_in_time(t, event, 1, 0, 0);
	}
}

static void conn_close(struct tally *t, const json_t *event)
{
	struct tally_host *host = host_of(t, event_text(event, "host"));
	uint64_t out = event_uint(event, "bytes_out"), in = event_uint(event, "bytes_in");

	if (span_eq(event_text(event, "end"), SPAN("limit")) && event_text(event, "reason").len)
		t->limited++;
	add(&t->session.bytes_out, out);
	add(&t->session.bytes_in, in);
	add(&host->bytes_out, out);
	put_in_time(t, event, 0, 0, out + in);
	add(&host->bytes_in, in);
}

static void http(struct tally *t, const json_t *event)
{
	if (is_denied(event))
		count_denial(t, event, "host");
}

static void packet_drop(struct tally *t, const json_t *event)
{
	add(&t->dropped, event_uint(event, "count"));
}

static void denials(struct tally *t, const json_t *event)
{
	enum reason reason = reason_from_name(event_text(event, "reason"));
	uint64_t count = event_uint(event, "count");

	add(&t->session.denied, count);
	put_in_time(t, event, 0, count, 0);
	add(reason == REASON_NUM ? &t->denials.others : &t->folded[reason], count);
}

static void alert(struct tally *t, const json_t *event)
{
	t->session.alerts++;
	if (json_array_size(t->alerts) < TALLY_ALERTS_MAX)
		json_array_append_new(t->alerts, json_deep_copy(event));
	else
		t->alerts_others++;
}

static const struct {
	const char	*name;
	void		(*count)(struct tally *t, const json_t *event);
} counters[] = {
	{ "conn.open", conn_open },
	{ "conn.close", conn_close },
	{ "dns.query", dns_query },
	{ "http", http },
	{ "denials", denials },
	{ "packet.drop", packet_drop },
	{ "alert", alert },
	{ "session.start", session_start },
	{ "session.end", session_end },
};

/* Logs may be named in any order; these texts sort as the times do */
static void widen(struct tally *t)
{
	if (!t->first[0] || strcmp(t->seen, t->first) < 0)
		memcpy(t->first, t->seen, sizeof(t->first));
	if (strcmp(t->seen, t->last) > 0)
		memcpy(t->last, t->seen, sizeof(t->last));
}

static void count_event(struct tally *t, const json_t *event)
{
	struct span name = event_text(event, "event"), ts = event_text(event, "ts");

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		if (span_eq(name, span_str(counters[i].name)))
			counters[i].count(t, event);
	if (ts.len == TIME_TEXT && span_copy(ts, t->seen, sizeof(t->seen)))
		widen(t);
}

bool tally_file(struct tally *t, const char *path, struct err *err)
{
	struct reader r;
	json_t *event;

	if (!reader_open(&r, path, err))
		return false;
	while ((event = reader_next(&r, err))) {
		count_event(t, event);
		json_decref(event);
	}
	add(&t->bad, r.bad);
	reader_done(&r);
	t->unfinished += t->begun[0] != '\0';
	close_session(t);
	return !err->text[0];
}

static int compare(const void *left, const void *right)
{
	const struct tally_host *a = left, *b = right;
	uint64_t a_bytes = a->bytes_out, b_bytes = b->bytes_out;

	add(&a_bytes, a->bytes_in);
	add(&b_bytes, b->bytes_in);
	if (a_bytes != b_bytes)
		return a_bytes > b_bytes ? -1 : 1;
	if (a->connections != b->connections)
		return a->connections > b->connections ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int compare_programs(const void *left, const void *right)
{
	const struct tally_program *a = left, *b = right;

	if (a->denied != b->denied)
		return a->denied > b->denied ? -1 : 1;
	if (a->allowed != b->allowed)
		return a->allowed > b->allowed ? -1 : 1;
	return strcmp(a->name, b->name);
}

void tally_end(struct tally *t)
{
	if (t->program_count)
		qsort(t->programs, t->program_count, sizeof(*t->programs), compare_programs);
	json_object_clear(t->program_index);
	if (t->host_count)
		qsort(t->hosts, t->host_count, sizeof(*t->hosts), compare);
	json_object_clear(t->host_index);
	summary_sort(&t->denials);
}
