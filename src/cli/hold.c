/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.c - `sluice hold`: the gate of a network namespace that others made
 *
 * A container or whatever else lives there has no network but what the policy names, as if
 * it had been started by `run`.  The daemon runs one of these for each of its sessions; by hand
 * it serves who has no daemon, also without root if the namespace is one's own.
 *
 * The namespace stays closed when we end: its rules stay, and nobody serves them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "attach/engine_network.h"
#include "cli/commands.h"
#include "cli/service.h"
#include "daemon/doors.h"
#include "daemon/exported.h"
#include "daemon/supervisor.h"
#include "daemon/wall.h"
#include "jail/guest.h"
#include "watch/board.h"

struct hold_command {
	struct service		 service;
	const char		*netns, *pid, *user, *guest;
	struct jail_guest	 jail_guest;
	bool			 uplink;	/* it may be on an engine's network */
	bool			 again;		/* it was held before */
	struct jail_uplink	 jail_uplink;
	struct option_list	 spared;	/* ports that are not for it: the daemon's own */
	const char		*counters;	/* option: our place on the daemon's board */
	const char		*ready_fd;	/* option: the daemon hears there how it goes */
	int			 ready;		/* that descriptor; -1: nobody hears, or he has */
	struct hold_plan	 plan;
	struct role_user	 role_user;
};

/* ---- whom the roles run as ---- */

/* Root's keeper has roles that are nobody: what one of them is made to do by hostile bytes it does
 * without root's files.  Without root all are the same user anyway. */
static bool find_user(struct hold_command *h, const struct role_user **ret, struct err *err)
{
	const char *name = h->user ? h->user : ROLE_USER;

	*ret = NULL;
	if (geteuid() != 0 && !h->user)
		return true;
	*ret = &h->role_user;
	return role_user_find(name, &h->role_user, err);
}

/* ---- the namespace ---- */

static bool take_pid(struct hold_command *h, struct err *err)
{
	char path[64];
	uint64_t pid;

	if (!span_u64(span_str(h->pid), INT32_MAX, &pid) || pid == 0)
		return err_set(err, "--pid %s: not a process", h->pid);
	h->plan.init = (pid_t)pid;
	/* First the process, so that it is no other's namespace by the time it is entered */
	h->plan.pidfd = (int)syscall(SYS_pidfd_open, h->plan.init, 0);
	if (h->plan.pidfd < 0)
		return err_sys(err, errno, "--pid %s", h->pid);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", h->plan.init);
	h->plan.net = open(path, O_RDONLY | O_CLOEXEC);
	if (h->plan.net < 0 || syscall(SYS_pidfd_send_signal, h->plan.pidfd, 0, NULL, 0))
		return err_sys(err, errno, "--pid %s", h->pid);
	return true;
}

static bool take_namespace(struct hold_command *h, struct err *err)
{
	if (!h->netns == !h->pid)
		return err_set(err, "hold: one of --pid and --netns");
	h->plan.net = h->plan.pidfd = -1;
	if (h->pid)
		return take_pid(h, err);
	h->plan.net = open(h->netns, O_RDONLY | O_CLOEXEC);
	if (h->plan.net < 0)
		return err_sys(err, errno, "--netns %s", h->netns);
	if (ioctl(h->plan.net, NS_GET_NSTYPE) != CLONE_NEWNET)
		return err_set(err, "--netns %s: not a network namespace", h->netns);
	return true;
}

static bool take_guest(struct hold_command *h, struct err *err)
{
	return !h->guest || guest_parse(span_str(h->guest), &h->jail_guest) ||
	       err_set(err, "--guest %s: not LINK=MAC", h->guest);
}

static bool spare_ports(const struct hold_command *h, struct err *err)
{
	uint64_t port;

	for (size_t i = 0; i < h->spared.count; i++) {
		if (!span_u64(span_str(h->spared.at[i]), UINT16_MAX, &port))
			return err_set(err, "--spare %s: not a port", h->spared.at[i]);
		if (doors_is_host_port(h->service.shared.policy, (uint16_t)port))
			return err_set(err, "host_ports: port %s is where the daemon serves its own page (take it out of "
				       "the policy, or serve the page at another port)", h->spared.at[i]);
	}
	return true;
}

/*
 * What the engine's network is, if there is one: what is asked for here is refused before any wall is
 * touched.  *@ret: NULL: the namespace has none, and is held as any other.
 */
static bool take_uplink(struct hold_command *h, const struct jail_uplink **ret, struct err *err)
{
	struct jail_uplink *u = &h->jail_uplink;
	bool bare;

	*ret = NULL;
	if (!h->uplink)
		return true;
	if (!uplink_look(h->plan.net, u, &bare, err))
		return false;
	if (bare)
		return true;
	u->session = h->service.naming.name;
	u->names = !engine_dns_stays_here();
	if (!uplink_judge(u, h->service.shared.policy, err) ||
	    !engine_network_is_internal(u->bridge, &u->subnet, err) ||
	    !wall_raise(h->service.run_folder, u, err))
		return false;
	if (!u->names)
		fprintf(stderr, "sluice: %s: this machine's name server is on its loopback: the engine's names are "
			"not served\n", u->session);
	*ret = u;
	return true;
}

/* With the container its port goes; what is left of the walls is taken away here, should no daemon run */
static void drop_uplink(struct hold_command *h)
{
	if (h->jail_uplink.session && h->plan.pidfd >= 0 &&
	    syscall(SYS_pidfd_send_signal, h->plan.pidfd, 0, NULL, 0) && errno == ESRCH)
		wall_remove(h->service.run_folder, h->jail_uplink.session);
}

/* ---- it serves ---- */

static bool on_ready(void *arg, const char *ca, struct err *err)
{
	struct hold_command *h = arg;

	/* Whoever is in a container reads it, and the daemon's group may pass it on: it is no secret */
	if (ca && !service_write_ca(&h->service, ca, 0644, err))
		return false;
	/* The daemon removes it: who is held again finds the new CA in the same file, which may be mounted */
	if (h->ready >= 0)
		h->service.ca_path[0] = '\0';
	if (h->ready < 0)
		fprintf(stderr, "sluice: hold: session %s serves\n", h->service.naming.name);
	else if (write(h->ready, (char[]){ HOLD_READY }, 1) != 1)
		return err_set(err, "hold: --ready-fd %s: nobody hears", h->ready_fd);
	DROP_FD(h->ready);
	return true;
}

/* The daemon's descriptors are not for what is started here */
static bool take_ready(struct hold_command *h, struct err *err)
{
	uint64_t fd;

	h->ready = -1;
	if (!h->ready_fd)
		return true;
	if (!span_u64(span_str(h->ready_fd), INT32_MAX, &fd) || fcntl((int)fd, F_GETFD) < 0)
		return err_set(err, "--ready-fd %s: no descriptor", h->ready_fd);
	h->ready = (int)fd;
	signal(SIGPIPE, SIG_IGN);
	return close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0 || err_sys(err, errno, "descriptors");
}

static bool take_counters(struct hold_command *h, struct err *err)
{
	char path[PATH_MAX];
	uint64_t place;

	h->plan.counters = -1;
	if (!h->counters)
		return true;
	if (!span_u64(span_str(h->counters), BOARD_PLACES - 1, &place) || h->service.metrics.at)
		return err_set(err, "--counters %s: not a place of the daemon's", h->counters);
	snprintf(path, sizeof(path), "%.*s/" EXPORTED_FILE, PATH_MAX - 32, h->service.run_folder);
	h->plan.counters = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	h->plan.counters_at = board_offset(place);
	return h->plan.counters >= 0 || err_sys(err, errno, "%s", path);
}

static int hold(struct hold_command *h, struct err *err)
{
	struct session_plan plan = { .hold = &h->plan };
	const struct jail_uplink *uplink;
	int code;

	if (!take_ready(h, err) || !take_guest(h, err) || !take_namespace(h, err) ||
	    !find_user(h, &plan.role_user, err) || !service_prepare(&h->service, "hold", err) ||
	    !spare_ports(h, err) || !take_counters(h, err) || !take_uplink(h, &uplink, err))
		return complain(err);
	h->plan.ready = on_ready;
	h->plan.arg = h;
	service_plan(&h->service, &plan);
	plan.jail.guest = h->guest ? &h->jail_guest : NULL;
	plan.jail.uplink = uplink;
	plan.jail.again = h->again;
	code = service_run(&h->service, &plan, err);
	drop_uplink(h);
	return code;
}

int hold_main(int argc, char **argv)
{
	static struct hold_command h = {
		.service = { .judge = { .secrets = &h.service.secrets },
			     .secrets = { .anybody = true } },
	};
	const struct option rows[] = {
		{ 0, "pid", OPTION_TEXT, "N", "the namespace of this process, until it ends", &h.pid },
		{ 0, "netns", OPTION_TEXT, "PATH", "a namespace, as /run/netns/NAME", &h.netns },
		{ 0, "user", OPTION_TEXT, "NAME", "whom the gate runs as (root's: " ROLE_USER ")",
		  &h.user },
		{ 0, "ready-fd", OPTION_TEXT, "N", "a byte is written there once it serves", &h.ready_fd },
		{ 0, "counters", OPTION_TEXT, "N", "count there on the daemon's board", &h.counters },
		{ 0, "again", OPTION_FLAG, NULL, "it was held before: an interface that has come since is removed",
		  &h.again },
		{ 0, "spare", OPTION_LIST, "PORT", "host_ports must not lead there: the daemon's own; may repeat",
		  &h.spared },
		{ 0, "guest", OPTION_TEXT, "LINK=MAC[,down=B][,up=B]",
		  "a virtual machine, behind that interface of the namespace", &h.guest },
		{ 0, "publish", OPTION_LIST, "[ADDR:]PORT[:INSIDE]",
		  "the host's 127.0.0.1:PORT (or ADDR) reaches a server inside; may repeat",
		  &h.service.judge.publishes },
		{ 0, "uplink", OPTION_FLAG, NULL,
		  "it may stay on an internal network of Docker's, in mode internal", &h.uplink },
		SERVICE_OPTIONS(&h.service),
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL },
	};
	struct err err = { "" };
	int code;

	if (!command_alone(argc, argv, rows, "it takes no argument (--pid N or --netns PATH)", &code))
		return code;
	code = hold(&h, &err);
	if (h.ready >= 0 && write(h.ready, err.text, strlen(err.text)) < 0)
		code = EXIT_SLUICE;
	if (h.service.result.killed)
		code = HOLD_LIMIT;
	service_done(&h.service);
	return code;
}
