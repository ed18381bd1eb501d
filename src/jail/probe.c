/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - the walls are tried before the command runs
 *
 * Theory
 *
 * A ruleset that was loaded is not yet a ruleset that holds.  So a process
 * enters the jail's network and does what an agent would: connect where nothing
 * may be reached, which must fail fast, and where the gate serves, which must
 * work.  A machine on which a silent difference (a kernel without TPROXY for
 * IPv6, another program's table) opens or closes the jail stops here.
 *
 * The forbidden literal lies in the pools, below the first that a name gets: no
 * rule names it, and no policy, not even monitor, lets the gate dial it.
 */
#include "jail/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/wire.h"
#include "jail/namespace.h"
#include "jail/sockets.h"

#define PROBE_LIMIT_MS 2000
#define TOKEN_BYTES 16
#define DNS_HEAD_BYTES 12	/* RFC 1035 4.1.1 */
#define FORBIDDEN (RESERVED_FIRST - 1)
#define FORBIDDEN_PORT 9	/* discard */

struct probe {
	const struct net *pool4, *pool6;
	const uint8_t	 *token;
	struct timespec	  until;
};

static int left_ms(const struct probe *p)
{
	struct timespec now;
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (p->until.tv_sec - now.tv_sec) * 1000 + (p->until.tv_nsec - now.tv_nsec) / 1000000;
	return ms > 0 ? (int)ms : 0;
}

static int probe_poll(const struct probe *p, int fd, short events)
{
	struct pollfd one = { .fd = fd, .events = events };
	int r;

	do
		r = poll(&one, 1, left_ms(p));
	while (r < 0 && errno == EINTR);
	return r > 0 ? 0 : -ETIMEDOUT;
}

/* Connected to (@a, @port); negative errno if it was refused or nobody answered */
static int probe_connect(const struct probe *p, const struct addr *a, uint16_t port, int type)
{
	AUTO_CLOSE int fd = socket(addr_is_v4(a) ? AF_INET : AF_INET6,
				   type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(a, port, &sa);
	int error = 0, r;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, len) == 0)
		return TAKE_FD(fd);
	if (errno != EINPROGRESS)
		return -errno;
	r = probe_poll(p, fd, POLLOUT);
	len = sizeof(error);
	if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
		r = -errno;
	if (r < 0 || error)
		return r < 0 ? r : -error;
	return TAKE_FD(fd);
}

/* Bytes read, 0 at the end, negative errno; the whole of @size if it comes */
static ssize_t probe_read(const struct probe *p, int fd, void *dst, size_t size)
{
	ssize_t n = probe_poll(p, fd, POLLIN);

	return n < 0 ? n : (n = recv(fd, dst, size, MSG_DONTWAIT)) < 0 ? -errno : n;
}

static bool gone(ssize_t n)
{
	return n == -ECONNREFUSED || n == -ECONNRESET || n == 0;
}

/* TCP: refused, or accepted and cut off without a byte.  UDP: port unreachable. */
static bool probe_denied(const struct probe *p, const struct addr *a, int type, struct err *err)
{
	AUTO_CLOSE int fd = probe_connect(p, a, FORBIDDEN_PORT, type);
	char byte, text[ADDR_TEXT_MAX];
	ssize_t n = fd;

	if (fd >= 0 && type == SOCK_DGRAM && send(fd, "", 1, 0) < 0)
		n = -errno;
	if (n >= 0)
		n = probe_read(p, fd, &byte, 1);
	if (type == SOCK_STREAM ? gone(n) : n == -ECONNREFUSED)
		return true;
	return err_set(err, "probe: %s to %s was not refused: %s",
		       type == SOCK_STREAM ? "TCP" : "UDP", addr_text(a, text),
		       n > 0 ? "somebody answered" : strerror((int)-n));
}

static bool probe_token(const struct probe *p, const struct net *pool, struct err *err)
{
	struct addr a = reserved_addr(pool, RESERVED_PROBE);
	AUTO_CLOSE int fd = probe_connect(p, &a, GATE_PORT, SOCK_STREAM);
	uint8_t got[TOKEN_BYTES];
	char text[ADDR_TEXT_MAX];
	size_t len = 0;
	ssize_t n = fd;

	while (n >= 0 && len < sizeof(got)) {
		n = probe_read(p, fd, got + len, sizeof(got) - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (len == sizeof(got) && !memcmp(got, p->token, sizeof(got)))
		return true;
	return err_set(err, "probe: the gate can't be reached at %s: %s", addr_text(&a, text),
		       n < 0 ? strerror((int)-n) : "wrong answer");
}

static bool probe_dns(const struct probe *p, struct err *err)
{
	static const char *const labels[] = { "probe", "sluice", "internal" };
	struct addr a = reserved_addr(p->pool4, RESERVED_DNS);
	AUTO_CLOSE int fd = probe_connect(p, &a, 53, SOCK_DGRAM);
	uint8_t question[64], answer[512];
	struct wire_out w = { .at = question, .size = sizeof(question) };
	uint16_t id;
	ssize_t n;

	if (fd < 0 || getrandom(&id, sizeof(id), 0) != sizeof(id))
		return err_sys(err, errno, "probe: DNS");
	wire_put_u16(&w, id);
	wire_put_u16(&w, 0x0100);	/* recursion desired */
	wire_put_u16(&w, 1);		/* one question */
	wire_put_u16(&w, 0);
	wire_put_u32(&w, 0);
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		wire_put_u8(&w, (uint8_t)strlen(labels[i]));
		wire_put(&w, labels[i], strlen(labels[i]));
	}
	wire_put_u8(&w, 0);
	wire_put_u16(&w, 1);		/* A */
	wire_put_u16(&w, 1);		/* IN */
	n = send(fd, w.at, w.len, 0) < 0 ? -errno : probe_read(p, fd, answer, sizeof(answer));
	if (n >= DNS_HEAD_BYTES && !memcmp(answer, question, 2) && (answer[2] & 0x80))
		return true;
	return err_set(err, "probe: the gate's DNS doesn't answer: %s",
		       n < 0 ? strerror((int)-n) : "wrong answer");
}

static bool probe_all(const struct probe *p, struct err *err)
{
	const struct net *pools[] = { p->pool4, p->pool6 };
	size_t families = namespace_has_ipv6() ? 2 : 1;

	for (size_t i = 0; i < families; i++) {
		struct addr forbidden = reserved_addr(pools[i], (enum reserved)FORBIDDEN);

		if (!probe_token(p, pools[i], err) ||
		    !probe_denied(p, &forbidden, SOCK_STREAM, err) ||
		    !probe_denied(p, &forbidden, SOCK_DGRAM, err))
			return false;
	}
	return probe_dns(p, err);
}

static int probe_child(const struct jail *jail, const uint8_t token[TOKEN_BYTES], int report)
{
	struct probe p = { &jail->pool4, &jail->pool6, token, { 0 } };
	struct err err = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	clock_gettime(CLOCK_MONOTONIC, &p.until);
	p.until.tv_sec += PROBE_LIMIT_MS / 1000;
	if (namespace_enter(jail->net, &err) && probe_all(&p, &err))
		return 0;
	return write(report, err.text, sizeof(err.text)) < 0 ? 2 : 1;
}

bool jail_probe(const struct jail *jail, const uint8_t token[16], struct err *err)
{
	struct err told = { 0 };
	int pipes[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return err_sys(err, errno, "probe: pipe");
	pid = fork();
	if (pid == 0)
		_exit(probe_child(jail, token, pipes[1]));
	close(pipes[1]);
	n = read(pipes[0], told.text, sizeof(told.text) - 1);
	close(pipes[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status == 0)
		return true;
	return err_set(err, "%s", n > 0 ? told.text : "probe: could not be run");
}
