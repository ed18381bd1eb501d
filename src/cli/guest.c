/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/read.h"
#include "jail/guest.h"
#include "jail/namespace.h"

#define VIRSH "/usr/bin/virsh"	/* never by PATH */
#define LIBVIRT_URI "qemu:///system"	/* unless LIBVIRT_DEFAULT_URI says another */
#define NOBODY 65534

/* ---- what libvirt says ---- */

static _Noreturn void become_virsh(const char *domain, int out)
{
	const char *uri = getenv("LIBVIRT_DEFAULT_URI");

	if (dup2(out, 1) >= 0)
		execl(VIRSH, "virsh", "-q", "-c", uri && *uri ? uri : LIBVIRT_URI, "dumpxml", "--",
		       domain, NULL);
	_exit(127);
}

static bool ask_virsh(const char *domain, struct buf *to, struct err *err)
{
	int ends[2], status = -1;
	bool ok;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(err, errno, "pipe");
	pid = fork();
	if (pid == 0)
		become_virsh(domain, ends[1]);
	close(ends[1]);
	ok = pid > 0 && read_all(ends[0], to);
	close(ends[0]);
	if (pid > 0 && waitpid(pid, &status, 0) != pid)
		status = -1;
	return (ok && status == 0) ||
	       err_set(err, "--vm %s: " VIRSH " does not tell of it (is libvirt-clients installed?)", domain);
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
	prctl(PR_SET_NAME, "sluice-room");
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

/* Into the namespace of the process that waits for it, which is told */
static bool move_in(const struct libvirt_guest *g, pid_t pid, int go, struct err *err)
{
	AUTO_CLOSE int net = namespace_of(pid);

	if (net < 0)
		return err_sys(err, -net, "guest %s: its namespace", g->name);
	if (!if_nametoindex(g->link))
		return err_set(err, "guest %s: %s is not here: it has been taken off the network before (start "
			       "the guest anew)", g->name, g->link);
	return guest_move(g->link, net, err) &&
	       (write(go, "", 1) == 1 || err_sys(err, errno, "guest %s: its namespace", g->name));
}

bool guest_room(const struct libvirt_guest *g, pid_t *ret_pid, struct err *err)
{
	int ready[2], go[2];
	bool ok = false;
	char byte;
	pid_t pid;

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
