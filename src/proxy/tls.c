/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing here opens a file or looks anything up: OpenSSL's configuration is not read, the
 * certificates that are trusted were read before the gate was confined.
 *
 * Renegotiation is off, so after the handshake SSL_read() waits for bytes to read and
 * SSL_write() for room to write.  The one exception, a key update that cannot be answered
 * because the other side does not read, ends the connection.
 */
#include "proxy/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/trust.h"

#define SESSIONS_KEPT 1024	/* of servers, to resume: some 2 KiB each */
#define KEY_MAX (CERTS_NAME_MAX + 7)	/* "NAME PORT" */

struct kept_session {
	SSL_SESSION	*session;
	char		 key[KEY_MAX];
};

struct tls_ends {
	SSL_CTX			*client, *server;
	struct buf		 trusted;		/* PEM */
	bool			 trusting;		/* @client has it, and the policy's tls_ca */
	struct certs		*certs;
	struct seed		 seed;
	struct kept_session	 kept[SESSIONS_KEPT];	/* by hash; of two in one place the later */
};

/* The name that the flow is for, or the address */
static struct span flow_name(const struct flow *f, char text[ADDR_TEXT_MAX])
{
	if (f->host != BINDING_NONE)
		return binding_host(f->proxy->bindings, f->host);
	return span_str(addr_text(&f->dst, text));
}

/* ---- sessions with servers ---- */

static struct kept_session *session_place(struct flow *f, char ret_key[KEY_MAX])
{
	struct tls_ends *t = f->proxy->tls;
	char text[ADDR_TEXT_MAX];
	struct span name = flow_name(f, text);

	snprintf(ret_key, KEY_MAX, SPAN_FMT " %u", SPAN_ARG(name), f->port);
	return &t->kept[hash_span(&t->seed, span_str(ret_key)) % SESSIONS_KEPT];
}

/*
 * Only of servers that were verified.  What is kept is a copy, and what resumes is another one:
 * OpenSSL marks the session of a connection that did not end well as one not to be resumed, and
 * flows that shared it would spoil it for each other.
 */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct flow *f = SSL_get_app_data(ssl);
	struct kept_session *at;
	char key[KEY_MAX];

	if (!f || SSL_get_verify_result(ssl) != X509_V_OK)
		return 0;
	at = session_place(f, key);
	SSL_SESSION_free(at->session);
	at->session = SSL_SESSION_dup(session);
	memcpy(at->key, key, sizeof(key));
	return 0;
}

static struct kept_session *session_of(struct flow *f)
{
	char key[KEY_MAX];
	struct kept_session *at = session_place(f, key);

	return at->session && !strcmp(at->key, key) ? at : NULL;
}

void tls_forget(struct flow *f)
{
	struct kept_session *at = session_of(f);

	if (!at)
		return;
	SSL_SESSION_free(at->session);
	*at = (struct kept_session){ 0 };
}

/* A server that resumes shows no certificate: the one that it showed must be good still */
static bool is_in_time(SSL_SESSION *session)
{
	X509 *cert = SSL_SESSION_get0_peer(session);

	return cert && X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
}

static void resume(struct flow *f, SSL *ssl)
{
	const struct kept_session *at = session_of(f);
	SSL_SESSION *own = at && is_in_time(at->session) ? SSL_SESSION_dup(at->session) : NULL;

	if (own)
		SSL_set_session(ssl, own);
	SSL_SESSION_free(own);
}

/* ---- what all flows share ---- */

static const uint8_t alpn_both[] = "\x02h2\x08http/1.1\x02h2";
static const struct span alpn_http1 = { alpn_both + 3, 9 }, alpn_http2 = { alpn_both, 3 };

/* The client hears what the server has chosen.  One that knows only others is refused. */
static int on_alpn(SSL *ssl, const uint8_t **ret, uint8_t *ret_len, const uint8_t *offered,
		   unsigned len, void *arg)
{
	const struct flow *f = SSL_get_app_data(ssl);
	struct span chosen = f->tls->http2 ? alpn_http2 : alpn_http1;

	(void)arg;
	for (unsigned at = 0; at < len && len - at > offered[at]; at += 1u + offered[at]) {
		if (!span_eq(span_of(offered + at, 1u + offered[at]), chosen))
			continue;
		*ret = offered + at + 1;
		*ret_len = offered[at];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/*
 * AES-128 first: SHA-256 comes with it, for which most processors have instructions and for SHA-384
 * few, and a handshake is mostly hashes.  All else that OpenSSL thinks good enough comes after it.
 */
static bool common(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
			      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	return SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
					     "TLS_AES_256_GCM_SHA384") == 1 &&
	       SSL_CTX_set_cipher_list(ctx, "ECDHE+AES128+AESGCM:DEFAULT") == 1;
}

static SSL_CTX *server_new(void)
{
	static const uint8_t context[] = "sluice";
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || !common(ctx)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	/* tickets, whose key is this context's: nothing is kept of a client */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, context, sizeof(context) - 1);
	SSL_CTX_set_num_tickets(ctx, 1);
	return ctx;
}

struct tls_ends *tls_ends_new(SSL_CTX *client, struct buf *trusted, struct certs *certs,
			      const struct seed *seed)
{
	struct tls_ends *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->client = client;
	t->certs = certs;
	t->trusted = *trusted;
	*trusted = buf_new(0);
	t->seed = *seed;
	t->server = server_new();
	if (!t->server || !common(client)) {
		SSL_CTX_free(t->server);
		buf_done(&t->trusted);
		free(t);
		return NULL;
	}
	SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT |
					       SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client, on_session);
	return t;
}

static void forget_sessions(struct tls_ends *t)
{
	for (size_t i = 0; i < SESSIONS_KEPT; i++) {
		SSL_SESSION_free(t->kept[i].session);
		t->kept[i] = (struct kept_session){ 0 };
	}
}

bool tls_trust_changed(struct tls_ends *t)
{
	X509_STORE *nobody = X509_STORE_new();

	if (!nobody)
		return false;
	SSL_CTX_set_cert_store(t->client, nobody);
	t->trusting = false;
	forget_sessions(t);
	return true;
}

void tls_ends_free(struct tls_ends *t)
{
	if (!t)
		return;
	forget_sessions(t);
	SSL_CTX_free(t->client);
	SSL_CTX_free(t->server);
	certs_free(t->certs);
	buf_done(&t->trusted);
	free(t);
}

/* ---- one flow ---- */

static ssize_t pump_recv(void *side, bool agent, void *to, size_t len, int flags)
{
	return flow_recv(side, agent, to, len, flags);
}

static ssize_t pump_send(void *side, bool agent, const void *bytes, size_t len)
{
	return flow_send(side, agent, bytes, len);
}

static int pump_shut(void *side, bool agent)
{
	return flow_shut(side, agent);
}

static const struct pump_way way = { pump_recv, pump_send, pump_shut };

bool tls_begin(struct flow *f)
{
	f->tls = calloc(1, sizeof(*f->tls));
	if (!f->tls)
		return false;
	pump_through(&f->out, &way, f, true);
	pump_through(&f->in, &way, f, false);
	return true;
}

void tls_end(struct flow *f)
{
	if (!f->tls)
		return;
	SSL_free(f->tls->agent.ssl);
	SSL_free(f->tls->peer.ssl);
	free(f->tls);
	f->tls = NULL;
}

/* The context for servers, which knows whom to trust from the first flow on */
static SSL_CTX *trusting(struct proxy *x)
{
	struct tls_ends *t = x->tls;

	if (t->trusting)
		return t->client;
	trust_parse(t->client, buf_span(&t->trusted));
	for (size_t i = 0; i < policy_settings(x->policy).ca_count; i++)
		trust_parse(t->client, span_str(policy_ca(x->policy, i).pem));
	t->trusting = true;
	return t->client;
}

/* As the client's own list, as far as we speak it; without one HTTP/1.1 */
static bool offer(const struct flow *f, SSL *ssl)
{
	struct span list = alpn_http1;

	if (f->tls->offers == TLS_HTTP2)
		list = alpn_http2;
	else if (f->tls->offers & TLS_HTTP2)
		list = f->tls->http2_first ? span_of(alpn_both, 12) : span_of(alpn_both + 3, 12);
	return SSL_set_alpn_protos(ssl, list.at, (unsigned)list.len) == 0;
}

/* What the server has chosen.  Return: false: what it was not offered */
static bool choose(struct flow *f)
{
	const uint8_t *at;
	unsigned len;
	struct span name;

	SSL_get0_alpn_selected(f->tls->peer.ssl, &at, &len);
	name = span_of(at, len);
	f->tls->http2 = f->tls->offers & TLS_HTTP2 && span_eq(name, SPAN("h2"));
	return f->tls->http2 || !len ||
	       (f->tls->offers != TLS_HTTP2 && span_eq(name, SPAN("http/1.1")));
}

/* The server is asked for the name, and must have a certificate for it */
static SSL *peer_new(struct flow *f)
{
	SSL *ssl = SSL_new(trusting(f->proxy));
	char name[CERTS_NAME_MAX + 1], text[ADDR_TEXT_MAX];
	bool ok = ssl && span_copy(flow_name(f, text), name, sizeof(name)) &&
		  SSL_set_fd(ssl, f->peer) == 1 && offer(f, ssl);

	if (ok && f->host != BINDING_NONE) {
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		ok = SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
	} else if (ok) {
		ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	}
	if (!ok) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_app_data(ssl, f);
	resume(f, ssl);
	SSL_set_connect_state(ssl);
	return ssl;
}

static SSL *agent_new(struct flow *f)
{
	struct tls_ends *t = f->proxy->tls;
	SSL *ssl = SSL_new(t->server);
	char text[ADDR_TEXT_MAX];
	X509 *cert = certs_leaf(t->certs, flow_name(f, text), time(NULL));
	const int on = 1;

	if (!ssl || !cert || SSL_use_certificate(ssl, cert) != 1 ||
	    SSL_use_PrivateKey(ssl, certs_key(t->certs)) != 1 || SSL_set_fd(ssl, f->agent) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	/* a ticket goes first: what follows must not wait until it is acknowledged */
	setsockopt(f->agent, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	SSL_set_app_data(ssl, f);
	SSL_set_accept_state(ssl);
	return ssl;
}

/* FAILED as well if there is no session: memory was out */
static enum shake shake(struct tls_end *e)
{
	int r;

	if (!e->ssl)
		return SHAKE_FAILED;
	ERR_clear_error();
	r = SSL_do_handshake(e->ssl);
	if (r == 1)
		return SHAKE_DONE;
	switch (SSL_get_error(e->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return SHAKE_READ;
	case SSL_ERROR_WANT_WRITE:
		return SHAKE_WRITE;
	default:
		return SHAKE_FAILED;
	}
}

/* OpenSSL's own words: of the certificate, else of what went wrong */
static const char *why_failed(const SSL *ssl)
{
	long result = SSL_get_verify_result(ssl);
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	if (result != X509_V_OK)
		return X509_verify_cert_error_string(result);
	return why ? why : "the server closed the connection";
}

enum shake tls_shake_peer(struct flow *f, const char **ret_why)
{
	struct tls_end *e = &f->tls->peer;
	enum shake r;

	if (!e->ssl)
		e->ssl = peer_new(f);
	r = shake(e);
	/* a resumed session was verified when it was new; the result is kept with it */
	if (r == SHAKE_DONE && SSL_get_verify_result(e->ssl) != X509_V_OK)
		r = SHAKE_FAILED;
	if (r == SHAKE_FAILED)
		*ret_why = e->ssl ? why_failed(e->ssl) : "out of memory";
	if (r == SHAKE_DONE && !choose(f)) {
		*ret_why = "the server speaks a protocol that it was not offered";
		r = SHAKE_FAILED;
	}
	if (r == SHAKE_FAILED)
		tls_forget(f);
	e->shut = r == SHAKE_FAILED;
	e->up = r == SHAKE_DONE;
	return r;
}

enum shake tls_shake_agent(struct flow *f)
{
	struct tls_end *e = &f->tls->agent;
	enum shake r;

	if (!e->ssl)
		e->ssl = agent_new(f);
	r = shake(e);
	e->up = r == SHAKE_DONE;
	e->shut = r == SHAKE_FAILED;
	return r;
}

/* ---- bytes ---- */

static struct tls_end *tls_side(struct tls *t, bool agent)
{
	return agent ? &t->agent : &t->peer;
}

/* A session that a fatal alert has ended, whoever sent it, is not resumed */
static bool is_fatal(int error)
{
	return error == SSL_ERROR_SSL &&
	       ERR_GET_REASON(ERR_peek_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* What SSL_read() said that it could not.  Return: as recv(2); @agent: an end is an end */
static ssize_t no_bytes(struct flow *f, bool agent, int r)
{
	struct tls_end *e = tls_side(f->tls, agent);
	int error = SSL_get_error(e->ssl, r);

	if (error == SSL_ERROR_WANT_READ) {
		errno = EAGAIN;
		return -1;
	}
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	e->shut = true;
	if (agent && error == SSL_ERROR_SSL && !is_fatal(error))
		return 0;
	if (!agent && is_fatal(error))
		tls_forget(f);
	errno = ECONNRESET;
	return -1;
}

ssize_t flow_recv(struct flow *f, bool agent, void *to, size_t len, int flags)
{
	struct tls_end *e;
	size_t had = 0;
	int n = 1;

	if (!f->tls)
		return recv(agent ? f->agent : f->peer, to, len, flags);
	e = tls_side(f->tls, agent);
	if (!e->ssl) {
		errno = ECONNRESET;
		return -1;
	}
	ERR_clear_error();
	e->more = true;
	while (had < len && n > 0 && e->more) {
		int want = len - had > INT32_MAX ? INT32_MAX : (int)(len - had);

		n = flags & MSG_PEEK ? SSL_peek(e->ssl, to, want) :
		    SSL_read(e->ssl, (uint8_t *)to + had, want);
		had += n > 0 ? (size_t)n : 0;
		/* of what is not read from the socket yet, the socket tells */
		e->more = n > 0 && (flags & MSG_PEEK || SSL_has_pending(e->ssl));
		if (flags & MSG_PEEK)
			break;
	}
	/* why there is no more is said the next time */
	if (had && n <= 0 && SSL_get_error(e->ssl, n) != SSL_ERROR_WANT_READ)
		e->more = true;
	return had ? (ssize_t)had : no_bytes(f, agent, n);
}

ssize_t flow_send(struct flow *f, bool agent, const void *bytes, size_t len)
{
	struct tls_end *e;
	size_t sent = 0;
	int n = 1, error;

	if (!f->tls)
		return send(agent ? f->agent : f->peer, bytes, len, MSG_NOSIGNAL);
	e = tls_side(f->tls, agent);
	if (!e->ssl || e->shut) {
		errno = EPIPE;
		return -1;
	}
	ERR_clear_error();
	while (sent < len && n > 0) {
		int want = len - sent > INT32_MAX ? INT32_MAX : (int)(len - sent);

		n = SSL_write(e->ssl, (const uint8_t *)bytes + sent, want);
		sent += n > 0 ? (size_t)n : 0;
	}
	error = n > 0 ? SSL_ERROR_NONE : SSL_get_error(e->ssl, n);
	if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_WRITE) {
		if (!agent && is_fatal(error))
			tls_forget(f);
		e->shut = true;
		errno = EPIPE;
		return -1;
	}
	if (!sent)
		errno = EAGAIN;
	return sent ? (ssize_t)sent : -1;
}

/* close_notify, if the handshake is over and nothing has failed */
static void say_end(struct tls_end *e)
{
	if (!e->ssl || !e->up || e->shut)
		return;
	e->shut = true;
	ERR_clear_error();
	SSL_shutdown(e->ssl);
}

int flow_shut(struct flow *f, bool agent)
{
	/* what it has said already is for nobody, and must not wake us again */
	if (f->tls && agent)
		f->tls->agent.more = false;
	if (f->tls)
		say_end(tls_side(f->tls, agent));
	return shutdown(agent ? f->agent : f->peer, SHUT_WR);
}
