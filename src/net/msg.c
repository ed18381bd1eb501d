/* SPDX-License-Identifier: Apache-2.0 */
#include "net/msg.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

struct msg_head {
	uint16_t	type;
	uint16_t	len;		/* bytes of the payload that follows */
	uint32_t	id;
};

/* A packet that the socket had no room for */
struct msg_wait {
	struct msg_wait	*next;
	size_t		 fd_count;
	int		 fds[MSG_PACKET_FDS];
	size_t		 len;
	uint8_t		 bytes[];
};

/* Descriptors that came with a packet; those not handed out are closed */
struct fd_queue {
	int	fds[MSG_PACKET_FDS];
	size_t	count, next;
};

void msg_link_init(struct msg_link *l, int fd, const struct msg_type *types, size_t type_count)
{
	*l = (struct msg_link){
		.fd = fd,
		.types = types,
		.type_count = type_count,
		.packet = buf_new(MSG_PACKET_MAX),
	};
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

void msg_link_done(struct msg_link *l)
{
	while (l->first) {
		struct msg_wait *w = l->first;

		l->first = w->next;
		close_all(w->fds, w->fd_count);
		free(w);
	}
	l->last = NULL;
	l->waiting = 0;
	close_all(l->packet_fds, l->packet_fd_count);
	l->packet_fd_count = 0;
	buf_done(&l->packet);
	DROP_FD(l->fd);
}

/* Put the collected packet at the end of the queue */
static int park(struct msg_link *l)
{
	struct msg_wait *w;

	if (!l->packet.len)
		return 0;
	if (l->packet.len > MSG_QUEUE_MAX - l->waiting)
		return -ENOBUFS;
	w = malloc(sizeof(*w) + l->packet.len);
	if (!w)
		return -ENOMEM;
	w->next = NULL;
	w->len = l->packet.len;
	w->fd_count = l->packet_fd_count;
	memcpy(w->bytes, l->packet.at, w->len);
	memcpy(w->fds, l->packet_fds, w->fd_count * sizeof(int));
	if (l->last)
		l->last->next = w;
	else
		l->first = w;
	l->last = w;
	l->waiting += w->len;
	l->packet_fd_count = 0;
	buf_clear(&l->packet);
	return 0;
}

int msg_put(struct msg_link *l, uint16_t type, uint32_t id, const void *head, size_t head_len,
	    struct span tail, int fd)
{
	struct msg_head h = { type, (uint16_t)(head_len + tail.len), id };
	size_t len = sizeof(h) + head_len + tail.len;
	AUTO_CLOSE int owned = fd;

	assert(len <= MSG_PACKET_MAX && head_len + tail.len <= UINT16_MAX);
	if (l->packet.len + len > MSG_PACKET_MAX ||
	    (fd >= 0 && l->packet_fd_count == MSG_PACKET_FDS)) {
		int r = park(l);

		if (r < 0)
			return r;
	}
	if (!buf_reserve(&l->packet, len))
		return -ENOMEM;
	buf_add(&l->packet, &h, sizeof(h));
	buf_add(&l->packet, head, head_len);
	buf_add_span(&l->packet, tail);
	if (fd >= 0)
		l->packet_fds[l->packet_fd_count++] = TAKE_FD(owned);
	return 0;
}

/* One packet into the socket.  Return: 0, -EAGAIN, -EPIPE or another errno. */
static int send_packet(int sock, const uint8_t *bytes, size_t len, const int *fds, size_t fd_count)
{
	union {
		char		room[CMSG_SPACE(MSG_PACKET_FDS * sizeof(int))];
		struct cmsghdr	align;
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (fd_count) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	do
		sent = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

bool msg_waits(const struct msg_link *l)
{
	return l->first;
}

static int send_waiting(struct msg_link *l)
{
	while (l->first) {
		struct msg_wait *w = l->first;
		int r = send_packet(l->fd, w->bytes, w->len, w->fds, w->fd_count);

		if (r < 0)
			return r;
		l->first = w->next;
		if (!l->first)
			l->last = NULL;
		l->waiting -= w->len;
		close_all(w->fds, w->fd_count);
		free(w);
	}
	return 0;
}

int msg_flush(struct msg_link *l)
{
	int r = send_waiting(l);

	if (r == -EAGAIN)
		return park(l);
	if (r < 0 || !l->packet.len)
		return r;
	r = send_packet(l->fd, l->packet.at, l->packet.len, l->packet_fds, l->packet_fd_count);
	if (r == -EAGAIN)
		return park(l);
	if (r < 0)
		return r;
	close_all(l->packet_fds, l->packet_fd_count);
	l->packet_fd_count = 0;
	buf_clear(&l->packet);
	return 0;
}

static void take_fds(struct msghdr *m, struct fd_queue *q)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		assert(count <= MSG_PACKET_FDS - q->count);
		memcpy(q->fds + q->count, CMSG_DATA(c), count * sizeof(int));
		q->count += count;
	}
}

/* Walk the messages of one packet.  Return: 0 or -EPROTO. */
static int hand_out(struct msg_link *l, struct span packet, struct fd_queue *q,
		    void (*handler)(void *arg, const struct msg *m), void *arg)
{
	while (packet.len) {
		const struct msg_type *row;
		struct msg_head h;
		struct msg m;

		if (packet.len < sizeof(h))
			return -EPROTO;
		memcpy(&h, packet.at, sizeof(h));
		packet = span_skip(packet, sizeof(h));
		if (h.len > packet.len || h.type >= l->type_count)
			return -EPROTO;
		row = &l->types[h.type];
		if (!row->name || h.len < row->min || h.len > row->max)
			return -EPROTO;
		if (row->fd && q->next == q->count)
			return -EPROTO;
		m = (struct msg){ h.type, h.id, span_head(packet, h.len), -1 };
		if (row->fd)
			m.fd = q->fds[q->next++];
		packet = span_skip(packet, h.len);
		handler(arg, &m);
		if (l->fd < 0)
			return 0;	/* the handler ended the link */
	}
	return q->next == q->count ? 0 : -EPROTO;
}

/* Room for the packets of one msg_read() */
struct packets {
	struct mmsghdr	head[MSG_READ_PACKETS];
	struct iovec	iov[MSG_READ_PACKETS];
	union {
		char		room[CMSG_SPACE(MSG_PACKET_FDS * sizeof(int))];
		struct cmsghdr	align;
	} control[MSG_READ_PACKETS];
	uint8_t		bytes[MSG_READ_PACKETS][MSG_PACKET_MAX];
};

/* One call for all: a second one that finds nothing costs as much as the first.
 * Return: the count, 0 when none is there, or -EPIPE. */
static int receive(int sock, struct packets *p)
{
	int count;

	for (size_t i = 0; i < MSG_READ_PACKETS; i++) {
		p->iov[i] = (struct iovec){ p->bytes[i], MSG_PACKET_MAX };
		p->head[i].msg_hdr = (struct msghdr){
			.msg_iov = &p->iov[i], .msg_iovlen = 1, .msg_control = p->control[i].room,
			.msg_controllen = sizeof(p->control[i].room),
		};
	}
	do
		count = recvmmsg(sock, p->head, MSG_READ_PACKETS, MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
				 NULL);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return errno == EAGAIN ? 0 : -EPIPE;
	return count;
}

/* Return: 0 or negative errno; descriptors that were not handed out are closed */
static int packet_read(struct msg_link *l, struct mmsghdr *head,
		       void (*handler)(void *arg, const struct msg *m), void *arg)
{
	struct msghdr *m = &head->msg_hdr;
	struct fd_queue q = { .count = 0 };
	int r;

	take_fds(m, &q);
	if (m->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		r = -EPROTO;
	else if (!head->msg_len)
		r = -EPIPE;
	else
		r = hand_out(l, span_of(m->msg_iov->iov_base, head->msg_len), &q, handler, arg);
	close_all(q.fds + q.next, q.count - q.next);
	return r;
}

/* What comes after the end of a link: nothing of it is handed out */
static void packet_drop(struct mmsghdr *head)
{
	struct fd_queue q = { .count = 0 };

	take_fds(&head->msg_hdr, &q);
	close_all(q.fds, q.count);
}

int msg_read(struct msg_link *l, void (*handler)(void *arg, const struct msg *m), void *arg)
{
	static struct packets packets;		/* handlers do not read links */
	int count = receive(l->fd, &packets), r = count < 0 ? count : 0;

	for (int i = 0; i < count; i++) {
		if (r < 0 || l->fd < 0)
			packet_drop(&packets.head[i]);
		else
			r = packet_read(l, &packets.head[i], handler, arg);
	}
	return r < 0 ? r : count == MSG_READ_PACKETS;
}
