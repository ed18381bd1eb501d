/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - counters as a page for Prometheus (text format 0.0.4), names of contract section 6 */
#ifndef SLUICE_WATCH_PAGE_H
#define SLUICE_WATCH_PAGE_H

#include "base/buf.h"
#include "watch/counters.h"

/* Bytes of a page: one session has about 12 kB, and 4 more with the longest name */
#define PAGE_MAX(sessions) ((32u << 10) + (size_t)(sessions) * (32u << 10))
#define PAGE_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct page_session {
	const char		*name;		/* no other has it */
	const struct counters	*counters;
};

struct page_about {
	const char *version, *revision;
};

/* A series for each value of a label that can be: none appears later.  @to full: no memory. */
void page_print(struct buf *to, const struct page_session *sessions, size_t count,
		const struct page_about *about);

#endif
