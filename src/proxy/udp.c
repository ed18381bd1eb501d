/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/meter.h"
#include "proxy/udp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include "base/hash.h"
#include "proto/dhcp.h"
#include "proto/udp_ip.h"
#include "proxy/lease.h"

#define BATCH 64		/* datagrams a system call */
#define DATAGRAM_MAX 65536
#define HELD_MAX 4		/* datagrams kept while the keeper decides */
#define HELD_BYTES_MAX 9000	/* longer ones are dropped meanwhile */
#define IDLE_S 120		/* RFC 4787 REQ-5 asks for two minutes */
#define DENIED_S 2		/* a refusal is remembered, so that a flood asks once */
#define BUCKETS 1024
#define DNS_PORT 53
#define RECEIVERS_MAX 2		/* one a family */

enum udp_state { UDP_ASKED, UDP_OPEN, UDP_DENIED };

struct held {
	struct held	*next;
	size_t		 len;
	uint8_t		 bytes[];
};

struct udp_key {
	struct addr	client, server;
	uint16_t	client_port, server_port;
};

struct udp_flow {
	struct udp_flow	*next;		/* in its bucket */
	struct udp_key	 key;
	uint32_t	 ref;
	enum udp_state	 state;
	bool		 watch;		/* QUIC must not pass */
	int		 peer;
	uint32_t	 since_s;
	uint64_t	 bytes_out, bytes_in;
	struct usage	 usage;
	bool		 metered;
	struct held	*held;
	size_t		 held_count;
	struct event	 ev;
	struct proxy	*proxy;
};

struct udp_table {
	struct seed	 seed;
	size_t		 count, max;
	uint32_t	 last_ref;
	size_t		 receiver_count;
	struct event	 receiver[RECEIVERS_MAX];
	struct udp_flow	*bucket[BUCKETS];
};

/* Answers on their way to the raw sockets */
static struct {
	size_t			count;
	int			fd[BATCH];
	struct mmsghdr		msgs[BATCH];
	struct iovec		iov[BATCH];
	struct sockaddr_in6	to[BATCH];
	uint8_t			bytes[BATCH][2048];
} queue;

struct udp_table *udp_table_new(const struct seed *seed, size_t max)
{
	struct udp_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->seed = *seed;
	t->max = max < UDP_FLOWS_MAX ? max : UDP_FLOWS_MAX;
	return t;
}

/* ---- to the client ---- */

/* Consecutive entries for the same socket leave in one call; what the kernel
 * does not take is lost, as datagrams are */
void udp_flush(struct proxy *x)
{
	size_t at = 0;

	(void)x;
	while (at < queue.count) {
		size_t end = at + 1;

		while (end < queue.count && queue.fd[end] == queue.fd[at])
			end++;
		for (int sent; at < end; at += sent > 0 ? (size_t)sent : 1)
			sent = sendmmsg(queue.fd[at], queue.msgs + at, (unsigned)(end - at),
					MSG_DONTWAIT);
	}
	queue.count = 0;
}

static void queue_packet(struct proxy *x, const struct addr *client, size_t len)
{
	size_t i = queue.count++;

	queue.fd[i] = addr_is_v4(client) ? x->raw4 : x->raw6;
	queue.iov[i] = (struct iovec){ queue.bytes[i], len };
	queue.msgs[i].msg_hdr = (struct msghdr){
		.msg_name = &queue.to[i], .msg_namelen = addr_to_sockaddr(client, 0, &queue.to[i]),
		.msg_iov = &queue.iov[i], .msg_iovlen = 1,
	};
}

static void send_large(struct proxy *x, const struct addr *client, struct span packet)
{
	struct sockaddr_in6 to;
	socklen_t len = addr_to_sockaddr(client, 0, &to);

	(void)sendto(addr_is_v4(client) ? x->raw4 : x->raw6, packet.at, packet.len, MSG_DONTWAIT,
		     (struct sockaddr *)&to, len);
}

void udp_answer(struct proxy *x, const struct addr *server, uint16_t server_port,
		const struct addr *client, uint16_t client_port, struct span payload)
{
	static uint8_t large[DATAGRAM_MAX];
	size_t len;

	if (queue.count == BATCH)
		udp_flush(x);
	len = packet_udp_write(server, server_port, client, client_port, payload,
			       queue.bytes[queue.count], sizeof(queue.bytes[0]));
	if (len) {
		queue_packet(x, client, len);
		return;
	}
	len = packet_udp_write(server, server_port, client, client_port, payload,
			       large, sizeof(large));
	if (len)
		send_large(x, client, span_of(large, len));
}

static void refuse(struct proxy *x, const struct udp_key *k, size_t payload_len)
{
	uint8_t packet[256];
	size_t len = packet_unreachable_write(&k->client, k->client_port, &k->server,
					      k->server_port, payload_len, packet, sizeof(packet));

	if (len)
		send_large(x, &k->client, span_of(packet, len));
}

/* ---- the table ---- */

static struct udp_flow **bucket_of(struct udp_table *t, const struct udp_key *k)
{
	return &t->bucket[hash_span(&t->seed, span_of(k, sizeof(*k))) % BUCKETS];
}

static struct udp_flow *find(struct udp_table *t, const struct udp_key *k)
{
	struct udp_flow *u = *bucket_of(t, k);

	while (u && memcmp(&u->key, k, sizeof(*k)))
		u = u->next;
	return u;
}

static struct udp_flow *find_ref(struct udp_table *t, uint32_t ref)
{
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct udp_flow *u = t->bucket[b]; u; u = u->next)
			if (u->ref == ref)
				return u;
	return NULL;
}

/* ASKED is left once, for OPEN or DENIED; both stay until the flow is forgotten */
static void udp_become(struct udp_flow *u, enum udp_state next)
{
	assert(u->state == UDP_ASKED && next != UDP_ASKED);
	u->state = next;
	u->since_s = u->proxy->now_s;
}

static void drop_held(struct udp_flow *u)
{
	while (u->held) {
		struct held *h = u->held;

		u->held = h->next;
		free(h);
	}
	u->held_count = 0;
}

static void forget(struct udp_flow *u, enum flow_end end, enum reason reason)
{
	struct udp_flow **at = bucket_of(u->proxy->udp, &u->key);
	struct talk_closed c = { u->bytes_out, u->bytes_in, (uint8_t)end, (uint8_t)reason, { 0 } };

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	u->proxy->udp->count--;
	if (u->state == UDP_OPEN) {
		event_del(&u->ev);
		close(u->peer);
		proxy_tell(u->proxy, GATE_CLOSED, u->ref, &c, sizeof(c), (struct span){ 0 });
	}
	drop_held(u);
	free(u);
}

/* The keeper's name for it, or the text of its address */
static struct span host_of(const struct udp_flow *u, char text[ADDR_TEXT_MAX])
{
	uint32_t host = binding_of_addr(u->proxy->bindings, &u->key.server);

	return host != BINDING_NONE ? binding_host(u->proxy->bindings, host)
				    : span_str(addr_text(&u->key.server, text));
}

/* A flow is a request of its own */
static enum reason count(struct udp_flow *u, enum seen seen)
{
	uint32_t host = binding_of_addr(u->proxy->bindings, &u->key.server);
	struct question q = {
		.about = ABOUT_CONN, .addr = u->key.server, .port = u->key.server_port,
		.transport = TRANSPORT_UDP, .seen = seen, .now_s = time(NULL),
		.standing = STANDING_APPROVED,	/* if that is asked about it is counted */
	};
	char text[ADDR_TEXT_MAX];
	struct verdict v;

	if (!meter_is_on(u->proxy))
		return REASON_ALLOWED;
	if (host != BINDING_NONE)
		q.host = binding_host(u->proxy->bindings, host);
	v = policy_decide(u->proxy->policy, &q);
	if (v.answer != ANSWER_ALLOW)
		return REASON_ALLOWED;
	u->usage = (struct usage){ .account = limits_account(u->proxy->limits, v.rule),
				   .whole = true };
	u->metered = limits_meters(u->proxy->limits, u->usage.account);
	if (!limits_counts(u->proxy->limits, u->usage.account))
		return REASON_ALLOWED;
	return meter_datagrams(u->proxy, u->usage.account, host_of(u, text));
}

static void ask(struct udp_flow *u, struct span payload)
{
	struct talk_ask a = {
		.addr = u->key.server, .port = u->key.server_port, .transport = TRANSPORT_UDP,
		.seen = quic_likely(payload) ? SEEN_QUIC : SEEN_NOT_YET, .door = DOOR_JAIL,
		.client = u->key.client, .client_port = u->key.client_port,
	};

	a.limited = (uint8_t)count(u, (enum seen)a.seen);
	proxy_tell(u->proxy, GATE_ASK, u->ref, &a, sizeof(a), (struct span){ 0 });
}

static struct udp_flow *flow_start(struct proxy *x, const struct udp_key *k, struct span payload)
{
	struct udp_table *t = x->udp;
	struct talk_ask full = { .addr = k->server, .port = k->server_port,
				 .transport = TRANSPORT_UDP, .flags = TALK_FULL };
	struct udp_flow **bucket, *u = NULL;

	if (t->count < t->max)
		u = calloc(1, sizeof(*u));
	if (!u) {
		proxy_tell(x, GATE_ASK, UINT32_MAX, &full, sizeof(full), (struct span){ 0 });
		return NULL;
	}
	bucket = bucket_of(t, k);
	t->last_ref = (t->last_ref + 1) & (REF_DNS - 1);
	*u = (struct udp_flow){ .next = *bucket, .key = *k, .ref = REF_UDP | t->last_ref,
				.peer = -1, .since_s = x->now_s, .proxy = x };
	*bucket = u;
	t->count++;
	ask(u, payload);
	return u;
}

/* ---- from the client ---- */

static void hold(struct udp_flow *u, struct span payload)
{
	struct held **last = &u->held, *h;

	if (u->held_count == HELD_MAX || payload.len > HELD_BYTES_MAX)
		return;
	h = malloc(sizeof(*h) + payload.len);
	if (!h)
		return;
	h->next = NULL;
	h->len = payload.len;
	memcpy(h->bytes, payload.at, payload.len);
	while (*last)
		last = &(*last)->next;
	*last = h;
	u->held_count++;
}

/* Is there room for a datagram?  ENDED: the flow is gone, for it has come to a limit */
enum room { ROOM, NO_ROOM, ENDED };

static enum room room_for(struct udp_flow *u, enum way way, size_t len)
{
	char text[ADDR_TEXT_MAX];
	enum reason reason;
	bool drop;

	if (!u->metered)
		return ROOM;
	reason = meter_datagram(u->proxy, &u->usage, way, len, &drop);
	meter_tell_alerts(u->proxy, host_of(u, text));
	if (reason == REASON_ALLOWED)
		return drop ? NO_ROOM : ROOM;
	refuse(u->proxy, &u->key, len);
	forget(u, reason == REASON_KILLED ? END_KILLED : END_LIMIT, reason);
	return ENDED;
}

/* Return: false if the flow has ended */
static bool pass(struct udp_flow *u, struct span payload)
{
	enum room room;

	if (u->watch && quic_likely(payload)) {
		refuse(u->proxy, &u->key, payload.len);
		return true;
	}
	room = room_for(u, WAY_UP, payload.len);
	if (room != ROOM)
		return room == NO_ROOM;
	u->since_s = u->proxy->now_s;
	if (send(u->peer, payload.at, payload.len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		u->bytes_out += payload.len;
	else if (errno == ECONNREFUSED)
		refuse(u->proxy, &u->key, payload.len);
	return true;
}

static void take(struct proxy *x, const struct udp_key *k, struct span payload)
{
	struct udp_flow *u;

	if (k->server_port == DNS_PORT) {
		x->dns.datagram(x->dns.arg, &k->client, k->client_port, &k->server, payload);
		return;
	}
	if (x->leases && k->server_port == DHCP_SERVER_PORT) {
		lease_take(x, payload);
		return;
	}
	u = find(x->udp, k);
	if (!u)
		u = flow_start(x, k, payload);
	if (!u || u->state == UDP_DENIED)
		refuse(x, k, payload.len);
	else if (u->state == UDP_OPEN)
		pass(u, payload);
	else
		hold(u, payload);
}

/* The original destination comes as a control message (IP_RECVORIGDSTADDR) */
static bool original(struct msghdr *m, struct udp_key *k)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_ORIGDSTADDR) ||
		    (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR))
			return addr_from_sockaddr(CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0),
						  &k->server, &k->server_port);
	return false;
}

static void on_datagrams(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t bytes[BATCH][DATAGRAM_MAX];
	static struct {
		char room[128];
	} control[BATCH] __attribute__((aligned(8)));
	struct proxy *x = arg;
	struct sockaddr_in6 from[BATCH];
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	int count;

	(void)what;
	for (size_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ bytes[i], DATAGRAM_MAX };
		msgs[i].msg_hdr = (struct msghdr){ &from[i], sizeof(from[i]), &iov[i], 1,
						   control[i].room, sizeof(control[i].room), 0 };
	}
	count = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		struct msghdr *m = &msgs[i].msg_hdr;
		struct udp_key k;

		memset(&k, 0, sizeof(k));
		if (!(m->msg_flags & MSG_TRUNC) && original(m, &k) &&
		    addr_from_sockaddr(&from[i], m->msg_namelen, &k.client, &k.client_port))
			take(x, &k, span_of(bytes[i], msgs[i].msg_len));
	}
}

void udp_start(struct proxy *x, int fd)
{
	struct udp_table *t = x->udp;
	struct event *ev;

	if (t->receiver_count == RECEIVERS_MAX)
		proxy_fail("too many sockets for datagrams");
	ev = &t->receiver[t->receiver_count++];
	event_assign(ev, x->loop, fd, EV_READ | EV_PERSIST, on_datagrams, x);
	if (event_add(ev, NULL) < 0)
		proxy_fail("cannot watch a socket");
}

/* ---- from the server ---- */

static void on_peer(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t bytes[DATAGRAM_MAX];
	struct udp_flow *u = arg;
	struct proxy *x = u->proxy;
	enum room room;

	(void)what;
	for (int i = 0; i < BATCH; i++) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n < 0 && errno == ECONNREFUSED)
			refuse(u->proxy, &u->key, 0);
		if (n < 0)
			break;
		room = room_for(u, WAY_DOWN, (size_t)n);
		if (room == ENDED)
			break;
		if (room == NO_ROOM)
			continue;
		u->bytes_in += (uint64_t)n;
		u->since_s = u->proxy->now_s;
		udp_answer(u->proxy, &u->key.server, u->key.server_port, &u->key.client,
			   u->key.client_port, span_of(bytes, (size_t)n));
	}
	udp_flush(x);
}

void udp_allowed(struct proxy *x, uint32_t ref, const struct talk_allow *a, int peer)
{
	struct udp_flow *u = find_ref(x->udp, ref);
	struct talk_closed gone = { .end = END_CLIENT };
	struct held *held, *next;

	if (!u) {
		close(peer);
		proxy_tell(x, GATE_CLOSED, ref, &gone, sizeof(gone), (struct span){ 0 });
		return;
	}
	u->peer = peer;
	udp_become(u, UDP_OPEN);
	u->watch = a->watch;
	event_assign(&u->ev, x->loop, peer, EV_READ | EV_PERSIST, on_peer, u);
	if (event_add(&u->ev, NULL) < 0)
		proxy_fail("cannot watch a socket");
	meter_outcome(x, false, REASON_ALLOWED);
	for (held = TAKE(u->held), u->held_count = 0; held; held = next) {
		next = held->next;
		if (u && !pass(u, span_of(held->bytes, held->len)))
			u = NULL;
		free(held);
	}
}

void udp_denied(struct proxy *x, uint32_t ref, enum reason reason)
{
	struct udp_flow *u = find_ref(x->udp, ref);

	if (!u)
		return;
	udp_become(u, UDP_DENIED);
	meter_outcome(x, true, reason);
	for (struct held *h = u->held; h; h = h->next)
		refuse(x, &u->key, h->len);
	drop_held(u);
}

void udp_ruled(struct proxy *x, uint32_t ref, uint32_t rule)
{
	struct udp_flow *u = find_ref(x->udp, ref);

	if (!u || u->state != UDP_OPEN || !meter_is_on(x))
		return;
	u->usage.account = limits_account(x->limits, rule);
	u->metered = limits_meters(x->limits, u->usage.account);
}

void udp_kill(struct proxy *x, uint32_t ref, enum reason reason)
{
	struct udp_flow *u = find_ref(x->udp, ref);

	if (u && u->state == UDP_OPEN)
		forget(u, END_KILLED, reason);
}

static void sweep(struct proxy *x, bool all)
{
	bool killed = x->killed;

	for (size_t b = 0; b < BUCKETS; b++) {
		struct udp_flow *u = x->udp->bucket[b], *next;

		for (; u; u = next) {
			uint32_t idle_s = x->now_s - u->since_s;

			next = u->next;
			if (all || (u->state == UDP_DENIED && idle_s > DENIED_S) ||
			    (u->state == UDP_OPEN && idle_s > IDLE_S))
				forget(u, !all ? END_IDLE : killed ? END_KILLED : END_CLIENT,
				       all && killed ? REASON_KILLED : REASON_ALLOWED);
		}
	}
}

void udp_tick(struct proxy *x)
{
	sweep(x, false);
}

void udp_finish(struct proxy *x)
{
	sweep(x, true);
}

void udp_table_free(struct udp_table *t)
{
	free(t);
}
