/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "jail/trusted_ca.h"

#define CA "-----BEGIN CERTIFICATE-----\nsession\n-----END CERTIFICATE-----\n"

static void file_make(char path[64], const char *text)
{
	int fd;

	snprintf(path, 64, "/tmp/trusted_ca.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void the_bundle_is_the_hosts_and_ours(void **state)
{
	char path[64], own[64], file[128], curl[128];
	char zero[] = "GIT_SSL_CAINFO=/dev/zero", none[] = "PIP_CERT=/nowhere";
	char *envp[] = { file, curl, zero, none, NULL };
	char *text;

	(void)state;
	file_make(path, "host's\n");
	file_make(own, "user's\n");
	snprintf(file, sizeof(file), "SSL_CERT_FILE=%s", path);
	snprintf(curl, sizeof(curl), "CURL_CA_BUNDLE=%s", own);
	text = trusted_ca_text(path, CA, envp);
	/* the one that is replaced is there once; what is no file, or none, adds nothing */
	assert_string_equal(text, "host's\n\nuser's\n\n" CA);
	free(text);
	text = trusted_ca_text("/nowhere", CA, NULL);
	assert_string_equal(text, CA);
	free(text);
	unlink(path);
	unlink(own);
}

static void the_tables_end(void **state)
{
	size_t i = 0;

	(void)state;
	while (trusted_ca_bundle(i))
		assert_int_equal(trusted_ca_bundle(i++)[0], '/');
	assert_true(i > 0);
	for (i = 0; trusted_ca_variable(i); i++)
		assert_null(strchr(trusted_ca_variable(i), '='));
	assert_true(i > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bundle_is_the_hosts_and_ours),
		cmocka_unit_test(the_tables_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
