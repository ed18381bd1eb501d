/* SPDX-License-Identifier: Apache-2.0 */
/* Input: names, one a line, that certificates are wanted for; some come again */
#include "fuzz.h"

#include <time.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/addr.h"
#include "proxy/certs.h"

static struct certs *certs;
static X509 *ca;
static int64_t now_s;

static void setup(void)
{
	struct buf secret = buf_new(CERTS_SECRET_MAX), pem = buf_new(CERTS_PEM_MAX);
	const struct seed seed = { { 1, 2 } };
	BIO *bio;

	if (certs)
		return;
	now_s = time(NULL);
	assert(certs_make_ca(now_s, &secret, &pem));
	certs = certs_open(buf_span(&secret), &seed);
	bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert(certs && ca);
	BIO_free(bio);
	buf_done(&secret);
	buf_done(&pem);
}

/* It is for that name, whole, and for no other */
static void check_name(const GENERAL_NAME *got, struct span name)
{
	struct addr a, named;

	if (got->type == GEN_DNS) {
		const ASN1_IA5STRING *text = got->d.dNSName;

		assert(span_eq(span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)),
			       name));
		assert(!addr_parse(name, &a));
		return;
	}
	assert(got->type == GEN_IPADD && addr_parse(name, &a));
	if (ASN1_STRING_length(got->d.iPAddress) == 4) {
		const uint8_t *b = ASN1_STRING_get0_data(got->d.iPAddress);

		named = addr_v4((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]);
	} else {
		assert(ASN1_STRING_length(got->d.iPAddress) == 16);
		memcpy(named.b, ASN1_STRING_get0_data(got->d.iPAddress), 16);
	}
	assert(addr_eq(&a, &named));
}

static void check_leaf(X509 *leaf, struct span name)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);

	assert(names && sk_GENERAL_NAME_num(names) == 1);
	check_name(sk_GENERAL_NAME_value(names, 0), name);
	GENERAL_NAMES_free(names);
	assert(X509_verify(leaf, X509_get0_pubkey(ca)) == 1);
	assert(EVP_PKEY_eq(X509_get0_pubkey(leaf), certs_key(certs)) == 1);
	assert(X509_check_ca(leaf) == 0);
	assert(X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0);
}

static void fuzz_one(struct span input)
{
	setup();
	for (int round = 0; round < 2; round++) {
		struct span left = input;

		while (left.len) {
			ptrdiff_t end = span_find(left, '\n');
			struct span name = end < 0 ? left : span_head(left, (size_t)end);
			X509 *leaf = certs_leaf(certs, name, now_s);

			assert(!leaf || (name.len && name.len <= CERTS_NAME_MAX));
			if (leaf)
				check_leaf(leaf, name);
			left = span_skip(left, name.len + 1);
		}
	}
}
