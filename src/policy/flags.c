/* SPDX-License-Identifier: Apache-2.0 */
/* flags.c - what the command line adds to a policy: the strongest words, the fewest keys */
#include "policy/loader.h"
#include "policy/ports.h"

#define ACCEPTS_ALLOW "HOST[:PORT[,PORT...]], ADDRESS[/BITS]:PORT, [ADDRESS[/BITS]]:PORT"
#define ACCEPTS_DENY "a host name, *.NAME, .NAME, an address or a network"

static bool bad_flag(struct loader *l, const char *flag, const char *value, const char *accepts)
{
	struct spot s = { .file = flag };

	return spot_bad(&s, l->err, "found %.80s (accepted: %s)", value, accepts);
}

/* Cut "[...]" or what stands before the first ':' off the front of @text */
static bool cut_subject(struct span *text, struct span *ret_subject, bool *ret_bracket)
{
	bool bracket = span_starts(*text, SPAN("["));
	ptrdiff_t end = span_find(*text, bracket ? ']' : ':');

	if (bracket && end < 0)
		return false;
	*ret_bracket = bracket;
	*ret_subject = end < 0 ? *text : span_skip(span_head(*text, (size_t)end), bracket);
	*text = end < 0 ? (struct span){ 0 } : span_skip(*text, (size_t)end + bracket);
	return true;
}

/* "a,b,c" into a rule; at least one */
static bool add_ports(struct loader *l, struct image_rule *r, struct span text)
{
	ptrdiff_t comma;

	do {
		comma = span_find(text, ',');
		if (!draft_port(&l->draft, r, comma < 0 ? text : span_head(text, (size_t)comma)))
			return false;
		text = span_skip(text, (size_t)(comma + 1));
	} while (comma >= 0);
	return true;
}

static void add_rule(struct loader *l, struct image_rule *r, const char *list, size_t index)
{
	char id[48];

	snprintf(id, sizeof(id), "flag:%s[%zu]", list, index);
	r->id = draft_text(&l->draft, span_str(id));
	snprintf(id, sizeof(id), "--%s", list);
	r->file = draft_text(&l->draft, span_str(id));
	draft_add(&l->draft, r);
}

static bool check_allowed_name(struct loader *l, const struct image_rule *r, const char *value)
{
	const char *name = draft_text_at(&l->draft, r->name);

	if (host_is_own(span_str(name)))
		return bad_flag(l, "--allow", value, "other names: this is the jail's own; "
						     "--host-port opens ports of the host");
	if (!*name)
		return bad_flag(l, "--allow", value, "names: only a policy file may say unsafe_wildcard: true, "
						     "as the preset nat-filtered does");
	if (r->form != FORM_EXACT && host_is_suffix(name))
		return bad_flag(l, "--allow", value, ACCEPTS_SUFFIX ": this is a public suffix; "
						     "only a policy file may say "
						     "unsafe_wildcard: true");
	return true;
}

static bool flag_allow(struct loader *l, const char *value, size_t index)
{
	struct image_rule r = draft_begin(&l->draft, LAYER_FLAG, RULE_ALLOW);
	struct span text = span_str(value), subject;
	bool bracket, is_net;

	if (!cut_subject(&text, &subject, &bracket))
		return bad_flag(l, "--allow", value, ACCEPTS_ALLOW);
	is_net = draft_net(&l->draft, &r, subject);
	/* brackets are for what has colons in it; an address says its ports */
	if (bracket != (span_find(subject, ':') >= 0) || (bracket && !is_net) ||
	    (is_net && !text.len) || (!is_net && !draft_host(&l->draft, &r, subject)))
		return bad_flag(l, "--allow", value, ACCEPTS_ALLOW);
	if (!is_net && !check_allowed_name(l, &r, value))
		return false;
	if (text.len && (text.at[0] != ':' || !add_ports(l, &r, span_skip(text, 1))))
		return bad_flag(l, "--allow", value, ACCEPTS_ALLOW ", " ACCEPTS_PORTS);
	add_rule(l, &r, "allow", index);
	return true;
}

static bool flag_deny(struct loader *l, const char *value, size_t index)
{
	struct image_rule r = draft_begin(&l->draft, LAYER_FLAG, 0);
	struct span text = span_str(value);

	if (span_starts(text, SPAN("[")) && span_ends(text, SPAN("]")))
		text = span_head(span_skip(text, 1), text.len - 2);
	if (!draft_net(&l->draft, &r, text) && !draft_host(&l->draft, &r, text))
		return bad_flag(l, "--deny", value, ACCEPTS_DENY);
	add_rule(l, &r, "deny", index);
	return true;
}

static bool flag_preset(struct loader *l, const char *value, size_t index)
{
	struct spot s = { .file = "--preset" };

	(void)index;
	return preset_open(l, span_str(value), &s, NULL);
}

static bool flag_private_network(struct loader *l, const char *value, size_t index)
{
	(void)index;
	return draft_private(&l->draft, span_str(value)) ||
	       bad_flag(l, "--private-network", value, ACCEPTS_PRIVATE);
}

static bool flag_host_port(struct loader *l, const char *value, size_t index)
{
	struct port_map map;

	(void)index;
	return (port_map_host(span_str(value), &map) &&
		draft_map(&l->draft.host_ports, &map, false)) ||
	       bad_flag(l, "--host-port", value, ACCEPTS_HOST_PORT);
}

static bool flag_publish(struct loader *l, const char *value, size_t index)
{
	struct port_map map;

	(void)index;
	return (port_map_publish(span_str(value), &map) &&
		draft_map(&l->draft.publish, &map, true)) ||
	       bad_flag(l, "--publish", value, ACCEPTS_PUBLISH);
}

/* A stricter mode than the files demand, never a weaker one */
static bool flag_mode(struct loader *l, const char *value)
{
	struct draft *d = &l->draft;
	struct spot s = { .file = "--mode" };
	enum mode mode;

	if (!mode_from(span_str(value), &mode))
		return bad_flag(l, "--mode", value, ACCEPTS_MODE);
	if (d->mode_set && mode > d->mode)
		return spot_bad(&s, l->err, "found %s, but the %s layer demands %s "
				"(accepted: no weaker mode)", value, layer_name(d->mode_layer),
				mode_name(d->mode));
	draft_mode(d, mode, LAYER_FLAG);
	return true;
}

/* Whoever types it answers himself, so files of his own don't stand against it; the system's does */
static bool flag_ask(struct loader *l)
{
	struct draft *d = &l->draft;
	struct spot s = { .file = "--ask" };

	if (d->system_denies)
		return spot_bad(&s, l->err, "found --ask, but the system layer demands "
				"default: deny (accepted: no weaker default)");
	d->flag_ask = true;
	return true;
}

bool flags_read(struct loader *l)
{
	const struct policy_input *in = l->in;
	const struct {
		char *const	*values;
		bool		(*read)(struct loader *l, const char *value, size_t index);
	} flags[] = {
		{ in->presets, flag_preset }, { in->allows, flag_allow },
		{ in->denies, flag_deny }, { in->private_networks, flag_private_network },
		{ in->host_ports, flag_host_port }, { in->publishes, flag_publish },
	};

	l->layer = LAYER_FLAG;
	l->draft.inspect = in->inspect;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		for (size_t k = 0; flags[i].values && flags[i].values[k]; k++)
			if (!flags[i].read(l, flags[i].values[k], k))
				return false;
	return (!in->mode || flag_mode(l, in->mode)) && (!in->ask || flag_ask(l));
}
