/* SPDX-License-Identifier: Apache-2.0 */
/* compare_tell.c - pieces that changed become lines */
#include <stdlib.h>

#include "policy/comparing.h"

int subject_order(const void *left, const void *right)
{
	const struct subject *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : a->below - b->below;
}

static bool piece_covers(const struct piece *wide, const struct piece *narrow)
{
	bool words = !wide->request || wide->request == narrow->request;

	return words && wide->aspect == narrow->aspect &&
	       !memcmp(&wide->shade, &narrow->shade, sizeof(wide->shade)) &&
	       wide->transport == narrow->transport && wide->first <= narrow->first &&
	       narrow->last <= wide->last;
}

/* Does the line of some parent's strangers tell it already? */
static bool is_told(const struct compare *c, const struct subject *s, const struct piece *piece)
{
	const struct piece *all = (const void *)c->pieces.at;

	/* up to the root, "" */
	for (struct span name = span_str(s->name); name.len; name = host_parent(name)) {
		struct span parent = host_parent(name);
		const struct subject key = { .name = parent.len ? (const char *)parent.at : "", .below = true };
		const struct subject *found = bsearch(&key, c->subjects.at,
						      c->subjects.len / sizeof(key), sizeof(key),
						      subject_order);

		for (size_t i = 0; found && i < found->count; i++)
			if (piece_covers(&all[found->at + i], piece))
				return true;
		/* the closest listed parent is the one whose strangers these names are */
		if (found)
			return false;
	}
	return false;
}

static void add_range(struct buf *b, const struct piece *p, uint16_t last, bool first)
{
	buf_printf(b, "%s%u", first ? ":" : ",", p->first);
	if (last != p->first)
		buf_printf(b, "-%u", last);
	if (p->transport == TRANSPORT_UDP)
		buf_add_str(b, "/udp");
}

static bool pieces_alike(const struct piece *a, const struct piece *b)
{
	return !memcmp(&a->shade, &b->shade, sizeof(a->shade)) && a->aspect == b->aspect &&
	       a->request == b->request;
}

static void add_word(struct buf *b, const struct buf *all, uint32_t number)
{
	if (number == WORD_SOME)
		buf_add_str(b, "some requests ");
	else if (number != WORD_ANY)
		buf_printf(b, "%s ", word_at(all, number - 1));
}

static void add_request(struct buf *b, const struct compare *c, uint32_t request)
{
	if (!request)
		return;
	add_word(b, &c->methods, request >> METHOD_SHIFT);
	add_word(b, &c->paths, request & ((1u << METHOD_SHIFT) - 1));
	buf_add_str(b, "on ");
}

/*
 * One line for the pieces of @subject that are like the first of @piece; those
 * that were told have a port of 0 from then on
 */
static void tell_alike(struct compare *c, const char *subject, struct piece *piece, size_t count)
{
	struct buf words = buf_new(TEXT_MAX);
	const struct piece like = piece[0];
	bool first = true;

	add_request(&words, c, like.request);
	buf_add_str(&words, subject);
	for (size_t i = 0; i < count; i++) {
		uint16_t last = piece[i].last;

		if (!piece[i].first || !pieces_alike(&piece[i], &like))
			continue;
		/* of other requests' pieces, which lie between, nothing is taken */
		for (size_t k = i + 1; k < count; k++) {
			if (!piece[k].first || piece[k].first != last + 1u ||
			    piece[k].transport != piece[i].transport ||
			    !pieces_alike(&piece[k], &like))
				continue;
			last = piece[k].last;
			piece[k].first = 0;
		}
		add_range(&words, &piece[i], last, first);
		first = false;
		piece[i].first = 0;
	}
	terms_words(&words, (enum aspect)like.aspect, &like.shade);
	if (buf_add(&words, "", 1))
		c->tell(c->arg, (enum change)like.shade.change, (const char *)words.at);
	c->pieces.full |= words.full;
	buf_done(&words);
}

void tell_pieces(struct compare *c, const char *subject, struct piece *piece, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (piece[i].first)
			tell_alike(c, subject, piece + i, count - i);
}

/* Of a name and the names below it, what changed in the same way is one line: ".NAME" */
void tell_names(struct compare *c)
{
	struct subject *s = (void *)c->subjects.at;
	size_t count = c->subjects.len / sizeof(*s);
	struct buf kept = buf_new(PIECES_MAX);

	for (size_t i = 0; i < count; i++) {
		const struct piece *all = (const void *)c->pieces.at;
		char subject[HOST_MAX + 3];
		struct piece *piece;
		bool both;

		buf_clear(&kept);
		for (size_t k = 0; k < s[i].count; k++)
			if (!is_told(c, &s[i], &all[s[i].at + k]))
				buf_add(&kept, &all[s[i].at + k], sizeof(*all));
		/* each name is there twice: itself, and then below it */
		both = !s[i].below && kept.len && s[i].count == s[i + 1].count &&
		       kept.len == s[i].count * sizeof(*all) &&
		       !memcmp(all + s[i].at, all + s[i + 1].at, kept.len);
		snprintf(subject, sizeof(subject), "%s%s", s[i].below ? "*." : both ? "." : "",
			 s[i].name);
		if (!*s[i].name)
			snprintf(subject, sizeof(subject), HOST_ANY);
		piece = (void *)kept.at;
		tell_pieces(c, subject, piece, kept.len / sizeof(*piece));
		i += both;
		c->pieces.full |= kept.full;
	}
	buf_done(&kept);
}
