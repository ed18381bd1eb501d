/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/forwarder.h"

#include <errno.h>
#include <unbound-event.h>

#include "base/auto.h"
#include "proto/dns_msg.h"

static const struct setting {
	const char	*option, *value;
} settings[] = {
	/* The forwarder is believed as libc believes it: no anchor, nothing to validate */
	{ "module-config:", "iterator" },
	{ "qname-minimisation:", "no" },
	{ "do-not-query-localhost:", "no" },	/* 127.0.0.53 and its like */
	/* Private names are for the host's server to answer, this machine's for none */
	{ "unblock-lan-zones:", "yes" },
	{ "local-zone:", "home.arpa. transparent" },
	{ "local-zone:", "test. transparent" },
	{ "local-zone:", "onion. transparent" },
	{ "local-zone:", "invalid. transparent" },
	{ "local-zone:", "localhost. static" },
	{ "harden-glue:", "yes" },
	{ "harden-short-bufsize:", "yes" },
	/* Memory, a server: under 2.7 MB, 8 MB for three */
	{ "msg-cache-size:", "1m" },
	{ "rrset-cache-size:", "1m" },
	{ "infra-cache-numhosts:", "64" },
	{ "cache-max-ttl:", "3600" },
	{ "cache-max-negative-ttl:", "60" },
	/* Sockets, a server: further questions wait inside libunbound */
	{ "outgoing-range:", "256" },
	{ "outgoing-num-tcp:", "8" },
	/* libunbound lets a server rest that did not answer, for minutes.  A laptop that
	 * wakes up must not wait for that, and a jail that asks for names whose own
	 * servers are silent must not hinder others.  So it soon forgets. */
	{ "infra-host-ttl:", "5" },
	{ "infra-keep-probing:", "yes" },
};

static struct ub_ctx *context_new(struct event_base *loop, const char *addr, struct err *err)
{
	struct ub_ctx *ctx = ub_ctx_create_event(loop);

	if (!ctx) {
		err_sys(err, ENOMEM, "libevent or libunbound");
		return NULL;
	}
	ub_ctx_debugout(ctx, NULL);	/* or whoever sends odd packets writes to the terminal */
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];

		if (ub_ctx_set_option(ctx, s->option, s->value)) {
			ub_ctx_delete(ctx);
			err_set(err, "libunbound refuses %s %s", s->option, s->value);
			return NULL;
		}
	}
	if (ub_ctx_set_fwd(ctx, addr)) {
		ub_ctx_delete(ctx);
		err_set(err, "libunbound refuses the name server %s", addr);
		return NULL;
	}
	return ctx;
}

static void warmed(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
	bool *called = arg;

	(void)rcode;
	(void)packet;
	(void)len;
	(void)sec;
	(void)why;
	(void)limited;
	*called = true;
}

/* libunbound reads its settings and makes its tables at the first question: one
 * that it answers itself, before files are out of reach */
static bool context_warm(struct ub_ctx *ctx, struct err *err)
{
	bool called = false;
	int e = ub_resolve_event(ctx, "localhost", DNS_A, DNS_IN, &called, warmed, NULL);

	if (e)
		return err_set(err, "libunbound: %s", ub_strerror(e));
	return called || err_set(err, "libunbound asks for localhost");
}

struct ub_ctx *forwarder_open(struct event_base *loop, const char *addr, struct err *err)
{
	struct ub_ctx *ctx = context_new(loop, addr, err);

	if (ctx && !context_warm(ctx, err)) {
		ub_ctx_delete(ctx);
		return NULL;
	}
	return ctx;
}
