/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/redact.h"

/* What follows one of these is a secret however short it is */
static const char *const secret_words[] = {
	"token", "tokens", "key", "keys", "apikey", "api-key", "api_key",
	"secret", "secrets", "password", "passwd", "credential", "credentials",
};

static bool names_secret(struct span s)
{
	for (size_t i = 0; i < ARRAY_SIZE(secret_words); i++)
		if (span_eq_fold(s, span_str(secret_words[i])))
			return true;
	return false;
}

static bool looks_random(struct span s)
{
	bool digit = false, lower = false, upper = false;

	if (s.len < REDACT_TOKEN_MIN)
		return false;
	if (span_starts(s, SPAN("eyJ")))
		return true;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.at[i];

		if (c >= '0' && c <= '9')
			digit = true;
		else if (c >= 'a' && c <= 'z')
			lower = true;
		else if (c >= 'A' && c <= 'Z')
			upper = true;
		else if (!c || !strchr("_=+~%:-", c))
			return false;
	}
	return digit || (lower && upper);
}

static struct span without_query(struct span path)
{
	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] == '?' || path.at[i] == '#')
			return span_head(path, i);
	return path;
}

void redact_path(struct buf *b, struct span path)
{
	struct span segment;
	bool secret = false;
	ptrdiff_t slash;

	path = without_query(path);
	for (;;) {
		slash = span_find(path, '/');
		segment = slash < 0 ? path : span_head(path, (size_t)slash);
		if (segment.len && (secret || looks_random(segment)))
			buf_add(b, "***", 3);
		else
			buf_add_span(b, segment);
		if (slash < 0)
			return;
		buf_add(b, "/", 1);
		secret = names_secret(segment);
		path = span_skip(path, (size_t)slash + 1);
	}
}
