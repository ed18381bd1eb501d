/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show.c - a policy as the text of a policy file
 *
 * Every text is written in double quotes, in which YAML knows an escape for
 * everything; so nothing that is in a text becomes structure.
 */
#include "policy/show.h"

#include "base/auto.h"
#include "base/dns_type.h"
#include "policy/image.h"

static const char *const protocols[] = {
	[PROTOCOL_AUTO] = "auto", [PROTOCOL_TLS] = "tls", [PROTOCOL_HTTP] = "http",
	[PROTOCOL_TCP] = "tcp", [PROTOCOL_UDP] = "udp",
};

/* ---- scalars ---- */

/* The character at the front of @s, which is well-formed: the file was.  Return: its bytes */
static size_t utf8_char(struct span s, uint32_t *ret_char)
{
	uint8_t lead = s.at[0];
	size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	*ret_char = len == 1 ? lead : lead & (0x7fu >> len);
	for (size_t i = 1; i < len && i < s.len; i++)
		*ret_char = *ret_char << 6 | (s.at[i] & 0x3f);
	return len < s.len ? len : s.len;
}

/* Characters that YAML lets stand as they are, and that break no line */
static bool is_plain(uint32_t c)
{
	return (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c <= 0xd7ff && c != 0x2028 && c != 0x2029) ||
	       (c >= 0xe000 && c <= 0xfffd && c != 0xfeff) || c >= 0x10000;
}

void quoted_words(struct buf *b, struct span s)
{
	buf_add_str(b, "\"");
	while (s.len) {
		uint32_t c;
		size_t len = utf8_char(s, &c);

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", (char)c);
		else if (is_plain(c))
			buf_add(b, s.at, len);
		else
			buf_printf(b, "\\u%04x", c);
		s = span_skip(s, len);
	}
	buf_add_str(b, "\"");
}

/* In a comment one line is one line */
static void add_comment(struct buf *b, const char *text)
{
	struct span s = span_str(text);

	while (s.len) {
		uint32_t c;
		size_t len = utf8_char(s, &c);

		if (is_plain(c))
			buf_add(b, s.at, len);
		else
			buf_add_str(b, "?");
		s = span_skip(s, len);
	}
}

static void add_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, "    %s: ", key);
	quoted_words(b, span_str(text));
	buf_add_str(b, "\n");
}

static void add_texts(struct buf *b, const char *key, const struct texts *t)
{
	if (!t->count)
		return;
	buf_printf(b, "    %s: [", key);
	for (uint32_t i = 0; i < t->count; i++) {
		buf_add_str(b, i ? ", " : "");
		quoted_words(b, span_str(texts_at(t, i)));
	}
	buf_add_str(b, "]\n");
}

static void add_port(struct buf *b, const struct port_range *r)
{
	buf_printf(b, "%u", r->first);
	if (r->last != r->first)
		buf_printf(b, "-%u", r->last);
	if (r->transport == TRANSPORT_UDP)
		buf_add_str(b, "/udp");
}

static void add_ports(struct buf *b, const struct rule_view *v)
{
	if (!v->port_count)
		return;
	buf_add_str(b, "    ports: [");
	for (size_t i = 0; i < v->port_count; i++) {
		buf_add_str(b, i ? ", \"" : "\"");
		add_port(b, &v->ports[i]);
		buf_add_str(b, "\"");
	}
	buf_add_str(b, "]\n");
}

void rate_words(struct buf *b, const struct rate *r)
{
	buf_printf(b, "%u/%s", r->count, r->per_s == 1 ? "s" : r->per_s == 60 ? "min" : "h");
}

static void add_rate(struct buf *b, const char *key, const struct rate *r)
{
	if (!r->count)
		return;
	buf_printf(b, "%s: ", key);
	rate_words(b, r);
	buf_add_str(b, "\n");
}

void rates_words(struct buf *b, const struct rates *r)
{
	unsigned count = 0, told = 0;

	for (unsigned i = 0; i < RATE_WINDOWS; i++)
		count += r->at[i].count != 0;
	buf_add_str(b, count > 1 ? "[" : "");
	for (unsigned i = 0; i < RATE_WINDOWS; i++) {
		if (!r->at[i].count)
			continue;
		buf_add_str(b, told++ ? ", " : "");
		rate_words(b, &r->at[i]);
	}
	buf_add_str(b, count > 1 ? "]" : "");
}

static void add_rates(struct buf *b, const char *key, const struct rates *r)
{
	if (!rates_any(r))
		return;
	buf_printf(b, "%s: ", key);
	rates_words(b, r);
	buf_add_str(b, "\n");
}

static void add_amount(struct buf *b, const char *key, uint64_t value)
{
	if (value != AMOUNT_NONE)
		buf_printf(b, "%s: %llu\n", key, (unsigned long long)value);
}

/* {down: N, up: N, burst: N} of what is set */
static void add_amounts(struct buf *b, const char *key, const char *unit, uint64_t times,
			uint64_t down, uint64_t up, uint64_t burst)
{
	const struct {
		const char	*name, *unit;
		uint64_t	 value, times;
	} parts[] = {
		{ "down", unit, down, times }, { "up", unit, up, times }, { "burst", "", burst, 1 },
	};
	const char *before = "";

	if (down == AMOUNT_NONE && up == AMOUNT_NONE)
		return;
	buf_printf(b, "    %s: {", key);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].value == AMOUNT_NONE)
			continue;
		buf_printf(b, "%s%s: %llu%s", before, parts[i].name,
			   (unsigned long long)(parts[i].value * parts[i].times), parts[i].unit);
		before = ", ";
	}
	buf_add_str(b, "}\n");
}

/* ---- times ---- */

#define DAY_S 86400
#define YEAR_10000_S INT64_C(253402300800)	/* what four digits cannot say */

/* Day @days of the Gregorian calendar from 1970-01-01: whole years, then whole months */
static void add_day(struct buf *b, int64_t days)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year = 1970, month = 0;

	for (;; year++) {
		bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

		if (days < (leap ? 366 : 365)) {
			for (; days >= lengths[month] + (month == 1 && leap); month++)
				days -= lengths[month] + (month == 1 && leap);
			break;
		}
		days -= leap ? 366 : 365;
	}
	buf_printf(b, "%04u-%02u-%02u", year, month + 1, (unsigned)days + 1);
}

/* A day, if it ends with one, which only a day can say of the last one that there is */
static void add_expires(struct buf *b, int64_t s)
{
	bool late = s > YEAR_10000_S;
	unsigned rest;

	if (!s)
		return;
	buf_add_str(b, "    expires: \"");
	if (s % DAY_S == 0 && s <= YEAR_10000_S) {
		add_day(b, s / DAY_S - 1);
		buf_add_str(b, "\"\n");
		return;
	}
	/* west of Greenwich it is still the last day of the year 9999 */
	s -= late ? DAY_S - 60 : 0;
	rest = (unsigned)(s % DAY_S);
	add_day(b, s / DAY_S);
	buf_printf(b, "T%02u:%02u:%02u%s\"\n", rest / 3600, rest / 60 % 60, rest % 60,
		   late ? "-23:59" : "Z");
}

/* ---- rules ---- */

static void add_credentials(struct buf *b, const struct rule_view *v)
{
	if (!*v->credential_header)
		return;
	buf_add_str(b, "    credentials: {header: ");
	quoted_words(b, span_str(v->credential_header));
	buf_add_str(b, ", sha256: [");
	for (size_t i = 0; i < v->credential_count; i++) {
		buf_add_str(b, i ? ", \"" : "\"");
		for (unsigned k = 0; k < DIGEST_BYTES; k++)
			buf_printf(b, "%02x", v->credentials[i][k]);
		buf_add_str(b, "\"");
	}
	buf_add_str(b, "]}\n");
}

/* Without its inject a rule would let pass what nobody looks into */
static void add_inject(struct buf *b, const struct rule_view *v)
{
	if (!*v->inject_header)
		return;
	buf_add_str(b, "    inject: {header: ");
	quoted_words(b, span_str(v->inject_header));
	buf_add_str(b, ", value: \"${env:SLUICE_VALUE_NOT_SHOWN}\"}\n");
}

static void add_flag(struct buf *b, const char *line, bool set)
{
	if (set)
		buf_printf(b, "    %s\n", line);
}

static void add_origin(struct buf *b, const struct rule_view *v)
{
	buf_printf(b, "  # %s, ", layer_name(v->layer));
	add_comment(b, v->origin.file);
	if (v->origin.line)
		buf_printf(b, ":%u", v->origin.line);
	buf_add_str(b, "\n");
	if (*v->inject_header) {
		buf_add_str(b, "  # inject's value is not shown: set the variable, or write it in\n");
	}
}

/* Ids with brackets are those that rules get by themselves */
static bool has_own_id(const struct policy *p, uint32_t rule, const char *id)
{
	/* a preset that is narrowed gives its id to all the rules that come of it */
	return !strchr(id, '[') && (!rule || strcmp(policy_rule(p, rule - 1).id, id));
}

static enum layer list_layer(const struct policy *p)
{
	enum layer strongest = LAYER_NUM;

	for (uint32_t i = 0; i < p->rules.count; i++) {
		const struct image_rule *r = image_rule(p, i);

		if (form_is_list(r->form) && r->layer < strongest)
			strongest = r->layer;
	}
	return strongest;
}

static void add_rule(struct buf *b, const struct policy *p, uint32_t rule, bool comments,
		     enum layer lists)
{
	unsigned under = rule_lies_under(image_rule(p, rule), lists, p->has_ceiling);
	struct rule_view v = policy_rule(p, rule);

	if (comments)
		add_origin(b, &v);
	buf_printf(b, "  - %s: ", v.list ? v.list : v.is_net ? "ip" : "host");
	quoted_words(b, span_str(v.host));
	buf_add_str(b, "\n");
	add_ports(b, &v);
	if (v.protocol != PROTOCOL_AUTO)
		buf_printf(b, "    protocol: %s\n", protocols[v.protocol]);
	add_flag(b, "private: true", v.private);
	add_flag(b, "unsafe_wildcard: true", v.unsafe_wildcard);
	add_flag(b, "over_lists: false", under & RULE_UNDER_LISTS);
	add_flag(b, "under_ceiling: true", under & RULE_UNDER_CEILING);
	add_texts(b, "methods", &v.methods);
	add_texts(b, "paths", &v.paths);
	add_rate(b, "    rate", &v.rate);
	add_amounts(b, "bandwidth", "bit", 8, v.down_bps, v.up_bps, v.burst_bytes);
	add_amounts(b, "quota", "", 1, v.quota_down, v.quota_up, AMOUNT_NONE);
	add_amount(b, "    max_request", v.max_request);
	add_flag(b, "websocket: true", v.websocket);
	add_flag(b, "inspect: always", v.inspect == INSPECT_ALWAYS);
	add_flag(b, "inspect: never", v.inspect == INSPECT_NEVER);
	add_flag(b, "ech: allow", v.ech);
	add_credentials(b, &v);
	add_inject(b, &v);
	add_expires(b, v.expires_s);
	add_flag(b, "quiet: true", v.quiet);
	if (*v.note)
		add_text(b, "reason", v.note);
	if (has_own_id(p, rule, v.id))
		add_text(b, "id", v.id);
}

enum list { LIST_ALLOW, LIST_DENY, LIST_CEILING };

static void add_list(struct buf *b, const struct policy *p, const char *key, enum list list,
		     bool comments)
{
	enum layer lists = list_layer(p);
	bool first = true;

	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		struct rule_view v = policy_rule(p, i);
		enum list its = v.ceiling ? LIST_CEILING : v.allow ? LIST_ALLOW : LIST_DENY;

		if (its != list)
			continue;
		if (first)
			buf_printf(b, "%s:\n", key);
		first = false;
		add_rule(b, p, i, comments, lists);
	}
	if (first && list == LIST_CEILING && p->has_ceiling)
		buf_printf(b, "%s: []\n", key);
}

/* ---- settings ---- */

static void add_limits(struct buf *b, const struct policy_limits *l)
{
	static const char *const exceed[] = {
		[EXCEED_ALERT] = "alert", [EXCEED_BLOCK] = "block", [EXCEED_KILL] = "kill",
	};
	struct buf lines = buf_new(4096);

	add_rates(&lines, "  requests", &l->requests);
	add_rates(&lines, "  requests_per_host", &l->requests_per_host);
	add_amount(&lines, "  unique_hosts", l->unique_hosts);
	add_amount(&lines, "  upload_per_request", l->upload_per_request);
	add_amount(&lines, "  upload_total", l->upload_total);
	add_amount(&lines, "  download_total", l->download_total);
	if (l->error_rate_percent)
		buf_printf(&lines, "  error_rate: %u%%\n", l->error_rate_percent);
	if (l->on_exceed != EXCEED_ALERT)
		buf_printf(&lines, "  on_exceed: %s\n", exceed[l->on_exceed]);
	if (lines.len) {
		buf_add_str(b, "limits:\n");
		buf_add_span(b, buf_span(&lines));
	}
	buf_done(&lines);
}

static void add_log(struct buf *b, const struct policy_log *l)
{
	static const char *const details[] = {
		[DETAIL_REDACT] = "redact", [DETAIL_FULL] = "full", [DETAIL_NONE] = "none",
	};
	static const char *const bools[] = { "false", "true" };

	buf_printf(b, "log:\n  dns: %s\n  paths: %s\n  command: %s\n  sync: %s\n  process: %s\n",
		   bools[!!l->dns], details[l->paths], details[l->command], bools[!!l->sync],
		   bools[!!l->process]);
	add_amount(b, "  max", l->max_bytes);
	add_amount(b, "  rotate", l->rotate_bytes);
}

static void add_privates(struct buf *b, const struct policy *p)
{
	const struct image_private *n = image_at(p, p->privates.at);
	char text[NET_TEXT_MAX];

	if (p->privates.count)
		buf_add_str(b, "private_networks:\n");
	for (uint32_t i = 0; i < p->privates.count; i++) {
		const char *host = image_text(p, n[i].host);

		buf_printf(b, "  - \"%s%s%s\"\n", host, *host ? "=" : "",
			   net_text(&n[i].net, text));
	}
}

static void add_maps(struct buf *b, const struct policy_settings *s)
{
	char text[ADDR_TEXT_MAX];

	if (s->host_port_count)
		buf_add_str(b, "host_ports:\n");
	for (size_t i = 0; i < s->host_port_count; i++)
		buf_printf(b, "  - \"%u:%u\"\n", s->host_ports[i].inside, s->host_ports[i].outside);
	if (s->publish_count)
		buf_add_str(b, "publish:\n");
	for (size_t i = 0; i < s->publish_count; i++) {
		bool v4 = addr_is_v4(&s->publish[i].addr);

		buf_printf(b, "  - \"%s%s%s:%u:%u\"\n", v4 ? "" : "[",
			   addr_text(&s->publish[i].addr, text), v4 ? "" : "]",
			   s->publish[i].outside, s->publish[i].inside);
	}
}

static void add_dns(struct buf *b, const struct policy *p, const struct policy_settings *s)
{
	char text[NET_TEXT_MAX], text6[NET_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
	const char *before = "";

	buf_printf(b, "dns:\n  synthetic: [\"%s\", \"%s\"]\n", net_text(&s->synthetic4, text),
		   net_text(&s->synthetic6, text6));
	buf_add_str(b, "  types: [");
	for (unsigned i = 0; i < DNS_TYPES_OPEN_MAX; i++) {
		if (!(s->dns_types >> i & 1))
			continue;
		buf_printf(b, "%s%s", before, dns_type_text(dns_type_open(i), type));
		before = ", ";
	}
	buf_add_str(b, "]\n");
	for (size_t i = 0; i < s->upstream_count; i++) {
		buf_add_str(b, i ? ", " : "  upstream: [");
		quoted_words(b, span_str(policy_upstream(p, i)));
	}
	buf_add_str(b, s->upstream_count ? "]\n" : "");
}

static void add_settings(struct buf *b, const struct policy *p)
{
	struct policy_settings s = policy_settings(p);
	char text[NET_TEXT_MAX];

	add_limits(b, &s.limits);
	add_dns(b, p, &s);
	if (s.upstream_proxy[0])
		buf_printf(b, "upstream_proxy: \"%s\"\n", s.upstream_proxy);
	for (size_t i = 0; i < s.ca_count; i++) {
		buf_add_str(b, i ? ", " : "tls_ca: [");
		quoted_words(b, span_str(policy_ca(p, i).path));
	}
	buf_add_str(b, s.ca_count ? "]\n" : "");
	add_privates(b, p);
	add_maps(b, &s);
	/* only the system's are not under a ceiling, and as its own they would all be so */
	if (p->has_ceiling && s.peer_count > p->system_peers) {
		buf_printf(b, "# left out: %zu peers of other layers, which the ceiling bounds\n",
			   s.peer_count - p->system_peers);
		s.peer_count = p->system_peers;
	}
	if (s.peer_count)
		buf_add_str(b, "peers:\n");
	for (size_t i = 0; i < s.peer_count; i++)
		buf_printf(b, "  - \"%s\"\n", net_text(&s.peers[i], text));
	add_log(b, &s.log);
}

void policy_show(struct buf *b, const struct policy *p, bool comments)
{
	buf_printf(b, "version: 1\nmode: %s\n", mode_name(policy_mode(p)));
	if (p->asks)
		buf_add_str(b, "default: ask\n");
	add_list(b, p, "allow", LIST_ALLOW, comments);
	add_list(b, p, "deny", LIST_DENY, comments);
	add_list(b, p, "ceiling", LIST_CEILING, comments);
	add_settings(b, p);
}

/* ---- words ---- */

void rule_words(struct buf *b, const struct rule_view *v)
{
	const struct texts *lists[] = { &v->methods, &v->paths };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (uint32_t k = 0; k < lists[i]->count; k++)
			buf_printf(b, "%s%s", k ? "," : "", texts_at(lists[i], k));
		if (lists[i]->count)
			buf_add_str(b, " ");
	}
	if (v->methods.count || v->paths.count)
		buf_add_str(b, "on ");
	buf_add_str(b, v->host);
	for (size_t i = 0; i < v->port_count; i++) {
		buf_add_str(b, i ? "," : ":");
		add_port(b, &v->ports[i]);
	}
}
