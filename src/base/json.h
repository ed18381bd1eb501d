/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - write JSON that cannot be broken by what is in it
 *
 * Commas are the writer's business.  Text is escaped so that one object is
 * always one line of UTF-8: control characters, quotes, backslashes, DEL,
 * U+2028/2029, and each byte that is not part of valid UTF-8 (as \udc80 to
 * \udcff would be no valid JSON text everywhere, it becomes U+FFFD).
 *
 *	json_open(b, '{'); json_key(b, "v"); json_uint(b, 1); json_close(b, '}');
 */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include "base/buf.h"

void json_open(struct buf *b, char bracket);	/* '{' or '[' */
void json_close(struct buf *b, char bracket);	/* '}' or ']' */
void json_key(struct buf *b, const char *key);	/* a literal: not escaped */
void json_span(struct buf *b, struct span s);	/* a string value */
void json_str(struct buf *b, const char *s);	/* a string value; NULL: null */
void json_uint(struct buf *b, uint64_t v);
void json_int(struct buf *b, int64_t v);
void json_bool(struct buf *b, bool v);

/* A key and its value */
void json_field_span(struct buf *b, const char *key, struct span s);
void json_field_str(struct buf *b, const char *key, const char *s);	/* NULL: null */
void json_field_uint(struct buf *b, const char *key, uint64_t v);
void json_field_bool(struct buf *b, const char *key, bool v);

#endif
