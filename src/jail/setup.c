/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup.c - furnish the jail's network from outside
 *
 * nft is half of the time of a start, and most of that is the start of the
 * program: it runs beside the rest, as soon as the namespaces are entered.
 */
#include "jail/setup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "jail/porter.h"
#include "jail/sockets.h"

const char *setup_find_nft(void)
{
	static const char *const places[] = { "/usr/sbin/nft", "/usr/bin/nft", "/sbin/nft" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

struct nft {
	pid_t	pid;
	int	says;		/* memfd that is its stderr */
};

/*
 * exec keeps capabilities of an unmapped user only if they are ambient, and bwrap
 * may not have written the map yet: it tells its child's pid before that.
 */
static bool keep_net_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps))
		return false;
	caps[0].inheritable |= 1u << CAP_NET_ADMIN;
	return syscall(SYS_capset, &head, caps) == 0 &&
	       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) == 0;
}

static bool nft_start(const struct setup *s, struct nft *ret_nft, struct err *err)
{
	char *env[] = { NULL };
	struct nft n = { .says = memfd_create("nft", MFD_CLOEXEC) };

	if (n.says < 0)
		return err_sys(err, errno, "memfd");
	n.pid = fork();
	if (n.pid < 0) {
		close(n.says);
		return err_sys(err, errno, "fork");
	}
	if (n.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (keep_net_admin() && dup2(s->ruleset, 0) == 0 && dup2(n.says, 1) == 1 && dup2(n.says, 2) == 2)
			execle(s->nft, "nft", "-f", "-", (char *)NULL, env);
		_exit(127);
	}
	*ret_nft = n;
	return true;
}

static bool nft_wait(struct nft *n, struct err *err)
{
	char text[256] = "";
	ssize_t len;
	int status = -1;

	while (waitpid(n->pid, &status, 0) < 0 && errno == EINTR)
		;
	len = pread(n->says, text, sizeof(text) - 1, 0);
	close(n->says);
	if (status == 0)
		return true;
	text[len > 0 ? strcspn(text, "\n") : 0] = '\0';
	return err_set(err, "nft: the ruleset was refused: %s (see sluice doctor)",
		       text[0] ? text : "no message");
}

struct furnished {
	int	slots[SETUP_SLOTS];
};

static bool setup_host_ports(const struct setup *s, bool ipv6, struct furnished *f, struct err *err)
{
	for (size_t i = 0; i < s->host_port_count; i++) {
		int *pair = f->slots + SETUP_SLOT_PORTS + 2 * i;
		uint16_t port = s->host_ports[i].inside;

		pair[0] = sockets_listen_local(AF_INET, port);
		if (pair[0] < 0)
			return err_sys(err, -pair[0], "host port %u: listen in the jail", port);
		pair[1] = ipv6 ? sockets_listen_local(AF_INET6, port) : -1;
		if (ipv6 && pair[1] < 0)
			return err_sys(err, -pair[1], "host port %u: listen in the jail", port);
	}
	return true;
}

static bool setup_furnish(const struct setup *s, pid_t init, struct furnished *f, struct err *err)
{
	struct nft nft = { .says = -1 };
	bool ipv6, ok;

	if (!namespace_join(init, err) || !nft_start(s, &nft, err))
		return false;
	namespace_settings_apply(&s->settings);
	ipv6 = namespace_has_ipv6();
	ok = namespace_wait_lo(err) && link_up(&s->pool4, ipv6 ? &s->pool6 : NULL, err) &&
	     sockets_make(&s->pool4, &s->pool6, ipv6, f->slots, err) &&
	     setup_host_ports(s, ipv6, f, err);
	if (ok && s->porter) {
		f->slots[SETUP_SLOT_PORTER] = porter_start(err);
		ok = f->slots[SETUP_SLOT_PORTER] >= 0;
	}
	return nft_wait(&nft, err) && ok;
}

int setup_run(const struct setup *s)
{
	struct setup_report r = { .ok = false };
	struct furnished f;
	int fds[PASS_FDS_MAX];

	static_assert(SETUP_SLOTS <= PASS_FDS_MAX, "one message carries them all");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < SETUP_SLOTS; i++)
		f.slots[i] = -1;
	r.ok = namespace_info(s->info, &r.init, &r.err) && setup_furnish(s, r.init, &f, &r.err);
	for (size_t i = 0; r.ok && i < SETUP_SLOTS; i++) {
		if (f.slots[i] < 0)
			continue;
		r.slots[r.count] = (uint16_t)i;
		fds[r.count++] = f.slots[i];
	}
	return pass_send(s->report, &r, sizeof(r), fds, r.count) ? 1 : 0;
}
