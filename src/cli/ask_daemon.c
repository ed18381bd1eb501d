/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask_daemon.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "cli/folders.h"
#include "control/place.h"

json_t *ask_daemon(const struct control_request *r, struct err *err)
{
	char folder[PATH_MAX];
	json_t *answer;
	int fd;

	if (!folder_run(folder, err))
		return NULL;
	fd = control_connect(folder, CONTROL_DAEMON);
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		err_set(err, "the daemon does not run (sluice daemon)");
	else if (fd < 0)
		err_sys(err, -fd, "the daemon at %s/control.sock", folder);
	if (fd < 0)
		return NULL;
	answer = control_ask(fd, r, err);
	close(fd);
	return answer;
}
