/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_body.c - the end of a body, found by a table
 *
 * Chunked framing is read octet by octet, since a read may end anywhere; only
 * the data of chunks is skipped in one go.  What an octet means depends on
 * nothing but the step and the octet's class, so the whole grammar of RFC 9112
 * section 7.1 is the table below: whatever has no entry is BROKEN.  In
 * particular CR is followed by LF and LF only comes after CR, also in chunk
 * extensions, where lenient readers differ and requests get smuggled.
 */
#include "proto/http_body.h"

#include "proto/http_fields.h"

enum step {
	BROKEN,
	PLAIN,		/* LENGTH and CLOSE: data up to @left or the end of the stream */
	SIZE_FIRST,	/* at the first digit of a chunk's size */
	SIZE,		/* after a digit */
	SIZE_BLANK,	/* after blanks; only ';' may follow (RFC 9112 7.1.1, BWS) */
	EXTENSION,	/* after ';' */
	SIZE_LF,	/* after the CR of that line */
	DATA,		/* @left bytes of the chunk are to come */
	DATA_CR, DATA_LF,
	TRAILER,	/* at the start of a trailer line or of the last, empty one */
	NAME, VALUE, VALUE_LF,
	LAST_LF,	/* after the CR of the empty line */
	DONE,
	STEP_NUM,
};

enum class { C_NONE, C_HEX, C_TOKEN, C_COLON, C_SEMICOLON, C_BLANK, C_OTHER, C_CR, C_LF, C_NUM };

#define ANY_VALUE(step) [C_HEX] = step, [C_TOKEN] = step, [C_COLON] = step, \
	[C_SEMICOLON] = step, [C_BLANK] = step, [C_OTHER] = step

static const uint8_t next_step[STEP_NUM][C_NUM] = {
	[SIZE_FIRST] = { [C_HEX] = SIZE },
	[SIZE]	     = { [C_HEX] = SIZE, [C_BLANK] = SIZE_BLANK, [C_SEMICOLON] = EXTENSION,
			 [C_CR] = SIZE_LF },
	[SIZE_BLANK] = { [C_BLANK] = SIZE_BLANK, [C_SEMICOLON] = EXTENSION },
	[EXTENSION]  = { ANY_VALUE(EXTENSION), [C_CR] = SIZE_LF },
	[SIZE_LF]    = { [C_LF] = DATA },	/* TRAILER after size 0 */
	[DATA_CR]    = { [C_CR] = DATA_LF },
	[DATA_LF]    = { [C_LF] = SIZE_FIRST },
	[TRAILER]    = { [C_HEX] = NAME, [C_TOKEN] = NAME, [C_CR] = LAST_LF },
	[NAME]	     = { [C_HEX] = NAME, [C_TOKEN] = NAME, [C_COLON] = VALUE },
	[VALUE]	     = { ANY_VALUE(VALUE), [C_CR] = VALUE_LF },
	[VALUE_LF]   = { [C_LF] = TRAILER },
	[LAST_LF]    = { [C_LF] = DONE },
};

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum class octet_class(uint8_t c)
{
	if (hex_value(c) >= 0)
		return C_HEX;
	if (http_octet_is(c, HTTP_TOKEN))
		return C_TOKEN;
	switch (c) {
	case ':':
		return C_COLON;
	case ';':
		return C_SEMICOLON;
	case ' ':
	case '\t':
		return C_BLANK;
	case '\r':
		return C_CR;
	case '\n':
		return C_LF;
	}
	return http_octet_is(c, HTTP_VALUE) ? C_OTHER : C_NONE;
}

void http_body_init(struct http_body *b, enum http_framing framing, uint64_t length)
{
	*b = (struct http_body){ .framing = framing, .step = PLAIN };
	if (framing == HTTP_BODY_CHUNKED)
		b->step = SIZE_FIRST;
	else if (framing == HTTP_BODY_CLOSE)
		b->left = UINT64_MAX;
	else if (framing == HTTP_BODY_LENGTH && length > 0)
		b->left = length;
	else
		b->step = DONE;
}

/* The line just read said how long the chunk is */
static enum step chunk_begin(struct http_body *b)
{
	b->left = b->size;
	b->size = 0;
	b->line_bytes = 0;
	return b->left ? DATA : TRAILER;
}

static enum step octet_read(struct http_body *b, uint8_t c)
{
	uint32_t limit = b->step < TRAILER ? HTTP_CHUNK_LINE_MAX : HTTP_TRAILERS_MAX;
	enum step next = next_step[b->step][octet_class(c)];

	if (++b->line_bytes > limit)
		return BROKEN;
	if (next == SIZE) {
		/* what does not fit into 63 bits wraps around somewhere */
		if (b->size > INT64_MAX >> 4)
			return BROKEN;
		b->size = b->size << 4 | (uint64_t)hex_value(c);
	} else if (next == DATA) {
		return chunk_begin(b);
	} else if (next == SIZE_FIRST) {
		b->line_bytes = 0;
	}
	return next;
}

/* Pass over data; the chunk's end, or the body's, comes with its last byte */
static size_t data_skip(struct http_body *b, size_t len)
{
	if (b->framing != HTTP_BODY_CLOSE && len > b->left)
		len = (size_t)b->left;
	b->data += len;
	if (b->framing == HTTP_BODY_CLOSE)
		return len;
	b->left -= len;
	if (!b->left)
		b->step = b->step == DATA ? DATA_CR : DONE;
	return len;
}

enum parse http_body_feed(struct http_body *b, struct span bytes, size_t *ret_used)
{
	size_t used = 0;

	while (used < bytes.len && b->step != DONE && b->step != BROKEN) {
		if (b->step == DATA || b->step == PLAIN)
			used += data_skip(b, bytes.len - used);
		else
			b->step = (uint8_t)octet_read(b, bytes.at[used++]);
	}
	*ret_used = used;
	if (b->step == BROKEN)
		return PARSE_BAD;
	return b->step == DONE ? PARSE_OK : PARSE_MORE;
}

uint64_t http_body_run(const struct http_body *b)
{
	return b->step == DATA || b->step == PLAIN ? b->left : 0;
}

bool http_body_end_is_whole(const struct http_body *b)
{
	return b->framing == HTTP_BODY_CLOSE || b->step == DONE;
}
