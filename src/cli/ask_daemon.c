/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask_daemon.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "cli/folders.h"
#include "control/place.h"

static bool is_away(int fd)
{
	return fd == -ENOENT || fd == -ECONNREFUSED;
}

/* Root's daemon, at its place; group sluice finds it there, and its own folder is another */
static int connect_there(struct err *err)
{
	char folder[PATH_MAX];
	int fd;

	if (!folder_run(folder, err))
		return -1;
	fd = control_connect(folder, CONTROL_DAEMON);
	if (is_away(fd))
		fd = control_connect(FOLDER_RUN_ROOT, CONTROL_DAEMON);
	if (is_away(fd))
		err_set(err, "the daemon does not run (sluice daemon)");
	else if (fd < 0)
		err_sys(err, -fd, "the daemon's socket (it serves root and the group sluice)");
	return fd;
}

json_t *ask_daemon(const struct control_request *r, struct err *err)
{
	json_t *answer;
	int fd = connect_there(err);

	if (fd < 0)
		return NULL;
	answer = control_ask(fd, r, err);
	close(fd);
	return answer;
}
