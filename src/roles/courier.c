/* SPDX-License-Identifier: Apache-2.0 */
/* courier.c - sluice-courier, the program that brings alerts to the webhook; see daemon/courier.h */
#include <openssl/crypto.h>

#include "daemon/courier.h"

#include "roles/role_main.h"

int main(int argc, char **argv, char **envp)
{
	if (!role_main_is("role-courier", argc, argv, envp))
		return 1;
	/* openssl.cnf can name code to load */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	return courier_main(argc - 1, argv + 1);
}
