/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/probed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "daemon/clock.h"

#define LIMIT_MS 4000

bool probed(struct keeper *k, const struct jail *jail, const bool *failed, struct err *err)
{
	struct err found = { "" };
	bool done = false;
	ssize_t n = 0;
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "cannot probe the jail");
	k->probing = true;
	pid = fork();
	if (pid == 0) {
		bool ok = jail_probe(jail, k->probe_token, &found);

		n = write(p[1], ok ? "+" : found.text, ok ? 1 : sizeof(found.text));
		_exit(n < 0);
	}
	close(p[1]);
	for (int64_t end = clock_ms() + LIMIT_MS;
	     pid > 0 && !done && !*failed && clock_ms() < end;) {
		event_base_loop(k->loop, EVLOOP_NONBLOCK);
		n = read(p[0], found.text, sizeof(found.text));
		done = n >= 0;
		if (!done)
			usleep(100);
	}
	close(p[0]);
	k->probing = false;
	if (pid > 0 && !done)
		kill(pid, SIGKILL);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (done && n == 1 && found.text[0] == '+')
		return true;
	return err_set(err, "the jail failed its probe: %s (nothing was started)",
		       done && n > 1 ? found.text : "no answer in time");
}
