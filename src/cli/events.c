/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/events.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>

#include "cli/folders.h"
#include "cli/print.h"

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

bool events_newest(char *ret, struct err *err)
{
	struct timespec newest = { 0 };
	char folder[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (!folder_state(folder, err) || !folder_join(folder, folder, "audit", err))
		return false;
	dir = opendir(folder);
	if (!dir && errno != ENOENT)
		return err_sys(err, errno, "cannot read %s", folder);
	while (dir && (entry = readdir(dir))) {
		struct stat st;

		if (!span_ends(span_str(entry->d_name), SPAN(EVENTS_SUFFIX)) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(st.st_mode) || (found && !is_later(&st.st_mtim, &newest)))
			continue;
		newest = st.st_mtim;
		found = folder_join(ret, folder, entry->d_name, err);
	}
	if (dir)
		closedir(dir);
	if (!found)
		err_set(err, "log: there is none in %s yet (name a FILE)", folder);
	return found;
}

const char *bytes_text(uint64_t bytes, char dst[BYTES_TEXT_MAX])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 999.5 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1000;
		unit++;
	}
	snprintf(dst, BYTES_TEXT_MAX, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value,
		 units[unit]);
	return dst;
}

const char *duration_text(uint64_t ms, char dst[DURATION_TEXT_MAX])
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(dst, DURATION_TEXT_MAX, "%" PRIu64 " ms", ms);
	else if (s < 60)
		snprintf(dst, DURATION_TEXT_MAX, "%.1f s", (double)ms / 1000);
	else if (s < 3600)
		snprintf(dst, DURATION_TEXT_MAX, "%" PRIu64 " m %" PRIu64 " s", s / 60, s % 60);
	else
		snprintf(dst, DURATION_TEXT_MAX, "%" PRIu64 " h %" PRIu64 " m", s / 3600,
			 s / 60 % 60);
	return dst;
}

/* ---- one line an event ---- */

static void print_text(FILE *to, const json_t *event, const char *key)
{
	print_safe(to, event_text(event, key));
}

/* " WORD value" if there is one */
static void print_more(FILE *to, const json_t *event, const char *key, const char *word)
{
	if (!event_text(event, key).len)
		return;
	fputs(word, to);
	print_text(to, event, key);
}

static void print_place(FILE *to, const json_t *event, const char *key)
{
	struct span host = event_text(event, key);
	bool v6 = span_find(host, ':') >= 0;

	uint64_t port = event_uint(event, "port");

	fputs(v6 && port ? "[" : "", to);
	print_safe(to, host);
	if (port)	/* there is none of ICMP */
		fprintf(to, "%s:%" PRIu64, v6 ? "]" : "", port);
}

static void print_why(FILE *to, const json_t *event)
{
	print_more(to, event, "reason", "  ");
	print_more(to, event, "rule", " by ");
	print_more(to, event, "layer", " of layer ");
}

static void print_bytes(FILE *to, const json_t *event)
{
	char out[BYTES_TEXT_MAX], in[BYTES_TEXT_MAX];

	fprintf(to, "%s out, %s in", bytes_text(event_uint(event, "bytes_out"), out),
		bytes_text(event_uint(event, "bytes_in"), in));
}

static void session_start(FILE *to, const json_t *event)
{
	print_text(to, event, "command");
	print_more(to, event, "mode", ", mode ");
	print_more(to, event, "session", ", session ");
	print_more(to, event, "key_id", ", key ");
}

static void dns_query(FILE *to, const json_t *event)
{
	print_text(to, event, "name");
	print_more(to, event, "type", " ");
	print_more(to, event, "answer", " is ");
	print_why(to, event);
}

static void conn_open(FILE *to, const json_t *event)
{
	print_place(to, event, "host");
	print_more(to, event, "proto", " ");
	print_why(to, event);
}

static void conn_close(FILE *to, const json_t *event)
{
	char text[DURATION_TEXT_MAX];

	print_place(to, event, "host");
	fputs("  ", to);
	print_bytes(to, event);
	fprintf(to, ", %s, ended by ", duration_text(event_uint(event, "duration_ms"), text));
	print_text(to, event, "end");
	print_more(to, event, "reason", ": ");
}

static void http(FILE *to, const json_t *event)
{
	print_text(to, event, "method");
	fputs(" ", to);
	print_place(to, event, "host");
	print_text(to, event, "path");
	fprintf(to, " %" PRIu64, event_uint(event, "status"));
	print_why(to, event);
}

static void packet_drop(FILE *to, const json_t *event)
{
	uint64_t count = event_uint(event, "count");

	print_place(to, event, "ip");
	print_more(to, event, "proto", " ");
	fprintf(to, "  %" PRIu64 " packet%s", count, count == 1 ? "" : "s");
}

static void denials(FILE *to, const json_t *event)
{
	const char *before = "";
	const json_t *host;
	size_t i;

	fprintf(to, "%" PRIu64 " more to %" PRIu64 " hosts: ", event_uint(event, "count"),
		event_uint(event, "distinct"));
	json_array_foreach(json_object_get(event, "sample"), i, host) {
		fputs(before, to);
		print_safe(to, span_of(json_string_value(host), json_string_length(host)));
		before = ", ";
	}
	print_why(to, event);
}

static void alert(FILE *to, const json_t *event)
{
	print_text(to, event, "kind");
	print_more(to, event, "message", "  ");
}

static void approval(FILE *to, const json_t *event)
{
	print_place(to, event, "host");
	print_more(to, event, "decision", " ");
	print_more(to, event, "scope", " ");
	print_more(to, event, "by", " by ");
}

static void policy_reload(FILE *to, const json_t *event)
{
	print_text(to, event, "policy_sha256");
	if (!json_is_true(json_object_get(event, "changed")))
		fputs(" as before", to);
	print_more(to, event, "error", ": ");
}

static void checkpoint(FILE *to, const json_t *event)
{
	fputs("signed with key ", to);
	print_text(to, event, "key_id");
}

static void session_end(FILE *to, const json_t *event)
{
	const json_t *totals = json_object_get(event, "totals");

	fprintf(to, "exit code %" JSON_INTEGER_FORMAT ", %" PRIu64 " connections, %" PRIu64
		" denied, ", json_integer_value(json_object_get(event, "exit_code")),
		event_uint(totals, "connections"), event_uint(totals, "denied"));
	print_bytes(to, totals);
}

static const struct {
	const char	*name;
	bool		 deny;		/* a denial though it has no verdict */
	void		(*print)(FILE *to, const json_t *event);
} kinds[] = {
	{ "session.start", false, session_start },
	{ "dns.query", false, dns_query },
	{ "conn.open", false, conn_open },
	{ "conn.close", false, conn_close },
	{ "http", false, http },
	{ "packet.drop", true, packet_drop },
	{ "denials", true, denials },
	{ "alert", false, alert },
	{ "approval", false, approval },
	{ "policy.reload", false, policy_reload },
	{ "checkpoint", false, checkpoint },
	{ "session.end", false, session_end },
};

static size_t kind_of(struct span name)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(kinds) && !span_eq(name, span_str(kinds[i].name)))
		i++;
	return i;
}

bool events_known(const char *name)
{
	return kind_of(span_str(name)) < ARRAY_SIZE(kinds);
}

bool events_is_denial(struct span name)
{
	size_t i = kind_of(name);

	return i < ARRAY_SIZE(kinds) && kinds[i].deny;
}

static void print_verdict(FILE *to, struct span verdict, bool deny)
{
	bool allow = span_eq(verdict, SPAN("allow"));

	deny = deny || span_eq(verdict, SPAN("deny"));
	fprintf(to, "%s%-6s%s", print_colour(to, deny ? COLOUR_BAD : COLOUR_GOOD),
		deny ? "deny" : allow ? "allow" : "", print_colour(to, COLOUR_PLAIN));
}

/* 2026-01-31T12:00:00.123456Z to the millisecond, which is what an eye can use */
static void print_time(FILE *to, struct span ts)
{
	if (ts.len != TIME_TEXT) {
		print_safe(to, ts);
		return;
	}
	print_safe(to, span_head(ts, strlen("2026-01-31")));
	fputs(" ", to);
	print_safe(to, span_head(span_skip(ts, strlen("2026-01-31T")), strlen("12:00:00.123")));
}

void events_print(FILE *to, const json_t *event)
{
	struct span name = event_text(event, "event");
	size_t i = kind_of(name);

	print_time(to, event_text(event, "ts"));
	fputs("  ", to);
	print_safe(to, name);
	fprintf(to, "%*s", name.len < 14 ? (int)(14 - name.len) : 1, "");
	print_verdict(to, event_text(event, "verdict"), i < ARRAY_SIZE(kinds) && kinds[i].deny);
	if (i < ARRAY_SIZE(kinds))
		kinds[i].print(to, event);
	putc('\n', to);
}
