/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msg.h - typed, sized messages with descriptors between our processes
 *
 * A link is one end of a SOCK_SEQPACKET pair.  Messages are collected and many
 * leave in one packet (msg_flush()); a packet holds at most MSG_PACKET_MAX
 * bytes and MSG_PACKET_FDS descriptors, in the order of the messages that
 * carry one.  Only our own programs are at the other end, but the other end
 * may have been taken over: a message of an unknown type, a wrong size or with
 * a descriptor too many or too few ends the link (-EPROTO), and the receiver
 * must still judge every value in it.
 */
#ifndef SLUICE_NET_MSG_H
#define SLUICE_NET_MSG_H

#include "base/buf.h"

#define MSG_PACKET_MAX 65536	/* bytes of one packet */
#define MSG_PACKET_FDS 64	/* descriptors in one packet; the kernel's limit is 253 */
#define MSG_READ_PACKETS 4	/* of one msg_read() */
#define MSG_QUEUE_MAX (16u << 20) /* bytes that may wait to be sent; beyond it the link ends */

/* One row a message type; the receiver's table is the whole of what it accepts */
struct msg_type {
	const char	*name;
	uint16_t	 min, max;	/* bytes of the payload */
	bool		 fd;		/* carries exactly one descriptor */
};

struct msg {
	uint16_t	 type;
	uint32_t	 id;		/* the sender's number for what it is about */
	struct span	 payload;	/* borrowed until the handler returns */
	int		 fd;		/* owned by the handler, or -1 */
};

struct msg_link {
	int		 fd;
	const struct msg_type *types;	/* what we accept */
	size_t		 type_count;
	struct buf	 packet;	/* being collected */
	int		 packet_fds[MSG_PACKET_FDS];
	size_t		 packet_fd_count;
	struct msg_wait	*first, *last;	/* packets that did not fit into the socket */
	size_t		 waiting;	/* bytes of those */
};

void msg_link_init(struct msg_link *l, int fd, const struct msg_type *types, size_t type_count);
void msg_link_done(struct msg_link *l);		/* closes everything */

/*
 * msg_put() - add a message to the packet that is being collected
 * @fd:	handed over (closed here in any case), or -1
 *
 * Return: 0, -ENOBUFS when the queue is at its bound, or another negative errno.
 */
int msg_put(struct msg_link *l, uint16_t type, uint32_t id, const void *head, size_t head_len,
	    struct span tail, int fd);

/* Send what was collected, and what waits; 0 also when some had to wait (see msg_waits) */
int msg_flush(struct msg_link *l);
bool msg_waits(const struct msg_link *l);	/* call msg_flush() when the socket is writable */

/*
 * msg_read() - read the packets that are there, a few, and hand out their messages
 * Return: 1: there may be more; 0: that was all, or none was there;
 *         -EPIPE: the other end is gone; -EPROTO: it does not keep to the table.
 */
int msg_read(struct msg_link *l, void (*handler)(void *arg, const struct msg *m), void *arg);

#endif
