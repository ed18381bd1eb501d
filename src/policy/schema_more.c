/* SPDX-License-Identifier: Apache-2.0 */
/* schema_more.c - setters of what a rule says beyond host, ports and protocol */
#include "policy/path.h"
#include "policy/schema.h"
#include "policy/units.h"

#define METHOD_BYTES_MAX 32	/* what a gate takes for a method at all (TALK_METHOD_MAX) */
#define HEADER_BYTES_MAX 64	/* of a header field's name */

/* A preset that is narrowed is not a preset alone */
static struct image_more *more_of(struct loader *l)
{
	l->item.others++;
	l->item.has_more = true;
	return &l->item.more;
}

/* RFC 9110 5.6.2 */
static bool is_token(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];

		if (!(ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') &&
		    !(c >= '0' && c <= '9') && !(c && strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return text.len > 0;
}

bool method_is_good(struct span name)
{
	if (!is_token(name) || name.len > METHOD_BYTES_MAX)
		return false;
	/* methods are told apart by case, and "get" would never match */
	for (size_t i = 0; i < name.len; i++)
		if (ascii_lower(name.at[i]) != name.at[i])
			return true;
	return false;
}

bool set_method(struct loader *l, const struct node *value)
{
	struct image_more *m = more_of(l);

	return method_is_good(value->text) && draft_word(&l->draft, &m->methods, value->text);
}

bool set_path(struct loader *l, const struct node *value)
{
	struct image_more *m = more_of(l);
	uint8_t pattern[PATTERN_MAX];
	size_t len = path_pattern(value->text, pattern);

	return len && draft_word(&l->draft, &m->paths, span_of(pattern, len));
}

bool set_expires(struct loader *l, const struct node *value)
{
	return units_expires(value->text, &more_of(l)->expires_s);
}

bool set_rate(struct loader *l, const struct node *value)
{
	return units_rate(value->text, &more_of(l)->rate);
}

/* A mapping that says nothing would look like a bound, and be none */
static bool read_some(struct loader *l, const struct node *value, enum where where)
{
	more_of(l);
	return value->first && schema_read(l, value, where);
}

bool set_bandwidth(struct loader *l, const struct node *value)
{
	struct image_more *m = &l->item.more;

	if (!read_some(l, value, IN_BANDWIDTH))
		return false;
	return m->down_bps != AMOUNT_NONE || m->up_bps != AMOUNT_NONE ||
	       loader_bad(l, value, "found a burst alone (accepted: {down: 10mbit, up: 1mbit, "
			  "burst: 1MB})");
}

bool set_bandwidth_down(struct loader *l, const struct node *value)
{
	return units_bandwidth(value->text, &l->item.more.down_bps);
}

bool set_bandwidth_up(struct loader *l, const struct node *value)
{
	return units_bandwidth(value->text, &l->item.more.up_bps);
}

bool set_burst(struct loader *l, const struct node *value)
{
	return units_bytes(value->text, &l->item.more.burst_bytes);
}

bool set_quota(struct loader *l, const struct node *value)
{
	return read_some(l, value, IN_QUOTA);
}

bool set_quota_down(struct loader *l, const struct node *value)
{
	return units_bytes(value->text, &l->item.more.quota_down);
}

bool set_quota_up(struct loader *l, const struct node *value)
{
	return units_bytes(value->text, &l->item.more.quota_up);
}

bool set_max_request(struct loader *l, const struct node *value)
{
	l->item.more_at = value;
	return units_bytes(value->text, &more_of(l)->max_request);
}

bool set_websocket(struct loader *l, const struct node *value)
{
	bool on = false;

	tree_is_bool(value, &on);
	more_of(l)->websocket = on;
	return true;
}

bool set_inspect(struct loader *l, const struct node *value)
{
	static const char *const names[] = {
		[INSPECT_AUTO] = "auto", [INSPECT_ALWAYS] = "always", [INSPECT_NEVER] = "never",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (span_eq(value->text, span_str(names[i]))) {
			more_of(l)->inspect = (uint8_t)i;
			return true;
		}
	}
	return false;
}

bool set_ech(struct loader *l, const struct node *value)
{
	bool allow = span_eq(value->text, SPAN("allow"));

	more_of(l)->ech = allow;
	return allow || span_eq(value->text, SPAN("deny"));
}

bool set_quiet(struct loader *l, const struct node *value)
{
	bool quiet;

	if (tree_is_bool(value, &quiet) && quiet)
		l->item.rule.flags |= RULE_QUIET;
	return true;
}

/* ---- header fields ---- */

/* Fields that say where a request goes or where it ends are not for credentials */
static bool header_is_good(struct span name)
{
	static const char *const framing[] = {
		"host", "content-length", "transfer-encoding", "connection", "upgrade", "te",
		"trailer", "expect", "keep-alive",
	};

	if (!is_token(name) || name.len > HEADER_BYTES_MAX)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(framing); i++)
		if (span_eq_fold(name, span_str(framing[i])))
			return false;
	return true;
}

static uint32_t lower_text(struct loader *l, struct span name)
{
	char lower[HEADER_BYTES_MAX + 1];

	for (size_t i = 0; i < name.len; i++)
		lower[i] = (char)ascii_lower(name.at[i]);
	return draft_text(&l->draft, span_of(lower, name.len));
}

bool set_inject(struct loader *l, const struct node *value)
{
	l->item.inject_at = value;
	if (!read_some(l, value, IN_INJECT))
		return false;
	if (!l->item.more.inject_header || !l->item.inject.len)
		return loader_bad(l, value, "found inject without header or value (accepted: "
				  "{header: NAME, value: TEXT})");
	return true;
}

/* Fields that the gate writes itself, so that a value that is said back is seen */
static bool is_gates_own(struct span name)
{
	return span_eq_fold(name, SPAN("accept-encoding")) || span_eq_fold(name, SPAN("range")) ||
	       span_eq_fold(name, SPAN("if-range"));
}

bool set_inject_header(struct loader *l, const struct node *value)
{
	if (!header_is_good(value->text) || is_gates_own(value->text))
		return false;
	l->item.more.inject_header = lower_text(l, value->text);
	return true;
}

bool set_inject_value(struct loader *l, const struct node *value)
{
	l->item.inject = value->text;
	/* no message repeats what may be a secret */
	return (value->text.len && value->text.len <= SECRET_BYTES_MAX) ||
	       loader_bad(l, value, "found %s value (accepted: a text of at most %u bytes; "
			  "${env:NAME}, ${file:PATH}, ${cmd:COMMAND} in it)", value->text.len ? "too long a" : "no",
			  SECRET_BYTES_MAX);
}

bool set_credentials(struct loader *l, const struct node *value)
{
	struct image_more *m = &l->item.more;
	unsigned n;

	l->item.more_at = value;
	if (!read_some(l, value, IN_CREDENTIALS))
		return false;
	if (!m->credential_header || !m->digests.count)
		return loader_bad(l, value, "found credentials without header or sha256 (accepted: "
				  "{header: NAME, sha256: [HEX]})");
	n = draft_credential(&l->draft, span_str(draft_text_at(&l->draft, m->credential_header)));
	if (n >= CREDENTIALS_MAX)
		return loader_bad(l, value, "found a ninth header field with credentials "
				  "(accepted: at most %u in all rules)", CREDENTIALS_MAX);
	m->credential = (uint8_t)n;
	return true;
}

bool set_credentials_header(struct loader *l, const struct node *value)
{
	if (!header_is_good(value->text))
		return false;
	l->item.more.credential_header = lower_text(l, value->text);
	return l->item.more.credential_header;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool set_credentials_sha256(struct loader *l, const struct node *value)
{
	struct slice *digests = &l->item.more.digests;
	uint8_t digest[DIGEST_BYTES];

	if (value->text.len != 2 * sizeof(digest))
		return false;
	for (size_t i = 0; i < sizeof(digest); i++) {
		int high = hex_value(value->text.at[2 * i]);
		int low = hex_value(value->text.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		digest[i] = (uint8_t)(high << 4 | low);
	}
	if (!digests->count)
		digests->at = (uint32_t)(l->draft.digests.len / sizeof(digest));
	if (buf_add(&l->draft.digests, digest, sizeof(digest)))
		digests->count++;
	return true;
}
