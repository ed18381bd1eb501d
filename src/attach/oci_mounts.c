/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci_mounts.c - which of the machine's files a container gets
 *
 * A path says little: a link, a volume that the engine binds, a second mount lead to the same folder, and
 * a mount takes along what is mounted below it.  So all of them are looked at, where they are and of what
 * kind they are.  Three things make a way out of one: who listens in it, what the kernel makes of what is
 * written there, and what the machine goes by or runs.
 */
#include <string.h>

#include "attach/oci.h"
#include "base/auto.h"

/* What is not mounted */
static const struct guarded {
	const char	*path;
	bool		 inside;	/* nor what lies in it */
	bool		 to_read;	/* nor read-only */
} guarded[] = {
	/* Who is asked there starts a container without sluice, or a program outside; it may listen later */
	{ "/run/docker.sock", false, true }, { "/var/run/docker.sock", false, true },
	{ "/run/containerd/containerd.sock", false, true }, { "/var/run/containerd/containerd.sock", false, true },
	{ "/run/podman/podman.sock", false, true }, { "/var/run/podman/podman.sock", false, true },
	{ "/run/crio/crio.sock", false, true }, { "/var/run/crio/crio.sock", false, true },
	{ "/run/systemd/private", false, true }, { "/run/dbus/system_bus_socket", false, true },
	{ "/run/libvirt/libvirt-sock", false, true }, { "/run/sluice", true, true },
	/* Its own log, and processes of the machine with their files */
	{ "/var/lib/sluice", true, true }, { "/proc", true, true },
	/* What decides for it: our policies, what engines run and how, what the kernel runs */
	{ "/etc/sluice", true, false }, { "/etc/docker", true, false }, { "/etc/containers", true, false },
	{ "/run/docker", true, false }, { "/run/containerd/io.containerd.runtime.v2.task", true, false },
	{ "/sys", true, false },
	/* What the machine runs by itself */
	{ "/etc/systemd", true, false }, { "/run/systemd/system", true, false }, { "/etc/cron.d", true, false },
	{ "/var/spool/cron", true, false },
	/* An engine's store, but for what it has to be mounted */
	{ "/var/lib/docker", false, false }, { "/var/lib/docker/containers", false, false },
	{ "/var/lib/docker/volumes", false, false }, { "/var/lib/docker/overlay2", true, false },
	{ "/var/lib/docker/vfs", true, false }, { "/var/lib/docker/image", true, false },
	{ "/var/lib/docker/plugins", true, false }, { "/var/lib/docker/network", true, false },
	{ "/var/lib/docker/swarm", true, false }, { "/var/lib/docker/buildkit", true, false },
	{ "/var/lib/containers", false, false }, { "/var/lib/containers/storage", false, false },
	{ "/var/lib/containers/storage/volumes", false, false }, { "/var/lib/containers/storage/libpod", true, false },
	{ "/var/lib/containers/storage/overlay", true, false }, { "/var/lib/containers/storage/vfs", true, false },
};

/* File systems of the kernel's, wherever they are mounted */
static const struct {
	const char	*kind;
	bool		 to_read;	/* nor read-only */
} kinds[] = {
	{ "proc", true }, { "devpts", true }, { "mqueue", true }, { "sysfs", false }, { "cgroup", false },
	{ "cgroup2", false }, { "debugfs", false }, { "tracefs", false }, { "securityfs", false }, { "bpf", false },
	{ "configfs", false }, { "efivarfs", false }, { "binfmt_misc", false }, { "selinuxfs", false },
	{ "smackfs", false }, { "pstore", false },
};

enum written { WRITTEN, READ_ONLY, ALL_READ_ONLY };	/* itself, or with what is mounted in it */

/* A mount that is looked at */
struct look {
	const char		*source;
	enum written		 is;
	bool			 is_root;	/* of the container: it may lie in an engine's store */
	const struct oci_eyes	*eyes;
	struct err		*err;
};

static bool is_listed(const char *path, const char *const *list)
{
	while (list && *list && strcmp(path, *list) != 0)
		list++;
	return list && *list;
}

/* The last word counts, as for mount(8).  `ro` says nothing of the mounts that come along. */
static enum written read_only(const json_t *mount)
{
	static const struct { const char *word; enum written is; } words[] = {
		{ "ro", READ_ONLY }, { "rro", ALL_READ_ONLY }, { "rw", WRITTEN }, { "rrw", WRITTEN },
	};
	const json_t *options = json_object_get(mount, "options");
	enum written is = WRITTEN;

	for (size_t i = 0; i < json_array_size(options); i++) {
		const char *word = json_string_value(json_array_get(options, i));

		for (size_t n = 0; word && n < ARRAY_SIZE(words); n++)
			if (!strcmp(word, words[n].word))
				is = words[n].is;
	}
	return is;
}

static bool is_to_read(const struct look *l, bool itself)
{
	return l->is == ALL_READ_ONLY || (l->is == READ_ONLY && itself);
}

static const char *hint(const struct look *l, bool to_read)
{
	return to_read ? "" : l->is == READ_ONLY ? ", or read-only with all that is mounted in it" : ", or read-only";
}

static bool check_guarded(const struct look *l, const struct guarded *g, const char *at, bool itself)
{
	if (is_to_read(l, itself) && !g->to_read)
		return true;
	if (g->inside && !l->is_root && l->eyes->holds(g->path, at))
		return err_set(l->err, "%s is mounted: a way out, as all in %s is (no such mount%s)", l->source,
			       g->path, hint(l, g->to_read));
	return !l->eyes->holds(at, g->path) ||
	       err_set(l->err, "%s is mounted, and %s in it: a way out (mount less%s)", l->source, g->path,
		       hint(l, g->to_read));
}

static bool check_kind(const struct look *l, const char *at, const char *kind, bool itself)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kind, kinds[i].kind) && (kinds[i].to_read || !is_to_read(l, itself)))
			return err_set(l->err, "%s is mounted, and the machine's %s at %s: a way out (mount less%s)",
				       l->source, kind, at, hint(l, kinds[i].to_read));
	return true;
}

static bool see(void *arg, const char *at, const char *kind, bool itself)
{
	const struct look *l = arg;
	const struct guarded own = { l->eyes->program, true, false };

	for (size_t i = 0; i < ARRAY_SIZE(guarded); i++)
		if (!check_guarded(l, &guarded[i], at, itself))
			return false;
	return check_guarded(l, &own, at, itself) && check_kind(l, at, kind, itself);
}

static bool check_source(struct look *l, const char *const *allow)
{
	const char *bound;

	if (l->eyes->is_socket(l->source))
		return err_set(l->err, "%s is mounted: a way out through whoever listens there "
			       "(sluice runtime --allow-unix %s)", l->source, l->source);
	if (!l->eyes->each(l->source, see, l))
		return false;
	bound = l->eyes->bound(l->source, allow);
	return !bound || err_set(l->err, "%s is mounted, and the socket %s in it: a way out through whoever listens "
				 "there (mount less, or sluice runtime --allow-unix %s)", l->source, bound, bound);
}

bool oci_is_bind(const json_t *mount)
{
	const json_t *options = json_object_get(mount, "options");
	const char *type = json_string_value(json_object_get(mount, "type"));
	bool is = type && !strcmp(type, "bind");

	for (size_t i = 0; i < json_array_size(options); i++) {
		const char *word = json_string_value(json_array_get(options, i));

		is = is || (word && (!strcmp(word, "bind") || !strcmp(word, "rbind")));
	}
	return is;
}

/* What the runtime makes anew: of the machine's, not of the container's namespaces.  Any other shows what lies
 * elsewhere, on a disk or in folders that its options name (overlay). */
static bool check_new(const json_t *config, const json_t *mount, struct err *err)
{
	static const char *const made[] = { "proc", "sysfs", "cgroup", "cgroup2", "tmpfs", "ramfs", "devpts", "mqueue",
					    NULL };
	const char *kind = json_string_value(json_object_get(mount, "type"));

	if (!kind || !is_listed(kind, made))
		return err_set(err, "a mount of type %s: nobody has looked at what it shows (bind, tmpfs; no :O)",
			       kind ? kind : "\"\"");
	if (read_only(mount))
		return true;
	if (!strcmp(kind, "sysfs"))
		return err_set(err, "the container may write the machine's /sys (no --privileged, no unmask=ALL)");
	return strncmp(kind, "cgroup", strlen("cgroup")) != 0 || oci_has(config, "cgroup") ||
	       err_set(err, "the container may write the machine's control groups (no --cgroupns host, no "
		       "writable-cgroups)");
}

bool oci_check_mounts(const json_t *config, const struct oci_eyes *eyes, const char *const *allow,
		      struct err *err)
{
	const json_t *mounts = json_object_get(config, "mounts"), *root = json_object_get(config, "root");
	const char *path = json_string_value(json_object_get(root, "path"));
	struct look own = { path, json_is_true(json_object_get(root, "readonly")) ? READ_ONLY : WRITTEN, true, eyes, err };

	for (size_t i = 0; i < json_array_size(mounts); i++) {
		const json_t *one = json_array_get(mounts, i);
		const char *source = json_string_value(json_object_get(one, "source"));
		struct look l = { source, read_only(one), false, eyes, err };

		if (!oci_is_bind(one)) {
			if (!check_new(config, one, err))
				return false;
		} else if (!source || source[0] != '/') {
			return err_set(err, "%s is mounted: not an absolute path", source ? source : "nothing");
		} else if (!is_listed(source, allow) && !check_source(&l, allow)) {
			return false;
		}
	}
	return !path || path[0] != '/' || check_source(&own, allow);
}
