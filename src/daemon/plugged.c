/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/plugged.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "daemon/role.h"
#include "jail/namespace.h"

#define LOOK_MS 250
#define LOOKS 80		/* after news: libvirt hands the tap over, and may set it up, a moment later */
/* The first of them, once it is known which QEMU it is: it has the tap before its guest has the device,
 * and must not have both */
#define QUICK_LOOK_MS 10
#define QUICK_LOOKS 300
#define ENDS_LOOKS 100		/* of these, until a guest without its tap is one that does not just end */
#define TOLD_MAX 8		/* of one guest that are remembered */
#define FDINFO_MAX 1024

struct plugged {
	const char	*link;
	int		 news;		/* rtnetlink, of this machine's interfaces */
	struct event	 news_ev, timer;
	unsigned	 quick, left;	/* looks that are to come */
	char		 pid[16];	/* of the QEMU that has had the tap; "": none yet */
	int		 pidfd;		/* the same; -1 */
	struct event	 ended_ev;
	bool		 alone;		/* the tap has gone */
	char		 told[TOLD_MAX][IFNAMSIZ];	/* were complained of last */
	size_t		 told_at;
};

struct span plugged_tap(struct span fdinfo)
{
	while (fdinfo.len) {
		ssize_t end = span_find(fdinfo, '\n');
		struct span line = span_head(fdinfo, end < 0 ? fdinfo.len : (size_t)end);

		if (span_starts(line, SPAN("iff:\t")))
			return span_skip(line, 5);
		fdinfo = span_skip(fdinfo, line.len + (end >= 0));
	}
	return fdinfo;
}

static bool is_qemu(const char *pid)
{
	char path[64], to[512];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.16s/exe", pid);
	n = readlink(path, to, sizeof(to) - 1);
	to[n > 0 ? n : 0] = '\0';
	name = strrchr(to, '/');
	return name && !strncmp(name, "/qemu", 5);
}

/* A tap that a QEMU has open; @here: in this machine's own network namespace, where ours is not */
typedef void see_tap(struct plugged *p, const char *name, bool here, void *arg);

/* Ours has left its name behind, which another one may have got: where it is tells them apart */
static bool is_here(const struct plugged *p, int pidfd, const char *number, const char *name)
{
	AUTO_CLOSE int tap = -1, net = -1;
	uint64_t fd;

	if (span_u64(span_str(number), INT32_MAX, &fd))
		tap = (int)syscall(SYS_pidfd_getfd, pidfd, (int)fd, 0);
	if (tap >= 0)
		net = ioctl(tap, TUNGETDEVNETNS);
	return net < 0 ? strcmp(name, p->link) != 0 : namespace_is_ours(net);
}

static bool read_tap(const char *pid, const char *number, char ret_name[IFNAMSIZ])
{
	char path[64], to[32], text[FDINFO_MAX];
	AUTO_FCLOSE FILE *f = NULL;
	struct span name;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.16s/fd/%.16s", pid, number);
	n = readlink(path, to, sizeof(to));
	if (n < 0 || !span_eq(span_of(to, (size_t)n), SPAN("/dev/net/tun")))
		return false;
	snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.16s", pid, number);
	f = fopen(path, "re");
	name = f ? plugged_tap(span_of(text, fread(text, 1, sizeof(text), f))) : (struct span){ 0 };
	return name.len && span_copy(name, ret_name, IFNAMSIZ);
}

/* One with many queues is told of as often */
static void each_tap(struct plugged *p, const char *pid, int pidfd, see_tap *see, void *arg)
{
	const struct dirent *entry;
	char folder[64], name[IFNAMSIZ];
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%.16s/fd", pid);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir)))
		if (read_tap(pid, entry->d_name, name))
			see(p, name, is_here(p, pidfd, entry->d_name, name), arg);
	if (dir)
		closedir(dir);
}

static bool is_told(const struct plugged *p, const char *name)
{
	for (size_t i = 0; i < TOLD_MAX; i++)
		if (!strcmp(name, p->told[i]))
			return true;
	return false;
}

/* Down, and off its bridge */
static void cut(struct plugged *p, const char *name, bool here, void *arg)
{
	char bytes[128] __attribute__((aligned(8))), why[96];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct ifinfomsg *ifi;

	(void)arg;
	if (!here)
		return;
	h->nlmsg_type = RTM_NEWLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_change = IFF_UP;
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put_u32(h, IFLA_MASTER, 0);
	if (send(p->news, h, h->nlmsg_len, 0) < 0 || is_told(p, name))
		return;
	snprintf(p->told[p->told_at++ % TOLD_MAX], IFNAMSIZ, "%s", name);
	snprintf(why, sizeof(why), "%s was plugged into the guest beside %s: it is cut", name, p->link);
	role_complain("guest", why);
}

static bool lives(int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	return pidfd >= 0 && poll(&end, 1, 0) == 0;
}

static void find_ours(struct plugged *p, const char *name, bool here, void *arg)
{
	bool *ours = arg;

	*ours = *ours || (!here && !strcmp(name, p->link));
}

/* Has it our tap?  From then on it is looked at alone, also when it has lost that one */
static void know(struct plugged *p, const char *pid)
{
	bool ours = false;
	uint64_t number;

	if (!span_u64(span_str(pid), INT32_MAX, &number))
		return;
	p->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)number, 0);
	if (p->pidfd >= 0)
		each_tap(p, pid, p->pidfd, find_ours, &ours);
	/* while it lives the number is no other's */
	if (ours && lives(p->pidfd))
		snprintf(p->pid, sizeof(p->pid), "%s", pid);
	else
		DROP_FD(p->pidfd);
}

static void look(struct plugged *p)
{
	const struct dirent *entry;
	DIR *dir = p->pid[0] ? NULL : opendir("/proc");

	while (dir && !p->pid[0] && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_qemu(entry->d_name))
			know(p, entry->d_name);
	if (dir)
		closedir(dir);
	if (p->pid[0] && lives(p->pidfd))
		each_tap(p, p->pid, p->pidfd, cut, NULL);
}

static void look_later(struct plugged *p)
{
	struct timeval tv = { .tv_usec = (p->quick ? QUICK_LOOK_MS : LOOK_MS) * 1000 };

	event_add(&p->timer, &tv);
}

/* A look that is due soon stays due, however much news there is */
static void look_from_now(struct plugged *p)
{
	bool soon = p->left && (p->quick || !p->pid[0]);

	p->quick = p->pid[0] ? QUICK_LOOKS : 0;
	if (!soon) {
		event_del(&p->timer);
		look_later(p);
	}
	p->left = LOOKS;
}

static void complain_alone(struct plugged *p)
{
	char why[96];

	p->alone = false;
	snprintf(why, sizeof(why), "%s was taken off the guest, which lives on: what it gets instead is cut", p->link);
	role_complain("guest", why);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct plugged *p = arg;

	(void)fd, (void)what;
	look(p);
	if (p->alone && p->quick == QUICK_LOOKS - ENDS_LOOKS)
		complain_alone(p);
	if (p->quick)
		p->quick--;
	else
		p->left--;
	if (p->left)
		look_later(p);
}

static int take_info(const struct nlattr *a, void *arg)
{
	bool *tap = arg;
	struct span kind = span_of(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));

	if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
		*tap = *tap || span_starts(kind, SPAN("tun"));
	return MNL_CB_OK;
}

static int take_kind(const struct nlattr *a, void *arg)
{
	return mnl_attr_get_type(a) == IFLA_LINKINFO ? mnl_attr_parse_nested(a, take_info, arg) : MNL_CB_OK;
}

static int take_news(const struct nlmsghdr *h, void *arg)
{
	if (h->nlmsg_type == RTM_NEWLINK)
		mnl_attr_parse(h, sizeof(struct ifinfomsg), take_kind, arg);
	return MNL_CB_OK;
}

static void on_news(evutil_socket_t fd, short what, void *arg)
{
	char bytes[16384] __attribute__((aligned(8)));
	struct plugged *p = arg;
	bool tap = false;
	ssize_t n;

	(void)what;
	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0 || (n < 0 && errno == ENOBUFS)) {
		tap = tap || n < 0;		/* some are lost */
		if (n > 0)
			mnl_cb_run(bytes, (size_t)n, 0, 0, take_news, &tap);
	}
	if (tap)
		look_from_now(p);
}

bool plugged_outlives(struct plugged *p, event_callback_fn ended, void *arg)
{
	if (!p->pid[0] || !lives(p->pidfd))
		return false;
	event_assign(&p->ended_ev, event_get_base(&p->timer), p->pidfd, EV_READ, ended, arg);
	if (event_add(&p->ended_ev, NULL) < 0)
		return false;
	p->alone = true;
	look_from_now(p);
	return true;
}

struct plugged *plugged_watch(struct event_base *loop, const char *link, struct err *err)
{
	struct sockaddr_nl links = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	struct plugged *p = calloc(1, sizeof(*p));

	if (!p) {
		err_set(err, "out of memory");
		return NULL;
	}
	p->link = link;
	p->left = LOOKS;
	p->pidfd = -1;
	p->news = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	event_assign(&p->timer, loop, -1, 0, on_timer, p);
	event_assign(&p->news_ev, loop, p->news, EV_READ | EV_PERSIST, on_news, p);
	if (p->news < 0 || bind(p->news, (struct sockaddr *)&links, sizeof(links)) ||
	    event_add(&p->news_ev, NULL) < 0) {
		err_sys(err, errno, "interfaces of this machine");
		plugged_free(p);
		return NULL;
	}
	look_later(p);		/* what came while nobody looked */
	return p;
}

void plugged_free(struct plugged *p)
{
	if (!p)
		return;
	if (p->news >= 0)
		event_del(&p->news_ev);
	event_del(&p->timer);
	if (event_initialized(&p->ended_ev))
		event_del(&p->ended_ev);
	DROP_FD(p->pidfd);
	DROP_FD(p->news);
	free(p);
}
