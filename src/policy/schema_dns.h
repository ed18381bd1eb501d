/* SPDX-License-Identifier: Apache-2.0 */
/* schema_dns.h - the setters of the mapping dns:, for the table in schema.c */
#ifndef SLUICE_POLICY_SCHEMA_DNS_H
#define SLUICE_POLICY_SCHEMA_DNS_H

#include "base/dns_type.h"
#include "policy/loader.h"

#define ACCEPTS_DNS "a mapping with synthetic, upstream, types"
#define ACCEPTS_UPSTREAM "system, ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT, tls://ADDRESS#NAME; " \
	"at most 3"

bool set_dns(struct loader *l, const struct node *value);
bool set_synthetic(struct loader *l, const struct node *value);
bool set_upstream(struct loader *l, const struct node *value);
bool set_dns_type(struct loader *l, const struct node *value);

#endif
