/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/summary.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/rand.h>

#include "policy/explain.h"

#define SUGGEST_MAX 1024	/* bytes of a suggestion */

void text_escape(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] >= 0x20 && s.at[i] < 0x7f)
			buf_add(b, s.at + i, 1);
		else
			buf_printf(b, "\\x%02x", s.at[i]);
	}
}

void summary_done(struct summary *s)
{
	free(s->rows);
	*s = (struct summary){ 0 };
}

static bool is_same(const struct summary_row *row, const struct denied *d, struct span host)
{
	return span_eq(span_of(row->host, row->host_len), host) && row->denied.port == d->port &&
	       row->denied.transport == d->transport && row->denied.reason == d->reason &&
	       row->denied.unix_socket == d->unix_socket;
}

/* Rows are made all at once: they are few, and a growing array would move them */
static bool make_rows(struct summary *s)
{
	if (s->rows)
		return true;
	if (RAND_bytes((uint8_t *)&s->seed, sizeof(s->seed)) != 1)
		return false;
	s->rows = calloc(SUMMARY_MAX, sizeof(*s->rows));
	return s->rows != NULL;
}

void summary_add(struct summary *s, const struct denied *d)
{
	struct span host = span_head(d->host, HOST_MAX);
	struct summary_row *row;
	char text[ADDR_TEXT_MAX];
	size_t at;

	if (!host.len && d->addr)
		host = span_str(addr_text(d->addr, text));
	if (!make_rows(s)) {
		s->others += d->times;
		return;
	}
	at = (hash_span(&s->seed, host) + d->port) % SUMMARY_SLOTS;
	while (s->slots[at] && !is_same(&s->rows[s->slots[at] - 1], d, host))
		at = (at + 1) % SUMMARY_SLOTS;
	if (s->slots[at]) {
		s->rows[s->slots[at] - 1].denied.times += d->times;
		return;
	}
	if (s->count == SUMMARY_MAX) {
		s->others += d->times;
		return;
	}
	row = &s->rows[s->count++];
	s->slots[at] = (uint16_t)s->count;
	row->denied = *d;
	row->denied.literal = !d->host.len && d->addr;
	row->host_len = (uint8_t)host.len;
	row->preset_len = (uint8_t)span_head(d->preset, sizeof(row->preset)).len;
	if (row->preset_len)
		memcpy(row->preset, d->preset.at, row->preset_len);
	if (host.len)
		memcpy(row->host, host.at, host.len);
	if (d->addr)
		row->addr = *d->addr;
}

struct denied summary_at(const struct summary *s, size_t index)
{
	const struct summary_row *row = &s->rows[index];
	struct denied d = row->denied;

	assert(index < s->count);
	d.host = span_of(row->host, row->host_len);
	d.preset = span_of(row->preset, row->preset_len);
	d.addr = d.addr ? &row->addr : NULL;
	return d;
}

/* More times first; of equals the name in order, so that output is stable */
static int compare(const void *left, const void *right)
{
	const struct summary_row *a = left, *b = right;
	size_t len = a->host_len < b->host_len ? a->host_len : b->host_len;
	int order;

	if (a->denied.times != b->denied.times)
		return a->denied.times > b->denied.times ? -1 : 1;
	order = memcmp(a->host, b->host, len);
	if (!order)
		order = a->host_len - b->host_len;
	return order ? order : a->denied.port - b->denied.port;
}

void summary_sort(struct summary *s)
{
	if (s->count)
		qsort(s->rows, s->count, sizeof(*s->rows), compare);
}

/* Could a person paste this into a shell and get what it says? */
static bool is_plain_words(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || (c && strchr(" -._:,=/[]@+", c))))
			return false;
	}
	return true;
}

bool summary_suggest(struct buf *b, const struct denied *d)
{
	struct span host = d->literal ? (struct span){ 0 } : d->host;
	struct buf text = buf_new(SUGGEST_MAX);
	bool good;

	if (d->unix_socket)
		good = buf_printf(&text, "--allow-unix " SPAN_FMT, SPAN_ARG(d->host));
	else
		good = explain_suggest(&text, d->reason, d->preset, host, d->addr, d->port,
				       d->transport);
	/* A space in the host would make two words of it */
	good = good && !text.full && span_find(d->host, ' ') < 0 &&
	       is_plain_words(buf_span(&text));
	if (good)
		buf_add_span(b, buf_span(&text));
	buf_done(&text);
	return good;
}

static void print_line(const struct denied *d, FILE *to)
{
	struct buf line = buf_new(4 * HOST_MAX + SUGGEST_MAX + 256);

	buf_add_str(&line, "sluice: denied ");
	text_escape(&line, d->host);
	if (d->port)
		buf_printf(&line, ":%u%s", d->port,
			   d->transport == TRANSPORT_UDP ? "/udp" : "");
	buf_printf(&line, " (%s", d->unix_socket ? "a Unix socket of the host"
						 : reason_name(d->reason));
	if (d->times > 1)
		buf_printf(&line, ", %" PRIu64 " times", d->times);
	buf_add_str(&line, "): ");
	if (!summary_suggest(&line, d))
		buf_add_str(&line, "no flag allows this");
	buf_add_str(&line, "\n");
	fwrite(line.at, 1, line.len, to);
	buf_done(&line);
}

void summary_print(struct summary *s, FILE *to, size_t max_lines)
{
	uint64_t rest = s->others;
	size_t shown = s->count;

	if (!max_lines)
		return;
	if (shown > max_lines || (shown == max_lines && rest))
		shown = max_lines - 1;
	summary_sort(s);
	for (size_t i = 0; i < shown; i++) {
		struct denied d = summary_at(s, i);

		print_line(&d, to);
	}
	for (size_t i = shown; i < s->count; i++)
		rest += s->rows[i].denied.times;
	if (rest)
		fprintf(to, "sluice: denied %" PRIu64 " more (sluice report shows all)\n", rest);
}
