/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/trust.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/span.h"

#define FILES_MAX 4096		/* of a folder; Debian has some 140 */
#define HASH_DIGITS 8

/* HASH.NUMBER, as openssl-rehash(1) names links; other files OpenSSL does not look at either */
static bool is_hashed(const char *name)
{
	size_t digits = strspn(name, "0123456789abcdef");
	size_t number = digits == HASH_DIGITS && name[digits] == '.' ?
			strspn(name + digits + 1, "0123456789") : 0;

	return number && !name[digits + 1 + number];
}

static void folder_load(X509_STORE *store, const char *folder)
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
			X509_STORE_load_file(store, path);
	}
	if (dir)
		closedir(dir);
}

static void folders_load(X509_STORE *store, const char *folders)
{
	struct span rest = span_str(folders);
	char folder[PATH_MAX];

	while (rest.len) {
		ptrdiff_t colon = span_find(rest, ':');
		struct span one = colon < 0 ? rest : span_head(rest, (size_t)colon);

		if (one.len && span_copy(one, folder, sizeof(folder)))
			folder_load(store, folder);
		rest = span_skip(rest, one.len + 1);
	}
}

/* What cannot be read is not trusted; that is said only if nothing is left */
static bool trust_load(SSL_CTX *ctx, const char *file, const char *folders, struct err *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	if (!file)
		file = X509_get_default_cert_file();
	if (!folders)
		folders = X509_get_default_cert_dir();
	X509_STORE_load_file(store, file);
	folders_load(store, folders);
	ERR_clear_error();
	return sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) > 0 ||
	       err_set(err, "no trusted certificate in %s and %s (install ca-certificates, or set "
		       "SSL_CERT_FILE)", file, folders);
}

SSL_CTX *trust_client(const char *file, const char *folders, enum trust_need need,
		      struct err *err)
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
	if (!trust_load(ctx, file, folders, err) && need == TRUST_SOMETHING) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}
