/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_confine_libraries.c - libevent, libunbound and OpenSSL work behind the walls
 *
 * The lists of confine.c are what these libraries were seen to call.  Another
 * version may call more, and dies: this test is to find out first.
 */
#include "../unit.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unbound.h>
#include <unbound-event.h>

#include "jail/jail.h"

#define ANSWER_BYTES 16		/* one A record with a compressed name */

/* ---- a name server: UDP says "ask over TCP", TCP answers ----------------- */

static int server_udp, server_tcp;
static uint16_t server_port;

static void server_make(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	server_udp = socket(AF_INET, SOCK_DGRAM, 0);
	server_tcp = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(server_tcp, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(server_tcp, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(bind(server_udp, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(server_tcp, 8), 0);
	server_port = ntohs(a.sin_port);
}

/* Where the question ends, after name, type and class */
static size_t question_end(const uint8_t *m, size_t len)
{
	size_t at = 12;

	while (at < len && m[at])
		at += m[at] + 1u;
	return at + 5;
}

static void server_udp_once(void)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	uint8_t m[512];
	ssize_t n = recvfrom(server_udp, m, sizeof(m), 0, (struct sockaddr *)&from, &len);

	if (n < 12)
		return;
	m[2] = 0x86;	/* answer, authoritative, truncated */
	m[3] = 0x80;
	m[11] = 0;	/* no EDNS */
	sendto(server_udp, m, question_end(m, (size_t)n), 0, (struct sockaddr *)&from, len);
}

static void server_tcp_once(void)
{
	static const uint8_t record[ANSWER_BYTES] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4,
						      203, 0, 113, 7 };
	int fd = accept(server_tcp, NULL, NULL);
	uint8_t m[1024];
	ssize_t n = read(fd, m, sizeof(m));
	size_t end;

	if (n >= 14) {
		end = 2 + question_end(m + 2, (size_t)n - 2);
		memcpy(m + end, record, sizeof(record));
		end += sizeof(record);
		m[0] = (uint8_t)((end - 2) >> 8);
		m[1] = (uint8_t)(end - 2);
		m[4] = 0x84;
		m[5] = 0x80;
		m[9] = 1;
		m[13] = 0;
		n = write(fd, m, end);
	}
	close(fd);
}

static void server_run(void)
{
	struct pollfd p[] = { { server_udp, POLLIN, 0 }, { server_tcp, POLLIN, 0 } };

	for (;;) {
		poll(p, 2, -1);
		if (p[0].revents)
			server_udp_once();
		if (p[1].revents)
			server_tcp_once();
	}
}

/* ---- resolver ------------------------------------------------------------ */

static bool resolved;

static void on_answer(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
	(void)sec;
	(void)why;
	(void)limited;
	resolved = rcode == 0 && memmem(packet, (size_t)len, "\xcb\x00\x71\x07", 4);
	event_base_loopbreak(arg);
}

static int resolver_child(void)
{
	struct event_base *base = event_base_new();
	struct ub_ctx *ctx = ub_ctx_create_event(base);
	struct timeval limit = { 5, 0 };
	struct err err = { 0 };
	char forward[32];

	snprintf(forward, sizeof(forward), "127.0.0.1@%u", server_port);
	if (ub_ctx_set_option(ctx, "do-not-query-localhost:", "no") ||
	    ub_ctx_set_option(ctx, "do-ip6:", "no") || ub_ctx_set_fwd(ctx, forward))
		return 2;
	if (!confine_resolver(&err)) {
		dprintf(2, "%s\n", err.text);
		return 3;
	}
	if (ub_resolve_event(ctx, "a.example.com", 1, 1, base, on_answer, NULL))
		return 4;
	event_base_loopexit(base, &limit);
	event_base_dispatch(base);
	ub_ctx_delete(ctx);
	event_base_free(base);
	return resolved ? 0 : 5;
}

static void test_resolver(void **state)
{
	pid_t server, child;
	int status;

	(void)state;
	server_make();
	server = fork();
	if (server == 0)
		server_run();
	child = fork();
	if (child == 0)
		_exit(resolver_child());
	waitpid(child, &status, 0);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	assert_int_equal(status, 0);
}

/* ---- gate: both ends of a TLS connection with a certificate made on the way -- */

static X509 *certificate_make(EVP_PKEY *key)
{
	X509 *x = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)"a.example.com", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	return X509_sign(x, key, EVP_sha256()) ? x : NULL;
}

static int tls_once(SSL_CTX *server_ctx, SSL_CTX *client_ctx)
{
	SSL *server = SSL_new(server_ctx), *client = SSL_new(client_ctx);
	BIO *a, *b;
	char got[6] = "";

	if (!BIO_new_bio_pair(&a, 0, &b, 0))
		return 10;
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 20 && !SSL_is_init_finished(server); i++) {
		SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
	if (SSL_write(server, "hello", 5) != 5 || SSL_read(client, got, 5) != 5)
		return 11;
	SSL_free(server);
	SSL_free(client);
	return strcmp(got, "hello") ? 12 : 0;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(*(int *)arg)++;
}

static int gate_child(void)
{
	struct event_config *config = event_config_new();
	SSL_CTX *server = SSL_CTX_new(TLS_server_method()), *client = SSL_CTX_new(TLS_client_method());
	struct timeval soon = { 0, 1000 };
	struct event_base *base;
	struct err err = { 0 };
	uint8_t random[32];
	EVP_PKEY *key;
	int ticks = 0;
	X509 *x;

	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(config);
	RAND_bytes(random, sizeof(random));
	if (!confine_gate(&err)) {
		dprintf(2, "%s\n", err.text);
		return 3;
	}
	event_base_once(base, -1, EV_TIMEOUT, on_tick, &ticks, &soon);
	event_base_dispatch(base);
	key = EVP_EC_gen("P-256");
	x = certificate_make(key);
	if (ticks != 1 || !x || RAND_bytes(random, sizeof(random)) != 1)
		return 4;
	if (SSL_CTX_use_certificate(server, x) != 1 || SSL_CTX_use_PrivateKey(server, key) != 1)
		return 5;
	return tls_once(server, client);
}

static void test_gate(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		_exit(gate_child());
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolver),
		cmocka_unit_test(test_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
