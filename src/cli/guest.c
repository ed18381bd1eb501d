/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/read.h"
#include "jail/guest.h"
#include "jail/namespace.h"

#define VIRSH "/usr/bin/virsh"	/* never by PATH */
#define LIBVIRT_URI "qemu:///system"	/* unless LIBVIRT_DEFAULT_URI says another */
#define VIRSH_TROUBLE_MAX 512	/* bytes of it that are read */
#define NOBODY 65534
#define ROOM_NAME "sluice-room"

/* ---- what libvirt says ---- */

static _Noreturn void become_virsh(const char *domain, int out, int trouble)
{
	const char *uri = getenv("LIBVIRT_DEFAULT_URI");

	if (dup2(out, 1) >= 0 && dup2(trouble, 2) >= 0)
		execl(VIRSH, "virsh", "-q", "-c", uri && *uri ? uri : LIBVIRT_URI, "dumpxml", "--",
		       domain, NULL);
	_exit(127);
}

/* Of what virsh wrote of its trouble the last line, which says most: always false */
static bool blame_virsh(const char *domain, int status, int trouble, struct err *err)
{
	char text[VIRSH_TROUBLE_MAX] = "", *line, *last = NULL, *left = text;
	ssize_t n = pread(trouble, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&left, "\n")))
		if (*line)
			last = line;
	if (last && !strncmp(last, "error: ", 7))
		last += 7;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(err, "--vm %s: " VIRSH " cannot be run (install libvirt-clients)", domain);
	return err_set(err, "--vm %s: virsh: %s", domain, last ? last : "it does not tell of it");
}

static bool ask_virsh(const char *domain, struct buf *to, struct err *err)
{
	AUTO_CLOSE int trouble = memfd_create("virsh", MFD_CLOEXEC);
	int ends[2], status = -1;
	bool ok;
	pid_t pid;

	if (trouble < 0 || pipe2(ends, O_CLOEXEC))
		return err_sys(err, errno, "a pipe from virsh");
	pid = fork();
	if (pid == 0)
		become_virsh(domain, ends[1], trouble);
	close(ends[1]);
	ok = pid > 0 && read_all(ends[0], to);
	close(ends[0]);
	if (pid > 0 && waitpid(pid, &status, 0) != pid)
		status = -1;
	return (ok && status == 0) || blame_virsh(domain, status, trouble, err);
}

bool guest_find(const char *domain, bool hook, struct libvirt_guest *ret, struct err *err)
{
	struct buf xml = buf_new(LIBVIRT_XML_MAX);
	bool ok = hook ? read_all(0, &xml) || err_set(err, "--hook: standard input cannot be read") :
			 ask_virsh(domain, &xml, err);

	ok = ok && libvirt_guest_read(buf_span(&xml), ret, err);
	buf_done(&xml);
	return ok;
}

/* ---- its room ---- */

/* Only to be there */
static void give_up_rights(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || setgroups(0, NULL) ||
	    syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) ||
	    syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY))
		_exit(1);
	prctl(PR_SET_NAME, ROOM_NAME);
}

/* @go: a byte, once the interface is here; its end without one: we are not wanted */
static _Noreturn void be_room(const char *link, int ready, int go)
{
	struct sockaddr_nl links = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int null = open("/dev/null", O_RDWR), news;
	char bytes[8192];

	if (unshare(CLONE_NEWNET))
		_exit(errno);
	news = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (null < 0 || news < 0 || bind(news, (struct sockaddr *)&links, sizeof(links)) ||
	    write(ready, "", 1) != 1 || read(go, bytes, 1) != 1)
		_exit(1);
	/* libvirt waits for the end of a hook's output */
	setsid();
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || dup2(news, 3) < 0 ||
	    close_range(4, ~0u, 0) || chdir("/"))
		_exit(1);
	give_up_rights();
	while (if_nametoindex(link))
		if (recv(3, bytes, sizeof(bytes), 0) < 0 && errno != EINTR && errno != ENOBUFS)
			break;
	_exit(0);
}

/* In a child: does the namespace have the interface? */
static bool has_link(int net, const char *link)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(setns(net, CLONE_NEWNET) || !if_nametoindex(link));
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Whoever made the network namespace had root's rights: nobody else can pretend to be a room */
static bool is_roots(int net)
{
	AUTO_CLOSE int owner = ioctl(net, NS_GET_USERNS), own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	struct stat a, b;

	return owner >= 0 && own >= 0 && fstat(owner, &a) == 0 && fstat(own, &b) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static bool is_room(pid_t pid, const char *link)
{
	char path[64], name[32] = "";
	AUTO_FCLOSE FILE *f = NULL;
	AUTO_CLOSE int net = -1;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(name, sizeof(name), f) || strcmp(name, ROOM_NAME "\n") != 0)
		return false;
	net = namespace_of(pid);
	return net >= 0 && !namespace_is_ours(net) && is_roots(net) && has_link(net, link);
}

/* One that was made before, for a session that is over or never came to be; 0: there is none */
static pid_t find_room(const char *link)
{
	const struct dirent *entry;
	DIR *dir = opendir("/proc");
	uint64_t pid, found = 0;

	while (dir && !found && (entry = readdir(dir)))
		if (span_u64(span_str(entry->d_name), INT32_MAX, &pid) && is_room((pid_t)pid, link))
			found = pid;
	if (dir)
		closedir(dir);
	return (pid_t)found;
}

/* Into the namespace of the process that waits for it, which is told */
static bool move_in(const struct libvirt_guest *g, pid_t pid, int go, struct err *err)
{
	AUTO_CLOSE int net = namespace_of(pid);

	if (net < 0)
		return err_sys(err, -net, "guest %s: its namespace", g->name);
	if (!if_nametoindex(g->link))
		return err_set(err, "guest %s: %s is not here (start the guest anew)", g->name, g->link);
	return guest_move(g->link, net, err) &&
	       (write(go, "", 1) == 1 || err_sys(err, errno, "guest %s: its namespace", g->name));
}

bool guest_room(const struct libvirt_guest *g, pid_t *ret_pid, struct err *err)
{
	int ready[2], go[2];
	bool ok = false;
	char byte;
	pid_t pid;

	*ret_pid = if_nametoindex(g->link) ? 0 : find_room(g->link);
	if (*ret_pid)
		return true;
	if (pipe2(ready, O_CLOEXEC))
		return err_sys(err, errno, "pipe");
	if (pipe2(go, O_CLOEXEC)) {
		close(ready[0]);
		close(ready[1]);
		return err_sys(err, errno, "pipe");
	}
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		be_room(g->link, ready[1], go[0]);
	}
	close(ready[1]);
	close(go[0]);
	if (pid > 0 && read(ready[0], &byte, 1) == 1)
		ok = move_in(g, pid, go[1], err);
	else
		err_set(err, "guest %s: no namespace can be made (root is needed)", g->name);
	close(ready[0]);
	close(go[1]);
	if (!ok && pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	*ret_pid = pid;
	return ok;
}
