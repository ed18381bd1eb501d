/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrub.h - values that must not pass are overwritten in bytes that do
 *
 * A set holds values and what is written over each: as long as the value, so that no
 * length of a message changes.  A stream is scrubbed in place, in any cuts: bytes at its end
 * that may be the beginning of a value wait for those that follow.  Each byte is
 * looked at once for each value.
 */
#ifndef SLUICE_PROTO_SCRUB_H
#define SLUICE_PROTO_SCRUB_H

#include "base/span.h"

#define SCRUB_LEAST 6		/* bytes: shorter values are in any text */
#define SCRUB_MOST 16384	/* bytes of a value; so many may wait */

struct scrub_set;

/* With one reference; NULL: no memory */
struct scrub_set *scrub_set_new(void);
struct scrub_set *scrub_set_ref(struct scrub_set *s);
void scrub_set_unref(struct scrub_set *s);	/* the last one wipes it; NULL is fine */

/*
 * scrub_set_add() - one more value; only while there is no struct scrub
 * @over:	what is written, cut to the value's length or filled with '*'
 *
 * A value that is shorter than SCRUB_LEAST, or there already, adds nothing.
 * Return: false if it is longer than SCRUB_MOST, or memory is out.
 */
bool scrub_set_add(struct scrub_set *s, struct span value, struct span over);
size_t scrub_set_count(const struct scrub_set *s);

/* One stream.  All zeroes: it is not begun, and nothing is done by scrub_feed() */
struct scrub {
	struct scrub_set *set;
	uint16_t	 *state;	/* owned: bytes of each value that its last bytes are */
};

bool scrub_begin(struct scrub *s, struct scrub_set *set);	/* false: no memory */
void scrub_end(struct scrub *s);
size_t scrub_bytes(const struct scrub *s);	/* that it holds of its own; the set is shared */

/*
 * scrub_feed() - the next bytes of the stream
 * @at:		those that still wait, as they were left, and the new ones behind them
 * @fed:	how many wait, or more that were fed and are held for other reasons
 * @len:	all of them
 *
 * Return: how many of @len are final; at the end of the stream all are.
 */
size_t scrub_feed(struct scrub *s, uint8_t *at, size_t fed, size_t len);

/* Bytes that stand for themselves, such as a field */
void scrub_whole(const struct scrub *s, uint8_t *at, size_t len);

#endif
