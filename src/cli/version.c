/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/event.h>
#include <idn2.h>
#include <jansson.h>
#include <libpsl.h>
#include <limits.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <seccomp.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yaml.h>

#include "base/auto.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "jail/program.h"
#include "revision.h"

/* Only the resolver's program has its library; it is asked */
static void resolver_print(void)
{
	char folder[PATH_MAX], path[PROGRAM_PATH_MAX];
	struct programs p;
	struct err err = { "" };
	pid_t pid;

	if (!folder_programs(folder, &err) || !programs_open(folder, &p, &err)) {
		complain(&err);
		return;
	}
	program_path(p.fd[PROGRAM_RESOLVER], path);
	pid = vfork();
	if (pid == 0) {
		execl(path, "sluice", "--version", (char *)NULL);
		_exit(1);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	programs_close(&p);
}

void version_print(FILE *to)
{
	const struct scmp_version *seccomp = seccomp_version();

	fprintf(to, "sluice %s (%s)\n", SLUICE_VERSION, SLUICE_REVISION);
	fprintf(to, "%s\n", OpenSSL_version(OPENSSL_VERSION));
	fprintf(to, "libnghttp2 %s\n", nghttp2_version(0)->version_str);
	fprintf(to, "libevent %s\n", event_get_version());
	fprintf(to, "libyaml %s\n", yaml_get_version_string());
	fprintf(to, "libidn2 %s\n", idn2_check_version(NULL));
	fprintf(to, "libpsl %s\n", psl_get_version());
	fprintf(to, "jansson %s\n", jansson_version_str());
	fprintf(to, "libseccomp %u.%u.%u\n", seccomp->major, seccomp->minor, seccomp->micro);
	fflush(to);
	resolver_print();
}
