/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include "client.h"

enum { BATCH = 64, QUERY_MAX = 300 };

/* A query for NAME's A record with @id */
static size_t query(uint8_t *out, const char *name, uint16_t id)
{
	size_t at = 12;

	memset(out, 0, 12);
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	out[2] = 1;
	out[5] = 1;
	while (*name) {
		size_t len = strcspn(name, ".");

		out[at++] = (uint8_t)len;
		memcpy(out + at, name, len);
		at += len;
		name += len + (name[len] == '.');
	}
	memcpy(out + at, "\0\0\1\0\1", 5);
	return at + 5;
}

static void ask(struct load *l, int fd, double begin)
{
	static uint8_t out[BATCH][QUERY_MAX];
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	size_t flying = l->started - l->done - l->failed, n = 0;
	int r;

	if (!load_more(l, begin))
		return;
	for (; flying + n < l->at_once && n < BATCH; n++) {
		iov[n] = (struct iovec){ out[n], query(out[n], l->port, (uint16_t)(l->started + n)) };
		msgs[n].msg_hdr = (struct msghdr){ .msg_iov = &iov[n], .msg_iovlen = 1 };
	}
	r = n ? sendmmsg(fd, msgs, (unsigned)n, 0) : 0;
	l->started += r > 0 ? (size_t)r : 0;
}

/* Keep -w queries in flight; batches of system calls, as busy resolvers do */
void dns(struct load *l)
{
	static uint8_t in[BATCH][QUERY_MAX + 200];
	struct mmsghdr got[BATCH] = { 0 };
	struct iovec iov[BATCH];
	struct timeval wait = { .tv_sec = 1 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	double begin = load_now();

	if (fd < 0 || connect(fd, (struct sockaddr *)&l->to, l->to_len) < 0)
		load_die("dns");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	for (size_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		got[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	while (load_more(l, begin) || l->started > l->done + l->failed) {
		int r;

		ask(l, fd, begin);
		r = recvmmsg(fd, got, BATCH, MSG_WAITFORONE, NULL);
		if (r <= 0)
			l->failed = l->started - l->done;	/* lost */
		for (int i = 0; i < r; i++) {
			if (in[i][3] & 0x0f || !in[i][7])
				l->failed++;			/* no answer in it */
			else
				load_done(l, begin);
		}
	}
}
