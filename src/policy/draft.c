/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/draft.h"

#include "base/dns_type.h"
#include "policy/ports.h"

struct draft_dns draft_dns_defaults(struct draft *d)
{
	struct draft_dns dns = {
		.types = dns_type_bit(1) | dns_type_bit(28),	/* A, AAAA */
		.upstreams = { draft_text(d, SPAN("system")) },
		.upstream_count = 1,
	};

	/* Looks public: guards of agents' own tools refuse 198.18.0.0/15 */
	net_parse(SPAN("28.0.0.0/12"), &dns.synthetic4);
	net_parse(SPAN("2d00:736c::/64"), &dns.synthetic6);
	return dns;
}

void draft_init(struct draft *d)
{
	static const struct policy empty;

	*d = (struct draft){
		.rules = buf_new(RULES_MAX * sizeof(struct image_rule)),
		.ports = buf_new(PORTS_MAX * sizeof(struct port_range)),
		.strings = buf_new(STRINGS_MAX),
		.privates = buf_new(PRIVATES_MAX * sizeof(struct image_private)),
		.host_ports = buf_new(MAPS_MAX * sizeof(struct port_map)),
		.publish = buf_new(MAPS_MAX * sizeof(struct port_map)),
		.more = buf_new(RULES_MAX * sizeof(struct image_more)),
		.words = buf_new(WORDS_MAX * sizeof(uint32_t)),
		.digests = buf_new(DIGESTS_MAX * DIGEST_BYTES),
		.peers = buf_new(PEERS_MAX * sizeof(struct net)),
		.tls_ca = buf_new(TLS_CA_FILES_MAX * sizeof(struct image_ca)),
		.secrets = buf_new(RULES_MAX * sizeof(struct draft_secret)),
		.secret_text = buf_new(SECRETS_BYTES),
		.secret_parts = buf_new(SECRETS_BYTES),
		.limits = { .unique_hosts = AMOUNT_NONE, .upload_per_request = AMOUNT_NONE,
			    .upload_total = AMOUNT_NONE, .download_total = AMOUNT_NONE },
		.log = { .max_bytes = AMOUNT_NONE, .rotate_bytes = AMOUNT_NONE, .dns = true },
		.image = buf_new(IMAGE_MAX),
		.lists = buf_new(LISTS_MAX * sizeof(struct image_list)),
		.uses = buf_new(USES_MAX * sizeof(struct image_use)),
		.mode = MODE_FILTERED,
		.mode_layer = LAYER_FLAG,
	};
	buf_add(&d->strings, "", 1);
	buf_add(&d->image, &empty, sizeof(empty));
	d->dns = draft_dns_defaults(d);
}

void draft_done(struct draft *d)
{
	buf_done(&d->rules);
	buf_done(&d->ports);
	buf_done(&d->strings);
	buf_done(&d->privates);
	buf_done(&d->host_ports);
	buf_done(&d->publish);
	buf_done(&d->more);
	buf_done(&d->words);
	buf_done(&d->digests);
	buf_done(&d->peers);
	buf_done(&d->tls_ca);
	buf_done(&d->secrets);
	if (d->secret_text.at)
		explicit_bzero(d->secret_text.at, d->secret_text.len);
	buf_done(&d->secret_text);
	buf_done(&d->secret_parts);
	if (d->proxy_credentials)
		explicit_bzero(d->proxy_credentials, strlen(d->proxy_credentials));
	free(d->proxy_credentials);
	free(d->webhook);
	buf_done(&d->image);
	buf_done(&d->lists);
	buf_done(&d->uses);
}

bool draft_is_full(const struct draft *d)
{
	return d->rules.full || d->ports.full || d->strings.full || d->privates.full ||
	       d->host_ports.full || d->publish.full || d->more.full || d->words.full ||
	       d->digests.full || d->peers.full || d->tls_ca.full ||
	       d->secrets.full || d->secret_text.full || d->secret_parts.full ||
	       d->image.full || d->lists.full || d->uses.full;
}

uint32_t draft_text(struct draft *d, struct span s)
{
	size_t at = d->strings.len;

	if (!s.len || !buf_reserve(&d->strings, s.len + 1))
		return 0;
	buf_add_span(&d->strings, s);
	buf_add(&d->strings, "", 1);
	return (uint32_t)at;
}

enum layer draft_list_layer(const struct draft *d)
{
	const struct image_use *use = (const void *)d->uses.at;
	enum layer strongest = LAYER_NUM;

	for (size_t i = 0; i < d->uses.len / sizeof(*use); i++)
		if (draft_rule_at(d, use[i].rule)->layer < strongest)
			strongest = draft_rule_at(d, use[i].rule)->layer;
	return strongest;
}

struct image_rule draft_begin(struct draft *d, enum layer layer, unsigned flags)
{
	return (struct image_rule){
		.layer = (uint8_t)layer,
		.flags = (uint8_t)flags,
		.protocol = PROTOCOL_AUTO,
		.ports.at = (uint32_t)(d->ports.len / sizeof(struct port_range)),
	};
}

bool draft_host(struct draft *d, struct image_rule *r, struct span text)
{
	char name[HOST_MAX + 1];
	enum form form;

	if (span_eq(text, SPAN(HOST_ANY))) {
		form = FORM_BELOW;
		name[0] = '\0';
	} else if (!host_pattern(text, &form, name)) {
		return false;
	}
	r->form = (uint8_t)form;
	r->host = draft_text(d, text);
	/* most often it ends in its normal form already */
	if (r->host && span_ends(text, span_str(name)))
		r->name = r->host + (uint32_t)(text.len - strlen(name));
	else
		r->name = draft_text(d, span_str(name));
	return true;
}

bool draft_net(struct draft *d, struct image_rule *r, struct span text)
{
	if (!net_parse(text, &r->net))
		return false;
	r->form = FORM_NET;
	r->host = draft_text(d, text);
	return true;
}

bool draft_port(struct draft *d, struct image_rule *r, struct span text)
{
	struct port_range range;

	if (!ports_parse(text, &range))
		return false;
	if (buf_add(&d->ports, &range, sizeof(range)))
		r->ports.count++;
	return true;
}

bool draft_word(struct draft *d, struct slice *list, struct span text)
{
	uint32_t word = draft_text(d, text);

	if (!list->count)
		list->at = (uint32_t)(d->words.len / sizeof(word));
	if (!word || !buf_add(&d->words, &word, sizeof(word)))
		return false;
	list->count++;
	return true;
}

static int word_order(const void *left, const void *right, void *arg)
{
	return strcmp(draft_text_at(arg, *(const uint32_t *)left),
		      draft_text_at(arg, *(const uint32_t *)right));
}

/* In an order of their own, each once; what is left over stays unused */
static void sort_words(struct draft *d, struct slice *list)
{
	uint32_t *word, kept = 0;

	if (list->count < 2)
		return;
	word = (uint32_t *)(void *)d->words.at + list->at;
	qsort_r(word, list->count, sizeof(*word), word_order, d);
	for (uint32_t i = 0; i < list->count; i++)
		if (!i || word_order(&word[i], &word[kept - 1], d))
			word[kept++] = word[i];
	list->count = kept;
}

static int digest_order(const void *left, const void *right)
{
	return memcmp(left, right, DIGEST_BYTES);
}

void draft_more(struct draft *d, struct image_rule *r, struct image_more *more)
{
	if (draft_is_full(d))
		return;
	sort_words(d, &more->methods);
	sort_words(d, &more->paths);
	if (more->digests.count)
		qsort(d->digests.at + (size_t)more->digests.at * DIGEST_BYTES, more->digests.count,
		      DIGEST_BYTES, digest_order);
	if (buf_add(&d->more, more, sizeof(*more)))
		r->more = (uint32_t)(d->more.len / sizeof(*more));
}

unsigned draft_credential(struct draft *d, struct span name)
{
	for (unsigned i = 0; i < CREDENTIALS_MAX; i++) {
		if (!d->credential_names[i])
			d->credential_names[i] = draft_text(d, name);
		if (span_eq(span_str(draft_text_at(d, d->credential_names[i])), name))
			return i;
	}
	return CREDENTIALS_MAX;
}

void draft_add(struct draft *d, struct image_rule *r)
{
	if (!r->ports.count && (r->flags & (RULE_ALLOW | RULE_CEILING))) {
		draft_port(d, r, SPAN("80"));
		draft_port(d, r, SPAN("443"));
	}
	if (r->ports.count) {
		r->ports.count = (uint32_t)ports_tidy(draft_ports_of(d, r), r->ports.count);
		d->ports.len = (r->ports.at + r->ports.count) * sizeof(struct port_range);
	}
	buf_add(&d->rules, r, sizeof(*r));
}

void draft_mode(struct draft *d, enum mode mode, enum layer layer)
{
	if (d->mode_set && d->mode <= mode)
		return;
	d->mode = mode;
	d->mode_layer = layer;
	d->mode_set = true;
}

bool draft_asks(const struct draft *d)
{
	return d->mode == MODE_FILTERED && (d->flag_ask || (d->default_ask && !d->default_deny));
}

bool draft_private(struct draft *d, struct span text)
{
	ptrdiff_t equals = span_find(text, '=');
	struct image_private added;
	char name[HOST_MAX + 1] = "";

	memset(&added, 0, sizeof(added));
	if (equals >= 0) {
		if (!host_normal(span_head(text, (size_t)equals), name))
			return false;
		text = span_skip(text, (size_t)equals + 1);
	}
	if (!net_parse(text, &added.net))
		return false;
	added.host = draft_text(d, span_str(name));
	buf_add(&d->privates, &added, sizeof(added));
	return true;
}

bool draft_map(struct buf *maps, const struct port_map *map, bool publish)
{
	const struct port_map *old = (const void *)maps->at;

	for (size_t i = 0; i < maps->len / sizeof(*old); i++) {
		bool same_outside = old[i].outside == map->outside &&
				    addr_eq(&old[i].addr, &map->addr);

		if (same_outside && old[i].inside == map->inside)
			return true;
		if (publish ? same_outside : old[i].inside == map->inside)
			return false;
	}
	buf_add(maps, map, sizeof(*map));
	return true;
}
