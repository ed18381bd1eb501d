/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/event.h>
#include <idn2.h>
#include <jansson.h>
#include <libpsl.h>
#include <openssl/crypto.h>
#include <seccomp.h>
#include <unbound.h>
#include <yaml.h>

#include "cli/commands.h"
#include "revision.h"

void version_print(FILE *to)
{
	const struct scmp_version *seccomp = seccomp_version();

	fprintf(to, "sluice %s (%s)\n", SLUICE_VERSION, SLUICE_REVISION);
	fprintf(to, "%s\n", OpenSSL_version(OPENSSL_VERSION));
	fprintf(to, "libevent %s\n", event_get_version());
	fprintf(to, "libunbound %s\n", ub_version());
	fprintf(to, "libyaml %s\n", yaml_get_version_string());
	fprintf(to, "libidn2 %s\n", idn2_check_version(NULL));
	fprintf(to, "libpsl %s\n", psl_get_version());
	fprintf(to, "jansson %s\n", jansson_version_str());
	fprintf(to, "libseccomp %u.%u.%u\n", seccomp->major, seccomp->minor, seccomp->micro);
}
