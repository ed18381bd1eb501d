/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvirt_network.c - what `virsh net-define` takes
 *
 * Neither network has a <forward>: the host routes nothing of it, and libvirt tells its guests no
 * router.  libvirt's NAT would be a way out beside the gate for every guest that nobody attached.
 * A guest that is attached is taken off the bridge, and has the same addresses from the gate.
 */
#include "export/export.h"

#define NETMASK "255.255.255.0"

static const struct network {
	enum mode	 mode;
	const char	*name, *bridge, *about;
	const char	*gateway, *first, *last;
	bool		 dns;	/* libvirt's own: names of guests, nothing is asked upstream */
} networks[] = {
	{ MODE_FILTERED, "agent-nat-filtered", "virbr-agent",
	  "guests whose way out is sluice's gate",
	  EXPORT_GATEWAY_FILTERED, "192.168.101.10", "192.168.101.254", true },
	{ MODE_ISOLATED, "agent-isolated", "virbr-isolated", "guests with no way out, not even DNS",
	  EXPORT_GATEWAY_ISOLATED, "192.168.100.10", "192.168.100.254", false },
};

static void network_put(const struct network *n, struct buf *to)
{
	buf_printf(to, "<!-- %s: %s.\n"
		   "     No <forward>: the host routes nothing of it, so a guest that is not attached\n"
		   "     reaches nobody.  Ports are isolated: no guest reaches another. -->\n"
		   "<network>\n"
		   "  <name>%s</name>\n"
		   "  <bridge name='%s' stp='on' delay='0'/>\n"
		   "  <port isolated='yes'/>\n", n->name, n->about, n->name, n->bridge);
	if (!n->dns)
		buf_add_str(to, "  <dns enable='no'/>\n");
	buf_printf(to, "  <ip address='%s' netmask='" NETMASK "'>\n"
		   "    <dhcp>\n"
		   "      <range start='%s' end='%s'/>\n"
		   "    </dhcp>\n"
		   "  </ip>\n"
		   "</network>\n", n->gateway, n->first, n->last);
}

bool export_libvirt_network(const struct export_request *r, struct buf *to, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		if (networks[i].mode == r->mode) {
			network_put(&networks[i], to);
			return true;
		}
	}
	return err_set(err, "libvirt-network: there is none for mode %s (filtered: agent-nat-filtered, "
		       "isolated: agent-isolated)", mode_name(r->mode));
}
