/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/page.h"

#include <inttypes.h>

struct writer {
	struct buf	*to;
	const char	*session;
};

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
static void row(const struct writer *w, const char *name, const char *key, const char *value,
		const char *key2, const char *value2, uint64_t number)
{
	buf_add_str(w->to, name);
	label(w->to, "{", "session", w->session);
	if (key)
		label(w->to, ",", key, value);
	if (key2)
		label(w->to, ",", key2, value2);
	buf_printf(w->to, "} %" PRIu64 "\n", number);
}

static void single(const struct writer *w, const char *name, const char *type, const char *help,
		   uint64_t number)
{
	head(w, name, type, help);
	row(w, name, NULL, NULL, NULL, NULL, number);
}

static void by_verdict(const struct writer *w, const char *name, const char *help,
		       const uint64_t *numbers, size_t count)
{
	head(w, name, "counter", help);
	for (enum passed p = 0; p < count; p++)
		row(w, name, "verdict", passed_labels[p], NULL, NULL, numbers[p]);
}

/* The same series, as an interface tells them */
static void link_traffic(const struct writer *w, const struct counters *c)
{
	static const char dropped[] = "sluice_guest_dropped_packets_total";

	single(w, "agent_vm_network_rx_bytes_total", "counter",
	       "Bytes into the guest, as its interface counts them.", c->gauge[GAUGE_LINK_BYTES_IN]);
	single(w, "agent_vm_network_tx_bytes_total", "counter",
	       "Bytes out of the guest, as its interface counts them.", c->gauge[GAUGE_LINK_BYTES_OUT]);
	single(w, "agent_vm_network_rx_packets_total", "counter",
	       "Packets into the guest, as its interface counts them.",
	       c->gauge[GAUGE_LINK_PACKETS_IN]);
	single(w, "agent_vm_network_tx_packets_total", "counter",
	       "Packets out of the guest, dropped ones too, as its interface counts them.",
	       c->gauge[GAUGE_LINK_PACKETS_OUT]);
	head(w, dropped, "counter", "Packets of the guest that went nowhere.");
	row(w, dropped, "reason", "forged", NULL, NULL, c->gauge[GAUGE_DROPPED_FORGED]);
	row(w, dropped, "reason", "refused", NULL, NULL, c->gauge[GAUGE_DROPPED_REFUSED]);
	row(w, dropped, "reason", "bandwidth", NULL, NULL, c->gauge[GAUGE_DROPPED_BEYOND]);
	row(w, dropped, "reason", "lost", NULL, NULL, c->gauge[GAUGE_DROPPED_LOST]);
}

static void traffic(const struct writer *w, const struct counters *c)
{
	if (c->gauge[GAUGE_HAS_LINK]) {
		link_traffic(w, c);
		return;
	}
	single(w, "agent_vm_network_rx_bytes_total", "counter",
	       "Bytes into the jail, of connections that have ended.", c->bytes_in);
	single(w, "agent_vm_network_tx_bytes_total", "counter",
	       "Bytes out of the jail, of connections that have ended.", c->bytes_out);
	if (!c->gauge[GAUGE_HAS_PACKETS])
		return;
	single(w, "agent_vm_network_rx_packets_total", "counter",
	       "Packets from the gate into the jail, by the kernel's count.",
	       c->gauge[GAUGE_PACKETS_IN]);
	single(w, "agent_vm_network_tx_packets_total", "counter",
	       "Packets out of the jail, refused ones too, by the kernel's count.",
	       c->gauge[GAUGE_PACKETS_OUT]);
}

static void verdicts(const struct writer *w, const struct counters *c)
{
	static const char blocked[] = "agent_network_blocked_connections_total";
	static const char http[] = "sluice_http_requests_total";
	static const char alerts[] = "sluice_alerts_total";

	by_verdict(w, "agent_network_connection_attempts_total", "Connections that were judged.",
		   c->connections,
		   PASSED_ASK);
	head(w, blocked, "counter", "Connections that were denied.");
	for (enum reason r = REASON_ALLOWED_APPROVED + 1; r < REASON_NUM; r++)
		row(w, blocked, "reason", reason_name(r), NULL, NULL, c->blocked[r]);
	by_verdict(w, "sluice_dns_queries_total", "Names that were asked for.", c->dns, PASSED_NUM);
	head(w, http, "counter", "HTTP requests that were seen.");
	for (enum method m = 0; m < METHOD_NUM; m++)
		for (enum passed p = 0; p < PASSED_ASK; p++)
			row(w, http, "method", method_label(m), "verdict", passed_labels[p],
			    c->http[m][p]);
	head(w, alerts, "counter", "Alerts that were raised.");
	for (enum alert a = 0; a < ALERT_NUM; a++)
		row(w, alerts, "kind", alert_name(a), NULL, NULL, c->alerts[a]);
	single(w, "sluice_active_connections", "gauge", "Connections that are open.", c->active);
	single(w, "sluice_malformed_total", "counter",
	       "Names, connections and requests that were denied as malformed.", c->malformed);
	single(w, "sluice_dropped_packets_total", "counter",
	       "Packets that the kernel refused and that are of no connection attempt.",
	       c->dropped);
	single(w, "sluice_policy_reloads_total", "counter", "Reloads of the policy.", c->reloads);
}

static void histogram(const struct writer *w, const char *name, const char *help,
		      const struct histogram *h)
{
	uint64_t below = 0;

	head(w, name, "histogram", help);
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		below += h->count[i];
		if (i < HISTOGRAM_BOUNDS)
			buf_printf(w->to, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
				   (double)histogram_bound_us(i) / 1e6, below);
		else
			buf_printf(w->to, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, below);
	}
	buf_printf(w->to, "%s_sum %.6f\n%s_count %" PRIu64 "\n", name, (double)h->sum_us / 1e6,
		   name, below);
}

static void health(const struct writer *w, const struct counters *c)
{
	static const struct {
		enum gauge	 gauge;
		const char	*name, *type, *help;
	} rows[] = {
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

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		single(w, rows[i].name, rows[i].type, rows[i].help, c->gauge[rows[i].gauge]);
}

void page_print(struct buf *to, const struct counters *c, const struct page_about *about)
{
	const struct writer w = { to, about->session };

	traffic(&w, c);
	verdicts(&w, c);
	histogram(&w, "sluice_upstream_connect_seconds",
		  "From the dial of a server to its answer.", &c->connect);
	histogram(&w, "sluice_decision_seconds",
		  "What the keeper takes to judge a question and to write its record, without the "
		  "waits for name servers.", &c->decision);
	health(&w, c);
	head(&w, "sluice_build_info", "gauge", "The build that runs; always 1.");
	buf_add_str(to, "sluice_build_info");
	label(to, "{", "version", about->version);
	label(to, ",", "revision", about->revision);
	buf_add_str(to, "} 1\n");
}
