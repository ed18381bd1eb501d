/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/difference.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/auto.h"

struct telling {
	struct difference	*into;
	bool			 full;
};

/* Lists double when their count is a power of two */
static void keep(void *arg, enum change change, const char *words)
{
	struct telling *t = arg;
	size_t count = t->into->count[change];

	if (!(count & (count - 1))) {
		char **at = realloc(t->into->lines[change],
				    (count ? count * 2 : 1) * sizeof(*at));

		if (!at) {
			t->full = true;
			return;
		}
		t->into->lines[change] = at;
	}
	t->into->lines[change][count] = strdup(words);
	if (t->into->lines[change][count])
		t->into->count[change]++;
	else
		t->full = true;
}

bool stranger_make(char ret[STRANGER_MAX + 1], struct err *err)
{
	uint8_t random[12];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_set(err, "no random numbers");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(ret + 2 * i, 3, "%02x", random[i]);
	return true;
}

bool difference_make(struct difference *d, const struct policy *before,
		     const struct policy *after, struct err *err)
{
	struct telling t = { .into = d };
	char stranger[STRANGER_MAX + 1];

	*d = (struct difference){ .count = { 0 } };
	if (!stranger_make(stranger, err))
		return false;
	return (policy_compare(before, after, stranger, time(NULL), keep, &t) && !t.full) ||
	       err_set(err, "out of memory");
}

void difference_done(struct difference *d)
{
	for (size_t k = 0; k < ARRAY_SIZE(d->lines); k++) {
		for (size_t i = 0; i < d->count[k]; i++)
			free(d->lines[k][i]);
		free(d->lines[k]);
	}
	*d = (struct difference){ .count = { 0 } };
}
