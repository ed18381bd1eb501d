/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/path.h"

#include <string.h>

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Is it itself in the normal form, whether it was escaped or not? */
static bool is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && !strchr("%/?#", c);
}

/* "." or "..", or one that a server cuts down to it at the first ';' */
static bool is_dots(struct span segment)
{
	size_t dots = 0;

	while (dots < segment.len && segment.at[dots] == '.')
		dots++;
	segment = span_skip(segment, dots);
	return dots > 0 && dots <= 2 && (!segment.len || segment.at[0] == ';');
}

static bool is_dot(struct span segment)
{
	return span_eq(segment, SPAN("."));
}

static unsigned segments_count(struct span path, bool (*is)(struct span segment))
{
	unsigned count = 0;

	while (path.len) {
		ptrdiff_t slash = span_find(path, '/');
		size_t len = slash < 0 ? path.len : (size_t)slash;

		count += is(span_head(path, len));
		path = span_skip(path, len + 1);
	}
	return count;
}

/* The octet that the escape at the front of @s stands for; -1: it is none */
static int escaped_octet(struct span s)
{
	int high, low;

	if (s.len < 3 || s.at[0] != '%')
		return -1;
	high = hex_digit(s.at[1]);
	low = hex_digit(s.at[2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/*
 * Does an escape of @c, and @rest behind it, mean something else to whoever takes UTF-8
 * that is longer than it must be (RFC 3629, section 3)?
 */
static bool has_two_readings(uint8_t c, struct span rest)
{
	int next = escaped_octet(rest);

	return c == '/' || c == 0xc0 || c == 0xc1 || (c == 0xe0 && next >= 0x80 && next < 0xa0) ||
	       (c == 0xf0 && next >= 0x80 && next < 0x90);
}

/*
 * Is there an escape once the escapes are undone?  To be asked of the normal form: the
 * digits behind "%25" may have been escaped themselves.
 */
static bool is_escaped_twice(struct span path)
{
	for (size_t i = 0; i + 4 < path.len; i++)
		if (!memcmp(path.at + i, "%25", 3) && hex_digit(path.at[i + 3]) >= 0 &&
		    hex_digit(path.at[i + 4]) >= 0)
			return true;
	return false;
}

/* One octet, or one escape, of @s into @p.  Return: how many bytes were read; 0: bad */
static size_t take_octet(struct span s, struct path *p)
{
	uint8_t c = s.at[0];
	bool escaped = c == '%';
	int octet = escaped_octet(s);

	if (escaped && octet < 0)
		return 0;
	if (escaped)
		c = (uint8_t)octet;
	/* octets of other characters are written as escapes (RFC 3986 2.1) */
	if (c < ' ' || c == 0x7f || c == '\\' || (!escaped && (c == ' ' || c > 0x7f)))
		return 0;
	if (!escaped || is_plain(c)) {
		p->doubled |= c == '/' && p->len && p->at[p->len - 1] == '/';
		p->parameters |= c == ';';
		p->at[p->len++] = c;
		return escaped ? 3 : 1;
	}
	if (has_two_readings(c, span_skip(s, 3)))
		p->kind = PATH_DOUBTFUL;
	p->at[p->len++] = '%';
	p->at[p->len++] = (uint8_t)"0123456789ABCDEF"[c >> 4];
	p->at[p->len++] = (uint8_t)"0123456789ABCDEF"[c & 15];
	return 3;
}

void path_normal(struct span text, struct path *ret_path)
{
	struct path *p = ret_path;
	unsigned written = segments_count(text, is_dot), dots;
	size_t used;

	p->kind = PATH_OTHER;
	p->doubled = p->parameters = false;
	p->len = 0;
	if (!text.len || span_eq(text, SPAN("*")))
		return;
	p->kind = PATH_BAD;
	if (text.at[0] != '/')
		return;
	if (text.len > sizeof(p->at)) {
		p->kind = PATH_DOUBTFUL;
		return;
	}
	p->kind = PATH_GOOD;
	for (; text.len; text = span_skip(text, used)) {
		used = take_octet(text, p);
		if (!used) {
			p->kind = PATH_BAD;
			return;
		}
	}
	if (is_escaped_twice(span_of(p->at, p->len)))
		p->kind = PATH_DOUBTFUL;
	dots = segments_count(span_of(p->at, p->len), is_dots);
	if (dots)
		p->kind = dots == written ? PATH_DOUBTFUL : PATH_BAD;
}

size_t path_pattern(struct span text, uint8_t *ret)
{
	struct path p;

	if (text.len > PATTERN_MAX)
		return 0;
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] == '?' || text.at[i] == '#' ||
		    span_eq_fold(span_head(span_skip(text, i), 3), SPAN("%2a")))
			return 0;
	/* three stars are one more than there is a meaning for */
	for (size_t i = 2; i < text.len; i++)
		if (text.at[i] == '*' && text.at[i - 1] == '*' && text.at[i - 2] == '*')
			return 0;
	path_normal(text, &p);
	if (p.kind != PATH_GOOD || p.doubled)
		return 0;
	memcpy(ret, p.at, p.len);
	return p.len;
}

/* Where a match may be taken up again with a star that stands for one octet more */
struct retry {
	size_t	pattern, path;
	bool	is_set;
};

/* One reading; @steps is what is left of them */
static enum path_match match_one(struct span pattern, struct span path, unsigned *steps)
{
	struct retry one = { .is_set = false }, any = { .is_set = false };
	size_t p = 0, s = 0;

	while (s < path.len || p < pattern.len) {
		bool star = p < pattern.len && pattern.at[p] == '*';

		if (!*steps)
			return PATH_UNSURE;
		--*steps;
		if (star && p + 1 < pattern.len && pattern.at[p + 1] == '*') {
			p += 2;
			any = (struct retry){ p, s, true };
			one.is_set = false;
			/* two stars between slashes stand for no segment too */
			if (p >= 3 && pattern.at[p - 3] == '/' && p < pattern.len &&
			    pattern.at[p] == '/')
				p++;
		} else if (star) {
			one = (struct retry){ ++p, s, true };
		} else if (s < path.len && p < pattern.len && pattern.at[p] == path.at[s]) {
			p++;
			s++;
		} else if (one.is_set && one.path < path.len && path.at[one.path] != '/') {
			s = ++one.path;
			p = one.pattern;
		} else if (any.is_set && any.path < path.len) {
			s = ++any.path;
			p = any.pattern;
			one.is_set = false;
		} else {
			return PATH_NO;
		}
	}
	return PATH_YES;
}

enum { READ_MERGED = 1, READ_BARE = 2, READINGS = 4 };

/* @path with runs of slashes as one each, or each segment without what a ';' begins */
static struct span path_read(const struct path *path, unsigned reading, uint8_t ret[PATH_MAX_BYTES])
{
	bool left_out = false;
	size_t len = 0;

	for (size_t i = 0; i < path->len; i++) {
		uint8_t c = path->at[i];

		left_out = c != '/' && (left_out || (c == ';' && reading & READ_BARE));
		if (!left_out && (c != '/' || !len || ret[len - 1] != '/' || !(reading & READ_MERGED)))
			ret[len++] = c;
	}
	return span_of(ret, len);
}

enum path_match path_match(struct span pattern, const struct path *path)
{
	bool bare = path->parameters && span_find(pattern, ';') < 0;
	unsigned steps = PATH_STEPS_MAX;
	uint8_t other[PATH_MAX_BYTES];
	enum path_match m;

	if (path->kind == PATH_OTHER)
		return PATH_NO;
	if (path->kind != PATH_GOOD)
		return PATH_UNSURE;
	m = match_one(pattern, span_of(path->at, path->len), &steps);
	for (unsigned r = 1; r < READINGS; r++) {
		/* without its parameters a segment may be empty */
		if (r & READ_BARE ? !bare : !path->doubled)
			continue;
		if (match_one(pattern, path_read(path, r, other), &steps) != m)
			return PATH_UNSURE;
	}
	return m;
}
