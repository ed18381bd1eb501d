/* SPDX-License-Identifier: Apache-2.0 */
/* dashboard.c - sluice-dashboard, the program that serves the daemon's page; see daemon/dashboard.h */
#include "daemon/dashboard.h"

#include "roles/role_main.h"

int main(int argc, char **argv, char **envp)
{
	if (!role_main_is("role-dashboard", argc, argv, envp))
		return 1;
	return dashboard_main(argc - 1, argv + 1);
}
