/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_scrub.h - values are overwritten in the body of a message of HTTP/1
 *
 * The chunks of a body may cut a value: so its data are looked at without their frames, and
 * the frames, which can carry text too, once more with them.
 */
#ifndef SLUICE_PROTO_HTTP_SCRUB_H
#define SLUICE_PROTO_HTTP_SCRUB_H

#include "base/buf.h"
#include "proto/http_body.h"
#include "proto/scrub.h"

/* All zeroes: nothing is overwritten */
struct http_scrub {
	struct scrub	data, raw;
	size_t		data_waits, raw_waits;	/* bytes that the caller keeps */
};

bool http_scrub_begin(struct http_scrub *s, struct scrub_set *set);	/* false: no memory */
void http_scrub_end(struct http_scrub *s);

/*
 * http_scrub_feed() - look at the next bytes of a body, before http_body_feed() does
 * @body:	as it was left behind the last byte that was final
 * @at:		what waits, and the bytes behind it
 * @ret_final:	how many may pass, and are to be fed to @body; the others wait
 *
 * What lies behind the body's end is final.  Return: false: no memory.
 */
bool http_scrub_feed(struct http_scrub *s, const struct http_body *body, uint8_t *at, size_t len,
		     size_t *ret_final);

#endif
