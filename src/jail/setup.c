/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup.c - furnish the jail's network from outside
 *
 * nft is half of the time of a start, and most of that is the start of the
 * program: it runs beside the rest, as soon as bwrap has mapped users (nft.c).
 */
#include "jail/setup.h"

#include <assert.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "jail/interfaces.h"
#include "jail/nft.h"
#include "jail/porter.h"
#include "jail/sockets.h"
#include "policy/guest.h"

struct furnished {
	int	slots[SETUP_SLOTS];
};

static bool setup_host_ports(const struct setup *s, bool ipv6, struct furnished *f, struct err *err)
{
	for (size_t i = 0; i < s->host_port_count; i++) {
		int *pair = f->slots + SETUP_SLOT_PORTS + 2 * i;
		uint16_t port = s->host_ports[i].inside;

		pair[0] = sockets_listen_local(AF_INET, port);
		if (pair[0] < 0)
			return err_sys(err, -pair[0], "host port %u: listen in the jail", port);
		pair[1] = ipv6 ? sockets_listen_local(AF_INET6, port) : -1;
		if (ipv6 && pair[1] < 0)
			return err_sys(err, -pair[1], "host port %u: listen in the jail", port);
	}
	return true;
}

/* bwrap's namespaces are half made yet; of others nothing is known */
static bool setup_enter(const struct setup *s, pid_t init, struct err *err)
{
	const char *but = s->guest ? s->guest->link : s->uplink ? s->uplink->link : NULL;

	if (s->held < 0)
		return namespace_join(init, err);
	if (!namespace_enter(s->held, err))
		return false;
	/* What came while nobody held it would stay, and be a way out for whoever may write frames */
	if (s->again)
		namespace_cut(but);
	return namespace_is_bare(but, err);
}

/* Rules and no gate: the engine has made all the rest */
static bool setup_watch(struct furnished *f, struct nft *nft, struct err *err)
{
	bool ok = sockets_watch(f->slots, err);

	return nft_wait(nft, err) && ok;
}

static bool setup_furnish(const struct setup *s, pid_t init, struct furnished *f, struct err *err)
{
	struct nft nft = { .says = -1 };
	bool held = s->held >= 0, ipv6, ok;
	struct addr guest;

	if (!setup_enter(s, init, err) || !nft_start(s->nft, s->ruleset, !held, &nft, err))
		return false;
	if (s->uplink)
		return setup_watch(f, &nft, err);
	addr_parse(SPAN(GUEST_ADDRESS), &guest);
	namespace_enable_ipv6();
	ipv6 = namespace_has_ipv6();
	ok = (held ? namespace_raise_lo(err) : namespace_wait_lo(err)) &&
	     link_up(&s->pool4, ipv6 ? &s->pool6 : NULL, s->guest, err) &&
	     sockets_make(&s->pool4, &s->pool6, ipv6, f->slots, err) &&
	     setup_host_ports(s, ipv6, f, err);
	if (ok && s->porter) {
		f->slots[SETUP_SLOT_PORTER] = porter_start(s->guest ? &guest : NULL, err);
		ok = f->slots[SETUP_SLOT_PORTER] >= 0;
	}
	if (!nft_wait(&nft, err) || !ok)
		return false;
	if (held)
		return !s->guest || guest_up(s->guest, err);
	if (!namespace_wait_groups(err))
		return false;
	namespace_settings_apply(&s->settings);
	return true;
}

int setup_run(const struct setup *s)
{
	struct setup_report r = { .ok = false };
	struct furnished f;
	int fds[PASS_FDS_MAX];

	static_assert(SETUP_SLOTS <= PASS_FDS_MAX, "one message carries them all");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < SETUP_SLOTS; i++)
		f.slots[i] = -1;
	r.ok = (s->held >= 0 || namespace_info(s->info, &r.init, &r.err)) &&
	       setup_furnish(s, r.init, &f, &r.err);
	for (size_t i = 0; r.ok && i < SETUP_SLOTS; i++) {
		if (f.slots[i] < 0)
			continue;
		r.slots[r.count] = (uint16_t)i;
		fds[r.count++] = f.slots[i];
	}
	return pass_send(s->report, &r, sizeof(r), fds, r.count) ? 1 : 0;
}
