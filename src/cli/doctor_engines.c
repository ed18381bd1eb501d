/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_engines.c - what this machine has for `sluice daemon`: none of it is needed for run */
#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/read.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "control/place.h"
#include "jail/jail.h"

#define DOCKER_CONFIG "/etc/docker/daemon.json"
#define LIBVIRT_HOOK "/etc/libvirt/hooks/qemu"
#define HOOK_SAYS "sluice attach --vm"
#define HOOK_BYTES_MAX (1u << 20)	/* a hook that is larger is not ours */

static bool say(struct ability *a, bool works, const char *why)
{
	snprintf(a->why, sizeof(a->why), "%s", why);
	return works;
}

static bool try_user(struct ability *a)
{
	bool there = getpwnam("sluice");

	return say(a, there, there ? "gates of held namespaces run as it" :
		   "no user sluice: nothing can be attached (useradd --system sluice)");
}

static bool try_daemon(struct ability *a)
{
	struct err err = { "" };
	char folder[PATH_MAX];
	int fd = folder_run(folder, &err) ? control_connect(folder, CONTROL_DAEMON) : -1;

	if (fd >= 0)
		close(fd);
	return say(a, fd >= 0, fd >= 0 ? "it runs" : "it does not run, or not for this user (sluice daemon)");
}

static bool try_runc(struct ability *a)
{
	const char *path = runtime_find();

	return say(a, path, path ? path : "not found; install runc");
}

/* Is one of Docker's runtimes ours? */
static bool is_registered(void)
{
	json_t *config = json_load_file(DOCKER_CONFIG, 0, NULL), *runtime;
	json_t *runtimes = json_object_get(config, "runtimes");
	bool ours = false;
	const char *name;

	json_object_foreach(runtimes, name, runtime) {
		const char *path = json_string_value(json_object_get(runtime, "path"));
		const char *slash = path ? strrchr(path, '/') : NULL;

		ours = ours || (slash && !strncmp(slash, "/sluice", strlen("/sluice")));
	}
	json_decref(config);
	return ours;
}

static bool try_docker(struct ability *a)
{
	if (access("/usr/bin/dockerd", X_OK) && access("/usr/sbin/dockerd", X_OK))
		return say(a, false, "not installed");
	return is_registered() ? say(a, true, "it has sluice's runtime (" DOCKER_CONFIG ")") :
		say(a, false, "sluice's runtime is not in " DOCKER_CONFIG " (see docs/docker.md)");
}

/* For containers that stay on an internal network */
static bool try_iptables(struct ability *a)
{
	static const char *const programs[] = {
		"/usr/sbin/iptables-save", "/usr/sbin/iptables-restore", "/usr/sbin/ip6tables-save",
		"/usr/sbin/ip6tables-restore",
	};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (access(programs[i], X_OK))
			return say(a, false, "not installed: no container stays on a network of Docker's (install "
				   "iptables)");
	return say(a, true, "rules beside Docker's for containers in mode internal");
}

static bool try_podman(struct ability *a)
{
	bool there = access("/usr/bin/podman", X_OK) == 0;

	return say(a, there, there ? "with --runtime sluice-runc (see docs/podman.md)" : "not installed");
}

/* Others have hooks there as well: ours attaches */
static bool is_hook(const char *path)
{
	struct buf text = buf_new(HOOK_BYTES_MAX);
	bool ours = access(path, X_OK) == 0 && read_regular(path, &text) &&
		    memmem(text.at, text.len, HOOK_SAYS, strlen(HOOK_SAYS));

	buf_done(&text);
	return ours;
}

/* libvirt runs the one file, and those of the folder beside it */
static bool try_libvirt(struct ability *a)
{
	glob_t found = { .gl_pathc = 0 };
	bool ours = is_hook(LIBVIRT_HOOK);

	if (access("/usr/bin/virsh", X_OK))
		return say(a, false, "not installed");
	if (!ours && glob(LIBVIRT_HOOK ".d/*", 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc && !ours; i++)
			ours = is_hook(found.gl_pathv[i]);
		globfree(&found);
	}
	return say(a, ours, ours ? "a hook attaches guests as they start" :
		   "no hook of sluice's at " LIBVIRT_HOOK ": guests start unattached (see docs/libvirt.md)");
}

static const struct {
	const char	*name;
	bool		(*try)(struct ability *a);
} rows[] = {
	{ "role_user", try_user }, { "daemon", try_daemon }, { "runc", try_runc },
	{ "docker", try_docker }, { "iptables", try_iptables }, { "podman", try_podman }, { "libvirt", try_libvirt },
};

size_t engine_abilities(struct ability *ret, size_t max)
{
	size_t count = ARRAY_SIZE(rows) < max ? ARRAY_SIZE(rows) : max;

	for (size_t i = 0; i < count; i++) {
		ret[i] = (struct ability){ .name = rows[i].name };
		ret[i].works = rows[i].try(&ret[i]);
	}
	return count;
}
