/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - load for bench/: one event loop, one measure a run
 *
 *	client fresh NAME PORT COUNT AT_ONCE [PROXY:PORT]	a connection a request
 *	client keep  NAME PORT COUNT AT_ONCE			requests on kept-alive connections
 *	client idle  NAME PORT COUNT				open and hold until stdin ends
 *	client dns   SERVER NAME COUNT AT_ONCE			A queries over UDP
 *
 * PROXY is asked with CONNECT.  Prints one JSON object: count, failed, seconds,
 * and the times of single requests in microseconds (p50, p99, max).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct job {
	int	fd;
	bool	connecting, tunnelling;
	size_t	got, want;		/* bytes of the answer; want 0: head not whole */
	char	head[2048];
	double	since;
};

static struct {
	const char		*name;
	struct sockaddr_storage	 to;
	socklen_t		 to_len;
	bool			 keep;
	bool			 proxied;
	char			 connect[512], request[512];
	size_t			 count, started, done, failed;
	double			*times;
} run;

static int epoll;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void look_up(const char *name, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_INET }, *found;

	if (getaddrinfo(name, port, &hints, &found) != 0)
		die(name);
	memcpy(&run.to, found->ai_addr, found->ai_addrlen);
	run.to_len = found->ai_addrlen;
	freeaddrinfo(found);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(double seconds)
{
	size_t n = run.done ? run.done : 1;

	qsort(run.times, run.done, sizeof(double), compare);
	printf("{\"count\":%zu,\"failed\":%zu,\"seconds\":%.6f,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}\n",
	       run.done, run.failed, seconds, run.times[n / 2] * 1e6,
	       run.times[n * 99 / 100] * 1e6, run.times[n - 1] * 1e6);
}

static void job_send(struct job *j)
{
	const char *text = j->tunnelling ? run.connect : run.request;

	if (write(j->fd, text, strlen(text)) < 0)
		run.failed++;
	j->got = j->want = 0;
}

static void job_start(struct job *j)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = j };
	int on = 1;

	if (run.started == run.count)
		return;
	run.started++;
	j->since = now();
	j->fd = socket(run.to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (j->fd < 0)
		die("socket");
	setsockopt(j->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(j->fd, (struct sockaddr *)&run.to, run.to_len) < 0 && errno != EINPROGRESS)
		die("connect");
	j->connecting = true;
	j->tunnelling = run.proxied;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, j->fd, &ev) < 0)
		die("epoll_ctl");
}

static void job_done(struct job *j, bool ok)
{
	if (ok)
		run.times[run.done++] = now() - j->since;
	else
		run.failed++;
	if (ok && run.keep && run.started < run.count) {
		run.started++;
		j->since = now();
		job_send(j);
		return;
	}
	close(j->fd);
	j->fd = -1;
	job_start(j);
}

/* Length of the whole answer once its head is there, else 0 */
static size_t answer_size(struct job *j)
{
	char *end, *field;

	j->head[j->got < sizeof(j->head) ? j->got : sizeof(j->head) - 1] = '\0';
	end = strstr(j->head, "\r\n\r\n");
	if (!end)
		return 0;
	field = strcasestr(j->head, "content-length:");
	return (size_t)(end + 4 - j->head) + (field && field < end ? strtoul(field + 15, NULL, 10) : 0);
}

static void job_read(struct job *j)
{
	char skip[65536];
	bool heading = !j->want && j->got < sizeof(j->head) - 1;
	ssize_t n = read(j->fd, heading ? j->head + j->got : skip,
			 heading ? sizeof(j->head) - 1 - j->got : sizeof(skip));

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		job_done(j, false);
		return;
	}
	j->got += (size_t)n;
	if (!j->want)
		j->want = answer_size(j);
	if (!j->want || j->got < j->want)
		return;
	if (j->tunnelling) {
		j->tunnelling = false;
		job_send(j);
		return;
	}
	job_done(j, true);
}

static void job_event(struct job *j, uint32_t events)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = j };
	int error = 0;
	socklen_t len = sizeof(error);

	if (!j->connecting) {
		job_read(j);
		return;
	}
	getsockopt(j->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error || events & EPOLLERR) {
		job_done(j, false);
		return;
	}
	j->connecting = false;
	epoll_ctl(epoll, EPOLL_CTL_MOD, j->fd, &ev);
	job_send(j);
}

static void requests(size_t at_once)
{
	struct job *jobs = calloc(at_once, sizeof(*jobs));
	struct epoll_event events[64];
	double begin = now();

	for (size_t i = 0; i < at_once; i++)
		job_start(&jobs[i]);
	while (run.done + run.failed < run.count) {
		int n = epoll_wait(epoll, events, 64, 20000);

		if (n <= 0)
			break;
		for (int i = 0; i < n; i++)
			job_event(events[i].data.ptr, events[i].events);
	}
	print(now() - begin);
}

static void idle(void)
{
	char byte;

	for (size_t i = 0; i < run.count; i++) {
		int fd = socket(run.to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || connect(fd, (struct sockaddr *)&run.to, run.to_len) < 0)
			run.failed++;
		else
			run.done++;
	}
	printf("{\"count\":%zu,\"failed\":%zu}\n", run.done, run.failed);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
}

/* A query for NAME's A record with @id */
static size_t dns_query(uint8_t *out, const char *name, uint16_t id)
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

/* Keep @at_once queries in flight; batches of system calls, as busy resolvers do */
static void dns(const char *server, size_t at_once)
{
	enum { BATCH = 64 };
	static uint8_t out[BATCH][512], in[BATCH][512];
	struct mmsghdr msgs[BATCH], got[BATCH];
	struct iovec iov[BATCH], in_iov[BATCH];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval wait = { .tv_sec = 1 };
	double begin;

	look_up(server, "53");
	if (fd < 0 || connect(fd, (struct sockaddr *)&run.to, run.to_len) < 0)
		die("dns");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	memset(msgs, 0, sizeof(msgs));
	memset(got, 0, sizeof(got));
	begin = now();
	while (run.done + run.failed < run.count) {
		size_t flying = run.started - run.done - run.failed, n = 0;
		int r;

		while (flying + n < at_once && n < BATCH && run.started + n < run.count) {
			iov[n] = (struct iovec){ out[n], dns_query(out[n], run.name,
							(uint16_t)(run.started + n)) };
			msgs[n].msg_hdr = (struct msghdr){ .msg_iov = &iov[n], .msg_iovlen = 1 };
			n++;
		}
		r = n ? sendmmsg(fd, msgs, (unsigned)n, 0) : 0;
		run.started += r > 0 ? (size_t)r : 0;
		for (size_t i = 0; i < BATCH; i++) {
			in_iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
			got[i].msg_hdr = (struct msghdr){ .msg_iov = &in_iov[i], .msg_iovlen = 1 };
		}
		r = recvmmsg(fd, got, BATCH, MSG_WAITFORONE, NULL);
		if (r <= 0)
			run.failed += run.started - run.done - run.failed;	/* lost */
		for (int i = 0; i < r; i++)
			run.times[run.done++] = 0;
	}
	print(now() - begin);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 20000, 20000 };
	size_t at_once = argc > 5 ? strtoul(argv[5], NULL, 10) : 1;

	if (argc < 5) {
		fprintf(stderr, "usage: see the top of bench/client.c\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	run.name = argv[2];
	run.count = strtoul(argv[4], NULL, 10);
	run.times = calloc(run.count + 1, sizeof(double));
	run.keep = !strcmp(argv[1], "keep");
	snprintf(run.request, sizeof(run.request), "GET /small HTTP/1.1\r\nHost: %s\r\n%s\r\n", argv[2],
		 run.keep ? "" : "Connection: close\r\n");
	if (!strcmp(argv[1], "dns")) {
		run.name = argv[3];
		dns(argv[2], at_once);
		return 0;
	}
	if (argc > 6) {
		char *colon = strrchr(argv[6], ':');

		run.proxied = true;
		snprintf(run.connect, sizeof(run.connect), "CONNECT %s:%s HTTP/1.1\r\nHost: %s:%s\r\n\r\n",
			 argv[2], argv[3], argv[2], argv[3]);
		*colon = '\0';
		look_up(argv[6], colon + 1);
	} else {
		look_up(argv[2], argv[3]);
	}
	if (!strcmp(argv[1], "idle"))
		idle();
	else
		requests(at_once);
	return 0;
}
