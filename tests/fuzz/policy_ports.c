/* SPDX-License-Identifier: Apache-2.0 */
/* policy_ports.c - ports, port mappings, and the flags made of them */
#include <assert.h>

#include "policy/load.h"
#include "policy/ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define TEXT_MAX 512	/* longer than any flag that is right */

static void check_flags(struct span text)
{
	char value[TEXT_MAX];
	char *const list[] = { value, NULL };
	struct policy_input in = { .allows = list };
	struct err err = { "" };

	if (!span_copy(text, value, sizeof(value)))
		return;
	policy_free(policy_load(&in, &err));
	in = (struct policy_input){ .denies = list, .private_networks = list, .publishes = list };
	err = (struct err){ "" };
	policy_free(policy_load(&in, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span text = span_of(bytes, size);
	struct port_range r;
	struct port_map map;

	if (ports_parse(text, &r)) {
		assert(r.first && r.first <= r.last);
		assert(!(r.first <= 53 && r.last >= 53) && !(r.first <= 853 && r.last >= 853));
	}
	if (port_map_host(text, &map) || port_map_publish(text, &map))
		assert(map.inside && map.outside);
	check_flags(text);
	return 0;
}
