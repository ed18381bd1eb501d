/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.c - sluice-resolver, the program that meets hostile DNS answers; see daemon/resolver.h */
#include <openssl/crypto.h>
#include <unbound.h>

#include "daemon/resolve.h"
#include "roles/role_main.h"

int main(int argc, char **argv, char **envp)
{
	if (argc == 2 && !strcmp(argv[1], "--version"))
		return printf("libunbound %s\n", ub_version()) < 0;
	if (!role_main_is("role-resolver", argc, argv, envp))
		return 1;
	/* openssl.cnf can name code to load */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	return resolver_main(argc - 1, argv + 1);
}
