/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/record.h"

#include <assert.h>
#include <time.h>

#include "audit/redact.h"
#include "base/dns_type.h"
#include "base/json.h"

/* As buf_add(), but where there is room, which is nearly always, the copy is inlined */
static inline void put(struct buf *b, const void *bytes, size_t len)
{
	if (b->full || len > b->size - b->len) {
		buf_add(b, bytes, len);
	} else if (len) {
		memcpy(b->at + b->len, bytes, len);
		b->len += len;
	}
}

/* Literals know their length; a key is one copy */
#define PUT(b, literal) put((b), (literal), sizeof(literal) - 1)
#define KEY(b, name) PUT((b), ",\"" name "\":")
/* @kind: of its value, put_KIND() */
#define FIELD(b, name, kind, value) do { KEY((b), name); put_##kind((b), (value)); } while (0)

static const char hex_digits[] = "0123456789abcdef";

void hex_encode(const uint8_t *bytes, size_t len, char *dst)
{
	for (size_t i = 0; i < len; i++) {
		dst[2 * i] = hex_digits[bytes[i] >> 4];
		dst[2 * i + 1] = hex_digits[bytes[i] & 15];
	}
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct span hex, uint8_t *ret_bytes, size_t len)
{
	if (hex.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = hex_value(hex.at[2 * i]), low = hex_value(hex.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret_bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

struct chain chain_start(void)
{
	struct chain c = { 0 };

	memset(c.prev, '0', sizeof(c.prev));
	return c;
}

bool record_init(struct record *r, const char *session)
{
	*r = (struct record){
		.out = buf_new(RECORD_BATCH_MAX),
		.chain = chain_start(),
		.second = INT64_MIN,
		.session = buf_new(8 * RECORD_TEXT_MAX),
		.path = buf_new(RECORD_PATH_MAX),
		.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL),
		.digest = EVP_MD_CTX_new(),
	};
	PUT(&r->session, "\",\"session\":");
	json_span(&r->session, span_head(span_str(session), RECORD_TEXT_MAX));
	PUT(&r->session, ",\"event\":\"");
	if (r->sha256 && r->digest && !r->session.full)
		return true;
	record_done(r);
	return false;
}

void record_done(struct record *r)
{
	buf_done(&r->out);
	buf_done(&r->session);
	buf_done(&r->path);
	EVP_MD_CTX_free(r->digest);
	EVP_MD_free(r->sha256);
	r->digest = NULL;
	r->sha256 = NULL;
}

void record_resume(struct record *r, const struct chain *c)
{
	buf_clear(&r->out);
	r->chain = *c;
	r->second = INT64_MIN;	/* chain.ts may tell another one now */
}

static void put_digits(char *dst, size_t width, int64_t value)
{
	while (width--) {
		dst[width] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* RFC 3339; the date is worked out once a second */
static void set_time(struct record *r, int64_t now_us)
{
	int64_t second = now_us / 1000000;
	char *ts = r->chain.ts;
	time_t t = second;
	struct tm tm;

	if (second != r->second) {
		gmtime_r(&t, &tm);
		memcpy(ts, "0000-00-00T00:00:00.000000Z", TIME_TEXT);
		put_digits(ts, 4, tm.tm_year + 1900);
		put_digits(ts + 5, 2, tm.tm_mon + 1);
		put_digits(ts + 8, 2, tm.tm_mday);
		put_digits(ts + 11, 2, tm.tm_hour);
		put_digits(ts + 14, 2, tm.tm_min);
		put_digits(ts + 17, 2, tm.tm_sec);
		r->second = second;
	}
	put_digits(ts + 20, 6, now_us % 1000000);
}

/* Readers of JSON have 63 bits; a counter that says more is a lie of its source anyway */
static void put_uint(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	if (v > INT64_MAX)
		v = INT64_MAX;
	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	put(b, digits + at, sizeof(digits) - at);
}

static struct buf *open_line(struct record *r, const char *event, size_t len)
{
	struct buf *b = &r->out;

	r->line = b->len;
	PUT(b, "{\"v\":1,\"seq\":");
	put_uint(b, r->chain.seq);
	PUT(b, ",\"ts\":\"");
	put(b, r->chain.ts, TIME_TEXT);
	put(b, r->session.at, r->session.len);
	put(b, event, len);
	PUT(b, "\"");
	return b;
}

#define OPEN(r, now_us, event) \
	(set_time((r), (now_us)), open_line((r), (event), sizeof(event) - 1))

static void close_line(struct record *r)
{
	struct buf *b = &r->out;
	uint8_t hash[32];

	KEY(b, "prev");
	PUT(b, "\"");
	put(b, r->chain.prev, HASH_HEX);
	PUT(b, "\"}\n");
	if (b->full || b->len - r->line > RECORD_LINE_MAX ||
	    !EVP_DigestInit_ex2(r->digest, r->sha256, NULL) ||
	    !EVP_DigestUpdate(r->digest, b->at + r->line, b->len - r->line - 1) ||
	    !EVP_DigestFinal_ex(r->digest, hash, NULL)) {
		b->full = true;
		b->len = r->line;
		return;
	}
	hex_encode(hash, sizeof(hash), r->chain.prev);
	r->chain.seq++;
}

/* Would json_span() copy it as it is? */
static bool is_plain(struct span s)
{
	bool plain = true;

	for (size_t i = 0; i < s.len; i++)
		plain &= s.at[i] >= 0x20 && s.at[i] < 0x7f && s.at[i] != '"' &&
			 s.at[i] != '\\';
	return plain;
}

static bool ends_in(const struct buf *b, char c)
{
	return b->len && b->at[b->len - 1] == c;
}

/* A string value of bytes that somebody else chose */
static void put_text(struct buf *b, struct span s)
{
	if (s.len <= RECORD_TEXT_MAX && ends_in(b, ':') && is_plain(s)) {
		PUT(b, "\"");
		put(b, s.at, s.len);
		PUT(b, "\"");
		return;
	}
	if (s.len <= RECORD_TEXT_MAX) {
		json_span(b, s);
		return;
	}
	json_span(b, span_head(s, RECORD_TEXT_MAX));
	if (b->full)
		return;
	b->len--;	/* the closing quote */
	PUT(b, "...\"");
}

static void put_str(struct buf *b, const char *s)
{
	if (s)
		put_text(b, span_str(s));
	else
		PUT(b, "null");
}

/* A value, or one of an array's */
static void put_addr(struct buf *b, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (!a) {
		PUT(b, "null");
		return;
	}
	if (ends_in(b, '"'))
		PUT(b, ",");
	PUT(b, "\"");
	put(b, text, strlen(addr_text(a, text)));
	PUT(b, "\"");
}

static void put_verdict(struct buf *b, enum answer verdict, enum reason reason)
{
	assert(verdict == ANSWER_ALLOW || verdict == ANSWER_DENY || verdict == ANSWER_ASK);
	if (verdict == ANSWER_ALLOW)
		PUT(b, ",\"verdict\":\"allow\",\"reason\":");
	else if (verdict == ANSWER_ASK)	/* of a name: a connection to it waits */
		PUT(b, ",\"verdict\":\"ask\",\"reason\":");
	else
		PUT(b, ",\"verdict\":\"deny\",\"reason\":");
	put_str(b, reason_name(reason));
}

static void put_rule(struct buf *b, const struct audit_rule *rule)
{
	FIELD(b, "rule", str, rule->id);
}

void record_session_start(struct record *r, int64_t now_us, const struct record_start *e)
{
	const struct audit_start *s = e->start;
	struct buf *b = OPEN(r, now_us, "session.start");

	FIELD(b, "mode", str, mode_name(s->mode));
	FIELD(b, "command", str, s->command);
	KEY(b, "labels");
	json_open(b, '{');
	for (size_t i = 0; i < s->label_count; i++) {
		put_text(b, span_str(s->labels[i].key));
		PUT(b, ":");
		put_text(b, span_str(s->labels[i].value));
	}
	json_close(b, '}');
	FIELD(b, "policy_sha256", str, s->policy_sha256);
	FIELD(b, "version", str, s->version);
	FIELD(b, "key_id", str, e->key_id);
	FIELD(b, "key", str, e->key);
	close_line(r);
}

static void put_dns_type(struct buf *b, uint16_t type)
{
	char text[DNS_TYPE_TEXT_MAX];

	put_str(b, dns_type_text(type, text));
}

static void put_process(struct buf *b, const struct audit_process *p)
{
	if (p->pid > 0)
		FIELD(b, "pid", uint, (uint64_t)p->pid);
	if (!p->exe.len)
		return;
	FIELD(b, "exe", text, p->exe);
}

void record_dns_query(struct record *r, int64_t now_us, const struct audit_dns *e)
{
	struct buf *b = OPEN(r, now_us, "dns.query");

	FIELD(b, "name", text, e->name);
	FIELD(b, "type", dns_type, e->type);
	put_verdict(b, e->verdict, e->reason);
	put_rule(b, &e->rule);
	FIELD(b, "answer", addr, e->answer);
	put_process(b, &e->process);
	close_line(r);
}

void record_conn_open(struct record *r, int64_t now_us, const struct audit_conn *e)
{
	struct buf *b = OPEN(r, now_us, "conn.open");

	FIELD(b, "conn", uint, e->conn);
	KEY(b, "host");
	if (e->host.len)
		put_text(b, e->host);
	else
		put_addr(b, &e->literal);
	PUT(b, ",\"ips\":[");
	for (size_t i = 0; i < e->ip_count; i++)
		put_addr(b, &e->ips[i]);
	PUT(b, "]");
	FIELD(b, "port", uint, e->port);
	FIELD(b, "proto", str, e->proto);
	put_verdict(b, e->verdict, e->reason);
	put_rule(b, &e->rule);
	FIELD(b, "layer", str, e->rule.layer);
	put_process(b, &e->process);
	if (e->has_sni)
		FIELD(b, "sni", text, e->sni);
	if (e->alpn.len)
		FIELD(b, "alpn", text, e->alpn);
	close_line(r);
}

static void put_bytes(struct buf *b, uint64_t out, uint64_t in)
{
	FIELD(b, "bytes_out", uint, out);
	FIELD(b, "bytes_in", uint, in);
}

void record_conn_close(struct record *r, int64_t now_us, const struct audit_close *e)
{
	struct buf *b = OPEN(r, now_us, "conn.close");

	FIELD(b, "conn", uint, e->conn);
	KEY(b, "host");
	if (e->host.len || !e->ip)
		put_text(b, e->host);
	else
		put_addr(b, e->ip);
	FIELD(b, "ip", addr, e->ip);
	FIELD(b, "port", uint, e->port);
	put_bytes(b, e->bytes_out, e->bytes_in);
	FIELD(b, "duration_ms", uint, e->duration_ms);
	FIELD(b, "end", str, e->end);
	if (e->proto)
		FIELD(b, "proto", str, e->proto);
	if (e->reason != REASON_ALLOWED)
		FIELD(b, "reason", str, reason_name(e->reason));
	if (e->detail.len)
		FIELD(b, "detail", text, e->detail);
	close_line(r);
}

void record_http(struct record *r, int64_t now_us, const struct audit_http *e)
{
	struct buf *b = OPEN(r, now_us, "http");

	/* Redacted before it is cut: half a token is half a secret */
	buf_clear(&r->path);
	if (r->paths == DETAIL_REDACT)
		redact_path(&r->path, e->path);
	else
		buf_add_span(&r->path, r->paths == DETAIL_FULL ? e->path : SPAN("***"));
	FIELD(b, "conn", uint, e->conn);
	FIELD(b, "host", text, e->host);
	FIELD(b, "port", uint, e->port);
	FIELD(b, "method", text, e->method);
	FIELD(b, "path", text, r->path.full ? SPAN("***") : buf_span(&r->path));
	FIELD(b, "status", uint, e->status);
	put_verdict(b, e->verdict, e->reason);
	put_rule(b, &e->rule);
	put_bytes(b, e->bytes_out, e->bytes_in);
	close_line(r);
}

void record_packet_drop(struct record *r, int64_t now_us, const struct audit_drop *e)
{
	struct buf *b = OPEN(r, now_us, "packet.drop");

	FIELD(b, "proto", str, e->proto);
	FIELD(b, "ip", addr, &e->ip);
	FIELD(b, "port", uint, e->port);
	FIELD(b, "count", uint, e->count);
	close_line(r);
}

void record_alert(struct record *r, int64_t now_us, const struct audit_alert *e)
{
	struct buf *b = OPEN(r, now_us, "alert");

	FIELD(b, "kind", str, e->kind);
	FIELD(b, "value", uint, e->value);
	FIELD(b, "threshold", uint, e->threshold);
	FIELD(b, "message", text, e->message);
	close_line(r);
}

void record_approval(struct record *r, int64_t now_us, const struct audit_approval *e)
{
	struct buf *b = OPEN(r, now_us, "approval");

	FIELD(b, "host", text, e->host);
	FIELD(b, "port", uint, e->port);
	FIELD(b, "decision", str, e->decision);
	FIELD(b, "by", str, e->by);
	FIELD(b, "scope", str, e->scope);
	FIELD(b, "waited_ms", uint, e->waited_ms);
	close_line(r);
}

void record_denials(struct record *r, int64_t now_us, const struct record_denials *e)
{
	struct buf *b = OPEN(r, now_us, "denials");

	FIELD(b, "reason", str, reason_name(e->reason));
	FIELD(b, "count", uint, e->count);
	FIELD(b, "distinct", uint, e->distinct);
	PUT(b, ",\"sample\":[");
	for (size_t i = 0; i < e->sample_count; i++)
		put_text(b, e->sample[i]);
	PUT(b, "]");
	close_line(r);
}

void record_policy_reload(struct record *r, int64_t now_us, const char *sha256, bool changed,
			  const char *why)
{
	struct buf *b = OPEN(r, now_us, "policy.reload");

	FIELD(b, "policy_sha256", str, sha256);
	KEY(b, "changed");
	json_bool(b, changed);
	if (why)
		FIELD(b, "error", str, why);
	close_line(r);
}

void record_session_end(struct record *r, int64_t now_us, int exit_code,
			const struct audit_totals *totals)
{
	struct buf *b = OPEN(r, now_us, "session.end");

	KEY(b, "exit_code");
	json_int(b, exit_code);
	PUT(b, ",\"totals\":{");
	json_key(b, "connections");
	put_uint(b, totals->connections);
	FIELD(b, "denied", uint, totals->denied);
	FIELD(b, "dns", uint, totals->dns);
	put_bytes(b, totals->bytes_out, totals->bytes_in);
	FIELD(b, "alerts", uint, totals->alerts);
	PUT(b, "}");
	close_line(r);
}

void record_checkpoint(struct record *r, const char key_id[KEY_ID_HEX], const char sig[SIG_HEX])
{
	struct buf *b = open_line(r, "checkpoint", strlen("checkpoint"));

	KEY(b, "key_id");
	json_span(b, span_of(key_id, KEY_ID_HEX));
	KEY(b, "sig");
	json_span(b, span_of(sig, SIG_HEX));
	close_line(r);
}
