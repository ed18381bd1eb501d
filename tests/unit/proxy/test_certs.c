/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <string.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "proxy/certs.h"

#define DAY_S 86400

/* The first certificate for a name; a sanitizer's is no measure */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MINT_MAX_US 100000
#endif
#endif
#ifndef MINT_MAX_US
#define MINT_MAX_US 1000
#endif

static const struct seed seed = { { 1, 2 } };

struct world {
	struct certs	*certs;
	X509		*ca;
};

static X509 *pem_read(struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return cert;
}

static struct world world_open(int64_t now_s)
{
	struct buf secret = buf_new(CERTS_SECRET_MAX), pem = buf_new(CERTS_PEM_MAX);
	struct world w;

	assert_true(certs_make_ca(now_s, &secret, &pem));
	w.certs = certs_open(buf_span(&secret), &seed);
	w.ca = pem_read(buf_span(&pem));
	assert_non_null(w.certs);
	assert_non_null(w.ca);
	buf_done(&secret);
	buf_done(&pem);
	return w;
}

static void world_close(struct world *w)
{
	certs_free(w->certs);
	X509_free(w->ca);
}

/* As a strict client does, at @now_s.  Return: X509_V_OK or what is wrong */
static int verify(const struct world *w, X509 *leaf, const char *name, bool is_addr, int64_t now_s)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int r;

	X509_STORE_add_cert(store, w->ca);
	X509_STORE_CTX_init(ctx, store, leaf, NULL);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_time(param, now_s);
	if (is_addr)
		X509_VERIFY_PARAM_set1_ip_asc(param, name);
	else
		X509_VERIFY_PARAM_set1_host(param, name, 0);
	X509_verify_cert(ctx);
	r = X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return r;
}

static void a_leaf_holds_for_its_name_alone(void **state)
{
	const int64_t now = time(NULL);
	struct world w = world_open(now);
	X509 *leaf = certs_leaf(w.certs, SPAN("api.example.com"), now);

	(void)state;
	assert_non_null(leaf);
	assert_int_equal(X509_check_private_key(leaf, certs_key(w.certs)), 1);
	assert_int_equal(verify(&w, leaf, "api.example.com", false, now), X509_V_OK);
	assert_int_equal(verify(&w, leaf, "example.com", false, now), X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_equal(verify(&w, leaf, "x.api.example.com", false, now),
			 X509_V_ERR_HOSTNAME_MISMATCH);
	world_close(&w);
}

static void an_address_is_an_address(void **state)
{
	const int64_t now = time(NULL);
	struct world w = world_open(now);

	(void)state;
	assert_int_equal(verify(&w, certs_leaf(w.certs, SPAN("203.0.113.7"), now), "203.0.113.7",
				true, now), X509_V_OK);
	assert_int_equal(verify(&w, certs_leaf(w.certs, SPAN("2001:db8::7"), now), "2001:db8::7",
				true, now), X509_V_OK);
	assert_int_equal(verify(&w, certs_leaf(w.certs, SPAN("203.0.113.7"), now), "203.0.113.8",
				true, now), X509_V_ERR_IP_ADDRESS_MISMATCH);
	world_close(&w);
}

static void a_name_is_not_parsed(void **state)
{
	const int64_t now = time(NULL);
	struct world w = world_open(now);
	X509 *leaf = certs_leaf(w.certs, SPAN("a.example.com,DNS:b.example.com"), now);

	(void)state;
	assert_non_null(leaf);
	assert_int_equal(verify(&w, leaf, "b.example.com", false, now), X509_V_ERR_HOSTNAME_MISMATCH);
	assert_null(certs_leaf(w.certs, SPAN(""), now));
	world_close(&w);
}

static void a_name_that_is_too_long_for_a_common_name_has_none(void **state)
{
	const int64_t now = time(NULL);
	struct world w = world_open(now);
	char name[CERTS_NAME_MAX + 2];
	X509 *leaf;

	(void)state;
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	name[CERTS_NAME_MAX] = '\0';
	leaf = certs_leaf(w.certs, span_str(name), now);
	assert_non_null(leaf);
	assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(leaf)), 0);
	assert_int_equal(verify(&w, leaf, name, false, now), X509_V_OK);
	assert_null(certs_leaf(w.certs, span_of(name, CERTS_NAME_MAX + 1), now));
	world_close(&w);
}

static void what_clients_check_is_there(void **state)
{
	const int64_t now = time(NULL);
	struct world w = world_open(now);
	X509 *leaf = certs_leaf(w.certs, SPAN("api.example.com"), now);
	BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
	int days, seconds;

	(void)state;
	assert_int_equal(X509_get_version(leaf), X509_VERSION_3);
	assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
	assert_int_equal(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_check_ca(leaf), 0);
	assert_int_equal(X509_check_ca(w.ca), 1);
	assert_int_equal(X509_get_pathlen(w.ca), 0);
	assert_non_null(X509_get0_subject_key_id(leaf));
	assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf),
					       X509_get0_subject_key_id(w.ca)), 0);
	assert_true(BN_num_bits(serial) >= 120);
	BN_free(serial);
	/* began hours ago, and is short */
	assert_int_equal(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(leaf), NULL), 1);
	assert_true(days == 0 && seconds >= 6 * 3600);
	assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(leaf)), 1);
	assert_true(days >= 6 && days <= 8);
	world_close(&w);
}

static void a_leaf_is_minted_once_until_it_is_old(void **state)
{
	const int64_t now = time(NULL);
	struct world w = world_open(now);
	X509 *first = certs_leaf(w.certs, SPAN("api.example.com"), now), *again;

	(void)state;
	X509_up_ref(first);
	assert_ptr_equal(certs_leaf(w.certs, SPAN("api.example.com"), now + DAY_S), first);
	again = certs_leaf(w.certs, SPAN("api.example.com"), now + 6 * DAY_S + 1);
	assert_ptr_not_equal(again, first);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(first),
					      X509_get0_serialNumber(again)), 0);
	assert_int_equal(verify(&w, again, "api.example.com", false, now + 7 * DAY_S), X509_V_OK);
	X509_free(first);
	world_close(&w);
}

static void more_names_than_are_kept(void **state)
{
	const int64_t now = time(NULL);
	struct world w = world_open(now);
	char name[64];

	(void)state;
	for (int i = 0; i < CERTS_KEPT + 50; i++) {
		snprintf(name, sizeof(name), "n%d.example.com", i);
		assert_non_null(certs_leaf(w.certs, span_str(name), now));
	}
	assert_int_equal(verify(&w, certs_leaf(w.certs, SPAN("n0.example.com"), now),
				"n0.example.com", false, now), X509_V_OK);
	world_close(&w);
}

/* Generous: the machine may be busy */
static void minting_takes_less_than_a_millisecond(void **state)
{
	const int64_t now = time(NULL);
	struct world w = world_open(now);
	struct timespec from, to;
	int64_t best_us = INT64_MAX, us;
	char name[64];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "m%d.example.com", i);
		clock_gettime(CLOCK_MONOTONIC, &from);
		certs_leaf(w.certs, span_str(name), now);
		clock_gettime(CLOCK_MONOTONIC, &to);
		us = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
		best_us = us < best_us ? us : best_us;
	}
	print_message("a certificate takes %lld us\n", (long long)best_us);
	assert_true(best_us < MINT_MAX_US);
	world_close(&w);
}

static void a_secret_cut_anywhere_is_none(void **state)
{
	struct buf secret = buf_new(CERTS_SECRET_MAX), pem = buf_new(CERTS_PEM_MAX);

	(void)state;
	assert_true(certs_make_ca(time(NULL), &secret, &pem));
	for (size_t i = 0; i < secret.len; i++)
		assert_null(certs_open(span_of(secret.at, i), &seed));
	/* the certificate that all may have does not hold the key */
	assert_null(memmem(secret.at + 0, secret.len, "PRIVATE", 7));
	assert_null(memmem(pem.at, pem.len, "PRIVATE", 7));
	buf_done(&secret);
	buf_done(&pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leaf_holds_for_its_name_alone),
		cmocka_unit_test(an_address_is_an_address),
		cmocka_unit_test(a_name_is_not_parsed),
		cmocka_unit_test(a_name_that_is_too_long_for_a_common_name_has_none),
		cmocka_unit_test(what_clients_check_is_there),
		cmocka_unit_test(a_leaf_is_minted_once_until_it_is_old),
		cmocka_unit_test(more_names_than_are_kept),
		cmocka_unit_test(minting_takes_less_than_a_millisecond),
		cmocka_unit_test(a_secret_cut_anywhere_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
