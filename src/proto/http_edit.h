/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_edit.h - fields of a request that are replaced on its way to the server
 *
 * All else goes on as it was written.  What was judged is what the client sent.
 */
#ifndef SLUICE_PROTO_HTTP_EDIT_H
#define SLUICE_PROTO_HTTP_EDIT_H

#include "base/buf.h"

#define HTTP_EDITS_MAX 8	/* fields of one request */

struct http_edit {
	struct span name;	/* in any case */
	struct span value;	/* empty: the field goes, and none comes */
};

struct http_edits {
	struct http_edit at[HTTP_EDITS_MAX];
	size_t		 count;
};

/* Is the field replaced?  `_` is as `-`: servers that hand fields to programs take one for
 * the other. */
bool http_edit_hits(const struct http_edits *e, struct span name);

/*
 * http_edited() - the head with its fields replaced
 * @head:	the head_bytes of a request that http_request_parse() has taken
 *
 * New fields are the last ones.  Return: false if @out is full.
 */
bool http_edited(struct span head, const struct http_edits *e, struct buf *out);

#endif
