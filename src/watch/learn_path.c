/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/learn_path.h"

#include "policy/path.h"

#define TEXT_CUT 1024		/* bytes: a longer path was cut by the log, which says so with "..." */
#define TOKEN_MIN 16		/* bytes: letters mixed with digits, as ids have them */
#define HEX_MIN 7		/* digits: a short hash of git's */

/* A segment, and what is below it.  Index 0 is the root, which nothing leads to */
struct node {
	uint32_t	first, next;	/* child, sibling; 0: none */
	uint32_t	ends;		/* methods of paths that end here */
	uint32_t	deep;		/* methods of paths that go on here, anyhow */
	uint16_t	children;	/* but the star */
	uint8_t		star;		/* text is "*": any segment */
	uint8_t		wide;		/* names below it are not told apart any more */
	uint8_t		len;
	char		text[LEARN_SEGMENT_MAX];
};

static struct node *node_at(const struct requests *r, uint32_t i)
{
	return (struct node *)(void *)r->nodes.at + i;
}

static uint32_t node_count(const struct requests *r)
{
	return (uint32_t)(r->nodes.len / sizeof(struct node));
}

void requests_init(struct requests *r, uint32_t *left)
{
	*r = (struct requests){
		.nodes = buf_new(LEARN_TREE_MAX * sizeof(struct node)), .left = left,
	};
}

void requests_done(struct requests *r)
{
	*r->left += node_count(r);
	buf_done(&r->nodes);
}

/* Return: 0 if there is no room.  Nodes may move. */
static uint32_t node_new(struct requests *r, struct span text)
{
	struct node fresh = { .star = span_eq(text, SPAN("*")), .len = (uint8_t)text.len };
	uint32_t at = r->unused;

	if (text.len)
		memcpy(fresh.text, text.at, text.len);
	if (at) {
		r->unused = node_at(r, at)->next;
		*node_at(r, at) = fresh;
		return at;
	}
	at = node_count(r);
	if (!*r->left || !buf_add(&r->nodes, &fresh, sizeof(fresh)))
		return 0;
	--*r->left;
	return at;
}

static struct span node_text(const struct node *n)
{
	return span_of(n->text, n->len);
}

/* ---- what a segment is ---- */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z';
}

static bool is_hex(struct span s)
{
	bool digit = false;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = ascii_lower(s.at[i]);

		digit |= is_digit(c);
		if (!is_digit(c) && !(c >= 'a' && c <= 'f') && c != '-')
			return false;
	}
	return digit && s.len >= HEX_MIN;
}

/* A version, alone or in the name of a file: digits on both sides of a dot */
static bool has_version(struct span s)
{
	for (size_t i = 1; i + 1 < s.len; i++)
		if (s.at[i] == '.' && is_digit(s.at[i - 1]) && is_digit(s.at[i + 1]))
			return true;
	return false;
}

static bool is_token(struct span s)
{
	bool digit = false, letter = false;

	for (size_t i = 0; i < s.len; i++) {
		digit |= is_digit(s.at[i]);
		letter |= is_letter(s.at[i]);
		if (!is_digit(s.at[i]) && !is_letter(s.at[i]) && s.at[i] != '_' && s.at[i] != '-')
			return false;
	}
	return digit && letter && s.len >= TOKEN_MIN;
}

/* Is it one of many, of which each run has another?  "v1" is not: APIs have it */
static bool is_one_of_many(struct span s)
{
	bool number = s.len > 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '*' || s.at[i] == ';')
			return true;
		number &= is_digit(s.at[i]);
	}
	return number || s.len > LEARN_SEGMENT_MAX || is_hex(s) || has_version(s) || is_token(s);
}

/* ---- making the tree smaller ---- */

/* Methods of all paths that go on below @at */
static uint32_t below(const struct requests *r, uint32_t at)
{
	uint32_t methods = node_at(r, at)->deep;

	for (uint32_t i = node_at(r, at)->first; i; i = node_at(r, i)->next)
		methods |= node_at(r, i)->ends | below(r, i);
	return methods;
}

static void free_children(struct requests *r, uint32_t at)
{
	uint32_t next;

	for (uint32_t i = node_at(r, at)->first; i; i = next) {
		next = node_at(r, i)->next;
		free_children(r, i);
		node_at(r, i)->next = r->unused;
		r->unused = i;
	}
	node_at(r, at)->first = 0;
	node_at(r, at)->children = 0;
}

/* Whatever is below @at is meant from now on */
static void make_deep(struct requests *r, uint32_t at, uint32_t methods)
{
	node_at(r, at)->deep = methods | below(r, at);
	free_children(r, at);
}

static uint32_t find_child(const struct requests *r, uint32_t at, struct span text)
{
	uint32_t i = node_at(r, at)->first;

	while (i && !span_eq(node_text(node_at(r, i)), text))
		i = node_at(r, i)->next;
	return i;
}

static void link_child(struct requests *r, uint32_t at, uint32_t child)
{
	struct node *n = node_at(r, at);
	uint32_t *last = &n->first;

	while (*last)
		last = &node_at(r, *last)->next;
	node_at(r, child)->next = 0;
	*last = child;
	n->children = (uint16_t)(n->children + !node_at(r, child)->star);
}

static void widen(struct requests *r, uint32_t at);

/* @from and what is below it becomes a part of @to */
static void absorb(struct requests *r, uint32_t to, uint32_t from)
{
	uint32_t next;

	node_at(r, to)->ends |= node_at(r, from)->ends;
	node_at(r, to)->wide |= node_at(r, from)->wide;
	if (node_at(r, to)->deep || node_at(r, from)->deep) {
		make_deep(r, to, below(r, from));
		free_children(r, from);
	}
	for (uint32_t i = node_at(r, from)->first; i; i = next) {
		uint32_t same = find_child(r, to, node_text(node_at(r, i)));

		next = node_at(r, i)->next;
		if (same)
			absorb(r, same, i);
		else
			link_child(r, to, i);
	}
	node_at(r, from)->next = r->unused;
	r->unused = from;
	widen(r, to);
}

/* Too many names under @at are any name */
static void widen(struct requests *r, uint32_t at)
{
	uint32_t star, i, next;

	if (node_at(r, at)->children > LEARN_CHILDREN_MAX)
		node_at(r, at)->wide = true;
	if (!node_at(r, at)->wide || !node_at(r, at)->first)
		return;
	star = find_child(r, at, SPAN("*"));
	i = node_at(r, at)->first;
	/* the first one that is no star becomes it, so that no room is needed */
	for (uint32_t k = i; !star && k; k = node_at(r, k)->next)
		star = k;
	node_at(r, star)->star = node_at(r, star)->len = 1;
	node_at(r, star)->text[0] = '*';
	node_at(r, at)->first = star;
	node_at(r, at)->children = 0;
	for (; i; i = next) {
		next = node_at(r, i)->next;
		if (i != star)
			absorb(r, star, i);
	}
	node_at(r, star)->next = 0;
}

/* ---- one request ---- */

/* The next segment of @rest, and of @rest what follows; false: there is none */
static bool take_segment(struct span *rest, struct span *ret)
{
	ptrdiff_t slash;

	if (!rest->len)
		return false;
	*rest = span_skip(*rest, 1);	/* the slash before it */
	slash = span_find(*rest, '/');
	*ret = slash < 0 ? *rest : span_head(*rest, (size_t)slash);
	*rest = span_skip(*rest, ret->len);
	return true;
}

static void add_segments(struct requests *r, uint32_t methods, struct span rest, bool cut)
{
	struct span segment;
	uint32_t at = 0;

	for (unsigned depth = 0; take_segment(&rest, &segment); depth++) {
		bool any = node_at(r, at)->wide || is_one_of_many(segment);
		struct span text = any ? SPAN("*") : segment;
		uint32_t child;

		/* a doubled slash has two readings; of the last segment of a cut path we know a part */
		if (node_at(r, at)->deep || depth == LEARN_DEPTH_MAX ||
		    (!segment.len && rest.len) || (cut && !rest.len)) {
			make_deep(r, at, methods);
			return;
		}
		child = find_child(r, at, text);
		if (!child) {
			child = node_new(r, text);
			if (!child) {
				make_deep(r, 0, methods);
				return;
			}
			link_child(r, at, child);
			if (node_at(r, at)->children > LEARN_CHILDREN_MAX) {
				widen(r, at);
				child = find_child(r, at, SPAN("*"));
			}
		}
		at = child;
	}
	node_at(r, at)->ends |= methods;
}

void requests_add(struct requests *r, uint32_t methods, struct span path)
{
	bool cut = path.len > TEXT_CUT && span_ends(path, SPAN("..."));
	struct path p;

	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] == '?' || path.at[i] == '#')
			path = span_head(path, i);
	path_normal(path, &p);
	if (!node_count(r) && p.kind == PATH_GOOD) {
		struct node root = { 0 };

		if (!*r->left || !buf_add(&r->nodes, &root, sizeof(root)))
			p.kind = PATH_OTHER;
		else
			--*r->left;
	}
	if (p.kind != PATH_GOOD)
		r->blind |= methods;
	else
		add_segments(r, methods, span_of(p.at, p.len), cut);
}

/* ---- what comes out ---- */

struct walk {
	const struct requests *r;
	uint32_t	 methods;
	unsigned	 depth;		/* segments that are told; what is deeper is two stars */
	size_t		 count;
	struct buf	*out;		/* NULL: they are only counted */
	size_t		 len;
	char		 prefix[LEARN_DEPTH_MAX * (LEARN_SEGMENT_MAX + 1) + 4];
};

static void emit(struct walk *w, const char *tail)
{
	w->count++;
	if (!w->out)
		return;
	buf_add(w->out, w->prefix, w->len);
	buf_add(w->out, tail, strlen(tail) + 1);
}

static void walk(struct walk *w, uint32_t at, unsigned depth)
{
	const struct node *n = node_at(w->r, at);
	size_t len = w->len;

	if (n->ends & w->methods)
		emit(w, "");
	if (n->deep & w->methods || (depth == w->depth && below(w->r, at) & w->methods)) {
		emit(w, "/**");
		return;
	}
	for (uint32_t i = depth < w->depth ? n->first : 0; i; i = node_at(w->r, i)->next) {
		const struct node *child = node_at(w->r, i);

		w->prefix[w->len++] = '/';
		memcpy(w->prefix + w->len, child->text, child->len);
		w->len += child->len;
		walk(w, i, depth + 1);
		w->len = len;
	}
}

static size_t count_at(const struct requests *r, uint32_t methods, unsigned depth)
{
	struct walk w = { .r = r, .methods = methods, .depth = depth };

	walk(&w, 0, 0);
	return w.count;
}

size_t requests_patterns(const struct requests *r, uint32_t methods, struct buf *ret_patterns)
{
	struct walk w = { .r = r, .methods = methods, .depth = LEARN_DEPTH_MAX, .out = ret_patterns };

	if (r->blind & methods || !node_count(r) || node_at(r, 0)->deep & methods)
		return 0;
	while (w.depth && count_at(r, methods, w.depth) > LEARN_PATTERNS_MAX)
		w.depth--;
	if (w.depth)
		walk(&w, 0, 0);
	return w.count;
}

uint32_t requests_methods(const struct requests *r)
{
	return r->blind | (node_count(r) ? below(r, 0) : 0);
}

/* ---- merging ---- */

static void merge_below(struct requests *r, const struct requests *from, uint32_t at,
			struct walk *w)
{
	const struct node *n = node_at(from, at);
	size_t len = w->len;

	if (n->ends)
		add_segments(r, n->ends, span_of(w->prefix, w->len), false);
	/* deeper paths are put in as one that was cut behind the slash */
	w->prefix[w->len] = '/';
	if (n->deep)
		add_segments(r, n->deep, span_of(w->prefix, w->len + 1), true);
	for (uint32_t i = n->first; i; i = node_at(from, i)->next) {
		const struct node *child = node_at(from, i);

		w->prefix[w->len++] = '/';
		memcpy(w->prefix + w->len, child->text, child->len);
		w->len += child->len;
		merge_below(r, from, i, w);
		w->len = len;
	}
}

void requests_merge(struct requests *r, const struct requests *from)
{
	struct walk w = { .r = from };
	struct node root = { 0 };

	r->blind |= from->blind;
	if (!node_count(from))
		return;
	if (!node_count(r)) {
		if (!*r->left || !buf_add(&r->nodes, &root, sizeof(root))) {
			r->blind |= requests_methods(from);
			return;
		}
		--*r->left;
	}
	merge_below(r, from, 0, &w);
}
