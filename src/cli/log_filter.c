/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_filter.h"

#include <string.h>

#include "audit/reader.h"
#include "cli/events.h"
#include "policy/host.h"

void log_filter_done(struct log_filter *f)
{
	option_list_done(&f->hosts);
	option_list_done(&f->verdicts);
	option_list_done(&f->events);
}

bool log_filter_check(const struct log_filter *f, struct err *err)
{
	char name[HOST_MAX + 1];
	enum form form;
	struct addr addr;

	for (size_t i = 0; i < f->verdicts.count; i++)
		if (strcmp(f->verdicts.at[i], "allow") != 0 && strcmp(f->verdicts.at[i], "deny") != 0)
			return err_set(err, "--verdict %s: no verdict (allow | deny)", f->verdicts.at[i]);
	for (size_t i = 0; i < f->events.count; i++)
		if (!events_known(f->events.at[i]))
			return err_set(err, "--event %s: no event of the log (dns.query, conn.open, "
				       "conn.close, http ...)", f->events.at[i]);
	for (size_t i = 0; i < f->hosts.count; i++)
		if (!addr_parse(span_str(f->hosts.at[i]), &addr) &&
		    !host_pattern(span_str(f->hosts.at[i]), &form, name))
			return err_set(err, "--host %s: neither a name (NAME, *.NAME, .NAME) nor an address",
				       f->hosts.at[i]);
	return true;
}

static bool list_has(const struct option_list *l, struct span text)
{
	for (size_t i = 0; i < l->count; i++)
		if (span_eq(text, span_str(l->at[i])))
			return true;
	return false;
}

/* Is the text of an event @wanted, or below it?  Both as text of a log, and as people write */
static bool host_fits(const char *wanted, struct span text)
{
	char name[HOST_MAX + 1], host[HOST_MAX + 1];
	struct addr a, b;
	struct span below;
	enum form form;
	bool exact;

	if (addr_parse(span_str(wanted), &a))
		return addr_parse(text, &b) && addr_eq(&a, &b);
	if (!host_pattern(span_str(wanted), &form, name) || !host_normal_wire(text, host))
		return false;
	exact = !strcmp(name, host);
	below = span_str(host);
	while (below.len && !span_eq(below, span_str(name)))
		below = host_parent(below);
	return exact ? form != FORM_BELOW : below.len && form != FORM_EXACT;
}

static bool any_host_fits(const struct option_list *l, struct span text)
{
	for (size_t i = 0; i < l->count; i++)
		if (host_fits(l->at[i], text))
			return true;
	return false;
}

static bool is_about(const struct option_list *hosts, const json_t *event)
{
	static const char *const keys[] = { "host", "name", "ip" };
	static const char *const lists[] = { "ips", "sample" };
	const json_t *item;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (any_host_fits(hosts, event_text(event, keys[i])))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		json_array_foreach(json_object_get(event, lists[i]), n, item)
			if (any_host_fits(hosts, span_of(json_string_value(item),
							 json_string_length(item))))
				return true;
	return false;
}

bool log_filter_wants(const struct log_filter *f, const json_t *event)
{
	struct span name = event_text(event, "event");
	struct span verdict = events_is_denial(name) ? SPAN("deny") : event_text(event, "verdict");

	return (!f->events.count || list_has(&f->events, name)) &&
	       (!f->verdicts.count || list_has(&f->verdicts, verdict)) &&
	       (!f->hosts.count || is_about(&f->hosts, event));
}
