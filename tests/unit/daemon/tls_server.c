/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_server.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/addr.h"
#include "base/auto.h"

#define DAY_S 86400L

static EVP_PKEY *key;			/* of all: nobody compares */
static X509 *ca, *unknown_ca;
static char ca_path[40];

static void extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert(e && X509_add_ext(cert, e, -1));
	X509_EXTENSION_free(e);
}

/* @issuer: NULL: itself */
static X509 *certificate(const char *name, const char *alt, X509 *issuer, long from_s, long to_s)
{
	static long serial = 1;
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject);
	X509_set_pubkey(cert, key);
	if (alt)
		extension(cert, issuer, NID_subject_alt_name, alt);
	else if (!issuer)
		extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
	assert(X509_sign(cert, key, EVP_sha256()));
	return cert;
}

const char *tls_server_init(void)
{
	FILE *f;
	int fd;

	key = EVP_EC_gen("P-256");
	assert(key);
	ca = certificate("CA of the test", NULL, NULL, -DAY_S, DAY_S);
	unknown_ca = certificate("CA of nobody", NULL, NULL, -DAY_S, DAY_S);
	strcpy(ca_path, "/tmp/tls-server-test-XXXXXX");
	fd = mkstemp(ca_path);
	f = fdopen(fd, "w");
	assert(f && PEM_write_X509(f, ca));
	fclose(f);
	return ca_path;
}

void tls_server_done(void)
{
	unlink(ca_path);
	X509_free(ca);
	X509_free(unknown_ca);
	EVP_PKEY_free(key);
}

#define ALT "DNS:" TLS_SERVER_NAME

static X509 *certificate_for(enum tls_fault fault)
{
	switch (fault) {
	case TLS_WRONG_NAME:
		return certificate("other.example", "DNS:other.example", ca, -DAY_S, DAY_S);
	case TLS_CN_ONLY:
		/* an alternative name that is none of DNS makes the common name count for nothing */
		return certificate(TLS_SERVER_NAME, "DNS:other.example", ca, -DAY_S, DAY_S);
	case TLS_WILDCARD:
		return certificate("x", "DNS:*.dns.example", ca, -DAY_S, DAY_S);
	case TLS_EXPIRED:
		return certificate(TLS_SERVER_NAME, ALT, ca, -2 * DAY_S, -DAY_S);
	case TLS_NOT_YET:
		return certificate(TLS_SERVER_NAME, ALT, ca, DAY_S, 2 * DAY_S);
	case TLS_UNKNOWN_CA:
		return certificate(TLS_SERVER_NAME, ALT, unknown_ca, -DAY_S, DAY_S);
	case TLS_SELF_SIGNED:
		return certificate(TLS_SERVER_NAME, ALT, NULL, -DAY_S, DAY_S);
	default:
		return certificate(TLS_SERVER_NAME, ALT, ca, -DAY_S, DAY_S);
	}
}

static SSL_CTX *context(enum tls_fault fault)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	X509 *own = certificate_for(fault);

	assert(ctx && SSL_CTX_use_certificate(ctx, own) == 1 &&
	       SSL_CTX_use_PrivateKey(ctx, key) == 1);
	X509_free(own);
	if (fault == TLS_OLD) {
		SSL_CTX_set_min_proto_version(ctx, TLS1_1_VERSION);
		SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
		SSL_CTX_set_security_level(ctx, 0);
	}
	return ctx;
}

static bool read_all(SSL *ssl, uint8_t *at, size_t len)
{
	while (len) {
		int n = SSL_read(ssl, at, (int)len);

		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* A message behind its length.  Return: bytes of the answer with its length, 0: the end */
static size_t question_answer(SSL *ssl, struct dns_shared *shared, uint8_t *out, size_t size)
{
	uint8_t in[4096], head[2];
	size_t len;

	if (!read_all(ssl, head, 2))
		return 0;
	len = (size_t)(head[0] << 8 | head[1]);
	if (len > sizeof(in) || !read_all(ssl, in, len))
		return 0;
	len = dns_server_answer(shared, span_of(in, len), true, out + 2, size - 2);
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	return 2 + len;
}

static void spoil(enum tls_fault fault, uint8_t *out, size_t *len)
{
	if (fault == TLS_LIES_ID)
		out[2] ^= 0x55;
	else if (fault == TLS_LIES_QUESTION)
		out[15] ^= 1;		/* a letter of the name */
	else if (fault == TLS_CUT)
		out[1] = (uint8_t)(--*len - 2);
	else if (fault == TLS_GARBAGE)
		memcpy(out, "\0\1x", *len = 3);
	else if (fault == TLS_MUTE)
		*len = 0;
}

static void talk(SSL *ssl, enum tls_fault fault, struct dns_shared *shared)
{
	static uint8_t first[32768], out[32768];
	size_t len, first_len = 0;

	while ((len = question_answer(ssl, shared, out, sizeof(out)))) {
		if (len == 2)
			continue;	/* silence */
		spoil(fault, out, &len);
		if (fault == TLS_BACKWARDS && !first_len) {
			memcpy(first, out, first_len = len);
			continue;
		}
		for (size_t i = 0; fault == TLS_DRIPS && i + 1 < len; i++) {
			SSL_write(ssl, out + i, 1);
			usleep(200);
		}
		if (fault == TLS_DRIPS)
			SSL_write(ssl, out + len - 1, 1);
		else if (len)
			SSL_write(ssl, out, (int)len);
		if (first_len)
			SSL_write(ssl, first, (int)first_len);
		first_len = 0;
		if (fault == TLS_ONE_EACH) {
			SSL_shutdown(ssl);
			return;
		}
	}
}

/* Whoever speaks DNS here without TLS has asked; others get FORMERR */
static void talk_plain(int fd, struct dns_shared *shared)
{
	uint8_t in[4096], out[14] = { 0, 12, [4] = 0x80, [5] = 1 };
	ssize_t n;

	while ((n = read(fd, in, sizeof(in))) > 4) {
		if (memmem(in, (size_t)n, "\4both", 5) || memmem(in, (size_t)n, "\5texts", 6))
			atomic_fetch_add(&shared->asked, 1);
		memcpy(out + 2, in + 2, 2);
		if (write(fd, out, sizeof(out)) < 0)
			return;
	}
}

static _Noreturn void serve_one(int fd, SSL_CTX *ctx, enum tls_fault fault, struct dns_shared *shared)
{
	SSL *ssl = SSL_new(ctx);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	atomic_fetch_add(&shared->connections, 1);
	if (fault == TLS_HANGS_UP)
		_exit(0);
	if (fault == TLS_GARBAGE_FIRST && write(fd, "SSH-2.0-x\r\nSSH-2.0-x\r\n", 22) < 0)
		_exit(1);
	if (fault == TLS_GARBAGE_FIRST || fault == TLS_MUTE_FIRST) {
		sleep(30);
		_exit(0);
	}
	if (fault == TLS_PLAIN) {
		talk_plain(fd, shared);
		_exit(0);
	}
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		atomic_fetch_add(&shared->handshakes, 1);
		talk(ssl, fault, shared);
	}
	_exit(0);
}

struct dns_server tls_server_start(const char *addr, enum tls_fault fault)
{
	struct dns_server s = { .addr = addr };
	SSL_CTX *ctx = context(fault);
	int listener = dns_server_socket(addr, 853, SOCK_STREAM);

	s.shared = mmap(NULL, sizeof(*s.shared), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(s.shared != MAP_FAILED);
	s.pid = fork();
	if (!s.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* a role's end of its socket is not for us to hold open */
		if (listener != 3)
			listener = dup2(listener, 3);
		close_range(4, ~0u, 0);
		signal(SIGCHLD, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int fd = accept(listener, NULL, NULL);

			if (fd >= 0 && fork() == 0) {
				close(listener);
				serve_one(fd, ctx, fault, s.shared);
			}
			close(fd);
		}
	}
	close(listener);
	SSL_CTX_free(ctx);
	return s;
}
