/* SPDX-License-Identifier: Apache-2.0 */
/* schema_rule.c - setters of the keys of allow and deny rules, and of a preset's hosts */
#include "policy/path.h"
#include "policy/ranges.h"
#include "policy/schema.h"

/* Items: one rule each */

bool item_take_subject(struct loader *l, const struct node *value)
{
	if (l->item.subject)
		return loader_bad(l, value, "found a second subject of the rule (accepted: one)");
	l->item.subject = value;
	return true;
}

bool set_host(struct loader *l, const struct node *value)
{
	return item_take_subject(l, value) && draft_host(&l->draft, &l->item.rule, value->text);
}

bool set_ip(struct loader *l, const struct node *value)
{
	l->item.is_net = true;
	return item_take_subject(l, value) && draft_net(&l->draft, &l->item.rule, value->text);
}

bool set_preset(struct loader *l, const struct node *value)
{
	l->item.is_preset = true;
	return item_take_subject(l, value);
}

bool set_port(struct loader *l, const struct node *value)
{
	l->item.others++;
	if (!l->item.ports)
		l->item.ports = value;
	return draft_port(&l->draft, &l->item.rule, value->text);
}

bool set_protocol(struct loader *l, const struct node *value)
{
	static const char *const names[] = {
		[PROTOCOL_AUTO] = "auto", [PROTOCOL_TLS] = "tls", [PROTOCOL_HTTP] = "http",
		[PROTOCOL_TCP] = "tcp", [PROTOCOL_UDP] = "udp",
	};

	l->item.others++;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (span_eq(value->text, span_str(names[i]))) {
			l->item.rule.protocol = (uint8_t)i;
			return true;
		}
	}
	return false;
}

/* @flag for a rule whose key says @when */
static void set_flag(struct loader *l, const struct node *value, bool when, unsigned flag)
{
	bool said;

	l->item.others++;
	if (tree_is_bool(value, &said) && said == when)
		l->item.rule.flags |= (uint8_t)flag;
}

bool set_private(struct loader *l, const struct node *value)
{
	set_flag(l, value, true, RULE_PRIVATE);
	return true;
}

bool set_unsafe_wildcard(struct loader *l, const struct node *value)
{
	set_flag(l, value, true, RULE_UNSAFE_WILDCARD);
	return true;
}

bool set_over_lists(struct loader *l, const struct node *value)
{
	set_flag(l, value, false, RULE_UNDER_LISTS);
	return true;
}

bool set_under_ceiling(struct loader *l, const struct node *value)
{
	set_flag(l, value, true, RULE_UNDER_CEILING);
	return true;
}

bool set_reason(struct loader *l, const struct node *value)
{
	if (value->text.len > NOTE_MAX)
		return false;
	l->item.rule.note = draft_text(&l->draft, value->text);
	return true;
}

bool set_id(struct loader *l, const struct node *value)
{
	struct given_id id = {
		.text = value->text,
		.spot = { l->file, value->line, value->column },
		.order = (uint32_t)(l->ids.len / sizeof(id)),
	};

	l->item.others++;
	if (!value->text.len || value->text.len > ID_MAX)
		return false;
	for (size_t i = 0; i < value->text.len; i++) {
		uint8_t c = value->text.at[i];

		/* no brackets: the ids that rules get by default have them */
		if (!(ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') &&
		    !(c >= '0' && c <= '9') && !(c && strchr("._-:/", c)))
			return false;
	}
	l->item.id = value->text;
	buf_add(&l->ids, &id, sizeof(id));
	return true;
}

/* protocol and transport must be able to meet on every port */
static bool check_ports(struct loader *l)
{
	const struct item *item = &l->item;
	const struct image_rule *r = &item->rule;
	const struct port_range *ports = draft_ports_of(&l->draft, r);

	if (item->is_net && (r->flags & (RULE_ALLOW | RULE_CEILING)) && !item->ports)
		return loader_bad(l, item->at, "found an ip rule without ports "
					       "(accepted: ports: [22])");
	if (r->protocol == PROTOCOL_UDP && !item->ports)
		return loader_bad(l, item->at, "found protocol udp without ports "
					       "(accepted: ports such as \"123/udp\")");
	for (uint32_t i = 0; r->protocol != PROTOCOL_AUTO && i < r->ports.count; i++) {
		bool udp = ports[i].transport == TRANSPORT_UDP;

		if (udp != (r->protocol == PROTOCOL_UDP))
			return loader_bad(l, item->ports, "found a %s port under a protocol of %s "
					  "(accepted: \"PORT/udp\" with protocol udp, "
					  "else TCP ports)",
					  udp ? "UDP" : "TCP", udp ? "TCP" : "UDP");
	}
	return true;
}

static bool check_host(struct loader *l)
{
	const struct item *item = &l->item;
	const struct image_rule *r = &item->rule;
	const char *name = draft_text_at(&l->draft, r->name);

	if (!(r->flags & (RULE_ALLOW | RULE_CEILING)))
		return true;
	if (host_is_own(span_str(name)))
		return loader_bad(l, item->subject, "found %s, which is the jail's own "
				  "(accepted: other names; host_ports opens ports of the host)",
				  name);
	if (!*name && l->layer == LAYER_PROJECT)
		return loader_bad(l, item->subject, "found every name in what a project file opens "
				  "(accepted: " ACCEPTS_HOST ")");
	if (!*name && (r->flags & RULE_PRIVATE))
		return loader_bad(l, item->at, "found private in a rule for every name "
					       "(accepted: with the names that are meant)");
	if (!*name && !(r->flags & RULE_UNSAFE_WILDCARD))
		return loader_bad(l, item->subject, "found every name (accepted: names, or unsafe_wildcard: "
				  "true)");
	if (r->form != FORM_EXACT && !(r->flags & RULE_UNSAFE_WILDCARD) && host_is_suffix(name))
		return loader_bad(l, item->subject, "found a wildcard over the public suffix %s "
				  "(accepted: " ACCEPTS_SUFFIX ", or unsafe_wildcard: true)", name);
	return true;
}

static bool check_net(struct loader *l)
{
	const struct item *item = &l->item;

	if (item->rule.flags & (RULE_PRIVATE | RULE_UNSAFE_WILDCARD))
		return loader_bad(l, item->at, "found private or unsafe_wildcard in an ip rule "
					       "(accepted: with host only)");
	if (l->layer == LAYER_PROJECT && (item->rule.flags & RULE_ALLOW) &&
	    range_touches_special(&item->rule.net))
		return loader_bad(l, item->subject, "found special-purpose addresses in a project "
						    "file (accepted: public addresses)");
	return true;
}

/* Is there a port that TLS can be on?  Without any it is 443. */
static bool has_tls_port(const struct loader *l, const struct image_rule *r)
{
	const struct port_range *ports = draft_ports_of(&l->draft, r);
	bool found = !r->ports.count || r->protocol == PROTOCOL_TLS;

	for (uint32_t i = 0; i < r->ports.count; i++)
		found |= ports[i].transport == TRANSPORT_TCP && !(ports[i].first == 80 && ports[i].last == 80);
	return found;
}

/* What can be had by HTTP alone must not stand where there can be none */
static bool check_more(struct loader *l)
{
	const struct item *item = &l->item;
	bool http = item->rule.protocol == PROTOCOL_AUTO || item->rule.protocol == PROTOCOL_TLS;

	if (!item->more.inject_header)
		return true;
	if (item->is_net || item->rule.form != FORM_EXACT)
		return loader_bad(l, item->inject_at, "found inject in a rule for more than one host "
				  "(accepted: with an exact host only)");
	if (!http || item->more.inspect == INSPECT_NEVER || !has_tls_port(l, &item->rule))
		return loader_bad(l, item->inject_at, "found inject where no TLS is inspected "
				  "(accepted: with protocol auto or tls, a port for it, and not "
				  "inspect: never)");
	return true;
}

bool rule_add(struct loader *l, const char *file, const char *list)
{
	struct item *item = &l->item;
	struct buf id = buf_new(FILE_MAX);

	if (item->id.len) {
		item->rule.id = draft_text(&l->draft, item->id);
	} else {
		buf_printf(&id, "%s:%s[%u]", file, list, item->index);
		item->rule.id = draft_text(&l->draft, buf_span(&id));
		buf_done(&id);
	}
	if (!item_secret(l))
		return false;
	if (item->has_more)
		draft_more(&l->draft, &item->rule, &item->more);
	draft_add(&l->draft, &item->rule);
	if (draft_is_full(&l->draft))
		return loader_bad(l, item->at, "found more than fits (accepted: at most %u rules "
				  "and %u port ranges)", RULES_MAX, PORTS_MAX);
	return true;
}

static bool item_read(struct loader *l, const struct node *value, enum where where, unsigned flags)
{
	l->item = (struct item){
		.rule = draft_begin(&l->draft, l->layer, flags),
		.more = MORE_NONE,
		.at = value,
		.index = l->index,
	};
	l->item.rule.file = l->file_text;
	l->item.rule.line = value->line;
	if (!schema_read(l, value, where))
		return false;
	if (!l->item.subject)
		return loader_bad(l, value, "found a rule without a subject (accepted: %s)",
				  where == IN_ALLOW ? "host, ip or preset"
						    : where == IN_DENY ? "host, ip, category, "
									 "host_list or ip_list"
						    : where == IN_PROJECT_ALLOW ? "host"
											: "host or ip");
	if (l->item.is_preset)
		return true;
	if (l->item.is_net ? !check_net(l) : !check_host(l))
		return false;
	return check_ports(l) && check_more(l);
}

/* A rule for a preset: whole, unless it says more than a reason */
static bool narrow_preset(struct loader *l)
{
	const struct node *subject = l->item.subject;
	struct spot s = { l->file, subject->line, subject->column };
	const struct node *at = l->item.at;
	struct narrow n;

	if (!l->item.others)
		return set_presets(l, subject);
	if (!narrow_read(l, &n))
		return false;
	if (l->untrusted)
		return true;
	if (!preset_open(l, subject->text, &s, &n))
		return false;
	if (n.repos && !l->has_repos)
		return loader_bad(l, at, "found repos for a preset whose paths name no repository "
				  "(accepted: without repos)");
	if (n.repos && l->blind)
		return loader_bad(l, subject, "found repos for " SPAN_FMT ", over which no repository "
				  "can be seen (accepted: without repos, or the preset itself)",
				  SPAN_ARG(subject->text));
	return l->opened || loader_bad(l, at, "found a preset narrowed to nothing (accepted: ports and "
				      "methods that it has)");
}

/* Whoever may do the same for ever, or without a bound, may do more */
static bool is_bounded(const struct item *item)
{
	struct image_more none = MORE_NONE, m = item->more;

	none.methods = m.methods;
	none.paths = m.paths;
	none.websocket = m.websocket;
	none.ech = m.ech;
	none.inspect = m.inspect;
	return item->has_more && memcmp(&m, &none, sizeof(m));
}

bool set_allow(struct loader *l, const struct node *value)
{
	if (!item_read(l, value, IN_ALLOW, RULE_ALLOW))
		return false;
	if (l->in->lasting && l->layer != LAYER_PROJECT && is_bounded(&l->item))
		return true;
	if (!l->item.is_preset && tree_get(value, "repos"))
		return loader_bad(l, value, "found repos without a preset (accepted: with one)");
	if (!l->item.is_preset)
		return l->untrusted || rule_add(l, l->file, "allow");
	return narrow_preset(l);
}

/* ---- approved.yaml ---- */

/* One project's approvals; those of others are read, and hold elsewhere */
bool set_project(struct loader *l, const struct node *value)
{
	const struct node *root = tree_get(value, "root");

	if (!root || root->kind != NODE_TEXT)
		return loader_bad(l, value, "found approvals without their project (accepted: root: "
				  "FOLDER)");
	l->elsewhere = !l->project || !span_eq(root->text, span_str(l->project));
	return schema_read(l, value, IN_PROJECT);
}

bool set_root(struct loader *l, const struct node *value)
{
	(void)l;
	return span_starts(value->text, SPAN("/"));
}

/* What a person approved for ever never beats a category or a list */
bool set_approved(struct loader *l, const struct node *value)
{
	return item_read(l, value, IN_PROJECT_ALLOW, RULE_ALLOW | RULE_UNDER_LISTS | RULE_APPROVED) &&
	       (l->elsewhere || rule_add(l, l->file, "allow"));
}

/*
 * A comparison of policies asks for one address of a network and one path of a
 * pattern, and not for all, and asks now.  A deny rule made to hold for just those, or
 * until tomorrow, would hide the others.
 */
static bool closes_a_part(const struct item *item)
{
	return item->is_net || item->is_list || item->more.paths.count || item->more.expires_s;
}

bool set_deny(struct loader *l, const struct node *value)
{
	size_t uses = l->draft.uses.len;

	if (!item_read(l, value, IN_DENY, 0))
		return false;
	if (!l->widest || !closes_a_part(&l->item))
		return rule_add(l, l->file, "deny");
	l->draft.uses.len = uses;
	return true;
}

bool set_presets(struct loader *l, const struct node *value)
{
	struct spot s = { l->file, value->line, value->column };

	return l->untrusted || preset_open(l, value->text, &s, NULL);
}

bool set_ceiling(struct loader *l, const struct node *value)
{
	return item_read(l, value, IN_CEILING, RULE_CEILING) && rule_add(l, l->file, "ceiling");
}

/* Keys of a preset file */

bool set_preset_name(struct loader *l, const struct node *value)
{
	(void)l;
	return preset_name_is_good(value->text);
}

bool set_use_configured(struct loader *l, const struct node *value)
{
	(void)l;
	return span_eq(value->text, SPAN("npm")) || span_eq(value->text, SPAN("apt"));
}

bool set_preset_host(struct loader *l, const struct node *value)
{
	return item_read(l, value, IN_PRESET_HOST, RULE_ALLOW) &&
	       (l->shut || narrow_host(l, value, tree_get(value, "read"), l->preset));
}

bool set_variant_host(struct loader *l, const struct node *value)
{
	char list[2 * ID_MAX + 2];

	snprintf(list, sizeof(list), "%s:%s", l->preset, l->variant);
	return item_read(l, value, IN_PRESET_HOST, RULE_ALLOW) &&
	       (l->shut || narrow_host(l, value, tree_get(value, "read"), list));
}

/* Its hosts are opened if it is what was asked for, and else only read */
bool set_variant(struct loader *l, const struct node *value)
{
	const struct node *name = tree_get(value, "variant");
	bool shut = l->shut, opened = l->opened, ok;

	l->shut = !name || name->kind != NODE_TEXT || !span_eq(name->text, span_str(l->variant));
	l->opened = false;
	ok = schema_read(l, value, IN_VARIANT);
	l->blind = l->blind || (!l->shut && !l->writes && !l->opened);
	l->opened = l->opened || opened;
	l->shut = shut;
	return ok && (name || loader_bad(l, value, "found a variant without a name "
					 "(accepted: variant: NAME)"));
}

/* What says nothing would be all requests, and no reading */
bool set_preset_read(struct loader *l, const struct node *value)
{
	if (!schema_read(l, value, IN_PRESET_READ))
		return false;
	return tree_get(value, "methods") || tree_get(value, "paths") ||
	       loader_bad(l, value, "found requests of any kind (accepted: {methods: [GET]} and "
			  "the like)");
}

/* Of what a preset reads with rules are made later, if the host is opened: preset_narrow.c */
bool set_read_method(struct loader *l, const struct node *value)
{
	(void)l;
	return method_is_good(value->text);
}

bool set_read_path(struct loader *l, const struct node *value)
{
	uint8_t pattern[PATTERN_MAX];

	(void)l;
	return path_pattern(value->text, pattern) > 0;
}

/* What only people read, or a later reader than this one */
bool set_nothing(struct loader *l, const struct node *value)
{
	(void)l;
	(void)value;
	return true;
}
