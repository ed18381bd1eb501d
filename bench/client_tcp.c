/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_tcp.c - requests over TCP and TLS, fresh or kept alive; idle connections
 *
 * A job is one connection of the -w at once.  It goes through the steps of
 * enum step in order, leaves out those that do not apply, and starts again;
 * an idle one stays as it is after its first answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client.h"

#define LOST_MS		3000	/* nothing came for so long: give up */
#define IDLE_OPEN_S	20
#define IDLE_AT_ONCE	32	/* opened together: memory is asked about, not a crowd */

enum step { CONNECTING, TUNNELLING, SHAKING, ANSWERING };

struct job {
	int		fd;
	enum step	step;
	SSL		*ssl;
	size_t		got, want;	/* bytes of the answer; want 0: head not whole */
	char		head[2048];
	double		since;
};

static struct load *load;
static struct job *jobs;
static int epoll;
static double begin;
static SSL_CTX *tls;
static char tunnel[1024], request[1024];

static ssize_t job_take(struct job *j, void *to, size_t max)
{
	int r;

	if (!j->ssl)
		return read(j->fd, to, max);
	r = SSL_read(j->ssl, to, (int)max);
	if (r > 0)
		return r;
	errno = SSL_get_error(j->ssl, r) == SSL_ERROR_WANT_READ ? EAGAIN : EIO;
	return -1;
}

static void job_say(struct job *j, const char *text)
{
	int len = (int)strlen(text);
	bool ok = j->ssl ? SSL_write(j->ssl, text, len) == len : write(j->fd, text, (size_t)len) == len;

	if (!ok)
		perror("send");
	j->got = j->want = 0;
}

static void job_start(struct job *j)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = j };
	int on = 1;

	if (!load_more(load, begin))
		return;
	load->started++;
	j->since = load_now();
	j->fd = socket(load->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (j->fd < 0)
		load_die("socket");
	setsockopt(j->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(j->fd, (struct sockaddr *)&load->to, load->to_len) < 0 && errno != EINPROGRESS)
		load_die("connect");
	j->step = CONNECTING;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, j->fd, &ev) < 0)
		load_die("epoll_ctl");
}

static void job_end(struct job *j)
{
	SSL_free(j->ssl);
	j->ssl = NULL;
	close(j->fd);
	j->fd = -1;
}

static void job_done(struct job *j, bool ok)
{
	if (ok)
		load_done(load, j->since);
	else
		load->failed++;
	if (ok && load->hold) {
		job_start(&jobs[load->started % load->count]);
		return;
	}
	if (ok && load->keep && load_more(load, begin)) {
		load->started++;
		j->since = load_now();
		job_say(j, request);
		return;
	}
	job_end(j);
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

static bool answered_well(const struct job *j)
{
	return !strncmp(j->head, "HTTP/1.", 7) && !strncmp(j->head + 8, " 200", 4);
}

/* true: the answer is whole, or can't be */
static bool job_read(struct job *j, bool *ret_ok)
{
	static char skip[256 << 10];
	bool heading = !j->want && j->got < sizeof(j->head) - 1;
	ssize_t n = job_take(j, heading ? j->head + j->got : skip,
			     heading ? sizeof(j->head) - 1 - j->got : sizeof(skip));

	*ret_ok = false;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		return true;
	j->got += (size_t)n;
	load->bytes += (unsigned long long)n;
	if (!j->want)
		j->want = answer_size(j);
	*ret_ok = answered_well(j);
	return j->want && j->got >= j->want;
}

static void job_shake(struct job *j)
{
	int r = SSL_do_handshake(j->ssl);

	if (r == 1) {
		j->step = ANSWERING;
		job_say(j, request);
	} else if (SSL_get_error(j->ssl, r) != SSL_ERROR_WANT_READ) {
		job_done(j, false);
	}
}

/* The way to the server is there */
static void job_ready(struct job *j)
{
	if (!load->tls) {
		j->step = ANSWERING;
		job_say(j, request);
		return;
	}
	j->step = SHAKING;
	j->ssl = SSL_new(tls);
	SSL_set_fd(j->ssl, j->fd);
	SSL_set_tlsext_host_name(j->ssl, load->name);
	SSL_set_connect_state(j->ssl);
	job_shake(j);
}

static void job_connected(struct job *j)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = j };
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(j->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error) {
		job_done(j, false);
		return;
	}
	epoll_ctl(epoll, EPOLL_CTL_MOD, j->fd, &ev);
	if (load->proxy != PROXY_CONNECT) {
		job_ready(j);
		return;
	}
	j->step = TUNNELLING;
	job_say(j, tunnel);
}

/* An answer's bytes; TLS may hold more than the socket tells */
static void job_answer(struct job *j)
{
	bool ok;

	do {
		if (!job_read(j, &ok))
			continue;
		job_done(j, ok);
		return;
	} while (j->ssl && SSL_pending(j->ssl));
}

static void job_event(struct job *j)
{
	bool ok;

	switch (j->step) {
	case CONNECTING:
		job_connected(j);
		break;
	case TUNNELLING:
		/* an answer to CONNECT has no body, whatever it says */
		if (job_read(j, &ok) || j->want) {
			if (ok)
				job_ready(j);
			else
				job_done(j, false);
		}
		break;
	case SHAKING:
		job_shake(j);
		break;
	case ANSWERING:
		job_answer(j);
		break;
	}
}

static void compose(void)
{
	const char *scheme = load->proxy == PROXY_GET ? "http://" : "";
	bool usual = !strcmp(load->port, load->tls ? "443" : "80");

	snprintf(tunnel, sizeof(tunnel), "CONNECT %s:%s HTTP/1.1\r\nHost: %s:%s\r\n\r\n",
		 load->name, load->port, load->name, load->port);
	snprintf(request, sizeof(request), "GET %s%s%s HTTP/1.1\r\nHost: %s%s%s\r\n%s\r\n",
		 scheme, *scheme ? load->name : "", load->path, load->name, usual ? "" : ":",
		 usual ? "" : load->port, load->keep ? "" : "Connection: close\r\n");
	tls = SSL_CTX_new(TLS_client_method());
	if (!tls)
		load_die("TLS");
	/* certificates are not looked at: the same for every way, and not what is measured */
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
}

static void loop(void)
{
	struct epoll_event events[64];

	while (load->done + load->failed < load->count) {
		int n;

		if (!load_more(load, begin) && load->started < load->count)
			break;
		n = epoll_wait(epoll, events, 64, LOST_MS);
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++)
			job_event(events[i].data.ptr);
	}
}

void requests(struct load *l)
{
	jobs = calloc(l->hold ? l->count : l->at_once, sizeof(*jobs));
	load = l;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	compose();
	begin = load_now();
	if (!jobs || epoll < 0)
		load_die("begin");
	for (size_t i = 0; i < l->at_once; i++)
		job_start(&jobs[i]);
	loop();
}

void idle(struct load *l)
{
	char byte = 0;

	l->keep = l->hold = true;
	l->at_once = IDLE_AT_ONCE;
	l->seconds = IDLE_OPEN_S;
	requests(l);
	printf("%zu held\n", l->done);
	fflush(stdout);
	while (byte != '\n' && read(0, &byte, 1) > 0)
		;
}
