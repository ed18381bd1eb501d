/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/role.h"
#include "proto/dhcp.h"

#define BACKLOG 512		/* connections that wait for the gate */
#define DNS_TRIES 16		/* of a port that is free for TCP and UDP */
#define PAGE_TRIES 20		/* more, of an address that is in use */
#define PAGE_PAUSE_MS 50

static void hand_over(struct keeper *k, enum talk_socket_kind kind, uint16_t port, int *fd)
{
	struct talk_socket about = { (uint16_t)kind, port };

	if (*fd >= 0)
		keeper_tell(k, KEEPER_SOCKET, 0, &about, sizeof(about), (struct span){ 0 },
			    TAKE_FD(*fd));
}

/* A bound socket on the host, and a listening one if it is a stream's; or -1 and errno */
static int host_socket(const struct addr *addr, uint16_t port, int type)
{
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(addr, port, &sa);
	AUTO_CLOSE int fd = socket(sa.sin6_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	if (type == SOCK_STREAM) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
		return -1;
	return TAKE_FD(fd);
}

/* A listener on the host for one of the policy's `publish` */
static int publish_socket(const struct port_map *map, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	int fd = host_socket(&map->addr, map->outside, SOCK_STREAM);

	if (fd < 0)
		err_sys(err, errno, "cannot publish on %s port %u", addr_text(&map->addr, text),
			map->outside);
	return fd;
}

static void start_serving(struct keeper *k)
{
	keeper_tell(k, KEEPER_START, 0, NULL, 0, (struct span){ 0 }, -1);
	keeper_stir(k);
}

bool doors_of_jail(struct keeper *k, struct jail *jail, struct err *err)
{
	static const enum talk_socket_kind kinds[JAIL_FD_NUM] = {
		[JAIL_TCP4] = SOCKET_TCP4, [JAIL_TCP6] = SOCKET_TCP6, [JAIL_UDP4] = SOCKET_UDP4,
		[JAIL_UDP6] = SOCKET_UDP6, [JAIL_RAW4] = SOCKET_RAW4, [JAIL_RAW6] = SOCKET_RAW6,
		[JAIL_NFLOG] = SOCKET_NFLOG, [JAIL_NFT] = SOCKET_NUM,
		[JAIL_DIAG] = SOCKET_NUM, [JAIL_LINKS] = SOCKET_NUM, [JAIL_STATS] = SOCKET_NUM,
		[JAIL_ALIVE_KEEPER] = SOCKET_NUM, [JAIL_ALIVE_GATE] = SOCKET_ALIVE,
	};
	struct policy_settings settings = policy_settings(k->policy);
	int fd;

	for (int i = 0; i < JAIL_FD_NUM; i++)
		if (kinds[i] != SOCKET_NUM)
			hand_over(k, kinds[i], jail->guest && i == JAIL_UDP4 ? DHCP_SERVER_PORT : 0,
				  &jail->fd[i]);
	for (size_t i = 0; i < jail->host_port_count; i++)
		for (int family = 0; family < 2; family++)
			hand_over(k, SOCKET_HOST_PORT, settings.host_ports[i].inside,
				  &jail->host_port_fd[i][family]);
	for (size_t i = 0; i < settings.publish_count; i++) {
		fd = publish_socket(&settings.publish[i], err);
		if (fd < 0)
			return false;
		hand_over(k, SOCKET_PUBLISH, settings.publish[i].inside, &fd);
	}
	start_serving(k);
	return true;
}

/* ---- sluice proxy ---- */

static bool read_port(int fd, uint16_t *ret_port)
{
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);
	struct addr addr;

	return getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
	       addr_from_sockaddr(&sa, len, &addr, ret_port);
}

/* As the jail's listeners: what is closed unanswered is reset, see close_socket() in proxy/flow.c */
static void reset_by_default(int fd)
{
	const struct linger reset = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

static void hand_listener(struct keeper *k, enum talk_socket_kind kind, uint16_t port, int *fd)
{
	if (kind != SOCKET_DNS_UDP)
		reset_by_default(*fd);
	hand_over(k, kind, port, fd);
}

static bool cannot_listen(const struct listen_at *at, struct err *err)
{
	char text[ADDR_TEXT_MAX];

	return err_sys(err, errno, "cannot listen on %s port %u", addr_text(&at->addr, text), at->port);
}

/* Left by a session that was killed: nobody listens */
static bool is_stale(const struct sockaddr_un *at)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	return fd >= 0 && lstat(at->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       st.st_uid == geteuid() && connect(fd, (const void *)at, sizeof(*at)) < 0 &&
	       errno == ECONNREFUSED;
}

/* Return: negative errno, and @err */
static int unix_socket(const char *path, struct err *err)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int r;

	if (fd < 0 || !span_copy(span_str(path), at.sun_path, sizeof(at.sun_path))) {
		err_set(err, "%s: no socket can have this path (107 bytes at most)", path);
		return -ENAMETOOLONG;
	}
	/* the mode of the file that bind(2) makes: there is no moment in which it is wider */
	r = fchmod(fd, 0600);
	if (r == 0)
		r = bind(fd, (const void *)&at, sizeof(at));
	if (r < 0 && errno == EADDRINUSE && is_stale(&at)) {
		unlink(path);
		r = bind(fd, (const void *)&at, sizeof(at));
	}
	if (r == 0 && listen(fd, BACKLOG) == 0)
		return TAKE_FD(fd);
	r = -errno;
	err_sys(err, errno, "%s", path);
	return r;
}

/* The same for a page: a Unix socket, or one of TCP whose port is filled in */
static int page_socket(struct page_at *at, struct err *err)
{
	AUTO_CLOSE int fd = -1;
	int r;

	if (at->path)
		return unix_socket(at->path, err);
	fd = host_socket(&at->listen.addr, at->listen.port, SOCK_STREAM);
	if (fd >= 0 && read_port(fd, &at->listen.port))
		return TAKE_FD(fd);
	r = -errno;
	cannot_listen(&at->listen, err);
	return r;
}

bool doors_is_host_port(const struct policy *p, uint16_t port)
{
	struct policy_settings settings = policy_settings(p);

	for (size_t i = 0; i < settings.host_port_count; i++)
		if (settings.host_ports[i].outside == port)
			return true;
	return false;
}

int doors_of_page(struct page_at *at, const struct policy *p, struct err *err)
{
	AUTO_CLOSE int fd = page_socket(at, err);

	/* Who served there, and was killed a moment ago, may not have ended yet */
	for (int tries = PAGE_TRIES; fd == -EADDRINUSE && tries > 0; tries--) {
		poll(NULL, 0, PAGE_PAUSE_MS);
		fd = page_socket(at, err);
	}
	if (fd < 0)
		return -1;
	if (at->path)
		return TAKE_FD(fd);
	/* The jail's way to loopback of the host is not to be one to the metrics */
	if (p && doors_is_host_port(p, at->listen.port)) {
		err_set(err, "port %u is a host port of the jail (serve the page at "
			"another one)", at->listen.port);
		return -1;
	}
	return TAKE_FD(fd);
}

void doors_say_metrics(const struct page_at *at)
{
	char text[ADDR_TEXT_MAX], line[ADDR_TEXT_MAX + 64];

	if (at->path)
		return;
	snprintf(line, sizeof(line), addr_is_v4(&at->listen.addr) ? "http://%s:%u/metrics" :
		 "http://[%s]:%u/metrics", addr_text(&at->listen.addr, text), at->listen.port);
	role_complain("metrics", line);
}

void doors_forget_page(const struct page_at *at)
{
	if (at->path)
		unlink(at->path);
}

static bool listen_on(struct keeper *k, struct listen_at *at, enum talk_socket_kind kind,
		      struct err *err)
{
	AUTO_CLOSE int fd = host_socket(&at->addr, at->port, SOCK_STREAM);

	if (fd < 0 || !read_port(fd, &at->port))
		return cannot_listen(at, err);
	hand_listener(k, kind, at->port, &fd);
	return true;
}

/* One port for both: any that is free for one may be taken for the other */
static bool listen_dns(struct keeper *k, struct listen_at *at, struct err *err)
{
	int udp = -1, tcp = -1;
	uint16_t port = at->port;

	for (int tries = at->port ? 1 : DNS_TRIES; tcp < 0 && tries; tries--) {
		DROP_FD(udp);
		udp = host_socket(&at->addr, at->port, SOCK_DGRAM);
		if (udp < 0 || !read_port(udp, &port))
			break;
		tcp = host_socket(&at->addr, port, SOCK_STREAM);
		if (tcp < 0 && errno != EADDRINUSE)
			break;
	}
	if (tcp < 0) {
		at->port = port;
		cannot_listen(at, err);
		DROP_FD(udp);
		return false;
	}
	at->port = port;
	hand_listener(k, SOCKET_DNS_UDP, port, &udp);
	hand_listener(k, SOCKET_DNS_TCP, port, &tcp);
	return true;
}

bool doors_of_proxy(struct keeper *k, struct listen_at *at, struct err *err)
{
	if (at[LISTEN_HTTP].on && !listen_on(k, &at[LISTEN_HTTP], SOCKET_HTTP, err))
		return false;
	if (at[LISTEN_SOCKS].on && !listen_on(k, &at[LISTEN_SOCKS], SOCKET_SOCKS, err))
		return false;
	if (at[LISTEN_DNS].on && !listen_dns(k, &at[LISTEN_DNS], err))
		return false;
	start_serving(k);
	return true;
}
