/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.h - config for other enforcement planes: pure text, one file a format
 *
 * What a format can't express is refused, or left narrower and said in a comment; never wider.
 */
#ifndef SLUICE_EXPORT_EXPORT_H
#define SLUICE_EXPORT_EXPORT_H

#include "base/buf.h"
#include "base/err.h"
#include "policy/policy.h"

#define EXPORT_TEXT_MAX 65536	/* bytes of what a format writes */

/* What was asked for; a format that has no use for a field ignores it */
struct export_request {
	enum mode	 mode;
	bool		 every_mode;	/* none was asked for */
};

struct export_format {
	const char	*name;
	const char	*summary;	/* one line */
	bool		(*write)(const struct export_request *r, struct buf *to, struct err *err);
};
extern const struct export_format export_formats[];	/* ends with name NULL */

/* The row of that name, or NULL */
const struct export_format *export_find(const char *name);

/* What `virsh net-define` takes: the network of guests in filtered or isolated mode */
bool export_libvirt_network(const struct export_request *r, struct buf *to, struct err *err);

/* What `virsh nwfilter-define` takes */
bool export_libvirt_filter(const struct export_request *r, struct buf *to, struct err *err);

/* What docker-compose takes */
bool export_compose(const struct export_request *r, struct buf *to, struct err *err);

#define EXPORT_SUBNET_INTERNAL "172.28.1.0/24"	/* of Docker's network agent-internal */

/* The networks of libvirt's guests, that both formats speak of */
#define EXPORT_GATEWAY_FILTERED "192.168.101.1"	/* agent-nat-filtered, 192.168.101.0/24 */
#define EXPORT_GATEWAY_ISOLATED "192.168.100.1"	/* agent-isolated, 192.168.100.0/24 */

#endif
