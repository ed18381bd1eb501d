/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ability.c - what this kernel and machine can do, tried rather than guessed
 *
 * Rulesets are loaded in a network namespace made for it, so the modules that
 * they need are found, or loaded, or missing just as they would be for a jail.
 */
#include "jail/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "jail/guest.h"
#include "jail/namespace.h"
#include "jail/nft.h"
#include "jail/spawn.h"

#define SAYS_MAX 128		/* bytes kept of what a program printed */

static bool say(struct ability *a, bool works, const char *text)
{
	snprintf(a->why, sizeof(a->why), "%s", text);
	return works;
}

/* Run a program and keep the first line it prints.  Return: its exit status was 0. */
static bool program_says(char *const *argv, char ret_says[SAYS_MAX])
{
	char *env[] = { NULL };
	int pipes[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return false;
	pid = fork();
	if (pid == 0) {
		if (dup2(pipes[1], 1) == 1 && dup2(pipes[1], 2) == 2)
			execve(argv[0], argv, env);
		_exit(127);
	}
	close(pipes[1]);
	n = read(pipes[0], ret_says, SAYS_MAX - 1);
	close(pipes[0]);
	ret_says[n > 0 ? n : 0] = '\0';
	ret_says[strcspn(ret_says, "\n")] = '\0';
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && status == 0;
}

static bool try_kernel(struct ability *a)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return say(a, false, "can't be read");
	if (major < 5 || (major == 5 && minor < 13))
		return say(a, false, "older than 5.13");
	if (major == 5 && minor < 19)
		return say(a, true, "before 5.19 Go programs may repeat connects");
	return say(a, true, u.release);
}

static bool try_bwrap(struct ability *a)
{
	char program[] = BWRAP, option[] = "--version", says[SAYS_MAX];
	char *argv[] = { program, option, NULL };
	unsigned major = 0, minor = 0;

	if (access(BWRAP, X_OK))
		return say(a, false, "not found; install bubblewrap");
	if (!program_says(argv, says) || sscanf(says, "bubblewrap %u.%u", &major, &minor) != 2)
		return say(a, false, "its version can't be read");
	if (major == 0 && minor < 5)
		return say(a, false, "older than 0.5");
	return say(a, true, says);
}

/* Through bwrap: some systems allow user namespaces to programs they know only */
static bool try_userns(struct ability *a)
{
	char says[SAYS_MAX];
	char words[][16] = { BWRAP, "--unshare-user", "--unshare-net", "--unshare-pid", "--bind",
			     "/", "/", "--dev", "/dev", "--proc", "/proc", "--", BWRAP,
			     "--version" };
	char *argv[ARRAY_SIZE(words) + 1] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		argv[i] = words[i];
	if (program_says(argv, says))
		return say(a, true, "with network, processes and mounts");
	snprintf(a->why, sizeof(a->why), "%s", says[0] ? says : "bwrap can't be run");
	return false;
}

static bool try_nft(struct ability *a)
{
	const char *path = nft_find();

	return say(a, path, path ? path : "not found; install nftables");
}

enum { TRY_WORKS, TRY_FAILS, TRY_NO_NAMESPACE };

/* Run @try in a child, in a new network namespace.  Return: one of TRY_ */
static int try_in_namespace(bool (*try)(const char *arg), const char *arg)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
			_exit(TRY_NO_NAMESPACE);
		_exit(try(arg) ? TRY_WORKS : TRY_FAILS);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : TRY_FAILS;
}

static bool try_module(struct ability *a, bool (*try)(const char *arg), const char *arg, const char *module)
{
	switch (try_in_namespace(try, arg)) {
	case TRY_WORKS:
		return say(a, true, "");
	case TRY_NO_NAMESPACE:
		return say(a, true, "not tried: no user namespace without bwrap");
	default:
		snprintf(a->why, sizeof(a->why), "the kernel has no %s; load the module", module);
		return false;
	}
}

static bool is_accepted(const char *ruleset)
{
	AUTO_CLOSE int fd = spawn_memfd("ruleset", ruleset, strlen(ruleset));
	struct nft nft = { .says = -1 };
	const char *path = nft_find();
	struct err err = { 0 };

	return path && fd >= 0 && nft_start(path, fd, false, &nft, &err) && nft_wait(&nft, &err);
}

static bool try_ruleset(struct ability *a, const char *ruleset, const char *module)
{
	return try_module(a, is_accepted, ruleset, module);
}

#define RULESET(rules) \
	"table inet t {\nchain c {\ntype filter hook prerouting priority mangle;\n" rules "\n}\n}\n"

static bool try_tproxy(struct ability *a)
{
	return try_ruleset(a, RULESET(
			   "meta nfproto ipv4 meta l4proto tcp tproxy ip to 28.0.0.3:1\n"
			   "meta nfproto ipv6 meta l4proto tcp tproxy ip6 to [2d00:736c::3]:1"),
			   "nft_tproxy");
}

static bool try_reject(struct ability *a)
{
	return try_ruleset(a, RULESET("meta l4proto tcp reject with tcp reset\n"
				   "reject with icmpx admin-prohibited"), "nft_reject_inet");
}

static bool try_nflog(struct ability *a)
{
	return try_ruleset(a, RULESET("log group 5"), "nfnetlink_log");
}

static bool try_seccomp(struct ability *a)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action))
		return say(a, false, "missing in the kernel (CONFIG_SECCOMP_FILTER)");
	return say(a, true, "");
}

static bool try_landlock(struct ability *a)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 1)
		return say(a, false, "not enabled; boot with landlock in lsm=");
	snprintf(a->why, sizeof(a->why), "ABI %ld", abi);
	return true;
}

/* Calls that exist refuse the bad descriptor */
static bool try_pidfd(struct ability *a)
{
	if (syscall(SYS_pidfd_getfd, -1, -1, 0) == 0 || errno != EBADF)
		return say(a, false, "pidfd_getfd is missing or forbidden");
	return say(a, true, "");
}

static bool try_ptrace(struct ability *a)
{
	AUTO_FCLOSE FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (f && fscanf(f, "%d", &scope) == 1 && scope >= 3)
		return say(a, false, "kernel.yama.ptrace_scope is 3; 2 is enough");
	return say(a, true, "");
}

static bool try_ipv6(struct ability *a)
{
	bool works = namespace_has_ipv6();

	return say(a, works, works ? "" : "switched off; jails have IPv4 only");
}

static bool is_paced(const char *link)
{
	struct err err = { 0 };

	return guest_pace(link, 1 << 20, &err);
}

static bool try_tbf(struct ability *a)
{
	if (try_module(a, is_paced, "lo", "sch_tbf"))
		return a->why[0] || say(a, true, "for bandwidth into guests");
	return false;
}

static const struct {
	const char	*name;
	bool		 required;
	bool		(*try)(struct ability *a);
} abilities[] = {
	{ "kernel", true, try_kernel },
	{ "bwrap", true, try_bwrap },
	{ "userns", true, try_userns },
	{ "nft", true, try_nft },
	{ "nft_tproxy", true, try_tproxy },
	{ "nft_reject", true, try_reject },
	{ "nflog", true, try_nflog },
	{ "seccomp_notify", true, try_seccomp },
	{ "landlock", true, try_landlock },
	{ "pidfd_getfd", true, try_pidfd },
	{ "ptrace_scope", true, try_ptrace },
	{ "ipv6", false, try_ipv6 },
	{ "tbf", false, try_tbf },
};

size_t jail_abilities(struct ability *ret_abilities, size_t max)
{
	size_t count = ARRAY_SIZE(abilities) < max ? ARRAY_SIZE(abilities) : max;

	for (size_t i = 0; i < count; i++) {
		struct ability a = { .name = abilities[i].name,
				     .required = abilities[i].required };

		a.works = abilities[i].try(&a);
		ret_abilities[i] = a;
	}
	return count;
}
