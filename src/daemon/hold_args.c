/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/hold_args.h"

#include <assert.h>
#include <stdio.h>

#include "watch/board.h"

static void add(struct hold_args *a, const char *word)
{
	assert(a->count < HOLD_ARGS_MAX - 1);
	a->at[a->count++] = word;
}

/* Nothing, where there is no value */
static void add_value(struct hold_args *a, const char *option, const char *value)
{
	if (!value[0])
		return;
	add(a, option);
	add(a, value);
}

static void add_words(struct hold_args *a, const char *option, const struct control_words *words)
{
	for (size_t i = 0; i < words->count; i++) {
		add(a, option);
		add(a, words->at[i]);
	}
}

/* Which namespace, and how it is held */
static void add_namespace(struct hold_args *a, const struct held *h)
{
	snprintf(a->pid, sizeof(a->pid), "%d", (int)h->pid);
	add_value(a, h->netns[0] ? "--netns" : "--pid", h->netns[0] ? h->netns : a->pid);
	add_value(a, "--mode", h->mode);
	add_value(a, "--guest", h->guest);
	if (h->uplink)
		add(a, "--uplink");
}

/* A NAME is one of the daemon's own */
static void add_policies(struct hold_args *a, const struct held *h, const char *folder)
{
	for (size_t i = 0; i < h->policies.count; i++) {
		const char *word = h->policies.at[i];

		snprintf(a->path[i], PATH_MAX, "%s/%s.yaml", folder, word);
		add_value(a, "--policy", word[0] == '/' ? word : a->path[i]);
	}
}

static void add_facts(struct hold_args *a, const struct hold_facts *f)
{
	if (f->again)
		add(a, "--again");
	if (f->place != BOARD_NONE) {
		snprintf(a->place, sizeof(a->place), "%zu", f->place);
		add_value(a, "--counters", a->place);
	}
	for (size_t i = 0; i < f->spare.count; i++) {
		snprintf(a->port[i], sizeof(a->port[i]), "%u", f->spare.at[i]);
		add_value(a, "--spare", a->port[i]);
	}
}

void hold_args_make(const struct held *h, const struct hold_facts *facts, struct hold_args *ret)
{
	static const char *const always[] = { "sluice", "hold", "--only", "--quiet" };
	struct hold_args *a = ret;

	static_assert(HOLD_READY_FD == 3, "as is said");
	a->count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		add(a, always[i]);
	add_value(a, "--ready-fd", "3");
	add_value(a, "--session", h->session);
	add_namespace(a, h);
	add_facts(a, facts);
	add_policies(a, h, facts->policies);
	add_words(a, "--label", &h->labels);
	add_words(a, "--publish", &h->publish);
	a->at[a->count] = NULL;
}
