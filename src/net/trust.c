/* SPDX-License-Identifier: Apache-2.0 */
#include "net/trust.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/read.h"

#define FILES_MAX 4096		/* of a folder; Debian has some 140 */
#define HASH_DIGITS 8

static const char *file_or_default(const char *file)
{
	return file ? file : X509_get_default_cert_file();
}

static const char *folders_or_default(const char *folders)
{
	return folders ? folders : X509_get_default_cert_dir();
}

/* ---- reading ---- */

/* What cannot be read adds nothing: it is not trusted then */
static void file_read(const char *path, struct buf *pem)
{
	read_regular(path, pem);
	if (pem->len)
		buf_add_str(pem, "\n");	/* a file may end within a line */
}

/* HASH.NUMBER, as openssl-rehash(1) names links; other files OpenSSL does not look at either */
static bool is_hashed(const char *name)
{
	size_t digits = strspn(name, "0123456789abcdef");
	size_t number = digits == HASH_DIGITS && name[digits] == '.' ?
			strspn(name + digits + 1, "0123456789") : 0;

	return number && !name[digits + 1 + number];
}

static void folder_read(const char *folder, struct buf *pem)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[PATH_MAX];
	int files = 0;

	while (dir && files < FILES_MAX && (entry = readdir(dir))) {
		if (!is_hashed(entry->d_name))
			continue;
		files++;
		if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < PATH_MAX)
			file_read(path, pem);
	}
	if (dir)
		closedir(dir);
}

void trust_read(const char *file, const char *folders, struct buf *pem)
{
	struct span rest;
	char folder[PATH_MAX];

	file_read(file_or_default(file), pem);
	if (!folders && pem->len)
		return;
	rest = span_str(folders_or_default(folders));
	while (rest.len) {
		ptrdiff_t colon = span_find(rest, ':');
		struct span one = colon < 0 ? rest : span_head(rest, (size_t)colon);

		if (one.len && span_copy(one, folder, sizeof(folder)))
			folder_read(folder, pem);
		rest = span_skip(rest, one.len + 1);
	}
}

/* ---- parsing ---- */

static void add(X509_STORE *store, const char *name, const unsigned char *der, long len)
{
	X509 *cert = NULL;

	if (!strcmp(name, PEM_STRING_X509) || !strcmp(name, PEM_STRING_X509_OLD))
		cert = d2i_X509(NULL, &der, len);
	else if (!strcmp(name, PEM_STRING_X509_TRUSTED))
		cert = d2i_X509_AUX(NULL, &der, len);
	if (cert)
		X509_STORE_add_cert(store, cert);
	X509_free(cert);
}

int trust_parse(SSL_CTX *ctx, struct span pem)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *from = BIO_new_mem_buf(pem.at, (int)(pem.len < INT_MAX ? pem.len : INT_MAX));
	char *name, *header;
	unsigned char *der;
	long len;

	while (from && PEM_read_bio(from, &name, &header, &der, &len)) {
		add(store, name, der, len);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	BIO_free(from);
	ERR_clear_error();
	return sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
}

/* ---- contexts ---- */

SSL_CTX *trust_nobody(struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	uint8_t warm;

	if (!ctx || RAND_bytes(&warm, 1) != 1 ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
		SSL_CTX_free(ctx);
		err_set(err, "OpenSSL does not start: %s",
			ERR_reason_error_string(ERR_peek_error()));
		return NULL;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

SSL_CTX *trust_client(const char *file, const char *folders, struct err *err)
{
	struct buf pem = buf_new(TRUST_BYTES_MAX);
	SSL_CTX *ctx = trust_nobody(err);

	trust_read(file, folders, &pem);
	if (ctx && !trust_parse(ctx, buf_span(&pem))) {
		SSL_CTX_free(ctx);
		ctx = NULL;
		err_set(err, "no trusted certificate in %s and %s (install ca-certificates, or set "
			"SSL_CERT_FILE)", file_or_default(file), folders_or_default(folders));
	}
	buf_done(&pem);
	return ctx;
}
