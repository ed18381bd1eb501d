/* SPDX-License-Identifier: Apache-2.0 */
/* jail.c - sluice-jail: the shim in the jail, and the broker beside it */
#include "jail/jail.h"

#include "roles/role_main.h"

int main(int argc, char **argv, char **envp)
{
	/* Its environment is the command's: there is no mark.  What it says to the keeper is a byte. */
	if (argc > 1 && !strcmp(argv[1], "role-shim"))
		return shim_main(argc - 1, argv + 1);
	if (!role_main_is("role-broker", argc, argv, envp))
		return 1;
	return broker_main(argc - 1, argv + 1);
}
