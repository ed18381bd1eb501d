/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two readers of a line must not differ, so a line is not only JSON: the common
 * fields must stand exactly as record.c writes them, at the front and at the
 * end, and the object between must have no duplicate keys.  The hash is over
 * bytes, so any other change shows in the next line's prev.
 *
 * The last line has no next line.  It is therefore allowed no freedom if it is
 * a checkpoint: see record_checkpoint().
 */
#include "audit/verify.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>

#define SESSION_MAX (8 * RECORD_TEXT_MAX)	/* bytes of a session's name as it is escaped */

/* One line, taken apart; spans into it */
struct parts {
	uint64_t	seq;
	struct span	ts, session, event;
	struct span	own;		/* the event's own fields, from their first comma */
	struct span	prev;
};

struct verify {
	const struct verify_options *o;
	struct verify_result *r;
	struct public_key keys[KEYS_MAX];
	size_t		 key_count;
	const struct public_key *key;	/* of the session */
	bool		 ended;		/* session.end was seen; only a checkpoint may follow */
	bool		 signed_last;	/* the last line is a checkpoint */
	size_t		 session_len;
	uint8_t		 session[SESSION_MAX];
	EVP_MD		*sha256;
	EVP_MD_CTX	*digest;
	struct lines	 lines;
};

static bool bad(struct verify *v, uint64_t line, const char *fmt, ...) PRINTF(3, 4);
static bool bad(struct verify *v, uint64_t line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->r->why, sizeof(v->r->why), fmt, ap);
	va_end(ap);
	v->r->bad_line = line;
	v->r->ok = false;
	return false;
}

static bool take(struct span *s, struct span literal)
{
	if (!span_starts(*s, literal))
		return false;
	*s = span_skip(*s, literal.len);
	return true;
}

/* The characters up to the next quote that no backslash precedes */
static bool take_text(struct span *s, struct span *ret_text)
{
	for (size_t i = 0; i < s->len && s->at[i] >= 0x20; i++) {
		if (s->at[i] == '"') {
			*ret_text = span_head(*s, i);
			*s = span_skip(*s, i + 1);
			return true;
		}
		i += s->at[i] == '\\';
	}
	return false;
}

static bool take_number(struct span *s, uint64_t *ret_value)
{
	size_t len = 0;

	while (len < s->len && s->at[len] >= '0' && s->at[len] <= '9')
		len++;
	if ((len > 1 && s->at[0] == '0') || !span_u64(span_head(*s, len), UINT64_MAX, ret_value))
		return false;
	*s = span_skip(*s, len);
	return true;
}

static bool is_time(struct span ts)
{
	static const char shape[] = "0000-00-00T00:00:00.000000Z";

	if (ts.len != TIME_TEXT)
		return false;
	for (size_t i = 0; i < TIME_TEXT; i++) {
		bool digit = ts.at[i] >= '0' && ts.at[i] <= '9';

		if (shape[i] == '0' ? !digit : ts.at[i] != shape[i])
			return false;
	}
	return true;
}

static bool take_prev(struct span *s, struct span *ret_prev)
{
	const size_t tail_len = strlen(",\"prev\":\"\"}") + HASH_HEX;
	struct span tail;
	uint8_t hash[32];

	if (s->len < tail_len)
		return false;
	tail = span_skip(*s, s->len - tail_len);
	if (!take(&tail, SPAN(",\"prev\":\"")) || !span_ends(tail, SPAN("\"}")))
		return false;
	*ret_prev = span_head(tail, HASH_HEX);
	s->len -= tail_len;
	return hex_decode(*ret_prev, hash, sizeof(hash));
}

static bool split(struct span line, struct parts *p)
{
	return take(&line, SPAN("{\"v\":1,\"seq\":")) && take_number(&line, &p->seq) &&
	       take(&line, SPAN(",\"ts\":\"")) && take_text(&line, &p->ts) && is_time(p->ts) &&
	       take(&line, SPAN(",\"session\":\"")) && take_text(&line, &p->session) &&
	       take(&line, SPAN(",\"event\":\"")) && take_text(&line, &p->event) &&
	       take_prev(&line, &p->prev) && ((p->own = line), true);
}

static bool is_object(struct span line)
{
	json_t *json = json_loadb((const char *)line.at, line.len,
				  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	bool object = json_is_object(json);

	json_decref(json);
	return object;
}

static const struct public_key *find_key(const struct verify *v, struct span id)
{
	for (size_t i = 0; i < v->key_count; i++)
		if (span_eq(id, span_str(v->keys[i].id)))
			return &v->keys[i];
	return NULL;
}

/* The key that a session.start names: one that is known, or the log's first */
static bool learn_key(struct verify *v, uint64_t line, struct span text)
{
	json_t *json = json_loadb((const char *)text.at, text.len, JSON_ALLOW_NUL, NULL);
	struct span id = span_str(json_string_value(json_object_get(json, "key_id")));
	struct public_key named;
	bool good = public_key_set(&named, span_str(json_string_value(
					   json_object_get(json, "key")))) &&
		    span_eq(id, span_str(named.id));

	json_decref(json);
	if (!good)
		return bad(v, line, "session.start has no key, or not the one of its key_id");
	if (!v->key_count)
		v->keys[v->key_count++] = named;
	v->key = find_key(v, span_str(named.id));
	if (!v->key)
		return bad(v, line, "signed with another key, %s (expected %s)", named.id,
			   v->keys[0].id);
	memcpy(v->r->key_id, named.id, sizeof(named.id));
	return true;
}

static bool start_session(struct verify *v, uint64_t line, struct span text,
			  const struct parts *p)
{
	if (p->session.len > sizeof(v->session))
		return bad(v, line, "the session's name is too long");
	if (p->session.len)
		memcpy(v->session, p->session.at, p->session.len);
	v->session_len = p->session.len;
	v->ended = false;
	v->r->sessions++;
	return learn_key(v, line, text);
}

/* Everything in a checkpoint but its signature follows from the lines before it */
static bool check_checkpoint(struct verify *v, uint64_t line, const struct parts *p)
{
	struct span own = p->own, id, sig;

	if (!take(&own, SPAN(",\"key_id\":\"")) || !take_text(&own, &id) ||
	    !take(&own, SPAN(",\"sig\":\"")) || !take_text(&own, &sig) || own.len)
		return bad(v, line, "not a checkpoint as sluice writes it");
	if (!span_eq(p->ts, span_of(v->r->chain.ts, TIME_TEXT)))
		return bad(v, line, "a checkpoint has the ts of the line before it; this one "
			   "was changed");
	if (!span_eq(id, span_str(v->key->id)))
		return bad(v, line, "key_id is not that of the session's key %s", v->key->id);
	if (!public_key_verify(v->key, p->prev, sig))
		return bad(v, line, "the signature is bad: lines up to here were not written "
			   "by the holder of key %s", v->key->id);
	v->r->signed_lines = line;
	return true;
}

static bool check_event(struct verify *v, uint64_t line, struct span text,
			const struct parts *p)
{
	v->signed_last = span_eq(p->event, SPAN("checkpoint"));
	if (span_eq(p->event, SPAN("session.start")))
		return start_session(v, line, text, p);
	if (!v->key)
		return bad(v, line, "the log does not begin with session.start");
	if (!span_eq(p->session, span_of(v->session, v->session_len)))
		return bad(v, line, "belongs to another session");
	if (v->signed_last)
		return check_checkpoint(v, line, p);
	if (v->ended)
		return bad(v, line, "follows the end of its session");
	v->ended = span_eq(p->event, SPAN("session.end"));
	return true;
}

static bool check_seq(struct verify *v, uint64_t line, uint64_t seq)
{
	uint64_t want = v->r->chain.seq;

	if (seq == want)
		return true;
	return bad(v, line, "seq is %" PRIu64 ", expected %" PRIu64 ": %s", seq, want,
		   seq > want ? "a line before it is missing"
			      : "a line was inserted, repeated or moved");
}

static bool advance(struct verify *v, struct span line, const struct parts *p)
{
	struct verify_result *r = v->r;
	uint8_t hash[32];

	if (!EVP_DigestInit_ex2(v->digest, v->sha256, NULL) ||
	    !EVP_DigestUpdate(v->digest, line.at, line.len) ||
	    !EVP_DigestFinal_ex(v->digest, hash, NULL))
		return bad(v, 0, "OpenSSL failed");
	hex_encode(hash, sizeof(hash), r->chain.prev);
	memcpy(r->chain.ts, p->ts.at, TIME_TEXT);
	r->chain.seq++;
	r->lines++;
	r->end = v->lines.offset;
	memcpy(r->head, r->chain.prev, HASH_HEX);
	return true;
}

static bool check_line(struct verify *v, struct span line)
{
	uint64_t number = v->r->lines + 1;
	struct parts p;

	if (!split(line, &p) || !is_object(line))
		return bad(v, number, "not a line as sluice writes it");
	if (!check_seq(v, number, p.seq))
		return false;
	if (!span_eq(p.prev, span_of(v->r->chain.prev, HASH_HEX)))
		return number == 1
			? bad(v, 1, "prev is not 64 zeros: the log does not begin here")
			: bad(v, number - 1, "was changed: its hash is not the prev of line %"
			      PRIu64, number);
	return check_event(v, number, line, &p) && advance(v, line, &p);
}

/*
 * What a crash leaves is the beginning of a line.  Bytes behind a whole object
 * are no beginning of anything: its newline was overwritten.
 */
static bool check_torn(struct verify *v, struct span tail)
{
	uint64_t number = v->r->lines + 1;
	struct span front = SPAN("{\"v\":1,\"seq\":");
	json_error_t at;
	json_t *json;
	bool whole;

	json = json_loadb((const char *)tail.at, tail.len,
			  JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &at);
	whole = json != NULL;
	json_decref(json);
	if (!span_eq(span_head(tail, front.len), span_head(front, tail.len)) ||
	    (whole && (size_t)at.position < tail.len))
		return bad(v, number, "not a line as sluice writes it, and no torn one");
	v->r->torn = true;
	return true;
}

static bool read_lines(struct verify *v)
{
	struct span line = { 0 };
	int error = 0;

	for (;;) {
		switch (lines_next(&v->lines, &line, &error)) {
		case LINES_ONE:
			if (!check_line(v, line))
				return false;
			break;
		case LINES_TORN:
			return check_torn(v, line);
		case LINES_LONG:
			return bad(v, v->r->lines + 1, "longer than %d bytes", RECORD_LINE_MAX);
		case LINES_END:
			return true;
		case LINES_FAILED:
			return bad(v, 0, "cannot read it: %s", strerror(-error));
		}
	}
}

/* What is wrong with the log as a whole, each line being right */
static bool check_end(struct verify *v)
{
	struct verify_result *r = v->r;

	r->complete = v->ended && v->signed_last && !r->torn;
	if (!r->lines)
		return bad(v, 0, "there is not one whole line in it");
	if (v->o->head && !span_eq_fold(span_str(v->o->head), span_str(r->head)))
		return bad(v, 0, "the head is %s, not the one given: lines were cut off or added",
			   r->head);
	if (v->o->strict && r->torn)
		return bad(v, r->lines + 1, "the last line is torn");
	if (v->o->strict && !r->complete)
		return bad(v, 0, "does not end in session.end and checkpoint");
	return true;
}

bool verify_stream(lines_read *read, void *arg, const struct verify_options *o,
		   struct verify_result *ret)
{
	AUTO_FREE struct verify *v = calloc(1, sizeof(*v));

	*ret = (struct verify_result){ .chain = chain_start() };
	if (!v) {
		snprintf(ret->why, sizeof(ret->why), "out of memory");
		return false;
	}
	v->o = o;
	v->r = ret;
	v->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	v->digest = EVP_MD_CTX_new();
	v->key_count = o->key_count < KEYS_MAX ? o->key_count : KEYS_MAX;
	if (v->key_count)
		memcpy(v->keys, o->keys, v->key_count * sizeof(v->keys[0]));
	lines_init(&v->lines, read, arg);
	ret->ok = true;
	if (!v->sha256 || !v->digest)
		bad(v, 0, "OpenSSL failed");
	else if (read_lines(v))
		check_end(v);
	EVP_MD_CTX_free(v->digest);
	EVP_MD_free(v->sha256);
	return ret->ok;
}

bool verify_fd(int fd, const struct verify_options *o, struct verify_result *ret)
{
	return verify_stream(lines_read_fd, &fd, o, ret);
}

bool verify_pieces(struct pieces *p, const struct verify_options *o, struct verify_result *ret)
{
	return verify_stream(pieces_read, p, o, ret);
}
