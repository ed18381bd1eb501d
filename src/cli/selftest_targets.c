/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selftest_targets.c - what attempts are aimed at, on the host
 *
 * A message counts if it begins with the run's token; it says from which place
 * and which attempt it comes.  Strangers may connect to the listeners too, and
 * are not heard.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cli/selftest.h"

#define SAY_LIMIT_MS 500	/* for a client to say who it is */
#define BACKLOG 32
#define ANSWER "seen\n"

static int target_add(struct targets *t, int fd, enum target_shape shape)
{
	if (fd < 0 || t->count == TARGETS_MAX)
		return -1;
	t->at[t->count].fd = fd;
	t->at[t->count++].shape = shape;
	return 0;
}

/* ---- sockets ---- */

/* Return: the port, 0 if the host does not let us */
static uint16_t open_inet(struct targets *t, const struct addr *addr, int type)
{
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(addr, 0, &sa);
	AUTO_CLOSE int fd = socket(sa.sin6_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct addr bound;
	uint16_t port;

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG)) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) ||
	    !addr_from_sockaddr(&sa, len, &bound, &port) ||
	    target_add(t, fd, type == SOCK_STREAM ? TARGET_LISTENER : TARGET_DATAGRAM))
		return 0;
	(void)TAKE_FD(fd);
	return port;
}

static bool open_unix(struct targets *t, const char *path, size_t path_len, int type)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len);
	AUTO_CLOSE int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || path_len > sizeof(sa.sun_path))
		return false;
	memcpy(sa.sun_path, path, path_len);
	if (bind(fd, (struct sockaddr *)&sa, len) || (type == SOCK_STREAM && listen(fd, BACKLOG)) ||
	    target_add(t, fd, type == SOCK_STREAM ? TARGET_LISTENER : TARGET_DATAGRAM))
		return false;
	(void)TAKE_FD(fd);
	return true;
}

static bool open_in_folder(struct targets *t, const struct aim *aim, const char *name, int type)
{
	char path[SELFTEST_FOLDER + 16];
	int len = snprintf(path, sizeof(path), "%s/%s", aim->folder, name);

	return open_unix(t, path, (size_t)len + 1, type);
}

bool targets_open_late(struct targets *t, const struct aim *aim, struct err *err)
{
	const char *name = aim->place == PLACE_INSIDE ? "late1" : "late0";

	return open_in_folder(t, aim, name, SOCK_STREAM) ||
	       err_sys(err, errno, "%s/%s: cannot listen", aim->folder, name);
}

/* The first address of each family that is not loopback and has no zone */
static void find_lan(struct aim *aim)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct addr addr;
		uint16_t port;
		enum spot s;

		if (!i->ifa_addr || (i->ifa_flags & IFF_LOOPBACK) ||
		    !addr_from_sockaddr(i->ifa_addr, sizeof(struct sockaddr_in6), &addr, &port) ||
		    (addr.b[0] == 0xfe && (addr.b[1] & 0xc0) == 0x80))
			continue;
		s = addr_is_v4(&addr) ? SPOT_LAN4 : SPOT_LAN6;
		if (!aim->spot[s].addr.b[15] && !aim->spot[s].addr.b[0])
			aim->spot[s].addr = addr;
	}
	freeifaddrs(all);
}

static bool open_sockets(struct targets *t, struct aim *aim, struct err *err)
{
	static const struct addr none;
	char abstract[SELFTEST_TOKEN + 1] = "";

	aim->spot[SPOT_LOOP4].addr = addr_v4(0x7f000001);
	aim->spot[SPOT_LOOP6].addr.b[15] = 1;
	find_lan(aim);
	for (int s = 0; s < SPOT_NUM; s++) {
		if (addr_eq(&aim->spot[s].addr, &none))
			continue;
		aim->spot[s].udp = open_inet(t, &aim->spot[s].addr, SOCK_DGRAM);
		if (aim->spot[s].udp)	/* an attempt looks at the TCP port to know the spot */
			aim->spot[s].tcp = open_inet(t, &aim->spot[s].addr, SOCK_STREAM);
	}
	aim->host_port = open_inet(t, &aim->spot[SPOT_LOOP4].addr, SOCK_STREAM);
	if (!aim->spot[SPOT_LOOP4].tcp || !aim->host_port)
		return err_sys(err, errno, "127.0.0.1: cannot listen");
	memcpy(abstract + 1, aim->token, SELFTEST_TOKEN);
	return (open_unix(t, abstract, sizeof(abstract), SOCK_STREAM) &&
		open_in_folder(t, aim, "stream", SOCK_STREAM) &&
		open_in_folder(t, aim, "datagram", SOCK_DGRAM)) ||
	       err_sys(err, errno, "%s: cannot make Unix sockets", aim->folder);
}

/* ---- a process to see, signal and read ---- */

/* Tells of each signal whose value says who sent it */
static void sentinel_watch(const struct aim *aim, int notes)
{
	sigset_t set;
	siginfo_t info;
	struct aim from = *aim;
	char text[SELFTEST_MESSAGE];

	sigemptyset(&set);
	sigaddset(&set, SELFTEST_SIGNAL);
	for (;;) {
		if (sigwaitinfo(&set, &info) != SELFTEST_SIGNAL || info.si_code != SI_QUEUE)
			continue;
		from.place = (unsigned)info.si_value.sival_int / SELFTEST_MAX % PLACE_NUM;
		from.number = (unsigned)info.si_value.sival_int % SELFTEST_MAX;
		if (write(notes, text, selftest_message(&from, text)) < 0)
			_exit(0);
	}
}

static bool start_sentinel(struct targets *t, struct aim *aim, struct err *err)
{
	char *secret = mmap(NULL, sizeof(SENTINEL_SECRET), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid();
	sigset_t set, before;
	int notes[2];

	if (secret == MAP_FAILED || pipe2(notes, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "cannot start a process to aim at");
	sigemptyset(&set);
	sigaddset(&set, SELFTEST_SIGNAL);
	sigprocmask(SIG_BLOCK, &set, &before);
	t->sentinel = fork();
	if (t->sentinel == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, SENTINEL_NAME);
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);	/* what Yama forbids is no proof */
		memcpy(secret, SENTINEL_SECRET, sizeof(SENTINEL_SECRET));
		if (getppid() == parent)
			sentinel_watch(aim, notes[1]);
		_exit(0);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(notes[1]);
	aim->sentinel = t->sentinel;
	aim->memory = (uintptr_t)secret;
	munmap(secret, sizeof(SENTINEL_SECRET));
	return (t->sentinel > 0 && target_add(t, notes[0], TARGET_NOTES) == 0) ||
	       err_set(err, "cannot start a process to aim at");
}

/* ---- all of them ---- */

bool targets_open(struct targets *t, struct aim *aim, struct err *err)
{
	t->token = aim->token;
	return open_sockets(t, aim, err) && start_sentinel(t, aim, err);
}

void targets_close(struct targets *t, const struct aim *aim)
{
	static const char *const names[] = { "stream", "datagram", "late0", "late1", "second" };

	for (size_t i = 0; i < ARRAY_SIZE(names) && aim->folder[0]; i++) {
		char path[SELFTEST_FOLDER + 16];

		snprintf(path, sizeof(path), "%s/%s", aim->folder, names[i]);
		unlink(path);
	}
	for (size_t i = 0; i < t->count; i++)
		close(t->at[i].fd);
	t->count = 0;
	if (t->sentinel > 0) {
		kill(t->sentinel, SIGKILL);
		waitpid(t->sentinel, NULL, 0);
	}
	t->sentinel = 0;
}

static void note(struct targets *t, const char *text)
{
	unsigned place, number;

	if (!strncmp(text, t->token, SELFTEST_TOKEN) &&
	    sscanf(text + SELFTEST_TOKEN, " %u %u", &place, &number) == 2 &&
	    place < PLACE_NUM && number < SELFTEST_MAX)
		t->arrived[place][number] = true;
}

static void take_client(struct targets *t, int listener)
{
	AUTO_CLOSE int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[SELFTEST_MESSAGE] = "";

	if (fd < 0 || poll(&p, 1, SAY_LIMIT_MS) != 1)
		return;
	if (recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0)
		note(t, text);
	send(fd, ANSWER, sizeof(ANSWER) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void take_datagram(struct targets *t, int fd)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char text[SELFTEST_MESSAGE] = "";

	if (recvfrom(fd, text, sizeof(text) - 1, 0, (struct sockaddr *)&from, &len) <= 0)
		return;
	note(t, text);
	if (from.ss_family != AF_UNIX)
		sendto(fd, ANSWER, sizeof(ANSWER) - 1, 0, (struct sockaddr *)&from, len);
}

static void take_notes(struct targets *t, int fd)
{
	char text[4096];
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *rest = text;

	text[n > 0 ? n : 0] = '\0';
	for (char *line; (line = strsep(&rest, "\n"));)
		note(t, line);
}

bool targets_serve(struct targets *t, int also, int limit_ms)
{
	static void (*const take[])(struct targets *t, int fd) = {
		[TARGET_LISTENER] = take_client,
		[TARGET_DATAGRAM] = take_datagram,
		[TARGET_NOTES] = take_notes,
	};
	struct pollfd p[TARGETS_MAX + 1];

	for (size_t i = 0; i < t->count; i++)
		p[i] = (struct pollfd){ .fd = t->at[i].fd, .events = POLLIN };
	p[t->count] = (struct pollfd){ .fd = also, .events = POLLIN };
	if (poll(p, t->count + 1, limit_ms) <= 0)
		return false;
	for (size_t i = 0; i < t->count; i++)
		if (p[i].revents)
			take[t->at[i].shape](t, t->at[i].fd);
	return true;
}
