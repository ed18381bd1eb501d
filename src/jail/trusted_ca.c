/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/trusted_ca.h"

#include <stdbool.h>
#include <string.h>

#include "base/read.h"

#define BUNDLE_MAX (4u << 20)	/* bytes; Mozilla's list has 220 KiB */

static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",			/* Debian, Arch, Gentoo */
	"/etc/pki/tls/certs/ca-bundle.crt",			/* Fedora, RHEL 6 and later */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/ca-bundle.pem",				/* SUSE */
	"/var/lib/ca-certificates/ca-bundle.pem",
	"/etc/ssl/cert.pem",					/* Alpine */
	NULL
};

static const char *const variables[] = {
	"SSL_CERT_FILE",	/* OpenSSL, Go, rustls-native-certs, Python's ssl */
	"CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
	"REQUESTS_CA_BUNDLE", "PIP_CERT",
	"NODE_EXTRA_CA_CERTS", "DENO_CERT",
	"CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE",
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",	/* gRPC's core: C++, Python, Ruby, PHP */
	"NIX_SSL_CERT_FILE",
	NULL
};

const char *trusted_ca_bundle(size_t i)
{
	return bundles[i];
}

const char *trusted_ca_variable(size_t i)
{
	return variables[i];
}

const char *trusted_ca_path(void)
{
	size_t i = 0;

	while (bundles[i] && access(bundles[i], R_OK) != 0)
		i++;
	return bundles[i];
}

/* What cannot be read adds nothing: it is not trusted then, as outside */
static void add_file(struct buf *b, const char *path)
{
	struct buf file = buf_new(BUNDLE_MAX);

	if (read_regular(path, &file)) {
		buf_add_span(b, buf_span(&file));
		buf_add_str(b, "\n");
	}
	buf_done(&file);
}

/* The value of variable @i in @envp, unless it names nothing or @path */
static const char *other_bundle(size_t i, char *const *envp, const char *path)
{
	size_t len = strlen(variables[i]);

	for (; envp && *envp; envp++)
		if (!strncmp(*envp, variables[i], len) && (*envp)[len] == '=')
			return strcmp(*envp + len + 1, path) != 0 ? *envp + len + 1 : NULL;
	return NULL;
}

char *trusted_ca_text(const char *path, const char *pem, char *const *envp)
{
	struct buf b = buf_new(4 * BUNDLE_MAX);
	const char *last = NULL;

	add_file(&b, path);
	for (size_t i = 0; variables[i]; i++) {
		const char *other = other_bundle(i, envp, path);

		/* most who set one set all, to one file */
		if (other && *other && !(last && !strcmp(last, other)))
			add_file(&b, other);
		last = other ? other : last;
	}
	buf_add_str(&b, pem);
	buf_add(&b, "", 1);
	if (b.full)
		buf_done(&b);
	return (char *)b.at;
}
