/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/canonical.h"

#include <openssl/evp.h>

#include "policy/lists.h"

static void line_words(struct buf *lines, const struct draft *d, const char *key,
		       struct slice list)
{
	const uint32_t *words = (const void *)d->words.at;

	for (uint32_t i = 0; i < list.count; i++)
		buf_printf(lines, " %s=%s", key, draft_text_at(d, words[list.at + i]));
}

static void line_number(struct buf *lines, const char *key, uint64_t value)
{
	if (value != AMOUNT_NONE)
		buf_printf(lines, " %s=%llu", key, (unsigned long long)value);
}

static void line_rate(struct buf *lines, const char *key, struct rate r)
{
	if (r.count)
		buf_printf(lines, " %s=%u/%u", key, r.count, r.per_s);
}

static void line_rates(struct buf *lines, const char *key, const struct rates *r)
{
	for (unsigned i = 0; i < RATE_WINDOWS; i++)
		line_rate(lines, key, r->at[i]);
}

static void line_more(struct buf *lines, const struct draft *d, const struct image_more *m)
{
	const uint8_t *digest = draft_digests_of(d, m);

	line_words(lines, d, "method", m->methods);
	line_words(lines, d, "path", m->paths);
	if (m->expires_s)
		buf_printf(lines, " expires=%lld", (long long)m->expires_s);
	line_rate(lines, "rate", m->rate);
	line_number(lines, "down", m->down_bps);
	line_number(lines, "up", m->up_bps);
	line_number(lines, "burst", m->burst_bytes);
	line_number(lines, "quota_down", m->quota_down);
	line_number(lines, "quota_up", m->quota_up);
	line_number(lines, "max_request", m->max_request);
	buf_printf(lines, " websocket=%u ech=%u inspect=%u", m->websocket, m->ech, m->inspect);
	if (m->inject_header)
		buf_printf(lines, " inject=%s", draft_text_at(d, m->inject_header));
	if (m->credential_header)
		buf_printf(lines, " credential=%s", draft_text_at(d, m->credential_header));
	for (size_t i = 0; i < (size_t)m->digests.count * DIGEST_BYTES; i++)
		buf_printf(lines, "%s%02x", i % DIGEST_BYTES ? "" : " sha256=", digest[i]);
}

static int secret_order(const void *key, const void *element)
{
	const struct draft_secret *s = element;
	uint32_t rule = *(const uint32_t *)key;

	return rule < s->rule ? -1 : rule > s->rule;
}

/* Of the value of inject no more than where it comes from: a hash of it could be tried out */
static void line_variables(struct buf *lines, const struct draft *d, size_t rule)
{
	uint32_t key = (uint32_t)rule;
	const struct draft_secret *s = bsearch(&key, d->secrets.at, d->secrets.len / sizeof(*s),
					       sizeof(*s), secret_order);

	if (s)
		buf_printf(lines, "%s", draft_text_at(d, s->names_at));
}

static void line_settings(struct buf *lines, const struct draft *d)
{
	const struct policy_limits *l = &d->limits;
	const struct net *peers = (const void *)d->peers.at;
	char text[NET_TEXT_MAX];

	buf_add_str(lines, "limits");
	line_rates(lines, "requests", &l->requests);
	line_rates(lines, "requests_per_host", &l->requests_per_host);
	line_number(lines, "unique_hosts", l->unique_hosts);
	line_number(lines, "upload_per_request", l->upload_per_request);
	line_number(lines, "upload_total", l->upload_total);
	line_number(lines, "download_total", l->download_total);
	buf_printf(lines, " error_rate=%u on_exceed=%u\n", l->error_rate_percent, l->on_exceed);
	buf_printf(lines, "log dns=%u sync=%u process=%u paths=%u command=%u", d->log.dns,
		   d->log.sync, d->log.process, d->log.paths, d->log.command);
	line_number(lines, "max", d->log.max_bytes);
	line_number(lines, "rotate", d->log.rotate_bytes);
	buf_printf(lines, "\nceiling=%u\n", d->has_ceiling);
	for (size_t i = 0; i < d->peers.len / sizeof(*peers); i++)
		buf_printf(lines, "peer %s system=%u\n", net_text(&peers[i], text),
			   i < d->system_peers);
}

/* @list: the hash of the list that a rule about one uses */
static void line_rule(struct buf *lines, const struct draft *d, size_t rule, const char *list)
{
	const struct image_rule *r = draft_rule_at(d, rule);
	static const char *const forms[] = {
		[FORM_EXACT] = "", [FORM_BELOW] = "*.", [FORM_BOTH] = ".", [FORM_NET] = "",
		[FORM_CATEGORY] = "category ", [FORM_HOST_LIST] = "host_list ",
		[FORM_IP_LIST] = "ip_list ",
	};
	const struct port_range *ports = draft_ports_of(d, r);
	char text[NET_TEXT_MAX];

	buf_printf(lines, "%s %s%s protocol=%u private=%u",
		   r->flags & RULE_ALLOW ? "allow" : r->flags & RULE_CEILING ? "ceiling" : "deny",
		   forms[r->form],
		   r->form == FORM_NET ? net_text(&r->net, text)
				       : list ? list : draft_text_at(d, r->name),
		   r->protocol, r->flags & RULE_PRIVATE);
	if (rule_lies_under(r, draft_list_layer(d), d->has_ceiling) & RULE_UNDER_LISTS)
		buf_add_str(lines, " over_lists=0");
	if (rule_lies_under(r, draft_list_layer(d), d->has_ceiling) & RULE_UNDER_CEILING)
		buf_add_str(lines, " under_ceiling=1");
	if (r->flags & RULE_APPROVED)
		buf_add_str(lines, " approved=1");
	for (uint32_t i = 0; i < r->ports.count; i++)
		buf_printf(lines, " %u-%u/%u", ports[i].first, ports[i].last, ports[i].transport);
	if (draft_more_of(d, r))
		line_more(lines, d, draft_more_of(d, r));
	if (draft_more_of(d, r) && draft_more_of(d, r)->inject_header)
		line_variables(lines, d, rule);
	buf_add_str(lines, "\n");
}

static void line_maps(struct buf *lines, const char *what, const struct buf *maps)
{
	const struct port_map *map = (const void *)maps->at;
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < maps->len / sizeof(*map); i++)
		buf_printf(lines, "%s %s %u %u\n", what, addr_text(&map[i].addr, text),
			   map[i].outside, map[i].inside);
}

/* A rule about several lists is as many rules about one; names and paths decide nothing */
static bool line_uses(struct buf *lines, const struct draft *d)
{
	const struct image_use *use = (const void *)d->uses.at;
	AUTO_FREE char (*hashes)[SHA256_HEX + 1] = calloc(LISTS_MAX, sizeof(*hashes));

	if (!hashes || !lists_hash(d, hashes))
		return false;
	for (size_t i = 0; i < d->uses.len / sizeof(*use); i++)
		line_rule(lines, d, use[i].rule, hashes[use[i].list]);
	return true;
}

static bool line_cas(struct buf *lines, const struct draft *d)
{
	const struct image_ca *files = (const void *)d->tls_ca.at;
	uint8_t digest[DIGEST_BYTES];

	for (size_t i = 0; i < d->tls_ca.len / sizeof(*files); i++) {
		const char *pem = draft_text_at(d, files[i].pem);

		if (EVP_Digest(pem, strlen(pem), digest, NULL, EVP_sha256(), NULL) != 1)
			return false;
		buf_add_str(lines, "tls_ca ");
		for (size_t k = 0; k < sizeof(digest); k++)
			buf_printf(lines, "%02x", digest[k]);
		buf_add_str(lines, "\n");
	}
	return true;
}

bool canonical_lines(struct buf *lines, const struct draft *d)
{
	const struct image_private *priv = (const void *)d->privates.at;
	char text[NET_TEXT_MAX], text6[NET_TEXT_MAX];

	buf_printf(lines, "mode %s\n", mode_name(d->mode));
	if (d->inspect != INSPECT_AUTO)
		buf_printf(lines, "inspect %s\n", d->inspect == INSPECT_ALWAYS ? "always" : "never");
	if (draft_asks(d))
		buf_add_str(lines, "default ask\n");
	buf_printf(lines, "synthetic %s %s\n", net_text(&d->dns.synthetic4, text),
		   net_text(&d->dns.synthetic6, text6));
	buf_printf(lines, "dns_types %x\nupstream", d->dns.types);
	for (size_t i = 0; i < d->dns.upstream_count; i++)
		buf_printf(lines, " %s", draft_text_at(d, d->dns.upstreams[i]));
	buf_printf(lines, "\nupstream_proxy %s\n", draft_text_at(d, d->upstream_proxy));
	buf_printf(lines, "no_proxy %s\n", draft_text_at(d, d->no_proxy));
	for (size_t i = 0; i < draft_rule_count(d); i++)
		if (!form_is_list(draft_rule_at(d, i)->form))
			line_rule(lines, d, i, NULL);
	line_settings(lines, d);
	for (size_t i = 0; i < d->privates.len / sizeof(*priv); i++)
		buf_printf(lines, "private %s=%s\n", draft_text_at(d, priv[i].host),
			   net_text(&priv[i].net, text));
	line_maps(lines, "host_port", &d->host_ports);
	line_maps(lines, "publish", &d->publish);
	return line_cas(lines, d) && line_uses(lines, d);
}
