/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/certs.h"

#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/addr.h"

#define HOUR_S 3600
#define DAY_S (24 * HOUR_S)
#define CA_BEFORE_S (2 * DAY_S)		/* as long as a leaf's and then some: it must be older */
#define CA_DAYS_S (397 * (int64_t)DAY_S)	/* longer than any session is thought to last */
#define LEAF_BEFORE_S (12 * HOUR_S)	/* clocks in containers and machines that slept are late */
#define LEAF_S (7 * DAY_S)
#define LEAF_SPARE_S DAY_S		/* a kept one that ends sooner is minted again */
#define SERIAL_BYTES 16			/* RFC 5280 4.1.2.2 allows 20; 127 bits are random */
#define COMMON_NAME_MAX 64		/* X.520 ub-common-name */

struct leaf {
	X509	*cert;
	int64_t	 until_s;
	uint8_t	 name_len;
	char	 name[CERTS_NAME_MAX];
};

struct certs {
	EVP_PKEY	*ca_key, *leaf_key;
	X509		*ca;
	struct seed	 seed;
	struct leaf	 kept[CERTS_KEPT];	/* by hash; of two in one place the later stays */
};

/* Take @ext over */
static bool add_ext(X509 *cert, int nid, bool critical, void *value)
{
	return value && X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_DEFAULT) == 1;
}

/* An extension whose text is ours alone: nothing from outside goes through this parser */
static bool add_word(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool set_serial(X509 *cert)
{
	uint8_t serial[SERIAL_BYTES];
	BIGNUM *n;
	bool ok;

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return false;
	serial[0] = (serial[0] & 0x7f) | 0x40;	/* positive, and of full length */
	n = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return ok;
}

static bool set_times(X509 *cert, int64_t from_s, int64_t until_s)
{
	return ASN1_TIME_set(X509_getm_notBefore(cert), from_s) &&
	       ASN1_TIME_set(X509_getm_notAfter(cert), until_s);
}

static bool set_common_name(X509_NAME *name, struct span text)
{
	return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, text.at,
					  (int)text.len, -1, 0) == 1;
}

/* ---- the CA ---- */

static bool ca_fill(X509 *cert, EVP_PKEY *key, int64_t now_s)
{
	char text[48];
	uint8_t tag[4];

	if (RAND_bytes(tag, sizeof(tag)) != 1)
		return false;
	/* each session's has another name: a client that knew two would try the wrong one */
	snprintf(text, sizeof(text), "sluice session CA %02x%02x%02x%02x", tag[0], tag[1], tag[2],
		 tag[3]);
	return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	       set_times(cert, now_s - CA_BEFORE_S, now_s + CA_DAYS_S) &&
	       set_common_name(X509_get_subject_name(cert), span_str(text)) &&
	       X509_set_issuer_name(cert, X509_get_subject_name(cert)) &&
	       X509_set_pubkey(cert, key) &&
	       add_word(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	       add_word(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	       add_word(cert, cert, NID_subject_key_identifier, "hash") &&
	       add_word(cert, cert, NID_authority_key_identifier, "keyid:always") &&
	       X509_sign(cert, key, EVP_sha256());
}

static bool add_secret(struct buf *b, EVP_PKEY *key, X509 *cert)
{
	int key_len = i2d_PrivateKey(key, NULL), cert_len = i2d_X509(cert, NULL);
	uint8_t *at;

	if (key_len <= 0 || cert_len <= 0 || !buf_reserve(b, (size_t)key_len + (size_t)cert_len))
		return false;
	at = b->at + b->len;
	if (i2d_PrivateKey(key, &at) != key_len || i2d_X509(cert, &at) != cert_len)
		return false;
	b->len += (size_t)key_len + (size_t)cert_len;
	return true;
}

static bool add_pem(struct buf *b, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *at = NULL;
	bool ok = bio && PEM_write_bio_X509(bio, cert) == 1;
	long len = ok ? BIO_get_mem_data(bio, &at) : 0;

	ok = ok && len > 0 && buf_add(b, at, (size_t)len);
	BIO_free(bio);
	return ok;
}

bool certs_make_ca(int64_t now_s, struct buf *ret_secret, struct buf *ret_pem)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	bool ok = key && cert && ca_fill(cert, key, now_s) && add_secret(ret_secret, key, cert) &&
		  add_pem(ret_pem, cert);

	X509_free(cert);
	EVP_PKEY_free(key);
	return ok;
}

struct certs *certs_open(struct span secret, const struct seed *seed)
{
	const unsigned char *at = secret.at;
	struct certs *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->seed = *seed;
	c->ca_key = d2i_AutoPrivateKey(NULL, &at, (long)secret.len);
	if (c->ca_key)
		c->ca = d2i_X509(NULL, &at, (long)(secret.at + secret.len - at));
	if (c->ca && X509_check_private_key(c->ca, c->ca_key) == 1)
		c->leaf_key = EVP_EC_gen("P-256");
	if (c->leaf_key)
		return c;
	certs_free(c);
	return NULL;
}

void certs_free(struct certs *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CERTS_KEPT; i++)
		X509_free(c->kept[i].cert);
	X509_free(c->ca);
	EVP_PKEY_free(c->ca_key);
	EVP_PKEY_free(c->leaf_key);
	free(c);
}

/* ---- leaves ---- */

/* Of an address its bytes, of a name its text, as they are: no text of a name is parsed */
static GENERAL_NAME *general_name(struct span name)
{
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	struct addr a;
	bool is_addr = addr_parse(name, &a), ok;

	if (is_addr)
		ok = value && ASN1_OCTET_STRING_set(value, addr_is_v4(&a) ? a.b + 12 : a.b,
						    addr_is_v4(&a) ? 4 : 16);
	else
		ok = value && ASN1_OCTET_STRING_set(value, name.at, (int)name.len);
	if (one && ok && !is_addr)
		value->type = V_ASN1_IA5STRING;
	if (one && ok) {
		GENERAL_NAME_set0_value(one, is_addr ? GEN_IPADD : GEN_DNS, value);
		return one;
	}
	ASN1_OCTET_STRING_free(value);
	GENERAL_NAME_free(one);
	return NULL;
}

/* Without a common name the alternative one is critical: RFC 5280 4.2.1.6 */
static bool add_name(X509 *cert, struct span name)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = general_name(name);
	bool bare = name.len > COMMON_NAME_MAX;
	bool ok = names && one && sk_GENERAL_NAME_push(names, one) > 0;

	if (!ok)
		GENERAL_NAME_free(one);
	ok = ok && (bare || set_common_name(X509_get_subject_name(cert), name)) &&
	     add_ext(cert, NID_subject_alt_name, bare, names);
	GENERAL_NAMES_free(names);
	return ok;
}

static X509 *mint(const struct certs *c, struct span name, int64_t now_s)
{
	X509 *cert = X509_new();

	if (cert && X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	    set_times(cert, now_s - LEAF_BEFORE_S, now_s + LEAF_S) &&
	    X509_set_issuer_name(cert, X509_get_subject_name(c->ca)) &&
	    X509_set_pubkey(cert, c->leaf_key) && add_name(cert, name) &&
	    add_word(cert, c->ca, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_word(cert, c->ca, NID_key_usage, "critical,digitalSignature") &&
	    add_word(cert, c->ca, NID_ext_key_usage, "serverAuth") &&
	    add_word(cert, c->ca, NID_subject_key_identifier, "hash") &&
	    add_word(cert, c->ca, NID_authority_key_identifier, "keyid:always") &&
	    X509_sign(cert, c->ca_key, EVP_sha256()))
		return cert;
	X509_free(cert);
	return NULL;
}

X509 *certs_leaf(struct certs *c, struct span name, int64_t now_s)
{
	struct leaf *at;
	X509 *cert;

	if (!name.len || name.len > CERTS_NAME_MAX)
		return NULL;
	at = &c->kept[hash_span(&c->seed, name) % CERTS_KEPT];
	if (at->cert && span_eq(span_of(at->name, at->name_len), name) &&
	    at->until_s > now_s && at->until_s - now_s < LEAF_S)
		return at->cert;
	cert = mint(c, name, now_s);
	if (!cert)
		return NULL;
	X509_free(at->cert);
	at->cert = cert;
	at->until_s = now_s + LEAF_S - LEAF_SPARE_S;
	at->name_len = (uint8_t)name.len;
	memcpy(at->name, name.at, name.len);
	return cert;
}

EVP_PKEY *certs_key(const struct certs *c)
{
	return c->leaf_key;
}
