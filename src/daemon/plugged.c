/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/plugged.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "daemon/role.h"

#define LOOK_MS 250
#define LOOKS 80		/* after news: libvirt hands the tap over, and may set it up, a moment later */
#define OTHERS_MAX 8		/* of one guest */
#define FDINFO_MAX 1024

struct plugged {
	const char	*link;
	int		 news;		/* rtnetlink, of this machine's interfaces */
	struct event	 news_ev, timer;
	unsigned	 left;		/* looks that are to come */
	char		 told[IFNAMSIZ];	/* was complained of last */
};

/* What one process has open */
struct taps {
	bool		 ours;
	size_t		 count;
	char		 other[OTHERS_MAX][IFNAMSIZ];
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

static void take_tap(const struct plugged *p, struct span name, struct taps *t)
{
	if (span_eq(name, span_str(p->link)))
		t->ours = true;
	else if (name.len && t->count < OTHERS_MAX)
		t->count += span_copy(name, t->other[t->count], IFNAMSIZ);
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

static void read_taps(const struct plugged *p, const char *pid, struct taps *t)
{
	char folder[64], path[352], to[32], text[FDINFO_MAX];
	const struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%.16s/fd", pid);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		AUTO_FCLOSE FILE *f = NULL;
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		n = readlink(path, to, sizeof(to));
		if (n < 0 || !span_eq(span_of(to, (size_t)n), SPAN("/dev/net/tun")))
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%s", pid, entry->d_name);
		f = fopen(path, "re");
		if (f)
			take_tap(p, plugged_tap(span_of(text, fread(text, 1, sizeof(text), f))), t);
	}
	if (dir)
		closedir(dir);
}

/* Down, and off its bridge */
static void cut(struct plugged *p, const char *name)
{
	char bytes[128] __attribute__((aligned(8))), why[96];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct ifinfomsg *ifi;

	h->nlmsg_type = RTM_NEWLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_change = IFF_UP;
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put_u32(h, IFLA_MASTER, 0);
	if (send(p->news, h, h->nlmsg_len, 0) < 0 || !strcmp(name, p->told))
		return;
	snprintf(p->told, sizeof(p->told), "%s", name);
	snprintf(why, sizeof(why), "%s was plugged into the guest beside %s: it is cut", name, p->link);
	role_complain("guest", why);
}

static void look(struct plugged *p)
{
	const struct dirent *entry;
	DIR *dir = opendir("/proc");

	while (dir && (entry = readdir(dir))) {
		struct taps t = { .count = 0 };

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !is_qemu(entry->d_name))
			continue;
		read_taps(p, entry->d_name, &t);
		for (size_t i = 0; t.ours && i < t.count; i++)
			cut(p, t.other[i]);
	}
	if (dir)
		closedir(dir);
}

static void look_later(struct plugged *p)
{
	struct timeval tv = { .tv_usec = LOOK_MS * 1000 };

	event_add(&p->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct plugged *p = arg;

	(void)fd, (void)what;
	look(p);
	if (--p->left)
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
	if (!tap)
		return;
	if (!p->left)
		look_later(p);
	p->left = LOOKS;
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
	DROP_FD(p->news);
	free(p);
}
