/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "policy/load.h"

/* Two certificates of CAs, for a hundred years */
#define CORP \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIIBezCCASGgAwIBAgIUM1VMAUML/wiFR229URi1lfPX3OswCgYIKoZIzj0EAwIw\n" \
	"EjEQMA4GA1UEAwwHY29ycCBDQTAgFw0yNjExMjcxNTQwMzBaGA8yMTI2MTEwMzE1\n" \
	"NDAzMFowEjEQMA4GA1UEAwwHY29ycCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n" \
	"A0IABJCDfj28TBh37CDwnPr0Fz+3ZmCG0gi7qh4M7NEBi0PBLqmW5En0KJ2Cyx15\n" \
	"os53FawxsPq+kd4IX7mQHvG0Zz2jUzBRMB0GA1UdDgQWBBQz3RQx7Q2JEuIdPJlG\n" \
	"oKzYN3/hxzAfBgNVHSMEGDAWgBQz3RQx7Q2JEuIdPJlGoKzYN3/hxzAPBgNVHRMB\n" \
	"Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQDyMwVeKbxWTYaas2EQwFit4eDZ\n" \
	"T0HcmgwCrAAhaP9gagIgQmStDJ/XraSAMUPiAWjZRyxMr5FxL3fWlNhOmOU7VRw=\n" \
	"-----END CERTIFICATE-----\n"

#define OTHER \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIIBfTCCASOgAwIBAgIUcLgTtDeOtu7tEryQnFawtKFl5GAwCgYIKoZIzj0EAwIw\n" \
	"EzERMA8GA1UEAwwIb3RoZXIgQ0EwIBcNMjYxMTI3MTU0MDMwWhgPMjEyNjExMDMx\n" \
	"NTQwMzBaMBMxETAPBgNVBAMMCG90aGVyIENBMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n" \
	"AQcDQgAEfggz4xCyv6osJxBZmB9rLOqhxkB+Sc8AnagZ0hpEWZn4dfcVaj08leXh\n" \
	"FlPfwCP26AwM91hcr+SCFDY2rUV9PqNTMFEwHQYDVR0OBBYEFLbAvyf0f8yYMMLi\n" \
	"dSOLZVC5rBOxMB8GA1UdIwQYMBaAFLbAvyf0f8yYMMLidSOLZVC5rBOxMA8GA1Ud\n" \
	"EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgNY1Klxpj2oqqPji9E9dxQHtF\n" \
	"Csut0wsdWz6GUCGG1jICIQCQFgH8J/N1sUQ6D2q/X017w39wOjHfbwNBlUowFVI0\n" \
	"iQ==\n" \
	"-----END CERTIFICATE-----\n"

#define KEY "-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n"

struct file { const char *path, *text; };

static ptrdiff_t read_piece(void *arg, const char *path, enum layer layer, uint64_t at,
			    void *ret_bytes, size_t room)
{
	(void)layer;
	for (const struct file *f = arg; f->path; f++) {
		struct span text = span_skip(span_str(f->text), (size_t)at);

		if (strcmp(f->path, path) != 0)
			continue;
		text = span_head(text, room < 100 ? room : 100);
		if (text.len)
			memcpy(ret_bytes, text.at, text.len);
		return (ptrdiff_t)text.len;
	}
	return -1;
}

static struct policy *load(enum layer layer, const char *text, const struct file *files,
			   struct err *err)
{
	struct policy_file file = { layer, "/etc/p/p.yaml", span_str(text) };
	struct policy_input in = { .files = &file, .file_count = 1, .list_read = read_piece,
				   .arg = (void *)(uintptr_t)files };

	return policy_load(&in, err);
}

static void certificates_come_into_the_image(void **state)
{
	static const struct file files[] = {
		{ "/etc/p/ca.pem", "corp CA\n" CORP }, { "/abs/both.pem", OTHER CORP },
		{ "/etc/p/again.pem", CORP "a comment\n" }, { NULL, NULL },
	};
	struct err err = { "" };
	struct policy *p = load(LAYER_USER, "version: 1\ntls_ca: [ca.pem, /abs/both.pem]\n", files, &err);
	struct policy *q = load(LAYER_USER, "version: 1\ntls_ca: [again.pem, /abs/both.pem]\n", files, &err);
	struct policy *none = load(LAYER_USER, "version: 1\n", files, &err);

	(void)state;
	assert_non_null(p);
	assert_int_equal(policy_settings(p).ca_count, 2);
	assert_string_equal(policy_ca(p, 0).path, "/etc/p/ca.pem");
	assert_string_equal(policy_ca(p, 0).pem, CORP);
	assert_string_equal(policy_ca(p, 1).path, "/abs/both.pem");
	assert_string_equal(policy_ca(p, 1).pem, OTHER CORP);
	/* what is written around them changes nothing, what they are does */
	assert_string_equal(policy_sha256(p), policy_sha256(q));
	assert_string_not_equal(policy_sha256(p), policy_sha256(none));
	assert_true(policy_same_ca(p, q));
	assert_false(policy_same_ca(p, none));
	policy_free(p);
	policy_free(q);
	policy_free(none);
}

static void a_file_that_is_not_right_refuses_the_policy(void **state)
{
	static const struct { const char *text, *words; } rows[] = {
		{ "", "found no certificate" },
		{ "nothing\n", "found no certificate" },
		{ KEY, "found a private key" },
		{ CORP KEY, "found a private key" },
		{ CORP "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n",
		  "found a block that is no certificate" },
		{ CORP "-----BEGIN CERTIFICATE-----\n", "found a block that is not PEM" },
		{ "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "found " },
		{ "-----BEGIN X509 CRL-----\nMAAA\n-----END X509 CRL-----\n",
		  "found a block that is no certificate" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct file files[] = { { "/etc/p/ca.pem", rows[i].text }, { NULL, NULL } };
		struct err err = { "" };

		assert_null(load(LAYER_USER, "version: 1\ntls_ca: [ca.pem]\n", files, &err));
		if (!strstr(err.text, rows[i].words) || strncmp(err.text, "/etc/p/ca.pem: ", 15) != 0)
			fail_msg("%zu: %s", i, err.text);
	}
}

static void what_is_too_much_refuses_it_too(void **state)
{
	static char large[(1 << 20) + 2];
	const struct file files[] = { { "/etc/p/ca.pem", CORP }, { "/etc/p/large", large },
				      { NULL, NULL } };
	struct buf text = buf_new(4096);
	struct err err = { "" };

	(void)state;
	memset(large, '#', sizeof(large) - 1);
	assert_null(load(LAYER_USER, "version: 1\ntls_ca: [large]\n", files, &err));
	assert_non_null(strstr(err.text, "found too many bytes"));
	err = (struct err){ "" };
	assert_null(load(LAYER_USER, "version: 1\ntls_ca: [absent]\n", files, &err));
	assert_non_null(strstr(err.text, "/etc/p/absent: found no file that can be read"));
	err = (struct err){ "" };
	buf_add_str(&text, "version: 1\ntls_ca: [ca.pem");
	for (int i = 0; i < 64; i++)
		buf_add_str(&text, ", ca.pem");
	buf_add(&text, "]\n", 3);
	assert_null(load(LAYER_USER, (const char *)text.at, files, &err));
	assert_non_null(strstr(err.text, "at most 64"));
	buf_done(&text);
}

static void a_repository_cannot_say_who_is_trusted(void **state)
{
	static const struct file files[] = { { "/etc/p/ca.pem", CORP }, { NULL, NULL } };
	struct err err = { "" };

	(void)state;
	assert_null(load(LAYER_PROJECT, "version: 1\ntls_ca: [ca.pem]\n", files, &err));
	assert_non_null(strstr(err.text, "tls_ca"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_come_into_the_image),
		cmocka_unit_test(a_file_that_is_not_right_refuses_the_policy),
		cmocka_unit_test(what_is_too_much_refuses_it_too),
		cmocka_unit_test(a_repository_cannot_say_who_is_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
