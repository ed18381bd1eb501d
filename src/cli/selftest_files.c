/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selftest_files.c - attempts on the files that decide and those that sluice writes
 *
 * None of them is made outside, where it would work.  What works in a broken
 * jail is undone at once, as far as it can be.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cli/selftest.h"
#include "jail/program.h"

#define DENIED_NAME "example.com"	/* exists: with another's answers it would resolve */
#define RESOLV_CONF "/etc/resolv.conf"

static bool path_join(char ret[PATH_MAX], const char *folder, const char *name)
{
	int len = snprintf(ret, PATH_MAX, "%s/%s", folder, name);

	return len > 0 && len < PATH_MAX;
}

static bool path_parent(char ret[PATH_MAX], const char *path)
{
	char *slash;

	snprintf(ret, PATH_MAX, "%s", path);
	slash = strrchr(ret, '/');
	if (!slash || slash == ret)
		return false;
	*slash = '\0';
	return true;
}

/* That a program runs is said before that it is read-only: ask for the right alone then */
static bool can_write(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 || (errno == ETXTBSY && !access(path, W_OK));
}

static bool can_make(const char *folder)
{
	char path[PATH_MAX];
	AUTO_CLOSE int fd = -1;

	if (!path_join(path, folder, "selftest"))
		return false;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST;
	unlink(path);
	return true;
}

static bool can_move(const char *path)
{
	char aside[PATH_MAX];
	int len = snprintf(aside, sizeof(aside), "%s.moved", path);

	if (len < 0 || len >= PATH_MAX || rename(path, aside))
		return false;
	rename(aside, path);
	return true;
}

static bool can_remove(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	AUTO_CLOSE int again = -1;

	if (unlink(path))
		return false;
	again = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return n < 0 || write(again, text, (size_t)n) <= n;
}

/* By a second name that is in no protected folder */
static bool can_write_linked(const struct aim *aim, const char *path)
{
	char second[PATH_MAX];
	bool worked;

	if (!path_join(second, aim->folder, "second") || linkat(AT_FDCWD, path, AT_FDCWD, second, 0))
		return false;
	worked = can_write(second);
	unlink(second);
	return worked;
}

/* ---- the files that decide ---- */

static bool policy_write(const struct aim *aim)
{
	return can_write(aim->policy) || !truncate(aim->policy, 0) || !chmod(aim->policy, 0666);
}

static bool policy_remove(const struct aim *aim)
{
	return can_remove(aim->policy) || can_move(aim->policy);
}

static bool policy_link(const struct aim *aim)
{
	return can_write_linked(aim, aim->policy);
}

static bool policy_parent(const struct aim *aim)
{
	char folder[PATH_MAX];

	return path_parent(folder, aim->policy) && (can_move(folder) || can_move(aim->folder));
}

static bool config_make(const struct aim *aim)
{
	return can_make(aim->config);
}

static bool config_parent(const struct aim *aim)
{
	char folder[PATH_MAX];

	return can_move(aim->config) || (path_parent(folder, aim->config) && can_move(folder));
}

static bool data_write(const struct aim *aim)
{
	char presets[PATH_MAX];

	return can_make(aim->data) || can_move(aim->data) ||
	       (path_join(presets, aim->data, "presets") && (can_make(presets) || can_move(presets)));
}

static bool self_write(const struct aim *aim)
{
	char path[PATH_MAX];

	for (enum program p = 0; p < PROGRAM_NUM; p++)
		if (path_join(path, aim->programs, program_name(p)) && can_write(path))
			return true;
	return can_write(aim->self) || can_write("/proc/self/exe") ||
	       can_write_linked(aim, aim->self);
}

static bool self_parent(const struct aim *aim)
{
	char folder[PATH_MAX];

	return can_move(aim->self) || (path_parent(folder, aim->self) && can_move(folder));
}

/* ---- the files that sluice writes ---- */

static bool state_make(const struct aim *aim)
{
	return can_make(aim->state);
}

static bool state_read(const struct aim *aim)
{
	char keys[PATH_MAX], audit[PATH_MAX];

	return (path_join(keys, aim->state, "keys/audit.key") && !access(keys, F_OK)) ||
	       (path_join(audit, aim->state, "audit") && !access(audit, F_OK));
}

static bool state_parent(const struct aim *aim)
{
	char folder[PATH_MAX];

	return can_move(aim->state) || (path_parent(folder, aim->state) && can_move(folder));
}

/* ---- with mounts of its own ---- */

static bool nested_unmask(const struct aim *aim)
{
	return selftest_nested_root(CLONE_NEWNS) &&
	       (!umount2(aim->state, MNT_DETACH) || !umount2(aim->policy, MNT_DETACH) ||
		!umount2(aim->config, MNT_DETACH) || state_read(aim));
}

static bool nested_rewrite(const struct aim *aim)
{
	if (!selftest_nested_root(CLONE_NEWNS))
		return false;
	mount(NULL, aim->policy, NULL, MS_REMOUNT | MS_BIND, NULL);
	mount(NULL, aim->config, NULL, MS_REMOUNT | MS_BIND, NULL);
	return can_write(aim->policy) || can_make(aim->config);
}

/* The folder without what is mounted in it, at another place */
static bool nested_bind(const struct aim *aim)
{
	char here[PATH_MAX], parent[PATH_MAX], policy[PATH_MAX];

	if (!path_parent(parent, aim->policy) || !path_join(here, aim->folder, "mount") ||
	    !path_join(policy, here, strrchr(aim->policy, '/') + 1) || mkdir(here, 0700))
		return false;
	return selftest_nested_root(CLONE_NEWNS) && !mount(parent, here, NULL, MS_BIND, NULL) &&
	       can_write(policy);
}

static bool nested_resolver(const struct aim *aim)
{
	static const char text[] = "nameserver 8.8.8.8\n";
	struct addrinfo *found = NULL;
	char path[PATH_MAX];
	AUTO_CLOSE int fd = -1;
	bool mounted;

	if (!path_join(path, aim->folder, "resolv"))
		return false;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, sizeof(text) - 1) < 0)
		return false;
	mounted = selftest_nested_root(CLONE_NEWNS) &&
		  !mount(path, RESOLV_CONF, NULL, MS_BIND, NULL);
	unlink(path);
	if (!mounted || getaddrinfo(DENIED_NAME, NULL, NULL, &found))
		return false;
	freeaddrinfo(found);
	return true;
}

/* ---- what must work ---- */

static bool files_work(const struct aim *aim)
{
	return can_make(aim->folder) && access(aim->policy, R_OK) == 0;
}

const struct attempt selftest_files[] = {
	{ "policy-write", "change the policy file", CONTROL_NEVER, policy_write, NULL },
	{ "policy-remove", "remove it, or move it aside", CONTROL_NEVER, policy_remove, NULL },
	{ "policy-link", "change it by a hard link", CONTROL_NEVER, policy_link, NULL },
	{ "policy-parent", "move the folders that it is in", CONTROL_NEVER, policy_parent, NULL },
	{ "config-make", "make a file in sluice's configuration folder", CONTROL_NEVER, config_make,
	  NULL },
	{ "config-parent", "move that folder, or the one it is in", CONTROL_NEVER, config_parent,
	  NULL },
	{ "presets-write", "add or move presets", CONTROL_NEVER, data_write, NULL },
	{ "program-write", "change the sluice program", CONTROL_NEVER, self_write, NULL },
	{ "program-parent", "move the program, or the folder that it is in", CONTROL_NEVER,
	  self_parent, NULL },
	{ "state-make", "make a file where the audit logs are", CONTROL_NEVER, state_make, NULL },
	{ "state-read", "see the audit logs and their key", CONTROL_NEVER, state_read, NULL },
	{ "state-parent", "move that folder, or the one it is in", CONTROL_NEVER, state_parent, NULL },
	{ "nested-unmask", "unmount the masks as the root of a namespace", CONTROL_NEVER,
	  nested_unmask, NULL },
	{ "nested-rewrite", "mount them writable as the root of a namespace", CONTROL_NEVER,
	  nested_rewrite, NULL },
	{ "nested-bind", "see behind them by a bind mount", CONTROL_NEVER, nested_bind, NULL },
	{ "nested-resolver", "mount a resolv.conf of its own, then resolve", CONTROL_NEVER,
	  nested_resolver, NULL },
	{ "files", "read and write ordinary files", CONTROL_ALLOWED, files_work, NULL },
	{ NULL, NULL, CONTROL_NEVER, NULL, NULL },
};
