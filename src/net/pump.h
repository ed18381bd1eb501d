/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump.h - move bytes from one socket to another
 *
 * Most connections are short: plain read and write through one scratch buffer
 * that all flows share, nothing held in between.  Only what the target did not
 * take is kept, in memory of the flow's own.  Once a direction has filled the
 * scratch buffer several times in a row it is bulk, and goes on through a 1 MiB
 * pipe from a pool with splice(2), which costs half the CPU; smaller pipes cost
 * more than copying does (kernel-notes section 11).  An idle direction holds
 * neither.
 *
 * Back-pressure: a direction that could not write does not read.
 *
 * What ends in TLS here is read and written by others: pump_through().
 */
#ifndef SLUICE_NET_PUMP_H
#define SLUICE_NET_PUMP_H

#include <sys/types.h>

#include "base/buf.h"

/* Instead of recv(2), send(2) and shutdown(2, SHUT_WR), errno included.  @agent: which of
 * the two sides */
struct pump_way {
	ssize_t	(*recv)(void *sides, bool agent, void *to, size_t len, int flags);
	ssize_t	(*send)(void *sides, bool agent, const void *bytes, size_t len);
	int	(*shut)(void *sides, bool agent);
};

struct pump {
	const struct pump_way *way;	/* NULL: bare sockets */
	void		*sides;
	bool		 outward;	/* for @way: from the agent to the peer */
	uint64_t	 bytes;		/* taken by the target */
	uint64_t	 bytes_rested;	/* as of the last pump_rest() */
	uint64_t	 room;		/* bytes that may still be read from the source */
	uint8_t		*held;		/* read, not yet written; owned */
	uint32_t	 held_at, held_len;
	int		 pipe[2];	/* from the pool; -1: copying */
	uint32_t	 in_pipe;
	uint8_t		 full_reads;	/* in a row */
	uint8_t		 idle_reads;	/* while splicing: reads that found little */
	bool		 eof;		/* the source has ended */
	bool		 shut;		/* ... and the target was told */
	bool		 last;		/* the other way is over: the close that follows tells it */
};

enum pumped {
	PUMPED_READ,		/* wait until the source is readable */
	PUMPED_WRITE,		/* wait until the target is writable */
	PUMPED_AGAIN,		/* a fair share was moved; come back after the others */
	PUMPED_FULL,		/* the source has more than there is room for */
	PUMPED_OVER,		/* end of the source reached the target */
	PUMPED_SOURCE_FAILED,	/* the source was reset */
	PUMPED_TARGET_FAILED,
};

#define PUMP_SCRATCH 65536	/* bytes of the shared buffer */

void pump_init(struct pump *p);
void pump_done(struct pump *p);

/* From now on by @way; nothing is held or spliced yet */
void pump_through(struct pump *p, const struct pump_way *way, void *sides, bool outward);

/* Move what can be moved now, taking p->room down by what was read; UINT64_MAX has no end.
 * Both sockets are non-blocking. */
enum pumped pump_move(struct pump *p, int from, int to);

/* Call once in a while: a direction that moved nothing since the last call gives its pipe back */
void pump_rest(struct pump *p);

/* Write what is held or in the pipe.  READ means that nothing is left to write. */
enum pumped pump_drain(struct pump *p, int to);

/* Give bytes that were read elsewhere (a head): written now or held.
 * Only while nothing is held.  Return: false if the target failed or memory is out. */
bool pump_push(struct pump *p, int to, struct span bytes);

/* The shared scratch buffer, PUMP_SCRATCH bytes; contents last until the next pump call */
uint8_t *pump_scratch(void);

#endif
