/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proto/tls_answer.h"
#include "proxy/ask.h"
#include "proxy/look.h"

#define HELLOS_MAX 2		/* a server asks once more at most (RFC 8446 4.1.4) */
#define LOOKS_MAX 4096		/* as in look.c */
#define RECORD_HEADER 5
#define RECORD_HANDSHAKE 22	/* RFC 8446 5.1; the types are 20 to 24 */
#define PEEK 512		/* bytes of the server's that are read at once; a ServerHello has fewer */

struct handshake {
	struct tls_answer answer;
	size_t		heard;		/* bytes that @answer has seen and the client not yet */
	uint64_t	passes;		/* bytes of the client's that may go */
	unsigned	hellos;
};

bool handshake_begin(struct flow *f)
{
	f->handshake = calloc(1, sizeof(*f->handshake));
	if (!f->handshake)
		return false;
	f->handshake->passes = f->hello_bytes;
	f->handshake->hellos = 1;
	f->looks = 0;
	return true;
}

void handshake_end(struct flow *f)
{
	free(f->handshake);
	f->handshake = NULL;
}

/* Bytes of a record that is no handshake: an alert, early data, what middleboxes want to see.
 * 0: it is one, or no record. */
static uint64_t other_record(struct span s)
{
	if (s.len < RECORD_HEADER || s.at[0] < 20 || s.at[0] > 24 ||
	    s.at[0] == RECORD_HANDSHAKE || s.at[1] != 3)
		return 0;
	return RECORD_HEADER + ((uint64_t)s.at[3] << 8 | s.at[4]);
}

/* Another hello, or what is none */
static unsigned put_to_keeper(struct flow *f, struct facts *facts)
{
	struct handshake *h = f->handshake;

	if (facts->seen != SEEN_TLS || h->hellos++ == HELLOS_MAX)
		*facts = (struct facts){ .seen = SEEN_MALFORMED };
	else
		h->passes = facts->hello.stream_bytes;
	return ask_send(f, GATE_ASK_AGAIN, facts, 0);
}

bool handshake_lets(struct flow *f, unsigned *ret_wants)
{
	struct handshake *h = f->handshake;
	struct facts facts;
	struct span bytes;
	ssize_t n;

	if (h->passes || f->out.held_len)
		return true;
	n = recv(f->agent, pump_scratch(), LOOK_MAX, MSG_PEEK | MSG_DONTWAIT);
	*ret_wants = n < 0 && errno == EAGAIN ? WANT_AGENT_READ : WANT_AGENT_MORE;
	if (n <= 0)	/* an end may go */
		return *ret_wants == WANT_AGENT_MORE;
	bytes = span_of(pump_scratch(), (size_t)n);
	h->passes = other_record(bytes);
	if (h->passes)
		return true;
	if (bytes.len < RECORD_HEADER || look_at(bytes, &facts) != PARSE_OK) {
		if (n < LOOK_MAX && f->looks++ < LOOKS_MAX && !look_ended(f->agent))
			return false;
		facts = (struct facts){ .seen = SEEN_MALFORMED };
	}
	*ret_wants = put_to_keeper(f, &facts);
	return false;
}

/* Has the server taken up a hello, by all that it has said so far? */
static bool is_answered(struct flow *f)
{
	struct handshake *h = f->handshake;
	uint8_t first[PEEK];
	ssize_t n = recv(f->peer, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
	struct span bytes = span_of(first, n > 0 ? (size_t)n : 0);

	if (bytes.len <= h->heard)
		return false;
	bytes = span_skip(bytes, h->heard);
	h->heard += bytes.len;
	return tls_answer_read(&h->answer, bytes);
}

uint64_t handshake_room(struct flow *f, bool outward)
{
	if (!f->handshake)
		return UINT64_MAX;
	if (outward)
		return f->handshake->passes;
	if (is_answered(f)) {
		handshake_end(f);
		f->ready |= WANT_AGENT_READ;	/* the client may have more */
		return UINT64_MAX;
	}
	return f->handshake->heard;
}

void handshake_moved(struct flow *f, bool outward, uint64_t bytes)
{
	if (f->handshake && outward)
		f->handshake->passes -= bytes;
	else if (f->handshake)
		f->handshake->heard -= bytes;
}
