/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/folders.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool folder_join(char *ret, const char *folder, const char *name, struct err *err)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s", folder, name);

	if (len < 0 || len >= PATH_MAX)
		return err_set(err, "%.200s/%s: path too long", folder, name);
	memcpy(ret, path, (size_t)len + 1);
	return true;
}

bool folder_holds(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	/* "/" holds everything, and its path ends where the others go on */
	if (len == 1)
		return path[0] == '/';
	return !strncmp(path, folder, len) && (!path[len] || path[len] == '/');
}

bool folder_make(const char *path, struct err *err)
{
	char part[PATH_MAX];

	for (size_t i = 1; path[i - 1]; i++) {
		if (path[i] != '/' && path[i])
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return err_sys(err, errno, "%s: cannot make the folder", part);
	}
	return true;
}

/* The value of a variable that holds an absolute path, or NULL */
static const char *path_variable(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

static const char *home(void)
{
	const char *path = path_variable("HOME");
	const struct passwd *user;

	if (path)
		return path;
	user = getpwuid(geteuid());
	return user && user->pw_dir && user->pw_dir[0] == '/' ? user->pw_dir : NULL;
}

static bool below_home(char *ret, const char *name, struct err *err)
{
	const char *at = home();

	return at ? folder_join(ret, at, name, err) :
		    err_set(err, "no home folder: HOME is not set (set it)");
}

bool folder_home(char *ret, struct err *err)
{
	return below_home(ret, ".", err);
}

bool folder_config(char *ret, struct err *err)
{
	const char *xdg = path_variable("XDG_CONFIG_HOME");

	if (xdg)
		return folder_join(ret, xdg, "sluice", err);
	if (geteuid() == 0 && !home())
		return folder_join(ret, "/etc", "sluice", err);
	return below_home(ret, ".config/sluice", err);
}

bool folder_state(char *ret, struct err *err)
{
	const char *xdg = path_variable("XDG_STATE_HOME");

	if (xdg)
		return folder_join(ret, xdg, "sluice", err);
	if (geteuid() == 0)
		return folder_join(ret, "/var/lib", "sluice", err);
	return below_home(ret, ".local/state/sluice", err);
}

bool folder_run(char *ret, struct err *err)
{
	const char *xdg = path_variable("XDG_RUNTIME_DIR");
	struct stat st;

	if (xdg && !stat(xdg, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		return folder_join(ret, xdg, "sluice", err);
	if (geteuid() == 0)
		return folder_join(ret, "/run", "sluice", err);
	return folder_state(ret, err) && folder_join(ret, ret, "run", err);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* The folder that this program lies in */
static bool own_folder(char *ret, struct err *err)
{
	ssize_t len = readlink("/proc/self/exe", ret, PATH_MAX - 1);

	if (len < 0)
		return err_sys(err, errno, "/proc/self/exe");
	ret[len] = '\0';
	*strrchr(ret, '/') = '\0';
	return true;
}

bool folder_programs(char *ret, struct err *err)
{
	if (!own_folder(ret, err))
		return false;
	return strcmp(ret, SLUICE_BINDIR) || folder_join(ret, SLUICE_LIBEXECDIR, "sluice", err);
}

bool folder_data(char *ret, struct err *err)
{
	char self[PATH_MAX], tree[PATH_MAX], *slash;

	if (!own_folder(self, err))
		return false;
	if (!strcmp(self, SLUICE_BINDIR))
		return folder_join(ret, SLUICE_DATADIR, "sluice", err);
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	if (!folder_join(tree, self, "data", err))
		return false;
	if (is_folder(tree))
		return folder_join(ret, self, "data", err);
	return folder_join(ret, SLUICE_DATADIR, "sluice", err);
}
