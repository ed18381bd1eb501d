/* SPDX-License-Identifier: Apache-2.0 */
/* gate.c - sluice-gate, the program that meets hostile bytes; see daemon/gate.h */
#include <openssl/crypto.h>

#include "daemon/gate.h"

#include "roles/role_main.h"

int main(int argc, char **argv, char **envp)
{
	if (!role_main_is("role-gate", argc, argv, envp))
		return 1;
	/* openssl.cnf can name code to load */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	return gate_main(argc - 1, argv + 1);
}
