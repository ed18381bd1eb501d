/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/page.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* A metric's series stand together, of whatever session they are (the format wants it) */
struct writer {
	struct buf	*to;
	const struct page_session *sessions, *end;
};

#define EACH(w, s) const struct page_session *s = (w)->sessions; s < (w)->end; s++
#define OF(member) offsetof(struct counters, member)

static const char *const passed_labels[] = { [PASSED_NO] = "deny", [PASSED_YES] = "allow",
					    [PASSED_ASK] = "ask" };

static void label_value(struct buf *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_add(to, "\\", 1);
		if (*text == '\n')
			buf_add_str(to, "\\n");
		else
			buf_add(to, text, 1);
	}
}

static void label(struct buf *to, const char *before, const char *name, const char *value)
{
	buf_printf(to, "%s%s=\"", before, name);
	label_value(to, value);
	buf_add_str(to, "\"");
}

static void head(const struct writer *w, const char *name, const char *type, const char *help)
{
	buf_printf(w->to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One series: up to two more labels than that of the session */
static void row(const struct writer *w, const struct page_session *s, const char *name,
		const char *key, const char *value, const char *key2, const char *value2,
		uint64_t number)
{
	buf_add_str(w->to, name);
	label(w->to, "{", "session", s->name);
	if (key)
		label(w->to, ",", key, value);
	if (key2)
		label(w->to, ",", key2, value2);
	buf_printf(w->to, "} %" PRIu64 "\n", number);
}

static uint64_t number_at(const struct counters *c, size_t offset)
{
	uint64_t number;

	memcpy(&number, (const char *)c + offset, sizeof(number));
	return number;
}

/* @offset: of the number, in the counters */
static void single(const struct writer *w, const char *name, const char *type, const char *help,
		   size_t offset)
{
	head(w, name, type, help);
	for (EACH(w, s))
		row(w, s, name, NULL, NULL, NULL, NULL, number_at(s->counters, offset));
}

/* @offset: of the numbers, by verdict */
static void by_verdict(const struct writer *w, const char *name, const char *help, size_t offset,
		       enum passed count)
{
	uint64_t numbers[PASSED_NUM];

	head(w, name, "counter", help);
	for (EACH(w, s)) {
		memcpy(numbers, (const char *)s->counters + offset, sizeof(numbers));
		for (enum passed p = 0; p < count; p++)
			row(w, s, name, "verdict", passed_labels[p], NULL, NULL, numbers[p]);
	}
}

/* What goes in and out: a guest's interface counts it, else the gate bytes and the kernel packets */
static const struct traffic {
	const char	*name, *help;
	enum gauge	 link;
	size_t		 else_at;	/* in the counters */
	bool		 is_packets;	/* which not every session has */
} traffics[] = {
	{ "agent_vm_network_rx_bytes_total", "Bytes into the jail, of connections that have ended; "
	  "into a guest, as its interface counts.", GAUGE_LINK_BYTES_IN, OF(bytes_in), false },
	{ "agent_vm_network_tx_bytes_total", "Bytes out of the jail, of connections that have ended; "
	  "out of a guest, as its interface counts.", GAUGE_LINK_BYTES_OUT, OF(bytes_out), false },
	{ "agent_vm_network_rx_packets_total", "Packets from the gate into the jail, by the kernel's "
	  "count.", GAUGE_LINK_PACKETS_IN, OF(gauge[GAUGE_PACKETS_IN]), true },
	{ "agent_vm_network_tx_packets_total", "Packets out of the jail, refused ones too, by the "
	  "kernel's count.", GAUGE_LINK_PACKETS_OUT, OF(gauge[GAUGE_PACKETS_OUT]), true },
};

/* A metric that no session has is not there */
static void traffic(const struct writer *w, const struct traffic *t)
{
	bool begun = false;

	for (EACH(w, s)) {
		const struct counters *c = s->counters;

		if (t->is_packets && !c->gauge[GAUGE_HAS_LINK] && !c->gauge[GAUGE_HAS_PACKETS])
			continue;
		if (!begun)
			head(w, t->name, "counter", t->help);
		begun = true;
		row(w, s, t->name, NULL, NULL, NULL, NULL, c->gauge[GAUGE_HAS_LINK] ?
		    c->gauge[t->link] : number_at(c, t->else_at));
	}
}

static void guests(const struct writer *w, const char *name)
{
	static const struct {
		enum gauge	 gauge;
		const char	*reason;
	} reasons[] = {
		{ GAUGE_DROPPED_FORGED, "forged" }, { GAUGE_DROPPED_REFUSED, "refused" },
		{ GAUGE_DROPPED_BEYOND, "bandwidth" }, { GAUGE_DROPPED_LOST, "lost" },
	};
	bool begun = false;

	for (EACH(w, s)) {
		if (!s->counters->gauge[GAUGE_HAS_LINK])
			continue;
		if (!begun)
			head(w, name, "counter", "Packets of the guest that went nowhere.");
		begun = true;
		for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
			row(w, s, name, "reason", reasons[i].reason, NULL, NULL,
			    s->counters->gauge[reasons[i].gauge]);
	}
}

static void blocked(const struct writer *w, const char *name)
{
	head(w, name, "counter", "Connections that were denied.");
	for (EACH(w, s))
		for (enum reason r = REASON_ALLOWED_APPROVED + 1; r < REASON_NUM; r++)
			row(w, s, name, "reason", reason_name(r), NULL, NULL, s->counters->blocked[r]);
}

static void requests(const struct writer *w, const char *name)
{
	head(w, name, "counter", "HTTP requests that were seen.");
	for (EACH(w, s))
		for (enum method m = 0; m < METHOD_NUM; m++)
			for (enum passed p = 0; p < PASSED_ASK; p++)
				row(w, s, name, "method", method_label(m), "verdict",
				    passed_labels[p], s->counters->http[m][p]);
}

static void alerts(const struct writer *w, const char *name)
{
	head(w, name, "counter", "Alerts that were raised.");
	for (EACH(w, s))
		for (enum alert a = 0; a < ALERT_NUM; a++)
			row(w, s, name, "kind", alert_name(a), NULL, NULL, s->counters->alerts[a]);
}

static void verdicts(const struct writer *w)
{
	by_verdict(w, "agent_network_connection_attempts_total", "Connections that were judged.",
		   OF(connections), PASSED_ASK);
	blocked(w, "agent_network_blocked_connections_total");
	by_verdict(w, "sluice_dns_queries_total", "Names that were asked for.", OF(dns), PASSED_NUM);
	requests(w, "sluice_http_requests_total");
	alerts(w, "sluice_alerts_total");
	single(w, "sluice_active_connections", "gauge", "Connections that are open.", OF(active));
	single(w, "sluice_malformed_total", "counter",
	       "Names, connections and requests that were denied as malformed.", OF(malformed));
	single(w, "sluice_dropped_packets_total", "counter",
	       "Packets that the kernel refused and that are of no connection attempt.",
	       OF(dropped));
	single(w, "sluice_policy_reloads_total", "counter", "Reloads of the policy.", OF(reloads));
}

/* Of all sessions together */
static void histogram(const struct writer *w, const char *name, const char *help, size_t offset)
{
	struct histogram sum = { .sum_us = 0 }, one;
	uint64_t below = 0;

	for (EACH(w, s)) {
		memcpy(&one, (const char *)s->counters + offset, sizeof(one));
		for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
			sum.count[i] += one.count[i];
		sum.sum_us += one.sum_us;
	}
	head(w, name, "histogram", help);
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		below += sum.count[i];
		if (i < HISTOGRAM_BOUNDS)
			buf_printf(w->to, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
				   (double)histogram_bound_us(i) / 1e6, below);
		else
			buf_printf(w->to, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, below);
	}
	buf_printf(w->to, "%s_sum %.6f\n%s_count %" PRIu64 "\n", name, (double)sum.sum_us / 1e6,
		   name, below);
}

static void health(const struct writer *w)
{
	static const struct {
		enum gauge	 gauge;
		const char	*name, *type, *help;
	} gauges[] = {
		{ GAUGE_RECORDS, "sluice_records_total", "counter",
		  "Lines of the audit log that were written." },
		{ GAUGE_LOG_BYTES, "sluice_log_bytes", "gauge", "Bytes of the audit log." },
		{ GAUGE_LOG_MAX, "sluice_log_max_bytes", "gauge",
		  "Bytes of the audit log at which everything is denied." },
		{ GAUGE_QUEUE_BYTES, "sluice_queue_bytes", "gauge",
		  "Bytes of answers that the gate has not taken yet." },
		{ GAUGE_FAIL_CLOSED, "sluice_fail_closed_total", "counter",
		  "Failures after which everything is denied." },
		{ GAUGE_NAMES, "sluice_names", "gauge", "Names that have an address." },
		{ GAUGE_NAMES_MAX, "sluice_names_max", "gauge", "Names that can have one." },
		{ GAUGE_CONNS, "sluice_held_connections", "gauge",
		  "Connections that are open or under way." },
		{ GAUGE_CONNS_MAX, "sluice_held_connections_max", "gauge",
		  "Connections that may be." },
		{ GAUGE_FDS, "sluice_descriptors", "gauge", "File descriptors of the keeper." },
		{ GAUGE_FDS_MAX, "sluice_descriptors_max", "gauge",
		  "File descriptors that the keeper may have." },
		{ GAUGE_WEBHOOK_SENT, "sluice_webhook_sent_total", "counter",
		  "Alerts that the webhook has taken." },
		{ GAUGE_WEBHOOK_LOST, "sluice_webhook_lost_total", "counter",
		  "Alerts that the webhook did not get." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++)
		single(w, gauges[i].name, gauges[i].type, gauges[i].help,
		       OF(gauge) + gauges[i].gauge * sizeof(uint64_t));
}

void page_print(struct buf *to, const struct page_session *sessions, size_t count,
		const struct page_about *about)
{
	const struct writer w = { to, sessions, sessions + count };

	for (size_t i = 0; i < ARRAY_SIZE(traffics); i++)
		traffic(&w, &traffics[i]);
	guests(&w, "sluice_guest_dropped_packets_total");
	verdicts(&w);
	histogram(&w, "sluice_upstream_connect_seconds",
		  "From the dial of a server to its answer.", OF(connect));
	histogram(&w, "sluice_decision_seconds",
		  "What the keeper takes to judge a question and to write its record, without the "
		  "waits for name servers.", OF(decision));
	health(&w);
	head(&w, "sluice_build_info", "gauge", "The build that runs; always 1.");
	buf_add_str(to, "sluice_build_info");
	label(to, "{", "version", about->version);
	label(to, ",", "revision", about->revision);
	buf_add_str(to, "} 1\n");
}
