/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory.  A question that can be read in two ways is as good as answered by whoever wrote
 * the other one.  A command could have left the terminal so that of a question only
 * the last lines are seen (margins), only its left part (no wrapping), among lines that are the command's
 * (what stands below and to the right), or nothing (an unfinished string, synchronised output,
 * concealed, the other screen).  So before a question, in this order:
 *
 *	no other terminal	ESC ETX: xterm can be a Tektronix 4014 as well, in a window of its own
 *	end of strings		CAN, ST: tmux ends a DCS by nothing else
 *	the first screen	1049 only where it was seen: on the first screen it moves the cursor
 *	no margins		they also move the cursor: it is kept with DECSC, DECRC
 *	DECSTR			where it is known: protected areas, the keyboard's lock, and more
 *	modes			each as it is at first, the table below; insertion off
 *	letters			ASCII as G0, G0 in use, SGR 0
 *	an empty place		next line, and all that stands from there on is erased
 */
#include "proto/screen.h"

static const struct {
	unsigned	number;
	bool		on;		/* at first */
} modes[] = {
	{ 1, false },			/* cursor keys */
	{ 7, true },			/* wrapping */
	{ 9, false },			/* mouse, and how it is told */
	{ 1000, false }, { 1001, false }, { 1002, false }, { 1003, false },
	{ 1005, false }, { 1006, false }, { 1015, false }, { 1016, false },
	{ 1004, false },		/* focus */
	{ 25, true },			/* the cursor is seen */
	{ 66, false },			/* keypad; also ESC = and ESC > */
	{ 2004, false },		/* pasted text is bracketed */
	{ 2026, false },		/* nothing is shown until this is off */
	{ 47, false }, { 1047, false }, { 1049, false },	/* the other screen: the last ones */
};

#define KEYPAD 66
#define IS_OTHER(mode) ((mode) == 47 || (mode) == 1047 || (mode) == 1049)
#define CURSOR_SAVED 1049

_Static_assert(ARRAY_SIZE(modes) <= 32, "a bit for each");

static void set_mode(struct screen *s, unsigned number, bool on)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		uint32_t bit = 1U << i;

		if (modes[i].number == number)
			s->changed = on == modes[i].on ? s->changed & ~bit : s->changed | bit;
		/* there are only two screens */
		else if (!on && IS_OTHER(number) && IS_OTHER(modes[i].number))
			s->changed &= ~bit;
	}
}

/* ESC c: all of it; ESC [ ! p: the keys, wrapping, the cursor */
static void reset(struct screen *s, bool whole)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (whole || modes[i].number < 9 || modes[i].number == 25 || modes[i].number == KEYPAD)
			set_mode(s, modes[i].number, modes[i].on);
	if (whole) {
		s->keys = 0;
		s->protocol = false;
	}
}

static void obey(struct screen *s, const struct escape *e)
{
	if (e->kind == ESCAPE_SHORT) {
		if (e->between)
			return;
		if (e->final == '=' || e->final == '>')
			set_mode(s, KEYPAD, e->final == '=');
		else if (e->final == 'c')
			reset(s, true);
	} else if (e->marker == '?' && !e->between && (e->final == 'h' || e->final == 'l')) {
		for (unsigned i = 0; i < e->count; i++)
			set_mode(s, e->param[i], e->final == 'h');
	} else if (e->between == '!' && e->final == 'p') {
		reset(s, false);
	} else if (e->marker == '>' && e->final == 'm' && e->param[0] == 4) {
		s->keys = e->count > 1 ? e->param[1] : 0;
	} else if (e->marker && e->marker != '?' && e->final == 'u') {
		s->protocol = true;
	}
}

void screen_follow(struct screen *s, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if (escape_next(&s->escape, bytes.at[i]) == ESCAPE_END)
			obey(s, &s->escape);
}

void screen_leave(const struct screen *s, struct buf *to)
{
	buf_add_str(to, "\033\003\030\033\\");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (modes[i].number == CURSOR_SAVED && s->changed >> i & 1)
			buf_printf(to, "\033[?%ul", CURSOR_SAVED);
	buf_add_str(to, "\033[?47l\0337\033[?69l\033[r\0338\033[!p\033[4l");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (!IS_OTHER(modes[i].number))
			buf_printf(to, "\033[?%u%c", modes[i].number, modes[i].on ? 'h' : 'l');
	if (s->keys)
		buf_add_str(to, "\033[>4m");
	if (s->protocol)
		buf_add_str(to, "\033[>0u");
	buf_add_str(to, "\033(B\017\033[0m\r\n\033[J");
}

void screen_return(const struct screen *s, struct buf *to)
{
	if (s->protocol)
		buf_add_str(to, "\033[<u");
	if (s->keys)
		buf_printf(to, "\033[>4;%um", s->keys);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (s->changed >> i & 1)
			buf_printf(to, "\033[?%u%c", modes[i].number, modes[i].on ? 'l' : 'h');
}
