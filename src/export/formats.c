/* SPDX-License-Identifier: Apache-2.0 */
#include "export/export.h"

#include <string.h>

const struct export_format export_formats[] = {
	{ "libvirt-network", "a network of libvirt's guests, for virsh net-define",
	  export_libvirt_network },
	{ "libvirt-filter", "agent-network-filter, for virsh nwfilter-define", export_libvirt_filter },
	{ "compose", "agents of Docker's in each mode, for docker-compose", export_compose },
	{ NULL, NULL, NULL },
};

const struct export_format *export_find(const char *name)
{
	for (const struct export_format *f = export_formats; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}
