/* SPDX-License-Identifier: Apache-2.0 */
/*
 * java_store.c - JKS as a Java machine reads it, and certificates out of PKCS #12
 *
 * Theory
 *
 * JKS, all numbers with the highest byte first:
 *
 *	u32 0xfeedfeed, u32 version (2), u32 count,
 *	count entries: u32 kind (2: a trusted certificate), text alias, u64 ms since 1970,
 *		text "X.509", u32 length, DER
 *	SHA-1 over: the password in UTF-16, "Mighty Aphrodite", all of the above
 *
 * with a text as u16 length and bytes.  Entries have no order, so one more goes to the end: the
 * count and the digest change, and nothing in between is looked at.  The digest shows that it
 * was a store in the first place.
 *
 * A PKCS #12 file without a password has its certificates in clear.  Each is in a
 * CertBag: the object identifier x509Certificate, then [0] { OCTET STRING { DER } }.  They are
 * looked for by that, anywhere in the file: what surrounds them says nothing that a
 * Java machine's list of CAs needs.  One that is enciphered shows none.
 */
#include "jail/java_store.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define JKS_MAGIC 0xfeedfeedu
#define JKS_HEAD 12		/* bytes: magic, version, count */
#define JKS_VERSION 2
#define JKS_TRUSTED 2		/* kind of an entry */
#define DIGEST 20		/* bytes of SHA-1 */
#define DER_MAX 65536		/* bytes of a certificate; those in use have 3000 */

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void set32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void add32(struct buf *b, uint32_t value)
{
	uint8_t bytes[4];

	set32(bytes, value);
	buf_add(b, bytes, sizeof(bytes));
}

static void add_text(struct buf *b, const char *text)
{
	const uint8_t len[2] = { 0, (uint8_t)strlen(text) };

	buf_add(b, len, sizeof(len));
	buf_add_str(b, text);
}

static bool digest_of(struct span data, uint8_t ret[DIGEST])
{
	static const char salt[] = "\0c\0h\0a\0n\0g\0e\0i\0tMighty Aphrodite";
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1 &&
		  EVP_DigestUpdate(ctx, salt, sizeof(salt) - 1) == 1 &&
		  EVP_DigestUpdate(ctx, data.at, data.len) == 1 &&
		  EVP_DigestFinal_ex(ctx, ret, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

static void add_entry(struct buf *b, const char *alias, struct span der)
{
	add32(b, JKS_TRUSTED);
	add_text(b, alias);
	add32(b, 0);
	add32(b, 0);
	add_text(b, "X.509");
	add32(b, (uint32_t)der.len);
	buf_add_span(b, der);
}

/* All certificates of a PEM text; @what and their number are their names.  Return: how many */
static uint32_t add_pem(struct buf *b, struct span text, const char *what)
{
	BIO *from = text.len < INT32_MAX ? BIO_new_mem_buf(text.at, (int)text.len) : NULL;
	char *name, *header, alias[32];
	unsigned char *der;
	uint32_t count = 0;
	long len;

	while (from && PEM_read_bio(from, &name, &header, &der, &len)) {
		if (!strcmp(name, PEM_STRING_X509) && len > 0 && len <= DER_MAX) {
			snprintf(alias, sizeof(alias), "%s-%u", what, ++count);
			add_entry(b, alias, span_of(der, (size_t)len));
		}
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	BIO_free(from);
	ERR_clear_error();	/* the end of the text counts as one */
	return count;
}

/* The content of the element with @tag that @s begins with, in DER (X.690, 10.1); empty if none */
static struct span der_content(struct span s, uint8_t tag)
{
	size_t len, head = 2;

	if (s.len < 2 || s.at[0] != tag)
		return (struct span){ 0 };
	len = s.at[1];
	if (len & 0x80) {
		size_t more = len & 0x7f;

		head += more;
		if (more < 1 || more > 3 || s.len < head)
			return (struct span){ 0 };
		len = 0;
		for (size_t i = 0; i < more; i++)
			len = len << 8 | s.at[2 + i];
	}
	if (len > s.len - head)
		return (struct span){ 0 };
	return span_of(s.at + head, len);
}

static uint32_t add_pkcs12(struct buf *b, struct span file)
{
	static const uint8_t oid[] = { 0x06, 0x0a, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09,
				       0x16, 0x01 };
	uint32_t count = 0;
	const uint8_t *at;
	char alias[32];

	while ((at = memmem(file.at, file.len, oid, sizeof(oid)))) {
		struct span der;

		file = span_skip(file, (size_t)(at - file.at) + sizeof(oid));
		der = der_content(der_content(file, 0xa0), 0x04);
		if (der.len && der.len <= DER_MAX && der_content(der, 0x30).len) {
			snprintf(alias, sizeof(alias), "host-%u", ++count);
			add_entry(b, alias, der);
			file = span_skip(file, (size_t)(der.at - file.at) + der.len);
		}
		if (!file.len)
			break;
	}
	return count;
}

/* Without its digest: the caller adds to it */
static bool begin_jks(struct buf *b, struct span host, uint32_t *ret_count)
{
	struct span data = span_head(host, host.len - DIGEST);
	uint8_t digest[DIGEST];

	*ret_count = get32(host.at + 8);
	return get32(host.at + 4) == JKS_VERSION && *ret_count < UINT32_MAX &&
	       digest_of(data, digest) && !memcmp(digest, data.at + data.len, DIGEST) &&
	       buf_add_span(b, data);
}

static bool begin_anew(struct buf *b, struct span host, struct span bundle, uint32_t *ret_count)
{
	/* "SEQUENCE { INTEGER 3": PFX of RFC 7292, section 4 */
	struct span pfx = der_content(host, 0x30);

	if (!span_starts(pfx, SPAN("\x02\x01\x03")))
		return false;
	add32(b, JKS_MAGIC);
	add32(b, JKS_VERSION);
	add32(b, 0);
	*ret_count = add_pkcs12(b, host);
	if (!*ret_count)
		*ret_count = add_pem(b, bundle, "bundle");
	return true;
}

bool java_store_add(struct span host, struct span bundle, struct span pem,
		    struct buf *ret_store)
{
	struct buf *b = ret_store;
	uint8_t digest[DIGEST];
	uint32_t count = 0;
	bool ok;

	buf_clear(b);
	if (host.len >= JKS_HEAD + DIGEST && get32(host.at) == JKS_MAGIC)
		ok = begin_jks(b, host, &count);
	else
		ok = begin_anew(b, host, bundle, &count);
	if (ok && add_pem(b, pem, "sluice-session-ca") == 1 && !b->full) {
		set32(b->at + 8, count + 1);
		if (digest_of(buf_span(b), digest) && buf_add(b, digest, DIGEST))
			return true;
	}
	buf_clear(b);
	return false;
}
