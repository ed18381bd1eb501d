/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - the setters that the table in schema.c names; for schema*.c only */
#ifndef SLUICE_POLICY_SCHEMA_H
#define SLUICE_POLICY_SCHEMA_H

#include "policy/loader.h"

#define SETTER(name) bool name(struct loader *l, const struct node *value)

/* schema_settings.c */
SETTER(set_version);
SETTER(set_mode);
SETTER(set_default);
SETTER(set_private_networks);
SETTER(set_host_ports);
SETTER(set_publish);
SETTER(set_dns);
SETTER(set_synthetic);

/* schema_rule.c */
SETTER(set_presets);
SETTER(set_host);
SETTER(set_ip);
SETTER(set_preset);
SETTER(set_port);
SETTER(set_protocol);
SETTER(set_private);
SETTER(set_unsafe_wildcard);
SETTER(set_reason);
SETTER(set_id);
SETTER(set_allow);
SETTER(set_deny);
SETTER(set_preset_name);
SETTER(set_use_configured);
SETTER(set_preset_host);
SETTER(set_preset_read);
SETTER(set_nothing);

#endif
