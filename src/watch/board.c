/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/board.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(union board_place) == BOARD_PAGE, "a place is a page");
static_assert(sizeof(struct board) == BOARD_SIZE, "no gaps");

bool board_is_ours(const struct board *b, const char *mark)
{
	return !strncmp(b->mark, mark, sizeof(b->mark) - 1);
}

void board_begin(struct board *b, const char *mark)
{
	__atomic_store_n(&b->used, 0, __ATOMIC_RELEASE);
	span_copy(span_head(span_str(mark), sizeof(b->mark) - 1), b->mark, sizeof(b->mark));
}

size_t board_end(const struct board *b)
{
	uint64_t used = __atomic_load_n(&b->used, __ATOMIC_ACQUIRE);

	return used < BOARD_PLACES ? (size_t)used : BOARD_PLACES;
}

/* Readers have no lock: a name is there with its first letter, which comes last and goes first */
static char first_letter(const union board_place *p)
{
	return __atomic_load_n(&p->session[0], __ATOMIC_ACQUIRE);
}

static void set_first_letter(union board_place *p, char c)
{
	__atomic_store_n(&p->session[0], c, __ATOMIC_RELEASE);
}

static bool is_of(const union board_place *p, const char *session)
{
	return !strncmp(p->session, session, sizeof(p->session));
}

size_t board_find(const struct board *b, const char *session)
{
	for (size_t i = 0; i < board_end(b); i++)
		if (first_letter(&b->place[i]) && is_of(&b->place[i], session))
			return i;
	return BOARD_NONE;
}

size_t board_take(struct board *b, const char *session)
{
	size_t len = strlen(session), i = board_find(b, session);

	if (i != BOARD_NONE || !len || len > BOARD_NAME_MAX)
		return i;
	for (i = 0; i < BOARD_PLACES; i++) {
		union board_place *p = &b->place[i];

		if (i < board_end(b) && first_letter(p))
			continue;
		memset(&p->shared, 0, sizeof(p->shared));
		memcpy(p->session + 1, session + 1, len);	/* its zero too */
		set_first_letter(p, session[0]);
		if (i >= board_end(b))
			__atomic_store_n(&b->used, i + 1, __ATOMIC_RELEASE);
		return i;
	}
	return BOARD_NONE;
}

void board_drop(struct board *b, const char *session)
{
	size_t i = board_find(b, session);

	if (i != BOARD_NONE)
		set_first_letter(&b->place[i], '\0');
}

/* The place may change hands meanwhile: then it is neither's */
static bool copy_place(const union board_place *p, struct board_copy *ret)
{
	if (!first_letter(p))
		return false;
	memcpy(ret->session, p->session, sizeof(ret->session));
	ret->session[BOARD_NAME_MAX] = '\0';
	return ret->session[0] && shared_read(&p->shared, &ret->counters) && first_letter(p) &&
	       is_of(p, ret->session);
}

struct board_copy *board_read(const struct board *b, size_t *ret_count)
{
	size_t count = 0, at = 0;
	struct board_copy *copies;

	for (size_t i = 0; i < board_end(b); i++)
		count += first_letter(&b->place[i]) != '\0';
	copies = calloc(count + 1, sizeof(*copies));
	for (size_t i = 0; copies && i < board_end(b) && at < count; i++)
		at += copy_place(&b->place[i], &copies[at]);
	*ret_count = at;
	return copies;
}
