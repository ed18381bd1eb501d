/* SPDX-License-Identifier: Apache-2.0 */
/* exporter.c - sluice-exporter, the program that serves /metrics; see daemon/exporter.h */
#include "daemon/exporter.h"

#include "roles/role_main.h"

int main(int argc, char **argv, char **envp)
{
	if (!role_main_is("role-exporter", argc, argv, envp))
		return 1;
	return exporter_main(argc - 1, argv + 1);
}
