/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/escape.h"

#include <stddef.h>

#define ESC 0x1b
#define DEL 0x7f
#define MOUSE_BYTES 3	/* after ESC [ M, where a terminal says it: button, column, row */

enum state { PLAIN, ESCAPED, CONTROL, SHIFTED, STRING, RAW };

static void escape_become(struct escape *e, enum state state)
{
	e->state = state;
}

static void begin(struct escape *e)
{
	*e = (struct escape){ .says = e->says };
	escape_become(e, ESCAPED);
}

static enum escape_is end(struct escape *e, enum escape_kind kind, uint8_t final)
{
	e->kind = kind;
	e->final = (char)final;
	escape_become(e, PLAIN);
	if (e->says && kind == ESCAPE_CONTROL && final == 'M' && !e->count && !e->marker) {
		escape_become(e, RAW);
		e->skip = MOUSE_BYTES;
	}
	return ESCAPE_END;
}

static enum escape_is after_escape(struct escape *e, uint8_t c)
{
	switch (c) {
	case '[':
		escape_become(e, CONTROL);
		return ESCAPE_PART;
	case ']':	/* OSC, DCS, SOS, PM, APC */
	case 'P':
	case 'X':
	case '^':
	case '_':
		escape_become(e, STRING);
		return ESCAPE_PART;
	default:
		break;
	}
	if (e->says && c == 'O' && !e->between) {
		escape_become(e, SHIFTED);
		return ESCAPE_PART;
	}
	if (c < 0x30) {
		e->between = (char)c;
		return ESCAPE_PART;
	}
	return end(e, ESCAPE_SHORT, c);
}

static void parameter(struct escape *e, uint8_t c)
{
	unsigned *at;

	if (!e->count)
		e->count = 1;
	if (c == ';' || c == ':') {
		e->count += e->count <= ESCAPE_PARAMS_MAX;
		return;
	}
	if (e->count > ESCAPE_PARAMS_MAX)
		return;
	at = &e->param[e->count - 1];
	*at = *at * 10 + (c - '0');
	if (*at > ESCAPE_PARAM_MAX)
		*at = ESCAPE_PARAM_MAX;
}

static enum escape_is in_control(struct escape *e, uint8_t c)
{
	if (c >= 0x40) {
		e->count = e->count > ESCAPE_PARAMS_MAX ? ESCAPE_PARAMS_MAX : e->count;
		return end(e, ESCAPE_CONTROL, c);
	}
	if (c < 0x30)
		e->between = (char)c;
	else if (c >= 0x3c)
		e->marker = (char)c;
	else
		parameter(e, c);
	return ESCAPE_PART;
}

/* The key follows, its modifiers before it */
static enum escape_is shifted(struct escape *e, uint8_t c)
{
	return c >= '0' && c <= ';' ? ESCAPE_PART : end(e, ESCAPE_SHORT, c);
}

enum escape_is escape_next(struct escape *e, uint8_t byte)
{
	if (e->state == RAW) {
		if (!--e->skip)
			escape_become(e, PLAIN);
		return ESCAPE_PART;
	}
	if (byte == ESC) {
		begin(e);
		return ESCAPE_PART;
	}
	if (e->state == PLAIN)
		return ESCAPE_BYTE;
	if (e->state == STRING ? byte < 0x20 : byte < 0x20 || byte >= DEL) {
		escape_become(e, PLAIN);
		return ESCAPE_PART;
	}
	switch ((enum state)e->state) {
	case ESCAPED:
		return after_escape(e, byte);
	case CONTROL:
		return in_control(e, byte);
	case SHIFTED:
		return shifted(e, byte);
	default:
		return ESCAPE_PART;
	}
}
