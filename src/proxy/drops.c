/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drops.c - packets that the kernel's rules refused
 *
 * The kernel numbers what it logs; a gap means that the socket's buffer was
 * full, and is told as packets of no known kind.  Equal packets of one read
 * are counted together: a flood costs one message a batch.
 */
#include "proxy/drops.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/udp_ip.h"

#define READS_A_TURN 8
#define TURNS_AT_THE_END 1024	/* more than the socket has room for: whoever is held may go on sending */
#define DISTINCT_MAX 64		/* kinds of packets told of one read; the rest are told as lost */
#define NO_IP 255		/* "reserved" to IANA: a guest's frame of another kind, ARP or broken */

struct drops {
	struct event	 ev;
	struct proxy	*proxy;
	uint32_t	 next_seq;
	bool		 counting;	/* next_seq is known */
	uint32_t	 lost;
	size_t		 count;
	struct talk_drop at[DISTINCT_MAX];
};

static void add(struct drops *d, const struct packet_facts *p, bool passed)
{
	struct talk_drop drop = { .addr = p->dst, .port = p->dport, .protocol = p->protocol,
				  .passed = passed, .count = 1, .client = p->src, .client_port = p->sport };

	for (size_t i = 0; i < d->count; i++)
		if (addr_eq(&d->at[i].addr, &drop.addr) && d->at[i].port == drop.port &&
		    d->at[i].protocol == drop.protocol && d->at[i].passed == drop.passed) {
			d->at[i].count++;
			return;
		}
	if (d->count < DISTINCT_MAX)
		d->at[d->count++] = drop;
	else
		d->lost++;
}

/* What a message says */
struct logged {
	const struct nlattr *payload, *seq;
	bool		 passed;
};

static int on_attr(const struct nlattr *attr, void *arg)
{
	struct logged *l = arg;

	switch (mnl_attr_get_type(attr)) {
	case NFULA_PAYLOAD:
		l->payload = attr;
		break;
	case NFULA_SEQ:
		l->seq = attr;
		break;
	case NFULA_PREFIX:
		l->passed = mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 &&
			    !strcmp(mnl_attr_get_str(attr), TALK_PASSED);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int on_log(const struct nlmsghdr *h, void *arg)
{
	struct logged l = { NULL, NULL, false };
	static const struct packet_facts no_ip = { .protocol = NO_IP };
	struct drops *d = arg;
	struct packet_facts p;
	uint32_t seq;

	if (mnl_attr_parse(h, sizeof(struct nfgenmsg), on_attr, &l) < 0)
		return MNL_CB_OK;
	if (l.seq && mnl_attr_get_payload_len(l.seq) == sizeof(seq)) {
		seq = ntohl(mnl_attr_get_u32(l.seq));
		if (d->counting && seq != d->next_seq)
			d->lost += seq - d->next_seq;
		d->counting = true;
		d->next_seq = seq + 1;
	}
	if (l.payload && packet_parse(span_of(mnl_attr_get_payload(l.payload),
					     mnl_attr_get_payload_len(l.payload)), &p) == PARSE_OK)
		add(d, &p, l.passed);
	else if (l.payload)
		add(d, &no_ip, false);
	else
		d->lost++;
	return MNL_CB_OK;
}

static void tell(struct drops *d)
{
	struct talk_drop lost = { .count = d->lost };

	for (size_t i = 0; i < d->count; i++)
		proxy_tell(d->proxy, GATE_DROP, 0, &d->at[i], sizeof(d->at[i]),
			   (struct span){ 0 });
	if (d->lost)
		proxy_tell(d->proxy, GATE_DROP, 0, &lost, sizeof(lost), (struct span){ 0 });
	d->count = d->lost = 0;
}

/* One turn; false: there is no more */
static bool take(struct drops *d, int fd)
{
	static uint8_t bytes[65536] __attribute__((aligned(8)));
	bool more = true;

	for (int i = 0; more && i < READS_A_TURN; i++) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n < 0 && errno == ENOBUFS)
			continue;	/* the next sequence number tells how many */
		more = n > 0;
		if (more)
			mnl_cb_run(bytes, (size_t)n, 0, 0, on_log, d);
	}
	tell(d);
	return more;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	take(arg, fd);
}

void drops_start(struct proxy *x, int fd)
{
	struct drops *d = calloc(1, sizeof(*d));

	if (!d)
		proxy_fail("out of memory");
	d->proxy = x;
	x->drops = d;
	event_assign(&d->ev, x->loop, fd, EV_READ | EV_PERSIST, on_readable, d);
	if (event_add(&d->ev, NULL) < 0)
		proxy_fail("cannot watch a socket");
}

void drops_finish(struct proxy *x)
{
	struct drops *d = x->drops;

	for (int i = 0; d && i < TURNS_AT_THE_END && take(d, event_get_fd(&d->ev)); i++)
		;
}
