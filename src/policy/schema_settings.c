/* SPDX-License-Identifier: Apache-2.0 */
/* schema_settings.c - setters of what a file says besides its rules */
#include "policy/ports.h"
#include "policy/ranges.h"
#include "policy/schema.h"
#include "policy/units.h"

#define UNIQUE_HOSTS_MAX 1000000	/* as many names as a session can bind, and more */
#define LOG_BYTES_MIN 65536		/* below, there is no room for an end that verifies */

bool set_version(struct loader *l, const struct node *value)
{
	(void)l;
	return value->plain && span_eq(value->text, SPAN("1"));
}

bool set_mode(struct loader *l, const struct node *value)
{
	enum mode mode;

	if (!mode_from(value->text, &mode))
		return false;
	if (mode == MODE_MONITOR && l->layer == LAYER_PROJECT)
		return loader_bad(l, value, "found " SPAN_FMT ", which is not for a project file "
				  "(accepted: filtered, internal or isolated)",
				  SPAN_ARG(value->text));
	l->file_mode = mode;
	draft_mode(&l->draft, mode, l->layer);
	return true;
}

/* Mode monitor lets pass what no rule matches, whatever is written here; nothing else does.  Of
 * deny and ask in several files deny wins. */
bool set_default(struct loader *l, const struct node *value)
{
	struct draft *d = &l->draft;

	if (span_eq(value->text, SPAN("ask"))) {
		d->default_ask = true;
		return true;
	}
	if (span_eq(value->text, SPAN("allow"))) {
		l->default_allow = value;
		return true;
	}
	if (!span_eq(value->text, SPAN("deny")))
		return false;
	d->default_deny = true;
	d->system_denies |= l->layer == LAYER_SYSTEM;
	return true;
}

bool set_private_networks(struct loader *l, const struct node *value)
{
	return draft_private(&l->draft, value->text);
}

bool set_host_ports(struct loader *l, const struct node *value)
{
	struct port_map map;

	return port_map_host(value->text, &map) && draft_map(&l->draft.host_ports, &map, false);
}

bool set_publish(struct loader *l, const struct node *value)
{
	struct port_map map;

	return port_map_publish(value->text, &map) && draft_map(&l->draft.publish, &map, true);
}

/* Networks of other agents, in mode internal; the system's come first */
bool set_peer(struct loader *l, const struct node *value)
{
	struct draft *d = &l->draft;
	struct net n;

	if (!net_parse(value->text, &n))
		return false;
	/* this machine's own, metadata services and multicast are never other agents */
	if (range_of(&n.base)->kind > RANGE_SPECIAL)
		return false;
	buf_add(&d->peers, &n, sizeof(n));
	if (l->layer == LAYER_SYSTEM)
		d->system_peers = (uint32_t)(d->peers.len / sizeof(n));
	return true;
}

/* An empty ceiling is one too: nothing passes under it */
bool set_ceilings(struct loader *l, const struct node *value)
{
	if (l->layer != LAYER_SYSTEM)
		return loader_bad(l, value, "found a ceiling, which only the system's file has "
				  "(accepted: in /etc/sluice/policy.yaml)");
	l->draft.has_ceiling = true;
	return true;
}

/* ---- limits: the lowest number of all layers ---- */

bool set_limits(struct loader *l, const struct node *value)
{
	return value->first && schema_read(l, value, IN_LIMITS);
}

static void least(uint64_t *old, uint64_t value)
{
	if (value < *old)
		*old = value;
}

/* Rates over different windows bound different things: one of each window holds */
static bool limit_rate(struct rates *rates, const struct node *value)
{
	struct rate r, *old;

	if (!units_rate(value->text, &r))
		return false;
	old = &rates->at[r.per_s == 1 ? 0 : r.per_s == 60 ? 1 : 2];
	if (!old->count || r.count < old->count)
		*old = r;
	return true;
}

static bool limit_bytes(uint64_t *old, const struct node *value)
{
	uint64_t bytes;

	if (!units_bytes(value->text, &bytes))
		return false;
	least(old, bytes);
	return true;
}

bool set_requests(struct loader *l, const struct node *value)
{
	return limit_rate(&l->draft.limits.requests, value);
}

bool set_requests_per_host(struct loader *l, const struct node *value)
{
	return limit_rate(&l->draft.limits.requests_per_host, value);
}

bool set_unique_hosts(struct loader *l, const struct node *value)
{
	uint64_t count;

	if (!units_count(value->text, UNIQUE_HOSTS_MAX, &count))
		return false;
	least(&l->draft.limits.unique_hosts, count);
	return true;
}

bool set_upload_per_request(struct loader *l, const struct node *value)
{
	return limit_bytes(&l->draft.limits.upload_per_request, value);
}

bool set_upload_total(struct loader *l, const struct node *value)
{
	return limit_bytes(&l->draft.limits.upload_total, value);
}

bool set_download_total(struct loader *l, const struct node *value)
{
	return limit_bytes(&l->draft.limits.download_total, value);
}

bool set_error_rate(struct loader *l, const struct node *value)
{
	uint32_t percent, *old = &l->draft.limits.error_rate_percent;

	if (!units_percent(value->text, &percent))
		return false;
	if (!*old || percent < *old)
		*old = percent;
	return true;
}

/* The strictest of all layers */
bool set_on_exceed(struct loader *l, const struct node *value)
{
	static const char *const names[] = {
		[EXCEED_ALERT] = "alert", [EXCEED_BLOCK] = "block", [EXCEED_KILL] = "kill",
	};
	uint32_t *old = &l->draft.limits.on_exceed;

	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!span_eq(value->text, span_str(names[i])))
			continue;
		if (i > *old)
			*old = i;
		return true;
	}
	return false;
}

/* ---- log: the strongest layer that has it, which is read first ---- */

bool set_log(struct loader *l, const struct node *value)
{
	struct draft *d = &l->draft;

	l->log = d->log;
	if (!value->first || !schema_read(l, value, IN_LOG))
		return false;
	if (!d->log_set)
		d->log = l->log;
	d->log_set = true;
	return true;
}

bool set_log_dns(struct loader *l, const struct node *value)
{
	bool on = false;

	tree_is_bool(value, &on);
	l->log.dns = on;
	return true;
}

bool set_log_process(struct loader *l, const struct node *value)
{
	bool on = false;

	tree_is_bool(value, &on);
	l->log.process = on;
	return true;
}

bool set_log_sync(struct loader *l, const struct node *value)
{
	bool on = false;

	tree_is_bool(value, &on);
	l->log.sync = on;
	return true;
}

static bool log_detail(const struct node *value, uint8_t *ret)
{
	static const char *const names[] = {
		[DETAIL_REDACT] = "redact", [DETAIL_FULL] = "full", [DETAIL_NONE] = "none",
	};

	for (uint8_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!span_eq(value->text, span_str(names[i])))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

bool set_log_paths(struct loader *l, const struct node *value)
{
	return log_detail(value, &l->log.paths);
}

bool set_log_command(struct loader *l, const struct node *value)
{
	return log_detail(value, &l->log.command);
}

bool set_log_max(struct loader *l, const struct node *value)
{
	return units_bytes(value->text, &l->log.max_bytes) && l->log.max_bytes >= LOG_BYTES_MIN;
}

bool set_log_rotate(struct loader *l, const struct node *value)
{
	return units_bytes(value->text, &l->log.rotate_bytes) &&
	       l->log.rotate_bytes >= LOG_BYTES_MIN;
}
