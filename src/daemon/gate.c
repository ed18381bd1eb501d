/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/gate.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "daemon/role.h"
#include "dns/datagram.h"
#include "dns/query.h"
#include "jail/jail.h"
#include "net/trust.h"
#include "proxy/accept.h"
#include "proxy/drops.h"
#include "proxy/explicit.h"
#include "proxy/flow.h"
#include "proxy/inject.h"
#include "proxy/meter.h"
#include "proxy/tls.h"
#include "proxy/udp.h"

#define SOCKETS_MAX 256		/* that the keeper may hand over before the start */
#define FD_RESERVE 512		/* descriptors not for flows: listeners, DNS connections, pipes */
#define KEEPER_READS_A_TURN 16
#define LINGER_MS 5		/* that a report may wait for company */

static const struct msg_type accepts[KEEPER_SAYS_NUM] = {
	[KEEPER_POLICY] = { "policy", sizeof(struct talk_policy), sizeof(struct talk_policy), true },
	[KEEPER_CA] = { "ca", 0, 0, true },
	[KEEPER_SECRETS] = { "secrets", sizeof(struct talk_policy), sizeof(struct talk_policy), true },
	[KEEPER_SOCKET] = { "socket", sizeof(struct talk_socket), sizeof(struct talk_socket), true },
	[KEEPER_START]	= { "start", 0, 0, false },
	[KEEPER_BIND]	= { "bind", 1, HOST_MAX, false },
	[KEEPER_ALLOW]	= { "allow", sizeof(struct talk_allow), sizeof(struct talk_allow), true },
	[KEEPER_PASS]	= { "pass", sizeof(struct talk_pass), sizeof(struct talk_pass), false },
	[KEEPER_DENY]	= { "deny", sizeof(struct talk_deny),
			    sizeof(struct talk_deny) + TALK_BODY_MAX, false },
	[KEEPER_DNS]	= { "dns", sizeof(struct talk_dns_answer),
			    sizeof(struct talk_dns_answer) + TALK_RECORDS_MAX, false },
	[KEEPER_WAIT]	= { "wait", 0, 0, false },
	[KEEPER_KILL]	= { "kill", sizeof(struct talk_kill), sizeof(struct talk_kill), false },
	[KEEPER_RULE]	= { "rule", sizeof(struct talk_rule), sizeof(struct talk_rule), false },
	[KEEPER_TARGET] = { "target", sizeof(struct talk_target), sizeof(struct talk_target), false },
	[KEEPER_FINISH] = { "finish", 0, 0, false },
};

struct gate {
	struct msg_link	 keeper;
	struct event	 keeper_ev, tick_ev;
	bool		 writing;	/* keeper_ev waits for room as well */
	struct proxy	 proxy;
	struct dns	*dns;
	int		 dns_fd;	/* of `sluice proxy`: for datagrams; -1 */
	struct seed	 seed;
	size_t		 policy_len;	/* bytes of the mapping */
	struct policy_secrets secrets;	/* of the next policy */
	size_t		 socket_count;
	const char	*cert_file, *cert_dir;	/* NULL: OpenSSL's own */
	struct {
		struct talk_socket	about;
		int			fd;
	} sockets[SOCKETS_MAX];
};

_Noreturn void proxy_fail(const char *why)
{
	role_complain("gate", why);
	_exit(1);
}

/* Reports that nobody waits for travel with the next question, or a moment later */
static bool waits_for_answer(enum gate_says what)
{
	return what != GATE_CLOSED && what != GATE_HTTP && what != GATE_DROP &&
	       what != GATE_ALERT;
}

void proxy_tell(struct proxy *x, enum gate_says what, uint32_t id, const void *head, size_t len,
		struct span tail)
{
	static const struct timeval soon = { .tv_usec = LINGER_MS * 1000 };

	if (msg_put(x->keeper, (uint16_t)what, id, head, len, tail, -1) < 0)
		proxy_fail("the keeper does not take messages");
	if (waits_for_answer(what))
		event_active(&x->flush, EV_TIMEOUT, 0);
	else if (!evtimer_pending(&x->linger, NULL))
		event_add(&x->linger, &soon);
}

static uint32_t seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint32_t)ts.tv_sec;
}

/* ---- DNS and the proxy do not know each other: they meet here ---- */

static void dns_stream_in(void *arg, int fd)
{
	dns_stream_open(((struct gate *)arg)->dns, fd);
}

static void dns_datagram_in(void *arg, const struct addr *client, uint16_t client_port,
			    const struct addr *server, struct span bytes)
{
	struct dns_origin o = { .client = *client, .server = *server, .client_port = client_port };

	dns_take(((struct gate *)arg)->dns, &o, bytes);
}

static void dns_tell(void *arg, uint32_t id, const struct talk_dns_ask *ask, struct span name)
{
	struct gate *g = arg;

	proxy_tell(&g->proxy, GATE_DNS, id, ask, sizeof(*ask), name);
}

static void dns_datagram_out(void *arg, const struct addr *server, const struct addr *client,
			     uint16_t client_port, struct span answer)
{
	struct gate *g = arg;

	if (g->dns_fd >= 0) {
		dns_datagram_send(g->dns_fd, client, client_port, answer);
		return;
	}
	udp_answer(&g->proxy, server, 53, client, client_port, answer);
	event_active(&g->proxy.flush, EV_TIMEOUT, 0);
}

/* ---- the keeper ---- */

/* The image in @fd, which is closed */
static const struct policy *policy_map(const struct msg *m, size_t *ret_len)
{
	struct talk_policy about;
	const struct policy *p;
	void *at;

	memcpy(&about, m->payload.at, sizeof(about));
	if (!about.bytes)
		proxy_fail("the policy cannot be read");
	*ret_len = (size_t)about.bytes;
	at = mmap(NULL, *ret_len, PROT_READ, MAP_SHARED, m->fd, 0);
	close(m->fd);
	p = at == MAP_FAILED ? NULL : policy_attach(span_of(at, *ret_len));
	if (!p)
		proxy_fail("the policy is not one of this program");
	return p;
}

/* Before the policy: what servers must lead to is read from files */
static void use_ca(struct gate *g, int fd)
{
	uint8_t secret[CERTS_SECRET_MAX];
	ssize_t n = read(fd, secret, sizeof(secret));
	struct certs *certs = n > 0 ? certs_open(span_of(secret, (size_t)n), &g->seed) : NULL;
	struct buf trusted = buf_new(TRUST_BYTES_MAX);
	struct err err = { "" };
	SSL_CTX *client;

	explicit_bzero(secret, sizeof(secret));
	close(fd);
	if (!certs || g->proxy.policy)
		proxy_fail("the CA cannot be read");
	client = trust_nobody(&err);
	if (!client)
		proxy_fail(err.text);
	trust_read(g->cert_file, g->cert_dir, &trusted);
	g->proxy.tls = tls_ends_new(client, &trusted, certs, &g->seed);
	if (!g->proxy.tls)
		proxy_fail("out of memory");
}

/* What the next policy's rules put into requests */
static void take_secrets(struct gate *g, const struct msg *m)
{
	struct talk_policy about;
	void *at;

	memcpy(&about, m->payload.at, sizeof(about));
	if (!about.bytes || about.bytes > SECRETS_PACKED_MAX)
		proxy_fail("the values of inject cannot be read");
	at = mmap(NULL, (size_t)about.bytes, PROT_READ, MAP_SHARED, m->fd, 0);
	close(m->fd);
	policy_secrets_done(&g->secrets);
	if (at == MAP_FAILED ||
	    !policy_secrets_unpack(span_of(at, (size_t)about.bytes), &g->secrets))
		proxy_fail("the values of inject cannot be read");
	munmap(at, (size_t)about.bytes);
}

/* Flows hold none of the old ones but what is overwritten in answers that stand */
static void use_secrets(struct gate *g)
{
	struct proxy *x = &g->proxy;

	injects_free(x->injects);
	x->injects = NULL;
	if (g->secrets.count)
		x->injects = injects_new(&g->secrets, x->policy);
	if (!injects_fit(x->injects, x->policy))
		proxy_fail("the values of inject are not those of the policy");
}

/* The first policy; nothing else is needed from outside */
static void first_policy(struct gate *g)
{
	struct policy_settings s = policy_settings(g->proxy.policy);
	struct err err = { "" };

	g->proxy.bindings = bindings_new(&s.synthetic4, &s.synthetic6, &g->seed);
	if (!g->proxy.bindings || !meter_policy(&g->proxy, g->proxy.policy))
		proxy_fail("out of memory");
	if (!confine_gate(&err))
		proxy_fail(err.text);
}

/* Nothing points into the old one: it goes as the new one comes */
static void use_policy(struct gate *g, const struct msg *m)
{
	const struct policy *old = g->proxy.policy;
	size_t old_len = g->policy_len;

	g->proxy.policy = policy_map(m, &g->policy_len);
	use_secrets(g);
	if (!old) {
		first_policy(g);
		return;
	}
	if (!meter_policy(&g->proxy, g->proxy.policy))
		proxy_fail("out of memory");
	if (g->proxy.tls && !policy_same_ca(old, g->proxy.policy)) {
		if (!tls_trust_changed(g->proxy.tls))
			proxy_fail("out of memory");
		flow_distrust(&g->proxy);
	}
	munmap((void *)(uintptr_t)old, old_len);
	flow_rejudge(&g->proxy);
	proxy_tell(&g->proxy, GATE_POLICY, m->id, NULL, 0, (struct span){ 0 });
}

/* The listeners of `sluice proxy` */
static void serve_proxy(struct gate *g, const struct talk_socket *about, int fd)
{
	static const enum door doors[SOCKET_NUM] = {
		[SOCKET_HTTP] = DOOR_HTTP, [SOCKET_SOCKS] = DOOR_SOCKS, [SOCKET_DNS_TCP] = DOOR_DNS,
	};

	if (about->kind != SOCKET_DNS_UDP) {
		accept_start(&g->proxy, fd, doors[about->kind], about->port);
		return;
	}
	if (g->dns_fd >= 0 || !dns_datagrams(g->dns, fd))
		proxy_fail("cannot watch the socket for DNS");
	g->dns_fd = fd;
}

static void serve(struct gate *g, const struct talk_socket *about, int fd)
{
	struct proxy *x = &g->proxy;

	switch ((enum talk_socket_kind)about->kind) {
	case SOCKET_TCP4:
	case SOCKET_TCP6:
		accept_start(x, fd, DOOR_JAIL, 0);
		return;
	case SOCKET_UDP4:
	case SOCKET_UDP6:
		x->leases |= about->port != 0;
		udp_start(x, fd);
		return;
	case SOCKET_RAW4:
		x->raw4 = fd;
		return;
	case SOCKET_RAW6:
		x->raw6 = fd;
		return;
	case SOCKET_NFLOG:
		drops_start(x, fd);
		return;
	case SOCKET_ALIVE:	/* ours until we end */
		return;
	case SOCKET_HOST_PORT:
		accept_start(x, fd, DOOR_HOST_PORT, about->port);
		return;
	case SOCKET_PUBLISH:
		accept_start(x, fd, DOOR_PUBLISH, about->port);
		return;
	case SOCKET_HTTP:
	case SOCKET_SOCKS:
	case SOCKET_DNS_TCP:
	case SOCKET_DNS_UDP:
		serve_proxy(g, about, fd);
		return;
	case SOCKET_NUM:
		break;
	}
	proxy_fail("a socket of no known kind");
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd, (void)what;
	g->proxy.now_s = seconds();
	flow_tick(&g->proxy);
	udp_tick(&g->proxy);
	dns_streams_tick(g->dns);
}

static void start(struct gate *g)
{
	struct timeval second = { .tv_sec = 1 };

	if (!g->proxy.policy)
		proxy_fail("no policy was handed over");
	event_assign(&g->tick_ev, g->proxy.loop, -1, EV_PERSIST, on_tick, g);
	event_add(&g->tick_ev, &second);
	for (size_t i = 0; i < g->socket_count; i++)
		serve(g, &g->sockets[i].about, g->sockets[i].fd);
	proxy_tell(&g->proxy, GATE_READY, 0, NULL, 0, (struct span){ 0 });
}

static void finish(struct gate *g)
{
	flow_finish(&g->proxy);
	udp_finish(&g->proxy);
	drops_finish(&g->proxy);
	while (msg_flush(&g->keeper) == 0 && msg_waits(&g->keeper))
		usleep(1000);
	_exit(0);
}

static void allowed(struct gate *g, const struct msg *m)
{
	struct talk_closed gone = { .end = END_CLIENT };
	struct talk_allow a;
	struct flow *f;

	memcpy(&a, m->payload.at, sizeof(a));
	if (m->id & REF_UDP) {
		udp_allowed(&g->proxy, m->id, &a, m->fd);
		return;
	}
	f = flow_find(g->proxy.flows, m->id);
	if (f) {
		ask_allowed(f, &a, m->fd);
		return;
	}
	close(m->fd);
	proxy_tell(&g->proxy, GATE_CLOSED, m->id, &gone, sizeof(gone), (struct span){ 0 });
}

static void denied(struct gate *g, const struct msg *m)
{
	struct talk_deny d;
	struct flow *f;

	memcpy(&d, m->payload.at, sizeof(d));
	f = m->id & REF_UDP ? NULL : flow_find(g->proxy.flows, m->id);
	if (m->id & REF_UDP)
		udp_denied(&g->proxy, m->id, (enum reason)d.reason);
	else if (f)
		ask_denied(f, &d, span_skip(m->payload, sizeof(d)));
}

static void passed(struct gate *g, const struct msg *m)
{
	struct flow *f = flow_find(g->proxy.flows, m->id);
	struct talk_pass pass;

	memcpy(&pass, m->payload.at, sizeof(pass));
	if (f)
		ask_passed(f, &pass);
}

/* Datagrams wait as they do for any answer */
static void waits(struct gate *g, const struct msg *m)
{
	struct flow *f = m->id & REF_UDP ? NULL : flow_find(g->proxy.flows, m->id);

	if (f)
		ask_waits(f);
}

static void target_known(struct gate *g, const struct msg *m)
{
	struct flow *f = flow_find(g->proxy.flows, m->id);
	struct talk_target t;

	memcpy(&t, m->payload.at, sizeof(t));
	if (f && f->state == FLOW_ASK && f->explicit && f->door != DOOR_JAIL)
		explicit_known(f, &t.addr);
}

static void killed(struct gate *g, const struct msg *m)
{
	struct talk_kill kill;
	struct flow *f;

	memcpy(&kill, m->payload.at, sizeof(kill));
	f = m->id & REF_UDP ? NULL : flow_find(g->proxy.flows, m->id);
	if (m->id & REF_UDP)
		udp_kill(&g->proxy, m->id, (enum reason)kill.reason);
	else if (f)
		flow_kill(f, (enum reason)kill.reason);
}

/* What it uses is under another rule, or another number of the same */
static void ruled(struct gate *g, const struct msg *m)
{
	struct talk_rule about;
	struct flow *f;

	memcpy(&about, m->payload.at, sizeof(about));
	f = m->id & REF_UDP ? NULL : flow_find(g->proxy.flows, m->id);
	if (m->id & REF_UDP)
		udp_ruled(&g->proxy, m->id, about.rule);
	else if (f && (f->state == FLOW_CONNECT || f->state == FLOW_RELAY || f->state == FLOW_HTTP ||
		       (f->state == FLOW_TARGET && f->allowed)))
		meter_begin(f, about.rule, f->usage.whole);
}

static void keep_socket(struct gate *g, const struct msg *m)
{
	if (g->socket_count == SOCKETS_MAX)
		proxy_fail("too many sockets");
	memcpy(&g->sockets[g->socket_count].about, m->payload.at, sizeof(struct talk_socket));
	g->sockets[g->socket_count++].fd = m->fd;
}

static void on_message(void *arg, const struct msg *m)
{
	struct gate *g = arg;
	struct talk_dns_answer answer;

	switch ((enum keeper_says)m->type) {
	case KEEPER_POLICY:
		use_policy(g, m);
		break;
	case KEEPER_CA:
		use_ca(g, m->fd);
		break;
	case KEEPER_SECRETS:
		take_secrets(g, m);
		break;
	case KEEPER_SOCKET:
		keep_socket(g, m);
		break;
	case KEEPER_START:
		start(g);
		break;
	case KEEPER_BIND:
		if (binding_learn(g->proxy.bindings, m->payload) != m->id)
			proxy_fail("a name was missed");
		break;
	case KEEPER_ALLOW:
		allowed(g, m);
		break;
	case KEEPER_PASS:
		passed(g, m);
		break;
	case KEEPER_DENY:
		denied(g, m);
		break;
	case KEEPER_DNS:
		memcpy(&answer, m->payload.at, sizeof(answer));
		dns_answer(g->dns, m->id, &answer, span_skip(m->payload, sizeof(answer)));
		break;
	case KEEPER_WAIT:
		waits(g, m);
		break;
	case KEEPER_KILL:
		killed(g, m);
		break;
	case KEEPER_RULE:
		ruled(g, m);
		break;
	case KEEPER_TARGET:
		target_known(g, m);
		break;
	case KEEPER_FINISH:
		finish(g);
		break;
	case KEEPER_SAYS_NUM:
		break;
	}
}

static void on_keeper(evutil_socket_t fd, short what, void *arg);

static void keeper_arm(struct gate *g, bool writing)
{
	if (event_initialized(&g->keeper_ev)) {
		if (writing == g->writing)
			return;
		event_del(&g->keeper_ev);
	}
	g->writing = writing;
	event_assign(&g->keeper_ev, g->proxy.loop, g->keeper.fd,
		     (short)(EV_READ | EV_PERSIST | (writing ? EV_WRITE : 0)), on_keeper, g);
	if (event_add(&g->keeper_ev, NULL) < 0)
		proxy_fail("cannot watch the keeper");
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd, (void)what;
	event_del(&g->proxy.linger);
	udp_flush(&g->proxy);
	if (msg_flush(&g->keeper) < 0)
		_exit(0);	/* the keeper is gone */
	keeper_arm(g, msg_waits(&g->keeper));
}

static void on_keeper(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;
	int r = 1;

	(void)fd;
	for (int i = 0; what & EV_READ && r > 0 && i < KEEPER_READS_A_TURN; i++)
		r = msg_read(&g->keeper, on_message, g);
	if (r == -EPIPE)
		_exit(0);
	if (r < 0)
		proxy_fail("the keeper does not keep to its messages");
	on_flush(-1, 0, g);
}

/*
 * As many flows as there are descriptors for: a TCP flow takes two, a UDP flow
 * one.  A verdict whose descriptor finds no room would end the gate.
 */
static void tables_new(struct proxy *x, const struct seed *seed)
{
	size_t room, udp;

	struct rlimit r = { 1024, 1024 };

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	getrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur < 2 * FD_RESERVE)
		proxy_fail("too few descriptors (raise the limit: ulimit -Hn)");
	room = r.rlim_cur - FD_RESERVE;
	udp = room / 4 < UDP_FLOWS_MAX ? room / 4 : UDP_FLOWS_MAX;
	x->udp = udp_table_new(seed, udp);
	x->flows = flow_table_new((room - udp) / 2);
}

static struct event_base *new_loop(void)
{
	struct event_config *c = event_config_new();
	struct event_base *loop;

	/*
	 * Changes are not collected (EPOLL_USE_CHANGELIST): a removal that comes
	 * after the close is lost, and while the keeper still holds its copy of a
	 * peer's socket the entry would stay and fire.
	 */
	event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(c, EVENT_BASE_FLAG_IGNORE_ENV);
	loop = event_base_new_with_config(c);
	event_config_free(c);
	return loop;
}

static void read_options(struct gate *g, int argc, char **argv)
{
	static const struct option known[] = {
		{ "cert-file", required_argument, NULL, 'f' },
		{ "cert-dir", required_argument, NULL, 'd' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'f')
			g->cert_file = optarg;
		else if (c == 'd')
			g->cert_dir = optarg;
		else
			proxy_fail("unknown option");
	}
}

int gate_main(int argc, char **argv)
{
	static struct gate g = { .dns_fd = -1 };
	struct dns_host host = { .id_bit = REF_DNS, .tell = dns_tell,
				 .datagram = dns_datagram_out, .arg = &g };

	read_options(&g, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (getrandom(&g.seed, sizeof(g.seed), 0) != sizeof(g.seed))
		proxy_fail("no random numbers");
	g.proxy.loop = host.loop = new_loop();
	if (!g.proxy.loop)
		proxy_fail("no event loop");
	msg_link_init(&g.keeper, ROLE_FD, accepts, ARRAY_SIZE(accepts));
	g.proxy.keeper = &g.keeper;
	g.proxy.seed = g.seed;
	g.proxy.raw4 = g.proxy.raw6 = -1;
	g.proxy.now_s = seconds();
	tables_new(&g.proxy, &g.seed);
	g.dns = dns_new(&host);
	if (!g.proxy.flows || !g.proxy.udp || !g.dns)
		proxy_fail("out of memory");
	g.proxy.dns = (struct dns_door){ dns_stream_in, dns_datagram_in, &g };
	event_assign(&g.proxy.flush, g.proxy.loop, -1, 0, on_flush, &g);
	event_assign(&g.proxy.linger, g.proxy.loop, -1, 0, on_flush, &g);
	keeper_arm(&g, false);
	event_base_loop(g.proxy.loop, EVLOOP_NO_EXIT_ON_EMPTY);
	return 1;
}
