/* SPDX-License-Identifier: Apache-2.0 */
/* selftest_unix.c - attempts through Unix sockets and inherited descriptors */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "cli/selftest.h"

#define WAIT_MS 700
#define LATE_STEPS 100		/* of 10 ms: for the late listener to appear */

static struct sockaddr_un in_folder(const struct aim *aim, const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", aim->folder, name);
	return sa;
}

static bool say(int fd, const struct aim *aim)
{
	char text[SELFTEST_MESSAGE];
	size_t len = selftest_message(aim, text);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len &&
	       poll(&p, 1, WAIT_MS) == 1 && recv(fd, text, sizeof(text), 0) > 0;
}

static bool reach(const struct aim *aim, const struct sockaddr_un *sa, size_t len)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && !connect(fd, (const struct sockaddr *)sa, (socklen_t)len) && say(fd, aim);
}

static bool unix_path(const struct aim *aim)
{
	struct sockaddr_un sa = in_folder(aim, "stream");

	return reach(aim, &sa, sizeof(sa));
}

static bool unix_late(const struct aim *aim)
{
	struct sockaddr_un sa = in_folder(aim, aim->place == PLACE_INSIDE ? "late1" : "late0");

	for (int i = 0; i < LATE_STEPS && access(sa.sun_path, F_OK); i++)
		usleep(10000);
	return reach(aim, &sa, sizeof(sa));
}

static bool unix_link(const struct aim *aim)
{
	struct sockaddr_un to = in_folder(aim, "stream"), sa = in_folder(aim, "link");
	bool worked;

	if (link(to.sun_path, sa.sun_path) && symlink(to.sun_path, sa.sun_path))
		return false;
	worked = reach(aim, &sa, sizeof(sa));
	unlink(sa.sun_path);
	return worked;
}

static bool unix_abstract(const struct aim *aim)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	memcpy(sa.sun_path + 1, aim->token, SELFTEST_TOKEN);
	return reach(aim, &sa, offsetof(struct sockaddr_un, sun_path) + 1 + SELFTEST_TOKEN);
}

static bool send_to_path(int fd, const struct aim *aim)
{
	struct sockaddr_un sa = in_folder(aim, "datagram");
	char text[SELFTEST_MESSAGE];
	size_t len = selftest_message(aim, text);

	return fd >= 0 &&
	       sendto(fd, text, len, 0, (struct sockaddr *)&sa, sizeof(sa)) == (ssize_t)len;
}

static bool unix_datagram(const struct aim *aim)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return send_to_path(fd, aim);
}

static bool pair_sends(const struct aim *aim, int type)
{
	int pair[2];
	bool worked;

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair))
		return false;
	worked = send_to_path(pair[0], aim);
	close(pair[0]);
	close(pair[1]);
	return worked;
}

/* Its ends are connected to each other, and send to any path nevertheless */
static bool unix_pair(const struct aim *aim)
{
	return pair_sends(aim, SOCK_DGRAM);
}

/* For Unix sockets the same type by another name */
static bool unix_pair_raw(const struct aim *aim)
{
	return pair_sends(aim, SOCK_RAW);
}

/* Everything above 2 but the descriptor that lists them */
static bool descriptors(const struct aim *aim)
{
	DIR *d = opendir("/proc/self/fd");
	char text[SELFTEST_MESSAGE];
	size_t len = selftest_message(aim, text);
	bool any = false;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		int fd = (int)strtol(e->d_name, NULL, 10);	/* ".": 0 */

		if (fd <= STDERR_FILENO || fd == dirfd(d))
			continue;
		any = true;
		if (!fstat(fd, &st) && S_ISSOCK(st.st_mode))
			send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	if (d)
		closedir(d);
	return any;
}

static bool unix_own(const struct aim *aim)
{
	struct sockaddr_un sa = in_folder(aim, "own");
	AUTO_CLOSE int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO_CLOSE int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO_CLOSE int peer = -1;
	char byte = 0;

	if (!bind(server, (struct sockaddr *)&sa, sizeof(sa)) && !listen(server, 1) &&
	    !connect(client, (struct sockaddr *)&sa, sizeof(sa)))
		peer = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	unlink(sa.sun_path);
	return peer >= 0 && send(peer, "!", 1, 0) == 1 && recv(client, &byte, 1, 0) == 1;
}

const struct attempt selftest_unix[] = {
	{ "unix-path", "a Unix socket that a process of the host listens on", CONTROL_MUST, unix_path,
	  NULL },
	{ "unix-late", "one that was made after the jail had started", CONTROL_MUST, unix_late, NULL },
	{ "unix-link", "the same through a link", CONTROL_MUST, unix_link, NULL },
	{ "unix-abstract", "an abstract Unix socket of the host", CONTROL_MUST, unix_abstract, NULL },
	{ "unix-datagram", "a datagram to a Unix socket of the host", CONTROL_MUST, unix_datagram,
	  NULL },
	{ "unix-pair", "the same from a datagram socketpair(2)", CONTROL_MUST, unix_pair, NULL },
	{ "unix-pair-raw", "the same from a SOCK_RAW pair", CONTROL_MUST, unix_pair_raw, NULL },
	{ "descriptors", "use descriptors above 2 that sluice inherited", CONTROL_MUST, descriptors,
	  NULL },
	{ "unix-own", "a Unix socket of the jail's own", CONTROL_ALLOWED, unix_own, NULL },
	{ NULL, NULL, CONTROL_NEVER, NULL, NULL },
};
