/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h - where `proxy` and --metrics listen, in the words of an option */
#ifndef SLUICE_CLI_LISTEN_H
#define SLUICE_CLI_LISTEN_H

#include <limits.h>

#include "base/err.h"
#include "daemon/doors.h"

#define LISTEN_TEXT_MAX (ADDR_TEXT_MAX + 8)	/* "[ADDRESS]:PORT" */

/* "ADDRESS:PORT", "[ADDRESS]:PORT", "localhost:PORT", ":PORT", "PORT", "none".  Return: false: none
 * of these. */
bool listen_parse(struct span text, struct listen_at *ret);
bool listen_is_loopback(const struct addr *a);
const char *listen_text(const struct listen_at *at, char dst[LISTEN_TEXT_MAX]);

/* --metrics and --metrics-public, of run and proxy */
struct metrics_options {
	const char	*at;		/* HOST:PORT or unix:PATH; NULL: no metrics */
	bool		 open;
	char		 path[PATH_MAX];
	struct page_at where;
	struct page_at *plan;	/* for the session: &where, or NULL */
};

#define METRICS_OPTIONS(m) \
	{ 0, "metrics", OPTION_TEXT, "ADDR", \
	  "serve /metrics on HOST:PORT (loopback) or unix:PATH", &(m)->at }, \
	{ 0, "metrics-public", OPTION_FLAG, NULL, \
	  "let --metrics be an address that others reach", &(m)->open }

/* Return: false and @err: not an address, or one that needs --metrics-public */
bool metrics_where(struct metrics_options *m, struct err *err);

#endif
