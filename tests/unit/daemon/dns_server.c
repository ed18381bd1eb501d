/* SPDX-License-Identifier: Apache-2.0 */
#include "dns_server.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/auto.h"
#include "base/wire.h"

enum { A = 1, CNAME = 5, SOA = 6, AAAA = 28 };

struct ask {
	struct span	packet;
	struct span	question;	/* name, type, class */
	struct span	label;
	int		type;
	bool		tcp;
};

static void put_head(struct wire_out *w, const struct ask *q, int rcode, int answers, int authority)
{
	wire_put(w, q->packet.at, 2);
	wire_put_u16(w, (uint16_t)(0x8180 | rcode));
	wire_put_u16(w, 1);
	wire_put_u16(w, (uint16_t)answers);
	wire_put_u16(w, (uint16_t)authority);
	wire_put_u16(w, 0);
	wire_put(w, q->question.at, q->question.len);
}

static void put_record(struct wire_out *w, struct span owner, int type, uint32_t ttl_s,
		       struct span rdata)
{
	wire_put(w, owner.at, owner.len);
	wire_put_u16(w, (uint16_t)type);
	wire_put_u16(w, 1);
	wire_put_u32(w, ttl_s);
	wire_put_u16(w, (uint16_t)rdata.len);
	wire_put(w, rdata.at, rdata.len);
}

#define ASKED SPAN("\xc0\x0c")	/* the name of the question */

static void put_addr(struct wire_out *w, struct span owner, int type, uint8_t last)
{
	uint8_t four[4] = { 192, 0, 2, last };
	uint8_t six[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = last };

	put_record(w, owner, type, 300,
		   type == A ? span_of(four, sizeof(four)) : span_of(six, sizeof(six)));
}

static void put_soa(struct wire_out *w)
{
	put_record(w, SPAN("\7example\0"), SOA, 30,
		   SPAN("\0\0" "\0\0\0\1" "\0\0\0\1" "\0\0\0\1" "\0\0\0\1" "\0\0\0\36"));
}

static void nothing(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 0, 1);
	put_soa(w);
}

static void only4(struct wire_out *w, const struct ask *q)
{
	if (q->type != A) {
		nothing(w, q);
		return;
	}
	put_head(w, q, 0, 1, 0);
	put_addr(w, ASKED, A, 1);
}

static void both(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 2, 0);
	put_addr(w, ASKED, q->type, 1);
	put_addr(w, ASKED, q->type, 2);
}

static void nxdomain(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 3, 0, 1);
	put_soa(w);
}

static void servfail(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 2, 0, 0);
}

static void refused(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 5, 0, 0);
}

static void silent(struct wire_out *w, const struct ask *q)
{
	(void)w;
	(void)q;
}

static void silent6(struct wire_out *w, const struct ask *q)
{
	if (q->type == A)
		only4(w, q);
}

static void many(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 40, 0);
	for (uint8_t i = 0; i < 40; i++)
		put_addr(w, ASKED, q->type, i);
}

#define NEXT SPAN("\4next\7example\0")
#define LAST SPAN("\4last\7example\0")
#define ELSEWHERE SPAN("\11elsewhere\7example\0")

/* The whole chain in one answer */
static void chain(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 3, 0);
	put_record(w, ASKED, CNAME, 300, NEXT);
	put_record(w, NEXT, CNAME, 20, LAST);
	put_addr(w, LAST, q->type, 9);
}

/* The rest of the chain, for who follows it by hand */
static void next(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 2, 0);
	put_record(w, ASKED, CNAME, 20, LAST);
	put_addr(w, LAST, q->type, 9);
}

static void last(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 1, 0);
	put_addr(w, ASKED, q->type, 9);
}

static void back(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 1, 0);
	put_record(w, ASKED, CNAME, 300, SPAN("\4loop\7example\0"));
}

static void loop(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 2, 0);
	put_record(w, ASKED, CNAME, 300, SPAN("\4back\7example\0"));
	put_record(w, SPAN("\4back\7example\0"), CNAME, 300,
		   span_head(q->question, q->question.len - 4));
}

/* An address for a name that was not asked for */
static void stranger(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 2, 0);
	put_addr(w, ELSEWHERE, q->type, 66);
	put_addr(w, ASKED, q->type, 1);
}

/* A record that ends beyond the packet, and an address of the wrong length */
static void torn(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 1, 0);
	put_record(w, ASKED, q->type, 300, SPAN("\1\2\3\4"));
	w->len -= 2;
}

static void odd_length(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 1, 0);
	put_record(w, ASKED, q->type, 300, SPAN("\1\2\3\4\5"));
}

/* Too much for a datagram: the same over TCP */
static void big(struct wire_out *w, const struct ask *q)
{
	if (q->tcp) {
		both(w, q);
		return;
	}
	put_head(w, q, 0, 0, 0);
	w->at[2] |= 2;		/* TC */
}

/* Records of the type that was asked for; an address besides */
static void texts(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 3, 0);
	put_record(w, ASKED, q->type, 30,
		   q->type == 15 ? SPAN("\0\12\4mail\xc0\x0c") : SPAN("\5hello"));
	put_record(w, ELSEWHERE, q->type, 30, SPAN("\5wrong"));
	put_addr(w, ASKED, A, 66);
}

/* The same behind an alias */
static void alias(struct wire_out *w, const struct ask *q)
{
	put_head(w, q, 0, 2, 0);
	put_record(w, ASKED, CNAME, 20, NEXT);
	put_record(w, NEXT, q->type, 300, SPAN("\5hello"));
}

/* More than may be kept */
static void huge(struct wire_out *w, const struct ask *q)
{
	static const uint8_t string[256] = { 255 };

	put_head(w, q, 0, 1, 0);
	wire_put(w, ASKED.at, ASKED.len);
	wire_put_u16(w, (uint16_t)q->type);
	wire_put_u16(w, 1);
	wire_put_u32(w, 300);
	wire_put_u16(w, 80 * 256);
	for (int i = 0; i < 80; i++)
		wire_put(w, string, sizeof(string));
}

static const struct {
	const char	*label;
	void		(*put)(struct wire_out *w, const struct ask *q);
} answers[] = {
	{ "only4", only4 }, { "both", both }, { "nothing", nothing }, { "nxdomain", nxdomain },
	{ "servfail", servfail }, { "refused", refused }, { "silent", silent },
	{ "silent6", silent6 }, { "many", many }, { "chain", chain }, { "next", next },
	{ "last", last }, { "loop", loop }, { "back", back },
	{ "stranger", stranger }, { "torn", torn }, { "odd", odd_length },
	{ "big", big }, { "texts", texts }, { "alias", alias }, { "huge", huge },
};

static bool ask_read(struct span packet, struct ask *ret_ask)
{
	struct wire w = wire_over(packet);
	struct ask q = { .packet = packet };
	struct span name;
	uint8_t len;

	wire_take(&w, 12);
	name = w.left;
	while ((len = wire_u8(&w)) > 0) {
		struct span label = wire_take(&w, len);

		if (!q.label.len)
			q.label = label;
	}
	q.type = wire_u16(&w);
	wire_u16(&w);
	q.question = span_head(name, name.len - w.left.len);
	*ret_ask = q;
	return !w.spent;
}

/* A label may end in "-ANYTHING", for names that nobody has asked for yet */
static struct span label_kind(struct span label)
{
	ptrdiff_t dash = span_find(label, '-');

	return dash < 0 ? label : span_head(label, (size_t)dash);
}

static size_t answer_write(const struct ask *q, uint8_t *out, size_t size)
{
	struct wire_out w = { .at = out, .size = size };

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		if (span_eq_fold(label_kind(q->label), span_str(answers[i].label)))
			answers[i].put(&w, q);
	return w.len;
}

size_t dns_server_answer(struct dns_shared *shared, struct span packet, bool tcp, uint8_t *out,
			 size_t size)
{
	struct ask q;

	if (!ask_read(packet, &q))
		return 0;
	q.tcp = tcp;
	atomic_fetch_add(&shared->asked, 1);
	return atomic_load(&shared->silent) ? 0 : answer_write(&q, out, size);
}

static void serve_udp(int fd, struct dns_shared *shared)
{
	static uint8_t out[32768];
	uint8_t in[4096];
	struct sockaddr_in6 from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &from_len);
	size_t out_len;

	if (len < 0)
		return;
	out_len = dns_server_answer(shared, span_of(in, (size_t)len), false, out, sizeof(out));
	if (out_len)
		sendto(fd, out, out_len, 0, (struct sockaddr *)&from, from_len);
}

/* One question a connection, which arrives in one piece */
static void serve_tcp(int listener, struct dns_shared *shared)
{
	static uint8_t out[32768];
	uint8_t in[4096];
	AUTO_CLOSE int fd = accept(listener, NULL, NULL);
	ssize_t len = fd < 0 ? -1 : read(fd, in, sizeof(in));
	size_t out_len;

	if (len < 2)
		return;
	out_len = dns_server_answer(shared, span_of(in + 2, (size_t)len - 2), true, out + 2,
				    sizeof(out) - 2);
	out[0] = (uint8_t)(out_len >> 8);
	out[1] = (uint8_t)out_len;
	if (out_len)
		send(fd, out, out_len + 2, MSG_NOSIGNAL);
}

static _Noreturn void serve(const int *fds, struct dns_shared *shared)
{
	struct pollfd wait[2] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };

	for (;;) {
		poll(wait, 2, -1);
		if (wait[0].revents)
			serve_udp(fds[0], shared);
		if (wait[1].revents)
			serve_tcp(fds[1], shared);
	}
}

int dns_server_socket(const char *text, uint16_t port, int type)
{
	struct addr addr;
	struct sockaddr_in6 sa;
	const int on = 1;
	socklen_t len;
	int fd;

	if (!addr_parse(span_str(text), &addr))
		exit(1);
	len = addr_to_sockaddr(&addr, port, &sa);
	fd = socket(addr_is_v4(&addr) ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) || (type == SOCK_STREAM && listen(fd, 64))) {
		perror(text);
		exit(1);
	}
	return fd;
}

struct dns_server dns_server_start(const char *addr)
{
	struct dns_server s = { .addr = addr };
	const int fds[2] = { dns_server_socket(addr, 53, SOCK_DGRAM),
			     dns_server_socket(addr, 53, SOCK_STREAM) };

	s.shared = mmap(NULL, sizeof(*s.shared), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.shared == MAP_FAILED)
		exit(1);
	s.pid = fork();
	if (!s.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fds, s.shared);
	}
	close(fds[0]);
	close(fds[1]);
	return s;
}

void dns_server_stop(struct dns_server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	munmap(s->shared, sizeof(*s->shared));
}
