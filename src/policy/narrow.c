/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/narrow.h"

#include "base/auto.h"

bool rule_is_over(const struct policy *p, const struct image_rule *r, int64_t now_s)
{
	const struct image_more *m = image_more(p, r);

	if (!m || !m->expires_s)
		return false;
	if (now_s <= 0)
		return r->flags & (RULE_ALLOW | RULE_CEILING);
	return now_s >= m->expires_s;
}

static bool names_method(const struct policy *p, const struct image_more *m, struct span method)
{
	for (uint32_t i = 0; i < m->methods.count; i++)
		if (span_eq(method, span_str(image_word(p, m->methods.at + i))))
			return true;
	return false;
}

bool more_has_method(const struct policy *p, const struct image_more *m, const struct question *q)
{
	if (!m->methods.count)
		return true;
	return !q->overrides && names_method(p, m, q->method) &&
	       (!q->pushes || names_method(p, m, SPAN("POST")));
}

enum path_match more_path(const struct policy *p, const struct image_more *m,
			  const struct path *path)
{
	enum path_match best = PATH_NO;

	if (!m->paths.count)
		return PATH_YES;
	for (uint32_t i = 0; i < m->paths.count && best != PATH_YES; i++) {
		enum path_match one = path_match(span_str(image_word(p, m->paths.at + i)), path);

		if (one != PATH_NO)
			best = one;
	}
	return best;
}

bool more_has_credential(const struct policy *p, const struct image_more *m,
			 const struct question *q)
{
	const uint8_t (*digests)[DIGEST_BYTES] = image_at(p, p->digests.at);

	if (!m->digests.count)
		return true;
	if (!q->digests || !(q->credentials >> m->credential & 1))
		return false;
	for (uint32_t i = 0; i < m->digests.count; i++)
		if (!memcmp(digests[m->digests.at + i], q->digests[m->credential], DIGEST_BYTES))
			return true;
	return false;
}

/* Methods have case (RFC 9110 9.1), and some servers do not know: "post" is denied with POST */
static bool denies_method(const struct policy *p, const struct image_more *m,
			  const struct question *q)
{
	if (!m->methods.count || q->overrides)
		return true;
	for (uint32_t i = 0; i < m->methods.count; i++)
		if (span_eq_fold(q->method, span_str(image_word(p, m->methods.at + i))))
			return true;
	return q->pushes && names_method(p, m, SPAN("POST"));
}

/* Of a deny rule that is for some requests only */
static enum hold request_holds(const struct policy *p, const struct image_more *m,
			       const struct case_of *c)
{
	static const enum hold of_path[] = {
		[PATH_NO] = HOLD_NO, [PATH_YES] = HOLD_YES, [PATH_UNSURE] = HOLD_DOUBT,
	};

	if (c->q->any_request)
		return HOLD_HANGS;
	if (c->q->seen == SEEN_OTHER)
		return HOLD_NO;
	if (!c->is_http)
		return HOLD_UNSEEN;
	return denies_method(p, m, c->q) ? of_path[more_path(p, m, &c->path)] : HOLD_NO;
}

enum hold deny_holds(const struct policy *p, const struct image_rule *r, const struct case_of *c)
{
	const struct image_more *m = image_more(p, r);

	if (!rule_denies(r) || !rule_has_port(p, r, c->q) || rule_is_over(p, r, c->q->now_s))
		return HOLD_NO;
	if (!more_narrows(m))
		return HOLD_YES;
	return c->q->about == ABOUT_NAME ? HOLD_NO : request_holds(p, m, c);
}
