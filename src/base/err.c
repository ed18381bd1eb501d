/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <string.h>

/* One line, whatever words of others are in it: none of them moves a terminal's cursor */
static void make_plain(char *text)
{
	for (unsigned char *at = (unsigned char *)text; *at; at++)
		if (*at < ' ' || *at == 0x7f)
			*at = '?';
		else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)	/* U+0080 to U+009F */
			at[0] = at[1] = '?';
}

bool err_set(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e || e->text[0])
		return false;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	make_plain(e->text);
	return false;
}

bool err_sys(struct err *e, int errnum, const char *fmt, ...)
{
	size_t len;
	va_list ap;

	if (!e || e->text[0])
		return false;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(errnum));
	make_plain(e->text);
	return false;
}
