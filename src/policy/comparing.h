/* SPDX-License-Identifier: Apache-2.0 */
/* comparing.h - what the parts of compare.c share; for compare*.c only */
#ifndef SLUICE_POLICY_COMPARING_H
#define SLUICE_POLICY_COMPARING_H

#include "policy/compare.h"
#include "policy/image.h"

#define PIECES_MAX (1u << 28)	/* bytes */
#define TEXT_MAX (1u << 21)	/* bytes of one line's words: every second port of both kinds */

/* How open a door is */
enum level {
	LEVEL_SHUT,
	LEVEL_SEEN,		/* only to requests that can be seen */
	LEVEL_OPEN,
	LEVEL_PRIVATE,		/* and to private addresses */
};

/* What is compared of whatever passes */
enum aspect {
	ASPECT_ACCESS,		/* a shade's `is` is an enum level */
	ASPECT_WEBSOCKET, ASPECT_ECH, ASPECT_UNINSPECTED, ASPECT_RAW, ASPECT_CREDENTIAL,
	ASPECT_RATE, ASPECT_DOWN, ASPECT_UP, ASPECT_BURST, ASPECT_QUOTA_DOWN, ASPECT_QUOTA_UP,
	ASPECT_MAX_REQUEST, ASPECT_EXPIRES, ASPECT_TERMS, ASPECT_NUM
};

#define SHADE_SAME 2u	/* neither of enum change */

/* How both sides differ in one aspect; all zero but for SHADE_SAME if they do not */
struct shade {
	uint64_t	was, is;
	uint32_t	change;		/* enum change, or SHADE_SAME */
	uint32_t	pad;
};

/* Ports of one subject that changed in one way */
struct piece {
	struct shade	 shade;
	uint32_t	 aspect, transport;
	uint32_t	 request;	/* a method's number in the upper half, a path's in the lower */
	uint16_t	 first, last;
};

#define METHOD_SHIFT 16
#define WORD_ANY 0u		/* all methods, or paths, alike */
#define WORDS_MAX 4000u		/* different methods, or patterns; those beyond have no name */
#define WORD_SOME (WORDS_MAX + 1)
#define REQUESTS_MAX 65536u	/* methods times paths of one subject; above all are asked as one */

/* A listed name, or the names below it that nobody lists */
struct subject {
	const char	*name;		/* in the image of a policy */
	bool		 below;
	size_t		 at, count;	/* its pieces */
};

struct compare {
	const struct policy *side[2];	/* before, after */
	const char	*stranger;
	change_teller	*tell;
	void		*arg;
	struct buf	 subjects;	/* struct subject, two a name, sorted by name */
	struct buf	 addrs;		/* struct addr: where stretches begin */
	struct buf	 cuts;		/* uint32_t: ports where stretches begin, UDP above TCP */
	struct buf	 pieces;	/* struct piece */
	int64_t		 now_s;
	/* const char *: all names of methods and patterns so far, and those of the subject in hand */
	struct buf	 methods, paths, own_methods, own_paths;
	struct buf	 shades;	/* struct shade: of each method and path ASPECT_NUM */
	size_t		 depth;		/* segments of the deepest pattern in hand */
	bool		 any;		/* some rule names all names */
	unsigned	 aspects;	/* bits: what some rule of either side says anything of */
};

/* What one side says: how open, and by which rule and with what seen */
struct asked {
	enum level	level;
	struct question	q;
	struct verdict	v;
};

/* compare_terms.c: which aspects are worth asking for */
unsigned terms_used(const struct policy *p);
/* ... and the shades of those but for ASPECT_ACCESS, of one request of one subject */
void terms_compare(const struct compare *c, const struct asked sides[2],
		   struct shade ret[ASPECT_NUM]);
/* Of requests that are asked as one: do the rules say anything that they did not say? */
struct shade terms_of_rules(const struct compare *c, const struct match matches[2]);
/* What a shade is, in words behind a subject: " (rate: 60/min, before 30/min)" */
void terms_words(struct buf *b, enum aspect aspect, const struct shade *s);
/* limits, and other settings that let more or less pass */
void terms_tell_settings(struct compare *c);

static inline const char *word_at(const struct buf *words, size_t i)
{
	return ((const char *const *)(const void *)words->at)[i];
}

/* compare_ask.c: what changed on the ports of one stretch, as pieces */
void ask_stretch(struct compare *c, struct question q, struct piece piece,
		 const struct match matches[2]);
/* ... for the methods and paths that both sides' matches name */
void ask_prepare(struct compare *c, const struct match matches[2]);

/* compare_tell.c */
int subject_order(const void *left, const void *right);
void tell_names(struct compare *c);
/* @piece: those that were told have a port of 0 from then on */
void tell_pieces(struct compare *c, const char *subject, struct piece *piece, size_t count);

#endif
