/* SPDX-License-Identifier: Apache-2.0 */
/* selftest_role.c - making the attempts, in the jail and outside */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/commands.h"
#include "cli/selftest.h"

#define ATTEMPT_LIMIT_S 5	/* then it is killed: it hangs, so nothing was reached */

static const struct attempt *const tables[] = {
	selftest_net, selftest_unix, selftest_kernel, selftest_files,
};

const struct attempt *selftest_attempt(unsigned number)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct attempt *a = tables[i]; a->name; a++)
			if (!number--)
				return a;
	return NULL;
}

size_t selftest_message(const struct aim *aim, char ret_text[SELFTEST_MESSAGE])
{
	return (size_t)snprintf(ret_text, SELFTEST_MESSAGE, "%s %d %u\n", aim->token,
				(int)aim->place, aim->number);
}

/* A crash or a hang is an attempt that did not work; what it started goes with it */
static bool perform(const struct attempt *a, const struct aim *aim)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		setsid();	/* no terminal but one that it makes itself */
		signal(SIGPIPE, SIG_IGN);
		alarm(ATTEMPT_LIMIT_S);
		_exit(a->try(aim) ? 1 : 0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0)
		kill(-pid, SIGKILL);
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static bool wanted(const struct attempt *a, const struct aim *aim)
{
	if (a->possible && !a->possible(aim))
		return false;
	return aim->place == PLACE_INSIDE || a->control == CONTROL_MUST ||
	       a->control == CONTROL_MAY;
}

void selftest_perform(const struct aim *aim, FILE *to)
{
	struct aim now = *aim;
	const struct attempt *a;

	fprintf(to, "ready\n");
	for (now.number = 0; (a = selftest_attempt(now.number)); now.number++) {
		if (!wanted(a, &now))
			continue;
		fflush(to);	/* a fork must not print it twice */
		fprintf(to, "%u %d\n", now.number, perform(a, &now));
	}
	fflush(to);
}

int selftest_role_main(int argc, char **argv)
{
	struct aim aim = { .number = 0 };
	size_t got = 0;
	ssize_t n = 1;

	(void)argc, (void)argv;
	while (got < sizeof(aim) && n > 0) {
		n = read(STDIN_FILENO, (char *)&aim + got, sizeof(aim) - got);
		got += n > 0 ? (size_t)n : 0;
	}
	if (got < sizeof(aim)) {
		fprintf(stderr, "sluice: role-selftest: started by hand\n");
		return EXIT_SLUICE;
	}
	selftest_perform(&aim, stdout);
	return 0;
}
