/* SPDX-License-Identifier: Apache-2.0 */
/* tally.h - what happened in a few logs, counted in bounded memory */
#ifndef SLUICE_CLI_TALLY_H
#define SLUICE_CLI_TALLY_H

#include <jansson.h>

#include "audit/audit.h"
#include "audit/record.h"
#include "audit/summary.h"
#include "cli/timeline.h"

#define TALLY_HOSTS_MAX 10000	/* hosts told apart; about 3 MB */
#define TALLY_PROGRAMS_MAX 1000	/* programs told apart */
#define TALLY_ALERTS_MAX 100	/* alerts kept whole; all are counted */

struct tally_host {
	char		 name[HOST_MAX + 1];	/* cut; printable ASCII, escaped */
	uint64_t	 connections, bytes_out, bytes_in;
};

/*
 * What a program did; which it is the jail itself says (exe of the record).  Of what is allowed
 * the record has none, unless the policy says log: {process: true}.
 */
struct tally_program {
	char		 name[HOST_MAX + 1];	/* the end of its path; printable ASCII, escaped */
	uint64_t	 denied;		/* names and connections */
	uint64_t	 allowed;		/* connections */
};

struct tally {
	struct audit_totals totals;		/* of all sessions */
	struct audit_totals session;		/* of the one that is being read */
	uint64_t	 sessions, unfinished;	/* unfinished: without session.end */
	uint64_t	 dns_denied;		/* of those with a record of their own */
	uint64_t	 limited;		/* connections cut by a limit */
	uint64_t	 dropped;		/* packets that the kernel refused */
	uint64_t	 folded[REASON_NUM];	/* denials in floods, no host known for each */
	uint64_t	 bad;			/* lines that were no events */
	uint64_t	 duration_ms;		/* all sessions together */
	char		 first[TIME_TEXT + 1], last[TIME_TEXT + 1];	/* of all, or "" */
	char		 begun[TIME_TEXT + 1];	/* when the session being read began */
	char		 seen[TIME_TEXT + 1];	/* the time of its last event */
	struct timeline	 timeline;		/* of all sessions */
	struct summary	 denials;
	struct tally_host *hosts;		/* most bytes first after tally_end() */
	size_t		 host_count, host_size;
	struct tally_host others;		/* connections to hosts beyond the bound */
	struct tally_program *programs;		/* most denials first after tally_end() */
	size_t		 program_count, program_size;
	struct tally_program programs_others;	/* those beyond the bound */
	bool		 programs_allowed;	/* some record of what was allowed has one */
	uint64_t	 programs_unknown;	/* denials of which nobody knows the program */
	json_t		*program_index;		/* name to index in programs */
	json_t		*host_index;		/* name to index in hosts */
	json_t		*alerts;		/* the events */
	uint64_t	 alerts_others;		/* those beyond the bound */
};

/* Return: false if out of memory.  tally_done() frees. */
bool tally_init(struct tally *t);
void tally_done(struct tally *t);

/* Count every event of a file.  Return: false and @err if it can't be read. */
bool tally_file(struct tally *t, const char *path, struct err *err);

/* After the last file: adds the last session up and sorts */
void tally_end(struct tally *t);

#endif
