/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/nft.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "jail/namespace.h"

const char *nft_find(void)
{
	static const char *const places[] = { "/usr/sbin/nft", "/usr/bin/nft", "/sbin/nft" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* Keep CAP_NET_ADMIN through the exec: of a namespace's users only 0 keeps his capabilities */
static bool keep_net_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps))
		return false;
	caps[0].inheritable |= BIT(CAP_NET_ADMIN);
	return syscall(SYS_capset, &head, caps) == 0 &&
	       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) == 0;
}

/*
 * nft refuses to run for a file with the setuid bit: getuid(2) and geteuid(2) must say the same, else it ends
 * (111, without a word).  A map of users that is written between the two calls changes what they say.
 */
static bool wait_users(bool unmapped)
{
	struct err err = { "" };

	if (!unmapped || namespace_wait_groups(&err))
		return true;
	dprintf(2, "%s\n", err.text);
	return false;
}

bool nft_start(const char *nft, int ruleset, bool unmapped, struct nft *ret_nft, struct err *err)
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
		if (keep_net_admin() && dup2(ruleset, 0) == 0 &&
		    dup2(n.says, 1) == 1 && dup2(n.says, 2) == 2 && wait_users(unmapped))
			execle(nft, "nft", "-f", "-", (char *)NULL, env);
		_exit(127);
	}
	*ret_nft = n;
	return true;
}

/* What it wrote, its first line; and how it ended, where it wrote nothing */
static bool nft_refused(const char *text, int status, struct err *err)
{
	static const char says[] = "nft: the ruleset was refused";

	if (text[0])
		return err_set(err, "%s: %s (see sluice doctor)", says, text);
	if (WIFSIGNALED(status))
		return err_set(err, "%s: nft was ended by signal %d (see sluice doctor)", says, WTERMSIG(status));
	return err_set(err, "%s: nft ended with %d and no message (see sluice doctor)", says,
		       WEXITSTATUS(status));
}

bool nft_wait(struct nft *n, struct err *err)
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
	return nft_refused(text, status, err);
}
