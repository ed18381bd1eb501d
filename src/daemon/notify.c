/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"

static int tell(const char *where)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	static const char ready[] = "READY=1";
	size_t len = strlen(where);

	if ((where[0] != '/' && where[0] != '@') || len >= sizeof(to.sun_path))
		return -EAFNOSUPPORT;
	memcpy(to.sun_path, where, len);
	if (where[0] == '@')
		to.sun_path[0] = '\0';
	if (fd < 0 || sendto(fd, ready, strlen(ready), MSG_NOSIGNAL, (const void *)&to,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return -errno;
	return 0;
}

int notify_ready(void)
{
	const char *where = getenv("NOTIFY_SOCKET");
	int r = where && where[0] ? tell(where) : 0;

	unsetenv("NOTIFY_SOCKET");
	return r;
}
