/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - the differences between the host's files and the jail's
 *
 * Theory
 *
 * Order is everything, because a later mount covers an earlier one:
 *
 *  1. Pins.  A directory that holds a protected file is bound onto itself, or
 *     the jail could rename it, mount and all, and leave another in its place
 *     for the host.  A pin shows the host's tree again, so pins come before
 *     every mask.  Every ancestor whose parent the user may write is pinned,
 *     outermost first.  The price: rename and link across a pin are EXDEV.
 *  2. /dev, /proc, /sys.
 *  3. Masks of directories with the host's sockets.  Directories rather than
 *     sockets where possible: a mount on a file goes away when the host unlinks
 *     the file.  They are fresh and writable, so that a server of the jail's
 *     own can live there.  The broker decides what masks leave over.
 *  4. Sockets let through, files replaced.
 *  5. Protected files under all of their names, read-only before hidden: what
 *     is both is hidden.
 *
 * Nothing is mounted on or below /proc for an ordinary user: a nested sandbox
 * may mount a new /proc only where the old one is wholly visible.  The root user
 * owns /proc/sys, also in a user namespace, so there it must be covered, and
 * nested sandboxes of root can't have a /proc of their own.
 */
#include "jail/view.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/read.h"
#include "jail/jail.h"
#include "jail/view_ops.h"
#include "jail/view_trust.h"

#define RESOLV_MAX 4096		/* bytes of our resolv.conf; the host's longest useful lines fit */

enum fresh_perms { PRIVATE = 0700, PUBLIC = 0755, SHARED = 01777 };

/* Directories that hold sockets of the host and nothing else of use; %u: the user */
static const struct {
	const char	*path;
	unsigned	 perms;
} mask_dirs[] = {
	{ "/run/user", PUBLIC },		/* session bus, gpg, Wayland, podman ... */
	{ "/run/systemd", PUBLIC },		/* private, notify, journal, io.systemd.* */
	{ "/run/dbus", PUBLIC },
	{ "/run/docker", PRIVATE },
	{ "/run/containerd", PRIVATE },
	{ "/run/podman", PRIVATE },
	{ "/run/crio", PRIVATE },
	{ "/run/libvirt", PRIVATE },
	{ "/run/lxc", PRIVATE },
	{ "/run/incus", PRIVATE },
	{ "/run/nscd", PUBLIC },		/* resolves names outside of our DNS */
	{ "/var/run/nscd", PUBLIC },
	{ "/run/avahi-daemon", PUBLIC },
	{ "/run/cups", PUBLIC },
	{ "/run/pcscd", PUBLIC },
	{ "/run/screen", SHARED },
	{ "/run/tmux", SHARED },
	{ "/tmp/.X11-unix", SHARED },
	{ "/tmp/.ICE-unix", SHARED },
	{ "/tmp/screens", SHARED },
	{ "/tmp/tmux-%u", PRIVATE },
};

/* Sockets in directories that must stay; "~" is the command's home */
static const char *const mask_files[] = {
	"/run/docker.sock",
	"/run/crio.sock",
	"/run/snapd.socket",
	"/run/snapd-snap.socket",
	"/run/acpid.socket",
	"/run/rpcbind.sock",
	"/run/udev/control",
	"/var/lib/lxd/unix.socket",
	"/var/lib/incus/unix.socket",
	"~/.docker/run/docker.sock",
	"~/.docker/desktop/docker.sock",
	"~/.gnupg/S.gpg-agent",
	"~/.gnupg/S.gpg-agent.browser",
	"~/.gnupg/S.gpg-agent.extra",
	"~/.gnupg/S.gpg-agent.ssh",
	"~/.gnupg/S.keyboxd",
	"~/.gnupg/S.scdaemon",
};

/* Kernel interfaces that somebody mounted elsewhere than in /proc, /sys and /dev */
static const char *const mask_types[] = {
	"proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "configfs",
	"bpf", "binfmt_misc", "devtmpfs", "devpts", "efivarfs", "fusectl", "mqueue", "pstore",
	"nfsd", "rpc_pipefs",
};

/* Graphics and computing; nothing that is a way to another machine or to a disk */
static const char *const devices[] = {
	"/dev/dri", "/dev/kfd", "/dev/nvidia*",
};

/* What root may write through a /proc of its own: kernel settings of the whole machine */
static const char *const root_proc[] = {
	"/proc/sys", "/proc/fs", "/proc/acpi", "/proc/scsi", "/proc/mtrr", "/proc/irq",
	"/proc/bus", "/proc/driver", "/proc/sysrq-trigger",
};

void view_add(struct view *v, enum view_kind kind, const char *path, unsigned perms, char *text)
{
	struct view_op *grown = NULL;
	char *own = strdup(path);
	bool ok = own && (text || kind != VIEW_TEXT) && v->count < VIEW_MAX;

	if (ok)
		grown = reallocarray(v->ops, v->count + 1, sizeof(*grown));
	if (!grown) {
		v->spent = true;
		free(own);
		free(text);
		return;
	}
	v->ops = grown;
	v->ops[v->count++] = (struct view_op){ .kind = kind, .path = own, .perms = perms,
					       .text = text, .text_fd = -1,
					       .text_len = text ? strlen(text) : 0 };
}

const char *view_env(const struct jail_plan *plan, const char *name)
{
	size_t len = strlen(name);

	for (char *const *e = plan->envp; e && *e; e++)
		if (!strncmp(*e, name, len) && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

bool view_has(const struct view *v, enum view_kind kind, const char *path)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->ops[i].kind == kind && !strcmp(v->ops[i].path, path))
			return true;
	return false;
}

bool view_covers(const struct view *v, enum view_kind kind, const char *path)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->ops[i].kind == kind && path_below(path, v->ops[i].path))
			return true;
	return false;
}

/* Could the user replace an entry of @dir, now or after a chmod of their own? */
static bool dir_writable(const char *dir)
{
	struct stat st;

	return access(dir, W_OK) == 0 || (stat(dir, &st) == 0 && st.st_uid == geteuid());
}

/* Outermost first, for the pins of one path don't cover each other then */
static void view_pin(struct view *v, const char *path)
{
	char dir[PATH_MAX], parent[PATH_MAX];

	for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
		size_t len = (size_t)(end - path);
		const char *cut;

		memcpy(dir, path, len);
		dir[len] = '\0';
		cut = strrchr(dir, '/');
		memcpy(parent, dir, len);
		parent[cut == dir ? 1 : cut - dir] = '\0';
		if (dir_writable(parent) && !view_has(v, VIEW_PIN, dir))
			view_add(v, VIEW_PIN, dir, 0, NULL);
	}
}

static int op_by_path(const void *a, const void *b)
{
	const struct view_op *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* All names of the protected paths, before anything is mounted */
struct names {
	char	*at[VIEW_MAX];
	size_t	 count;
	bool	 spent;
};

static void names_add(void *arg, const char *name)
{
	struct names *n = arg;

	if (access(name, F_OK) != 0 || path_below(name, "/dev") || path_below(name, "/proc"))
		return;
	n->at[n->count] = n->count < VIEW_MAX - 1 ? strdup(name) : NULL;
	if (n->at[n->count])
		n->count++;
	else
		n->spent = true;
}

static void names_done(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->at[i]);
	free(n);
}

static int name_by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* @path as given, what it resolves to, and the other names of that; sorted */
static bool names_of(struct names *n, const struct mounts *m, const char *path)
{
	AUTO_FREE char *real = realpath(path, NULL);

	if (!real)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR;
	names_add(n, real);
	mounts_names(m, real, names_add, n);
	return !n->spent;
}

static struct names *names_of_all(const char *const *paths, size_t count, const struct mounts *m)
{
	struct names *n = calloc(1, sizeof(*n));

	for (size_t i = 0; n && i < count; i++)
		if (!names_of(n, m, paths[i]))
			n->spent = true;
	if (n)
		qsort(n->at, n->count, sizeof(n->at[0]), name_by_text);
	return n;
}

static void view_devices(struct view *v)
{
	view_add(v, VIEW_DEVICES, "/dev", 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		glob_t found = { 0 };

		if (glob(devices[i], GLOB_NOSORT, NULL, &found) == 0)
			for (size_t k = 0; k < found.gl_pathc; k++)
				view_add(v, VIEW_DEVICE, found.gl_pathv[k], 0, NULL);
		globfree(&found);
	}
}

static void view_kernel(struct view *v, const struct view_facts *f)
{
	view_devices(v);
	view_add(v, VIEW_PROC, "/proc", 0, NULL);
	if (access("/sys", F_OK) == 0)
		view_add(v, VIEW_READ, "/sys", 0, NULL);
	for (size_t i = 0; f->uid == 0 && i < ARRAY_SIZE(root_proc); i++)
		if (access(root_proc[i], F_OK) == 0)
			view_add(v, VIEW_READ, root_proc[i], 0, NULL);

	for (size_t i = 0; i < f->mounts.count; i++) {
		const struct mount *m = &f->mounts.at[i];
		struct stat st;

		if (path_below(m->point, "/proc") || path_below(m->point, "/sys") ||
		    path_below(m->point, "/dev") || lstat(m->point, &st) != 0)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(mask_types); k++)
			if (!strcmp(m->type, mask_types[k]))
				view_add(v, S_ISDIR(st.st_mode) ? VIEW_HIDE_DIR : VIEW_HIDE_FILE,
					 m->point, 0, NULL);
	}
}

static void view_mask_dirs(struct view *v, const struct view_facts *f)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(mask_dirs); i++) {
		const char *user = strstr(mask_dirs[i].path, "%u");
		AUTO_FREE char *real = NULL;
		struct stat st;

		if (user)
			snprintf(path, sizeof(path), "%.*s%u", (int)(user - mask_dirs[i].path),
				 mask_dirs[i].path, f->uid);
		else
			snprintf(path, sizeof(path), "%s", mask_dirs[i].path);
		real = realpath(path, NULL);
		if (real && stat(real, &st) == 0 && S_ISDIR(st.st_mode) &&
		    !view_covers(v, VIEW_FRESH, real))
			view_add(v, VIEW_FRESH, real, mask_dirs[i].perms, NULL);
	}
	snprintf(path, sizeof(path), "/run/user/%u", f->uid);
	if (view_has(v, VIEW_FRESH, "/run/user") && access(path, F_OK) == 0)
		view_add(v, VIEW_DIR, path, PRIVATE, NULL);
}

static bool socket_allowed(const struct jail_plan *plan, const char *real)
{
	for (size_t i = 0; i < plan->allow_unix_count; i++) {
		AUTO_FREE char *allowed = realpath(plan->allow_unix[i], NULL);

		if (allowed && !strcmp(allowed, real))
			return true;
	}
	return false;
}

static void view_mask_file(struct view *v, const struct jail_plan *plan, const char *path)
{
	AUTO_FREE char *real = realpath(path, NULL);
	struct stat st;

	if (real && stat(real, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    !view_covers(v, VIEW_FRESH, real) && !socket_allowed(plan, real))
		view_add(v, VIEW_HIDE_FILE, real, 0, NULL);
}

static void view_mask_files(struct view *v, const struct jail_plan *plan,
			    const struct view_facts *f)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(mask_files); i++) {
		if (mask_files[i][0] != '~')
			view_mask_file(v, plan, mask_files[i]);
		else if (f->home && snprintf(path, sizeof(path), "%s%s", f->home,
					     mask_files[i] + 1) < PATH_MAX)
			view_mask_file(v, plan, path);
	}
	if (f->ssh_agent)
		view_mask_file(v, plan, f->ssh_agent);
	for (size_t i = 0; i < plan->allow_unix_count; i++) {
		AUTO_FREE char *real = realpath(plan->allow_unix[i], NULL);

		if (real && view_covers(v, VIEW_FRESH, real))
			view_add(v, VIEW_SOCKET, real, 0, NULL);
	}
}

/* Up to RESOLV_MAX bytes of a text file; what is longer is not of use here */
static char *text_read(const char *path)
{
	struct buf b = buf_new(RESOLV_MAX);
	char *text;

	read_regular(path, &b);
	text = strndup(b.len ? (const char *)b.at : "", b.len);
	buf_done(&b);
	return text;
}

char *view_resolv_conf(const char *host, const char *dns)
{
	static const char *const kept[] = { "search", "domain", "options" };
	struct buf b = buf_new(RESOLV_MAX);

	buf_printf(&b, "# written by sluice: every name is judged by the policy\n"
		   "nameserver %s\n", dns);
	for (const char *line = host; *line;) {
		size_t len = strcspn(line, "\n");

		for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
			size_t word = strlen(kept[i]);

			if (len > word && !strncmp(line, kept[i], word) &&
			    (line[word] == ' ' || line[word] == '\t'))
				buf_printf(&b, "%.*s\n", (int)len, line);
		}
		line += len + (line[len] == '\n');
	}
	buf_add(&b, "", 1);
	if (b.full)
		buf_done(&b);
	return (char *)b.at;
}

void view_text(struct view *v, const char *path, char *text)
{
	AUTO_FREE char *real = realpath(path, NULL);

	if (!text)
		v->spent = true;
	if (text && real)
		view_add(v, VIEW_TEXT, real, 0, TAKE(text));
	free(text);
}

static void view_names(struct view *v, const struct jail_plan *plan, const struct view_facts *f)
{
	struct addr dns = reserved_addr(&plan->pool4, RESERVED_DNS);
	AUTO_FREE char *host = text_read("/etc/resolv.conf");
	char text[ADDR_TEXT_MAX], *hosts = NULL;

	view_text(v, "/etc/resolv.conf", view_resolv_conf(host ? host : "", addr_text(&dns, text)));
	if (asprintf(&hosts, "127.0.0.1\tlocalhost %s\n::1\tlocalhost ip6-localhost ip6-loopback\n",
		     f->hostname) < 0)
		hosts = NULL;
	view_text(v, "/etc/hosts", hosts);
}

static void view_protect(struct view *v, const struct names *n, bool hide)
{
	struct stat st;

	for (size_t i = 0; i < n->count; i++) {
		const char *path = n->at[i];

		if (view_covers(v, VIEW_HIDE_DIR, path))
			continue;
		if (!hide && !view_has(v, VIEW_READ, path))
			view_add(v, VIEW_READ, path, 0, NULL);
		if (hide && lstat(path, &st) == 0)
			view_add(v, S_ISDIR(st.st_mode) ? VIEW_HIDE_DIR : VIEW_HIDE_FILE, path, 0,
				 NULL);
	}
}

static void mkdir_parents(const char *path)
{
	char dir[PATH_MAX];

	for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(end - path), path);
		mkdir(dir, 0700);
	}
	mkdir(path, 0700);
}

void view_prepare(const struct jail_plan *plan)
{
	for (size_t i = 0; i < plan->protect_hide_count; i++)
		if (access(plan->protect_hide[i], F_OK) != 0)
			mkdir_parents(plan->protect_hide[i]);
}

bool view_make(const struct jail_plan *plan, const struct view_facts *facts,
	       struct view *ret_view, struct err *err)
{
	struct names *read_only, *hidden;
	struct view v = { 0 };

	read_only = names_of_all(plan->protect_read, plan->protect_read_count, &facts->mounts);
	hidden = names_of_all(plan->protect_hide, plan->protect_hide_count, &facts->mounts);
	v.spent = !read_only || !hidden || read_only->spent || hidden->spent;

	for (size_t i = 0; !v.spent && i < read_only->count; i++)
		view_pin(&v, read_only->at[i]);
	for (size_t i = 0; !v.spent && i < hidden->count; i++)
		view_pin(&v, hidden->at[i]);
	if (v.count)
		qsort(v.ops, v.count, sizeof(v.ops[0]), op_by_path);
	view_kernel(&v, facts);
	view_mask_dirs(&v, facts);
	view_mask_files(&v, plan, facts);
	view_names(&v, plan, facts);
	view_trust(&v, plan, facts);
	if (!v.spent) {
		view_protect(&v, read_only, false);
		view_protect(&v, hidden, true);
	}
	if (read_only)
		names_done(read_only);
	if (hidden)
		names_done(hidden);
	if (v.spent) {
		view_done(&v);
		return err_set(err, "jail: more than %d mounts, or out of memory", VIEW_MAX);
	}
	*ret_view = v;
	return true;
}

void view_done(struct view *v)
{
	for (size_t i = 0; i < v->count; i++) {
		free(v->ops[i].path);
		free(v->ops[i].text);
		DROP_FD(v->ops[i].text_fd);
	}
	free(v->ops);
	*v = (struct view){ 0 };
}

bool view_facts_read(const struct jail_plan *plan, struct view_facts *ret_facts, struct err *err)
{
	AUTO_FCLOSE FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
	struct view_facts f = { .uid = getuid(), .home = view_env(plan, "HOME"),
				.ssh_agent = view_env(plan, "SSH_AUTH_SOCK") };
	int r;

	if (!mountinfo)
		return err_sys(err, errno, "/proc/self/mountinfo");
	r = mounts_read(mountinfo, &f.mounts);
	if (r < 0)
		return err_sys(err, -r, "/proc/self/mountinfo");
	if (gethostname(f.hostname, sizeof(f.hostname) - 1) || strpbrk(f.hostname, " \t\n#"))
		f.hostname[0] = '\0';
	*ret_facts = f;
	return true;
}

void view_facts_done(struct view_facts *f)
{
	mounts_done(&f->mounts);
}
