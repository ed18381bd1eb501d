/* SPDX-License-Identifier: Apache-2.0 */
/* fixed.c - what the jail was built with cannot change while it stands */
#include <string.h>

#include "daemon/reload.h"
#include "policy/upstream.h"

static bool maps_same(const struct port_map *a, size_t a_count, const struct port_map *b,
		      size_t b_count)
{
	bool same = a_count == b_count;

	for (size_t i = 0; same && i < a_count; i++)
		same = addr_eq(&a[i].addr, &b[i].addr) && a[i].outside == b[i].outside &&
		       a[i].inside == b[i].inside;
	return same;
}

static bool net_same(const struct net *a, const struct net *b)
{
	return a->bits == b->bits && addr_eq(&a->base, &b->base);
}

static bool upstreams_same(const struct policy *old, const struct policy *new)
{
	size_t count = policy_settings(old).upstream_count;
	bool same = count == policy_settings(new).upstream_count;

	for (size_t i = 0; same && i < count; i++)
		same = !strcmp(policy_upstream(old, i), policy_upstream(new, i));
	return same;
}

bool reload_fits(const struct policy *old, const struct policy *new, struct err *err)
{
	struct policy_settings a = policy_settings(old), b = policy_settings(new);
	const char *what = NULL;

	if (policy_mode(old) != policy_mode(new))
		what = "mode";
	else if (!net_same(&a.synthetic4, &b.synthetic4) || !net_same(&a.synthetic6, &b.synthetic6))
		what = "dns.synthetic";
	else if (!maps_same(a.host_ports, a.host_port_count, b.host_ports, b.host_port_count))
		what = "host_ports";
	else if (!maps_same(a.publish, a.publish_count, b.publish, b.publish_count))
		what = "publish";
	else if (!upstreams_same(old, new))
		what = "dns.upstream";
	else if (strcmp(a.upstream_proxy, b.upstream_proxy) != 0)
		what = "upstream_proxy";
	return !what || err_set(err, "%s cannot change while the command runs (start it anew)",
				what);
}
