/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <stdio.h>
#include <sys/stat.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/trust.h"
#include "../daemon/tls_server.h"

static int trusted_by(SSL_CTX *ctx)
{
	return sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx)));
}

static void a_file_or_a_folder_is_trusted_and_nothing_else(void **state)
{
	const char *file = tls_server_init();
	char folder[] = "/tmp/trust-test-XXXXXX", hashed[64], plain[64], folders[96];
	struct err err = { "" };
	SSL_CTX *ctx = trust_client(file, "/nowhere", &err);

	(void)state;
	assert_non_null(ctx);
	assert_int_equal(trusted_by(ctx), 1);
	assert_int_equal(SSL_CTX_get_verify_mode(ctx), SSL_VERIFY_PEER);
	assert_int_equal(SSL_CTX_get_min_proto_version(ctx), TLS1_2_VERSION);
	SSL_CTX_free(ctx);

	assert_non_null(mkdtemp(folder));
	snprintf(hashed, sizeof(hashed), "%s/0123abcd.0", folder);
	snprintf(plain, sizeof(plain), "%s/ca.pem", folder);
	snprintf(folders, sizeof(folders), "/nowhere:%s", folder);
	assert_int_equal(symlink(file, plain), 0);
	assert_null(trust_client("/nowhere", folders, &err));	/* not named by its hash */
	assert_int_equal(symlink(file, hashed), 0);
	ctx = trust_client("/nowhere", folders, &err);
	assert_non_null(ctx);
	assert_int_equal(trusted_by(ctx), 1);
	SSL_CTX_free(ctx);
	unlink(hashed);
	unlink(plain);
	rmdir(folder);
	tls_server_done();
}

static void nothing_to_trust_is_an_error(void **state)
{
	struct err err = { "" };

	(void)state;
	assert_null(trust_client("/nowhere/file", "/nowhere", &err));
	assert_string_equal(err.text, "no trusted certificate in /nowhere/file and /nowhere (install "
			    "ca-certificates, or set SSL_CERT_FILE)");
}

static void what_is_read_is_trusted_when_it_is_parsed(void **state)
{
	const char *file = tls_server_init();
	struct buf pem = buf_new(TRUST_BYTES_MAX), junk = buf_new(TRUST_BYTES_MAX);
	struct err err = { "" };
	SSL_CTX *ctx = trust_nobody(&err);

	(void)state;
	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_get_verify_mode(ctx), SSL_VERIFY_PEER);
	assert_int_equal(trusted_by(ctx), 0);
	assert_int_equal(trust_parse(ctx, (struct span){ 0 }), 0);
	trust_read(file, "/nowhere", &pem);
	/* twice, with what is no certificate before and between */
	buf_add_str(&junk, "words\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	buf_add_span(&junk, buf_span(&pem));
	buf_add_str(&junk, "-----BEGIN X-----\nAAAA\n-----END X-----\n");
	buf_add_span(&junk, buf_span(&pem));
	assert_int_equal(trust_parse(ctx, buf_span(&junk)), 1);
	assert_int_equal(trusted_by(ctx), 1);
	SSL_CTX_free(ctx);
	buf_done(&junk);
	buf_done(&pem);
	tls_server_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_or_a_folder_is_trusted_and_nothing_else),
		cmocka_unit_test(nothing_to_trust_is_an_error),
		cmocka_unit_test(what_is_read_is_trusted_when_it_is_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
