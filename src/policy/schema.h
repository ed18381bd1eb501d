/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - the setters that the table in schema.c names; for schema*.c only */
#ifndef SLUICE_POLICY_SCHEMA_H
#define SLUICE_POLICY_SCHEMA_H

#include "policy/loader.h"

#define ACCEPTS_WEBHOOK "https://HOST[:PORT]/PATH or http://, without a user"

#define SETTER(name) bool name(struct loader *l, const struct node *value)

/* schema_settings.c */
SETTER(set_version);
SETTER(set_mode);
SETTER(set_default);
SETTER(set_private_networks);
SETTER(set_host_ports);
SETTER(set_publish);
SETTER(set_peer);
SETTER(set_upstream_proxy);
SETTER(set_alerts);
SETTER(set_webhook);
SETTER(set_ceilings);
SETTER(set_limits);
SETTER(set_requests);
SETTER(set_requests_per_host);
SETTER(set_unique_hosts);
SETTER(set_upload_per_request);
SETTER(set_upload_total);
SETTER(set_download_total);
SETTER(set_error_rate);
SETTER(set_on_exceed);
SETTER(set_log);
SETTER(set_log_dns);
SETTER(set_log_sync);
SETTER(set_log_process);
SETTER(set_log_paths);
SETTER(set_log_command);
SETTER(set_log_max);
SETTER(set_log_rotate);

/* schema_rule.c */
SETTER(set_presets);
SETTER(set_host);
SETTER(set_ip);
SETTER(set_preset);
SETTER(set_port);
SETTER(set_protocol);
SETTER(set_private);
SETTER(set_unsafe_wildcard);
SETTER(set_over_lists);
SETTER(set_under_ceiling);
SETTER(set_reason);
SETTER(set_id);
SETTER(set_project);
SETTER(set_root);
SETTER(set_approved);
SETTER(set_allow);
SETTER(set_deny);
SETTER(set_ceiling);
SETTER(set_preset_name);
SETTER(set_use_configured);
SETTER(set_preset_host);
SETTER(set_preset_read);
SETTER(set_read_method);
SETTER(set_read_path);
SETTER(set_variant);
SETTER(set_variant_host);
SETTER(set_repo);			/* preset_narrow.c */
SETTER(set_repo_template);
SETTER(set_nothing);

/* schema_more.c */
SETTER(set_method);
SETTER(set_path);
SETTER(set_expires);
SETTER(set_rate);
SETTER(set_bandwidth);
SETTER(set_bandwidth_down);
SETTER(set_bandwidth_up);
SETTER(set_burst);
SETTER(set_quota);
SETTER(set_quota_down);
SETTER(set_quota_up);
SETTER(set_max_request);
SETTER(set_websocket);
SETTER(set_inspect);
SETTER(set_ech);
SETTER(set_quiet);
SETTER(set_inject);
SETTER(set_inject_header);
SETTER(set_inject_value);
SETTER(set_credentials);
SETTER(set_credentials_header);
SETTER(set_credentials_sha256);

/* Could a rule name this method? */
bool method_is_good(struct span name);

/* Keep the value of inject of the rule that is added next, apart from the image */
bool item_secret(struct loader *l);
/* All of them, once the rules are there.  Return: false: no memory */
bool secrets_take(struct policy_secrets *s, const struct draft *d);

/* Add the item as a rule; @file and @list make its id, if it has none of its own */
bool rule_add(struct loader *l, const char *file, const char *list);

#endif
