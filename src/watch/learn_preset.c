/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn_preset.c - presets instead of rules
 *
 * A preset stands for a place if it lets pass all that was seen there: of TLS that nobody
 * looked into nothing was seen but that it is TLS, so that a preset which opens its hosts
 * for reading does not stand for it.
 *
 * A preset opens more hosts than were used; it may be used if that is worth the fewer
 * words: what it opens beyond is open for reading alone, or less than what was used of it.
 * And it must be what the session is about: its first host, by which people know it, or
 * two of its hosts were used.
 */
#include "base/auto.h"
#include "watch/learnt.h"

static bool covers(const struct learnt *p, size_t preset)
{
	return learnt_counts(p) && p->port && !p->covered &&
	       (p->presets[preset / 64] >> (preset % 64) & 1);
}

static bool has_host(const struct learn *l, size_t preset, const char *host)
{
	for (size_t i = 0; i < l->count; i++)
		if (covers(&l->places[i], preset) && !strcmp(l->places[i].host, host))
			return true;
	return false;
}

static size_t count_covered(const struct learn *l, size_t preset)
{
	size_t count = 0;

	for (size_t i = 0; i < l->count; i++)
		count += covers(&l->places[i], preset);
	return count;
}

static bool is_worth_it(const struct learn *l, size_t preset, size_t covered)
{
	const struct policy *p = l->o.presets[preset].policy;
	size_t used = 0, beyond = 0;

	if (!covered || !policy_rule_count(p))
		return false;
	if (covered < 2 && !has_host(l, preset, policy_rule(p, 0).host))
		return false;
	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		struct rule_view v = policy_rule(p, i);

		if (!v.allow || v.methods.count || v.paths.count)
			continue;
		if (has_host(l, preset, v.host))
			used++;
		else
			beyond++;
	}
	return beyond <= used;
}

/* The one that covers most; of equals the one that opens least, then the first */
static size_t choose(const struct learn *l, size_t *ret_covered)
{
	size_t best = l->o.preset_count;

	*ret_covered = 0;
	for (size_t i = 0; i < l->o.preset_count; i++) {
		size_t covered = count_covered(l, i);

		if (l->chosen[i] || covered < *ret_covered ||
		    (covered == *ret_covered && best < l->o.preset_count &&
		     policy_rule_count(l->o.presets[i].policy) >=
		     policy_rule_count(l->o.presets[best].policy)) ||
		    !is_worth_it(l, i, covered))
			continue;
		best = i;
		*ret_covered = covered;
	}
	return best;
}

void presets_choose(struct learn *l)
{
	size_t covered, best;

	while ((best = choose(l, &covered)) < l->o.preset_count) {
		l->chosen[best] = true;
		for (size_t i = 0; i < l->count; i++)
			l->places[i].covered |= covers(&l->places[i], best);
	}
}
