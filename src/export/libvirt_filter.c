/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvirt_filter.c - what `virsh nwfilter-define` takes
 *
 * A guest may speak ARP as itself, DHCP, and DNS to the host of its network: all else is dropped, in
 * both directions, IPv6 as a whole.  Every rule is ebtables' (libvirt's mac, arp, ip), which sees a
 * frame wherever it is going; what stands in iptables would miss what is bridged.
 */
#include "export/export.h"

/* "out" is from the guest.  @attributes: of the protocol's element; %s: the host's address */
static const struct rule {
	const char	*direction, *action, *about;
	const char	*protocol, *attributes;
	bool		 each;		/* once for each network's host */
} rules[] = {
	{ "out", "drop", "a MAC that is not its own", "mac", "match='no' srcmacaddr='$MAC'", false },
	{ "out", "accept", "ARP as itself", "arp",
	  "arpsrcmacaddr='$MAC' arpsrcipaddr='$IP'", false },
	{ "out", "accept", "ARP before it has an address", "arp",
	  "arpsrcmacaddr='$MAC' arpsrcipaddr='0.0.0.0'", false },
	{ "out", "accept", "DHCP", "ip", "srcipaddr='0.0.0.0' dstipaddr='255.255.255.255' "
	  "protocol='udp' srcportstart='68' dstportstart='67'", false },
	{ "out", "accept", "DHCP, renewed", "ip", "srcipaddr='$IP' dstipaddr='%s' "
	  "protocol='udp' srcportstart='68' dstportstart='67'", true },
	{ "out", "accept", "DNS", "ip",
	  "srcipaddr='$IP' dstipaddr='%s' protocol='udp' dstportstart='53'", true },
	{ "out", "accept", "DNS over TCP", "ip",
	  "srcipaddr='$IP' dstipaddr='%s' protocol='tcp' dstportstart='53'", true },
	{ "in", "accept", "ARP of the host", "arp", "arpsrcipaddr='%s'", true },
	{ "in", "accept", "DHCP's answers", "ip",
	  "srcipaddr='%s' protocol='udp' srcportstart='67' dstportstart='68'", true },
	{ "in", "accept", "DNS's answers", "ip",
	  "srcipaddr='%s' dstipaddr='$IP' protocol='udp' srcportstart='53'", true },
	{ "in", "accept", "DNS's answers over TCP", "ip",
	  "srcipaddr='%s' dstipaddr='$IP' protocol='tcp' srcportstart='53'", true },
};

static void rule_put(const struct rule *r, int priority, const char *host, struct buf *to)
{
	struct span left = span_str(r->attributes), mark = SPAN("%s");

	buf_printf(to, "  <rule action='%s' direction='%s' priority='%d'><%s ", r->action, r->direction,
		   priority, r->protocol);
	while (left.len) {
		if (span_starts(left, mark)) {
			buf_add_str(to, host);
			left = span_skip(left, mark.len);
		} else {
			buf_add(to, left.at, 1);
			left = span_skip(left, 1);
		}
	}
	buf_printf(to, "/></rule>\t<!-- %s -->\n", r->about);
}

bool export_libvirt_filter(const struct export_request *request, struct buf *to, struct err *err)
{
	int priority = 100;

	(void)request, (void)err;
	buf_add_str(to, "<!-- No spoofed MAC, IP or ARP; DHCP and DNS to the host of the network and nothing "
		    "else:\n     no other guest, no service of the host, no router advertisement, no IPv6.\n"
		    "     In the domain: <interface ...><filterref filter='agent-network-filter'/> -->\n"
		    "<filter name='agent-network-filter' chain='root'>\n");
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		rule_put(&rules[i], priority++, EXPORT_GATEWAY_FILTERED, to);
		if (rules[i].each)
			rule_put(&rules[i], priority++, EXPORT_GATEWAY_ISOLATED, to);
	}
	buf_add_str(to, "  <rule action='drop' direction='inout' priority='1000'/>\n</filter>\n");
	return true;
}
