/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runtime_pins.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach/oci.h"
#include "base/auto.h"
#include "cli/runtime_files.h"

#define PINS "sluice.mounts"	/* annotation: [[index of the mount, device, inode], ...] */

static bool pin(json_t *mount, size_t index, json_t *pins, struct err *err)
{
	const char *source = json_string_value(json_object_get(mount, "source"));
	AUTO_CLOSE int fd = -1;
	char link[32], path[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (!source || source[0] != '/' || !oci_is_bind(mount))
		return true;
	fd = open(source, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return err_sys(err, errno, "%s", source);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || path[0] != '/')
		return err_set(err, "%s: has no path here", source);
	path[n] = '\0';
	return (json_object_set_new(mount, "source", json_string(path)) == 0 &&
		json_array_append_new(pins, json_pack("[I,I,I]", (json_int_t)index, (json_int_t)st.st_dev,
						      (json_int_t)st.st_ino)) == 0) ||
	       err_set(err, "%s: a path that is not UTF-8", source);
}

bool runtime_pin(json_t *config, struct err *err)
{
	const json_t *mounts = json_object_get(config, "mounts");
	json_t *pins = json_array(), *notes = json_object_get(config, "annotations");
	AUTO_FREE char *text = NULL;
	bool ok = true;

	for (size_t i = 0; ok && i < json_array_size(mounts); i++)
		ok = pin(json_array_get(mounts, i), i, pins, err);
	text = json_dumps(pins, JSON_COMPACT);
	json_decref(pins);
	if (!json_is_object(notes)) {
		notes = json_object();
		json_object_set_new(config, "annotations", notes);
	}
	return ok && text && (json_object_set_new(notes, PINS, json_string(text)) == 0 ||
			      err_set(err, "out of memory"));
}

/* A later mount lies above it: nobody inside sees it */
static bool is_covered(const json_t *mounts, size_t index, const char *at)
{
	while (++index < json_array_size(mounts)) {
		const char *later = json_string_value(json_object_get(json_array_get(mounts, index), "destination"));

		if (later && path_is_in(later, at))
			return true;
	}
	return false;
}

static bool check_pin(const json_t *mounts, const json_t *one, int root, struct err *err)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	size_t index = (size_t)json_integer_value(json_array_get(one, 0));
	const json_t *mount = json_array_get(mounts, index);
	const char *at = json_string_value(json_object_get(mount, "destination"));
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (at && is_covered(mounts, index, at))
		return true;
	fd = at ? (int)syscall(SYS_openat2, root, at, &how, sizeof(how)) : -1;
	return (fd >= 0 && fstat(fd, &st) == 0 &&
		(json_int_t)st.st_dev == json_integer_value(json_array_get(one, 1)) &&
		(json_int_t)st.st_ino == json_integer_value(json_array_get(one, 2))) ||
	       err_set(err, "%s: something else is mounted than what was looked at: its path was changed meanwhile "
			    "(start it anew)", at ? at : "a mount");
}

bool runtime_check_pins(const json_t *config, pid_t pid, struct err *err)
{
	const char *text = json_string_value(json_object_get(json_object_get(config, "annotations"), PINS));
	json_t *pins = text ? json_loads(text, 0, NULL) : NULL;
	AUTO_CLOSE int root = -1;
	char path[64];
	bool ok = json_is_array(pins);

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		ok = err_sys(err, errno, "%s", path);
	for (size_t i = 0; ok && i < json_array_size(pins); i++)
		ok = check_pin(json_object_get(config, "mounts"), json_array_get(pins, i), root, err);
	json_decref(pins);
	return ok || err_set(err, "the container was not made by this runtime");
}
