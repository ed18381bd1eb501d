/* SPDX-License-Identifier: Apache-2.0 */
/* look.c - the first bytes of a stream: one judgement, whatever the cuts; no request passes for
 * something else */
#include <assert.h>

#include "proxy/look.h"
#include "proxy/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* flow.c and ask.c are linked, and want the gate */
_Noreturn void proxy_fail(const char *why);
void proxy_tell(struct proxy *x, enum gate_says what, uint32_t id, const void *head, size_t len,
		struct span tail);

_Noreturn void proxy_fail(const char *why)
{
	(void)why;
	abort();
}

void proxy_tell(struct proxy *x, enum gate_says what, uint32_t id, const void *head, size_t len,
		struct span tail)
{
	(void)x, (void)what, (void)id, (void)head, (void)len, (void)tail;
	abort();
}

static struct span word(struct span *line)
{
	static const char blanks[] = " \t\v\f\r";
	struct span w;

	while (line->len && memchr(blanks, line->at[0], sizeof(blanks) - 1))
		*line = span_skip(*line, 1);
	w = span_head(*line, 0);
	while (w.len < line->len && !memchr(blanks, line->at[w.len], sizeof(blanks) - 1))
		w.len++;
	*line = span_skip(*line, w.len);
	return w;
}

/* As a generous server splits its first line that is not empty */
static bool generous_request(struct span s)
{
	struct span method, target, next;
	ptrdiff_t end;

	while (s.len && (s.at[0] == '\r' || s.at[0] == '\n'))
		s = span_skip(s, 1);
	end = span_find(s, '\n');
	if (end < 0)
		return false;
	s = span_head(s, (size_t)end);
	method = word(&s);
	target = word(&s);
	for (size_t i = 0; i < method.len; i++)
		if (method.at[i] < 'A' || method.at[i] > 'Z')
			return false;
	if (!method.len || !target.len || span_find(target, 0) >= 0)
		return false;
	next = word(&s);
	return next.len >= 5 && span_eq_fold(span_head(next, 5), SPAN("HTTP/"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span all = span_of(bytes, size < LOOK_MAX ? size : LOOK_MAX);
	struct facts facts;
	enum seen first = SEEN_NOT_YET;

	for (size_t len = 1; len <= all.len; len += len < 64 ? 1 : 1 + all.len / 16) {
		if (look_at(span_head(all, len), &facts) == PARSE_MORE) {
			assert(first == SEEN_NOT_YET || first == SEEN_OTHER);
			assert(look_cut(span_head(all, len)) != SEEN_HTTP);
			continue;
		}
		/* A method that nobody knows is not waited for, and seen when its line is whole */
		assert(first == SEEN_NOT_YET || first == SEEN_OTHER || first == facts.seen);
		first = facts.seen;
	}
	if (all.len && look_at(all, &facts) == PARSE_OK && facts.seen == SEEN_OTHER)
		assert(!generous_request(all));
	return 0;
}
