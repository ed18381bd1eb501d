/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compose.c - what docker-compose takes: agents behind the gate, in each of the modes
 *
 * The names are an example's; what matters is `runtime` and where a service has its network.  A mode that
 * lets everything pass has no form here.
 */
#include "export/export.h"

#define IMAGE "    image: ${AGENT_IMAGE:?the image of the agents}\n    runtime: sluice\n"

static const struct service {
	enum mode	 mode;
	const char	*name, *about, *policy, *more;
} services[] = {
	{ MODE_ISOLATED, "offline", "mode isolated (none): no network at all, whatever its policy allows", "web",
	  "      SLUICE_MODE: none\n    network_mode: none\n" },
	{ MODE_FILTERED, "worker", "mode filtered (restricted): what /etc/sluice/policies.d/web.yaml names", "web",
	  "    network_mode: none\n" },
	{ MODE_INTERNAL, "planner", "mode internal: its peers by address and by name, and nothing else", "team",
	  "    networks: [agent-internal]\n" },
	{ MODE_INTERNAL, "coder", "its peer", "team", "    networks: [agent-internal]\n" },
};

static bool is_wanted(const struct export_request *r, enum mode mode)
{
	return r->every_mode || r->mode == mode;
}

bool export_compose(const struct export_request *r, struct buf *to, struct err *err)
{
	if (!r->every_mode && r->mode == MODE_MONITOR)
		return err_set(err, "compose: there is none for mode monitor (filtered | internal | isolated)");
	buf_add_str(to, "# sluice export compose: agents behind the gate (see docs/docker.md)\n"
			"version: \"3.5\"\nservices:\n");
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		const struct service *s = &services[i];

		if (is_wanted(r, s->mode))
			buf_printf(to, "  # %s\n  %s:\n" IMAGE "    environment:\n      SLUICE_POLICY: %s\n%s",
				   s->about, s->name, s->policy, s->more);
	}
	if (is_wanted(r, MODE_INTERNAL))
		buf_add_str(to, "networks:\n"
				"  # `peers` of team.yaml is its subnet\n"
				"  agent-internal:\n"
				"    name: agent-internal\n"
				"    internal: true\n"
				"    ipam:\n"
				"      config:\n"
				"        - subnet: " EXPORT_SUBNET_INTERNAL "\n");
	return true;
}
