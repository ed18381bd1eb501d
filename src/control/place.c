/* SPDX-License-Identifier: Apache-2.0 */
#include "control/place.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"

#define BACKLOG 16

bool control_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > CONTROL_NAME_MAX || name[0] == '.' || name[0] == '-' ||
	    !strcmp(name, CONTROL_DAEMON))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	return true;
}

/* A socket's address has room for 107 bytes, a folder's name for more: so by its descriptor */
static int folder_address(const char *folder, const char *name, struct sockaddr_un *ret)
{
	int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), len;

	if (fd < 0)
		return -errno;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	len = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s" CONTROL_ENDING,
		       fd, name);
	if (len > 0 && (size_t)len < sizeof(ret->sun_path) && !strchr(name, '/'))
		return fd;
	close(fd);
	return -ENAMETOOLONG;
}

static int connect_to(const char *folder, const char *name, int flags)
{
	AUTO_CLOSE int fd = -1, at = -1;
	struct sockaddr_un sa;

	at = folder_address(folder, name, &sa);
	if (at < 0)
		return at;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int control_connect(const char *folder, const char *name)
{
	return connect_to(folder, name, 0);
}

int control_connect_now(const char *folder, const char *name)
{
	return connect_to(folder, name, SOCK_NONBLOCK);
}

static bool is_alive(const char *folder, const char *name)
{
	AUTO_CLOSE int fd = control_connect(folder, name);

	return fd >= 0 || (fd != -ENOENT && fd != -ECONNREFUSED);
}

int control_listen(const char *folder, const char *name, struct err *err)
{
	AUTO_CLOSE int fd = -1, at = -1;
	struct sockaddr_un sa;
	mode_t mask;
	int r;

	if (is_alive(folder, name)) {
		if (!strcmp(name, CONTROL_DAEMON))
			err_set(err, "the daemon runs already: %s/" CONTROL_DAEMON CONTROL_ENDING " answers", folder);
		else
			err_set(err, "a session of the name %s is running", name);
		return -1;
	}
	control_remove(folder, name);
	at = folder_address(folder, name, &sa);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (at < 0 || fd < 0) {
		err_sys(err, at < 0 ? -at : errno, "%s", folder);
		return -1;
	}
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(mask);
	if (r < 0 || listen(fd, BACKLOG) < 0) {
		err_sys(err, errno, "%s/%s" CONTROL_ENDING, folder, name);
		return -1;
	}
	return TAKE_FD(fd);
}

void control_remove(const char *folder, const char *name)
{
	struct sockaddr_un sa;
	AUTO_CLOSE int at = folder_address(folder, name, &sa);

	if (at >= 0)
		unlink(sa.sun_path);
}
