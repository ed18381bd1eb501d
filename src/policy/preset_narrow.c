/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preset_narrow.c - the hosts of a preset, as far as it reads or an allow rule narrows it
 *
 * A host becomes a rule for each kind of request that the preset reads with
 * (`read`), or one for all with a variant `write`, or where the preset knows no
 * reading.  Where an allow rule narrows the preset, the methods are those that
 * both name, and the paths are the preset's; where `repos` narrows, they are made
 * of the templates that the preset has for repositories.  What cannot be narrowed as
 * it was asked is left out, so that a narrowed preset is never wider than the preset.
 */
#include "policy/path.h"
#include "policy/schema.h"

#define REPO "{repo}"		/* in a template: where the repository stands */

/* What an allow rule for a preset may say, and all of it narrows or labels */
static const char *const narrowing[] = {
	"preset", "repos", "ports", "methods", "expires", "reason", "id",
};

static bool check_keys(struct loader *l, const struct node *map)
{
	for (const struct node *name = map->first; name; name = name->next->next) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(narrowing); i++)
			known = known || span_eq(name->text, span_str(narrowing[i]));
		if (!known)
			return loader_bad(l, name, "found " SPAN_FMT " in a rule for a preset "
					  "(accepted: preset, repos, ports, methods, expires, reason, "
					  "id)", SPAN_ARG(name->text));
	}
	return true;
}

bool narrow_read(struct loader *l, struct narrow *n)
{
	const struct item *item = &l->item;
	const struct port_range *ports = draft_ports_of(&l->draft, &item->rule);

	*n = (struct narrow){
		.at = item->at, .file = l->file, .index = item->index, .id = item->id,
		.note = item->rule.note,
		.methods = tree_get(item->at, "methods"), .repos = tree_get(item->at, "repos"),
		.expires_s = item->more.expires_s, .port_count = item->rule.ports.count,
	};
	if (!check_keys(l, item->at))
		return false;
	if (n->port_count > NARROW_PORTS_MAX)
		return loader_bad(l, item->ports, "found more than %u ports in a rule for a preset "
				  "(accepted: fewer)", NARROW_PORTS_MAX);
	if (n->port_count && !l->draft.ports.full)
		memcpy(n->ports, ports, n->port_count * sizeof(*ports));
	return true;
}

/* OWNER, OWNER/NAME or deeper, '*' for any: it becomes a part of a path */
bool set_repo(struct loader *l, const struct node *value)
{
	struct span rest = value->text;

	l->item.others++;
	if (rest.len > REPO_MAX)
		return false;
	while (rest.len) {
		ptrdiff_t slash = span_find(rest, '/');
		struct span part = slash < 0 ? rest : span_head(rest, (size_t)slash);

		if (!part.len || span_eq(part, SPAN(".")) || span_eq(part, SPAN("..")))
			return false;
		for (size_t i = 0; i < part.len; i++) {
			uint8_t c = ascii_lower(part.at[i]);

			if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
			    !(c && strchr("-_.~*", c)))
				return false;
			if (c == '*' && i && part.at[i - 1] == '*')
				return false;
		}
		rest = span_skip(rest, part.len + 1);
		if (slash >= 0 && !rest.len)
			return false;
	}
	return value->text.len > 0;
}

/* Where a repository stands in a path of the preset's; there is one place for it */
bool set_repo_template(struct loader *l, const struct node *value)
{
	const char *at = memmem(value->text.at, value->text.len, REPO, strlen(REPO));

	l->has_repos = true;
	return value->text.len && value->text.at[0] == '/' && at &&
	       value->text.len <= REPO_MAX;
}

/* ---- rules ---- */

/* The ports that both name, in @ret, with room for what either has.  Return: how many */
static size_t meet_ports(const struct port_range *a, size_t a_count, const struct narrow *n,
			 struct port_range *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < a_count; i++) {
		for (size_t k = 0; k < n->port_count && count < NARROW_PORTS_MAX; k++) {
			const struct port_range *b = &n->ports[k];
			struct port_range both = {
				.first = a[i].first > b->first ? a[i].first : b->first,
				.last = a[i].last < b->last ? a[i].last : b->last,
				.transport = a[i].transport,
			};

			if (a[i].transport == b->transport && both.first <= both.last)
				ret[count++] = both;
		}
	}
	return count;
}

static bool list_has(const struct node *list, struct span text)
{
	for (const struct node *n = list->first; n; n = n->next)
		if (span_eq(n->text, text))
			return true;
	return false;
}

/* Return: false if both name methods, and none in common */
static bool meet_methods(struct loader *l, const struct node *read, const struct node *wanted)
{
	const struct node *list = wanted ? wanted : read;
	struct slice *methods = &l->item.more.methods;

	for (const struct node *n = list ? list->first : NULL; n; n = n->next)
		if (!wanted || !read || list_has(read, n->text))
			draft_word(&l->draft, methods, n->text);
	return !list || methods->count;
}

static bool add_path(struct loader *l, const struct node *at, struct span text)
{
	uint8_t pattern[PATTERN_MAX];
	size_t len = path_pattern(text, pattern);

	if (!len)
		return loader_bad(l, at, "found a path that cannot be one of a rule (accepted: "
				  ACCEPTS_PATHS ")");
	draft_word(&l->draft, &l->item.more.paths, span_of(pattern, len));
	return true;
}

/* Git serves a repository with and without ".git" */
static struct span bare_repo(struct span name)
{
	size_t len = name.len - (name.len > 4 ? 4 : 0);

	return span_eq(span_skip(name, len), SPAN(".git")) && name.at[len - 1] != '/' ?
	       span_head(name, len) : name;
}

/* Each template with each repository in its place; an owner alone has all of his */
static bool add_repos(struct loader *l, const struct node *templates, const struct node *repos)
{
	for (const struct node *t = templates->first; t; t = t->next) {
		const char *at = memmem(t->text.at, t->text.len, REPO, strlen(REPO));
		size_t before = at ? (size_t)((const uint8_t *)at - t->text.at) : 0;

		for (const struct node *r = repos->first; at && r; r = r->next) {
			struct span name = bare_repo(r->text);
			struct buf path = buf_new(PATTERN_MAX);
			bool ok;

			buf_add(&path, t->text.at, before);
			buf_add_span(&path, name);
			if (span_find(name, '/') < 0)
				buf_add_str(&path, "/*");
			buf_add_span(&path, span_skip(t->text, before + strlen(REPO)));
			ok = add_path(l, r, buf_span(&path));
			buf_done(&path);
			if (!ok)
				return false;
		}
	}
	return true;
}

/* A host of a preset that is being opened */
struct opening {
	const struct narrow	*n;
	const struct node	*host;		/* its mapping; NULL: it is from elsewhere */
	const struct node	*read;		/* requests that read; NULL: all do, or all are opened */
	const char		*list;
	struct port_range	 ports[NARROW_PORTS_MAX];
	size_t			 port_count;
};

/* What paths a kind of request may have.  *ret_skip: it cannot be narrowed as was asked */
static bool meet_paths(struct loader *l, const struct opening *o, const struct node *read,
		       bool *ret_skip)
{
	const struct node *repos = o->n->repos, *paths = read ? tree_get(read, "paths") : NULL;
	const struct node *templates = read ? tree_get(read, "repos") : NULL;
	const struct node *all = o->host ? tree_get(o->host, "repos") : NULL;

	if (repos && (templates || (all && !paths)))
		return add_repos(l, templates ? templates : all, repos);
	/* a host that names repositories elsewhere, or that knows no reading */
	*ret_skip = repos && (all || !read);
	for (const struct node *n = paths ? paths->first : NULL; n && !*ret_skip; n = n->next)
		if (!add_path(l, n, n->text))
			return false;
	return true;
}

/* What a rule narrows is a rule of its file, and what is not is one of the preset */
static bool add_rule(struct loader *l, const struct opening *o)
{
	l->opened = true;
	if (!o->n->at)
		return rule_add(l, "preset", o->list);
	l->item.index = o->n->index;
	return rule_add(l, o->n->file, "allow");
}

/* A rule for one kind of request, @read, or for all */
static bool add_request(struct loader *l, const struct opening *o, const struct node *read)
{
	struct item *item = &l->item;
	bool skip = false;

	item->rule.ports = (struct slice){ (uint32_t)(l->draft.ports.len / sizeof(*o->ports)),
					   (uint32_t)o->port_count };
	if (!buf_add(&l->draft.ports, o->ports, o->port_count * sizeof(*o->ports)))
		item->rule.ports.count = 0;
	item->has_more |= read || o->n->methods || o->n->repos;
	if (!meet_methods(l, read ? tree_get(read, "methods") : NULL, o->n->methods))
		return true;
	if (!meet_paths(l, o, read, &skip))
		return false;
	return skip || add_rule(l, o);
}

static bool add_requests(struct loader *l, const struct opening *o)
{
	const struct item base = l->item;

	if (!o->read || l->writes)
		return add_request(l, o, NULL);
	for (const struct node *n = o->read->first; n; n = n->next) {
		l->item = base;
		if (!add_request(l, o, n))
			return false;
	}
	return true;
}

bool narrow_host(struct loader *l, const struct node *host, const struct node *read,
		 const char *list)
{
	static const struct narrow nothing = { .at = NULL };
	struct opening o = { .n = l->narrow ? l->narrow : &nothing, .host = host, .read = read,
			     .list = list };
	struct item *item = &l->item;
	struct slice *own = &item->rule.ports;

	if (!own->count) {
		draft_port(&l->draft, &item->rule, SPAN("80"));
		draft_port(&l->draft, &item->rule, SPAN("443"));
	}
	if (o.n->id.len)
		item->id = o.n->id;
	item->rule.note = o.n->note;
	item->more.expires_s = o.n->expires_s;
	item->has_more = o.n->expires_s != 0;
	if (own->count > NARROW_PORTS_MAX || l->draft.ports.full)
		return loader_bad(l, item->at, "found more than %u ports of a host (accepted: fewer)",
				  NARROW_PORTS_MAX);
	o.port_count = own->count;
	memcpy(o.ports, draft_ports_of(&l->draft, &item->rule), o.port_count * sizeof(*o.ports));
	if (o.n->port_count)
		o.port_count = meet_ports(draft_ports_of(&l->draft, &item->rule), own->count, o.n,
					  o.ports);
	/* they were the last ones, and are added again to each rule */
	l->draft.ports.len = own->at * sizeof(*o.ports);
	own->count = 0;
	return !o.port_count || add_requests(l, &o);
}
