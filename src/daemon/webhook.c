/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webhook.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "audit/key.h"
#include "base/json.h"
#include "daemon/clock.h"
#include "daemon/courier.h"
#include "daemon/role.h"
#include "daemon/watched.h"

#define BODY_MAX 4096		/* bytes of an alert in JSON; it has about 400 */
#define SECRET_MAX 4096		/* bytes of the key's file */

struct webhook {
	struct keeper	*keeper;
	int		 fd;		/* to the courier; -1: it is gone */
	struct event	 count_ev;
	uint64_t	 put;		/* alerts that it was given */
	uint64_t	 dropped;	/* that it had no room for */
	struct courier_count said;
};

static bool put(struct webhook *w, enum courier_letter letter, struct span text)
{
	uint8_t head = (uint8_t)letter;
	struct iovec parts[] = { { &head, 1 }, { (void *)(uintptr_t)text.at, text.len } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = text.len ? 2 : 1 };

	return w->fd >= 0 && sendmsg(w->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static bool put_text(struct webhook *w, enum courier_letter letter, const char *text)
{
	return !text || !*text || put(w, letter, span_str(text));
}

/* A file of certificates may be larger than a packet: a certificate may lie across two */
static bool put_ca(struct webhook *w, const struct policy *p)
{
	for (size_t i = 0; i < policy_settings(p).ca_count; i++) {
		struct span pem = span_str(policy_ca(p, i).pem);

		while (pem.len) {
			struct span piece = span_head(pem, COURIER_PACKET_MAX / 2);

			if (!put(w, LETTER_CA, piece))
				return false;
			pem = span_skip(pem, piece.len);
		}
		if (!put(w, LETTER_CA, SPAN("\n")))
			return false;
	}
	return true;
}

static bool put_key(struct webhook *w, const char *path, struct err *err)
{
	struct buf secret = buf_new(SECRET_MAX);
	bool ok = secret_open(path, &secret, err) &&
		  (put(w, LETTER_KEY, buf_span(&secret)) ||
		   err_sys(err, errno, "cannot start the courier"));

	if (secret.at)
		explicit_bzero(secret.at, secret.len);
	buf_done(&secret);
	return ok;
}

static bool put_down(struct webhook *w, const char *url, const char *key_path, struct err *err)
{
	const struct keeper *k = w->keeper;
	struct policy_settings s = policy_settings(k->policy);

	if (!put_text(w, LETTER_ADDRESS, url) || !put_text(w, LETTER_PROXY, s.upstream_proxy) ||
	    !put_text(w, LETTER_PROXY_USER, k->proxy_credentials) ||
	    !put_text(w, LETTER_NO_PROXY, s.no_proxy) || !put_ca(w, k->policy))
		return err_sys(err, errno, "alerts.webhook: cannot start the courier (too many "
			       "certificates in tls_ca?)");
	return put_key(w, key_path, err);
}

static void publish(const struct webhook *w)
{
	watched_webhook(w->keeper, w->said.sent, w->said.lost + w->dropped);
}

void webhook_lost(struct webhook *w)
{
	if (!w || w->fd < 0)
		return;
	event_del(&w->count_ev);
	DROP_FD(w->fd);
	w->dropped += w->put - w->said.sent - w->said.lost;
	w->put = w->said.sent + w->said.lost;
	publish(w);
}

/* Return: false if it says no more */
static bool hear(struct webhook *w)
{
	struct courier_count said;
	ssize_t n;

	while ((n = recv(w->fd, &said, sizeof(said), MSG_DONTWAIT)) == sizeof(said))
		/* it meets the network: what cannot be is not believed */
		if (said.sent <= w->put && said.lost <= w->put - said.sent)
			w->said = said;
	publish(w);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void on_count(evutil_socket_t fd, short what, void *arg)
{
	struct webhook *w = arg;

	(void)fd, (void)what;
	if (!hear(w))
		webhook_lost(w);
}

struct webhook *webhook_new(struct keeper *k, const char *url, const char *key_path,
			    int *ret_theirs, struct err *err)
{
	struct webhook *w = calloc(1, sizeof(*w));
	int ends[2];

	if (!w || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		free(w);
		err_sys(err, errno, "cannot start the courier");
		return NULL;
	}
	w->keeper = k;
	w->fd = ends[0];
	*ret_theirs = ends[1];
	event_assign(&w->count_ev, k->loop, w->fd, EV_READ | EV_PERSIST, on_count, w);
	event_add(&w->count_ev, NULL);
	if (put_down(w, url, key_path, err))
		return w;
	DROP_FD(*ret_theirs);
	webhook_free(w);
	return NULL;
}

static void add_time(struct buf *b)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	json_field_str(b, "ts", text);
}

void webhook_send(struct webhook *w, const char *session, const struct audit_alert *e)
{
	struct buf b = buf_new(BODY_MAX);

	if (!w)
		return;
	json_open(&b, '{');
	json_field_uint(&b, "v", 1);
	add_time(&b);
	json_field_str(&b, "session", session);
	json_field_str(&b, "event", "alert");
	json_field_str(&b, "kind", e->kind);
	json_field_uint(&b, "value", e->value);
	json_field_uint(&b, "threshold", e->threshold);
	json_field_span(&b, "message", e->message);
	json_close(&b, '}');
	if (!b.full && put(w, LETTER_ALERT, buf_span(&b)))
		w->put++;
	else
		w->dropped++;
	buf_done(&b);
	publish(w);
}

void webhook_end(struct webhook *w)
{
	int64_t end = clock_ms() + COURIER_END_MS + COURIER_LATE_MS;
	char text[64];

	if (!w || w->fd < 0)
		return;
	shutdown(w->fd, SHUT_WR);
	while (w->said.sent + w->said.lost < w->put && clock_ms() < end) {
		struct pollfd p = { .fd = w->fd, .events = POLLIN };

		if (poll(&p, 1, (int)(end - clock_ms())) > 0 && !hear(w))
			break;
	}
	webhook_lost(w);
	if (!w->dropped && !w->said.lost)
		return;
	snprintf(text, sizeof(text), "%llu alerts did not arrive (the log has them)",
		 (unsigned long long)(w->dropped + w->said.lost));
	role_complain("webhook", text);
}

void webhook_free(struct webhook *w)
{
	if (!w)
		return;
	webhook_lost(w);
	free(w);
}
