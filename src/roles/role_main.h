/* SPDX-License-Identifier: Apache-2.0 */
/* role_main.h - what the main() of each program of a role does first */
#ifndef SLUICE_ROLES_ROLE_MAIN_H
#define SLUICE_ROLES_ROLE_MAIN_H

#include <stdio.h>
#include <string.h>

#include "jail/program.h"

/* Are we started as @word, by a sluice of this build?  Else it is said on stderr. */
static inline bool role_main_is(const char *word, int argc, char **argv, char **envp)
{
	if (argc < 2 || strcmp(argv[1], word) != 0) {
		fprintf(stderr, "sluice: %s: started by hand (sluice run starts it)\n", word);
		return false;
	}
	if (!program_is_marked(envp)) {
		fprintf(stderr, "sluice: %s: of another build than sluice (install both anew)\n",
			word);
		return false;
	}
	return true;
}

#endif
