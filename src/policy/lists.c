/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists.c - from the text of a list file to a list in the image
 *
 * A list of names is larger than everything else in a policy together, so it is
 * never there twice: its file is read in pieces, and the records are written to
 * where they stay, the buffer that becomes the image.
 */
#include "policy/lists.h"

#include "policy/hostlist.h"
#include "policy/netlist.h"

#define PIECE_BYTES 65536		/* of a file at a time; a line fits into one */
#define RANGES_MAX (256u << 20)		/* bytes of ranges of one list */

/* A list file that is being read */
struct reading {
	struct loader	*l;
	const char	*path;
	enum form	 form;
	uint64_t	 at;		/* bytes read */
	unsigned	 line;
	struct buf	 v4, v6;	/* of an ip_list */
};

uint32_t list_find(const struct draft *d, enum form form, struct span name)
{
	const struct image_list *lists = (const void *)d->lists.at;

	for (uint32_t i = 0; i < d->lists.len / sizeof(*lists); i++)
		if (lists[i].form == form &&
		    span_eq(span_str(draft_text_at(d, lists[i].name)), name))
			return i;
	return LIST_NONE;
}

uint32_t list_begin(struct loader *l, enum form form, struct span name)
{
	struct draft *d = &l->draft;
	struct image_list list = {
		.name = draft_text(d, name), .form = form,
		.records = image_section(&d->image, NULL, 0, 1),
	};
	uint32_t number = (uint32_t)(d->lists.len / sizeof(list));

	if (number == LISTS_MAX || !buf_add(&d->lists, &list, sizeof(list))) {
		loader_bad(l, l->item.at, "found more lists and categories than fit (accepted: at "
			   "most %u)", LISTS_MAX);
		return LIST_NONE;
	}
	return number;
}

void list_end(struct draft *d, uint32_t list)
{
	struct image_list *at = (struct image_list *)(void *)d->lists.at + list;

	at->records.count = (uint32_t)d->image.len - at->records.at;
}

void list_use(struct draft *d, uint32_t list)
{
	struct image_use use = { (uint32_t)draft_rule_count(d), list };
	const struct image_use *uses = (const void *)d->uses.at;

	/* the rule is not added yet: its uses are the last ones */
	for (size_t i = d->uses.len / sizeof(use); i && uses[i - 1].rule == use.rule; i--)
		if (uses[i - 1].list == list)
			return;
	buf_add(&d->uses, &use, sizeof(use));
}

static bool bad_line(const struct reading *r, const struct list_error *e)
{
	struct spot s = { r->path, r->line, e->column };
	bool cut = e->found.len > 80;

	return spot_bad(&s, r->l->err, "found " SPAN_FMT "%s (accepted: %s)",
			SPAN_ARG(span_head(e->found, 80)), cut ? "..." : "", e->accepted);
}

/* A CR that ends no line would hide the rest of it, as lines of their own, behind a "#" */
static bool has_lone_cr(struct span line, struct list_error *ret_error)
{
	ptrdiff_t cr = span_find(line, '\r');

	if (cr < 0 || (size_t)cr + 1 == line.len)
		return false;
	*ret_error = (struct list_error){
		(unsigned)cr + 1, SPAN("CR inside of a line"), "lines that end in LF or CR LF",
	};
	return true;
}

static bool read_line(struct reading *r, struct span line)
{
	struct list_error e;
	bool ok;

	/* a byte order mark, as YAML may have one too */
	if (r->line++ == 0 && span_starts(line, SPAN("\xef\xbb\xbf")))
		line = span_skip(line, 3);
	if (has_lone_cr(line, &e))
		ok = false;
	else if (r->form == FORM_HOST_LIST)
		ok = hostlist_line(&r->l->draft.image, line, &e);
	else
		ok = netlist_line(&r->v4, &r->v6, line, &e);
	return ok || bad_line(r, &e);
}

/* The lines of @text that end in it; @ret_rest: what is left */
static bool read_lines(struct reading *r, struct span text, struct span *ret_rest)
{
	ptrdiff_t newline;

	while ((newline = span_find(text, '\n')) >= 0) {
		if (!read_line(r, span_head(text, (size_t)newline)))
			return false;
		text = span_skip(text, (size_t)newline + 1);
	}
	*ret_rest = text;
	return true;
}

/* What was read of a file: bytes, 0 at its end, -1 and l->err */
static ptrdiff_t read_piece(struct reading *r, uint8_t *at, size_t room)
{
	struct spot s = { r->path, 0, 0 };
	const struct policy_input *in = r->l->in;
	ptrdiff_t got = -1;

	if (in->list_read)
		got = in->list_read(in->arg, r->path, r->l->layer, r->at, at, room);
	if (got < 0)
		spot_bad(&s, r->l->err, "cannot be read");
	else
		r->at += (uint64_t)got;
	if (got > 0 && r->at > LIST_BYTES_MAX) {
		spot_bad(&s, r->l->err, "found more than 256 MB (accepted: smaller lists)");
		return -1;
	}
	return got;
}

static bool read_all(struct reading *r, uint8_t *piece)
{
	struct spot s = { r->path, 0, 0 };
	struct span rest = { 0 };
	size_t held = 0;
	ptrdiff_t got;

	do {
		if (held == PIECE_BYTES) {
			s.line = r->line + 1;
			s.column = 1;
			return spot_bad(&s, r->l->err, "found a line of more than 64 KB "
					"(accepted: text)");
		}
		got = read_piece(r, piece + held, PIECE_BYTES - held);
		if (got < 0 || !read_lines(r, span_of(piece, held + (size_t)got), &rest))
			return false;
		held = rest.len;
		if (held)
			memmove(piece, rest.at, held);
	} while (got);
	return !held || read_line(r, span_of(piece, held));
}

/* An empty list is a download that went wrong more often than a wish */
static bool is_empty(const struct reading *r)
{
	struct spot s = { r->path, r->line ? r->line : 1, 1 };

	return !spot_bad(&s, r->l->err, "found nothing in the list (accepted: at least one %s)",
			 r->form == FORM_HOST_LIST ? "name" : "address or network");
}

static bool take_addrs(struct reading *r, uint32_t number)
{
	struct draft *d = &r->l->draft;
	struct image_list *list;

	netlist_tidy(&r->v4, &r->v6);
	d->image.full |= r->v4.full || r->v6.full;
	list = (struct image_list *)(void *)d->lists.at + number;
	list->v4 = image_section(&d->image, r->v4.at, r->v4.len / sizeof(struct range4),
				 sizeof(struct range4));
	list->v6 = image_section(&d->image, r->v6.at, r->v6.len / sizeof(struct range6),
				 sizeof(struct range6));
	return list->v4.count || list->v6.count || !is_empty(r);
}

static bool list_read(struct loader *l, const char *path, enum form form, uint32_t number)
{
	struct reading r = {
		.l = l, .path = path, .form = form,
		.v4 = buf_new(RANGES_MAX), .v6 = buf_new(RANGES_MAX),
	};
	AUTO_FREE uint8_t *piece = malloc(PIECE_BYTES);
	size_t before = l->draft.image.len;
	bool ok;

	ok = piece ? read_all(&r, piece) : err_set(l->err, "out of memory");
	if (ok && form == FORM_IP_LIST)
		ok = take_addrs(&r, number);
	else if (ok)
		ok = l->draft.image.len > before || l->draft.image.full || !is_empty(&r);
	buf_done(&r.v4);
	buf_done(&r.v6);
	return ok;
}

bool list_path(struct loader *l, const struct node *value, struct buf *ret_path)
{
	struct span text = value->text, file = span_str(l->file);
	size_t folder = file.len;

	if (!text.len || span_find(text, '\0') >= 0)
		return false;
	if (l->layer == LAYER_PROJECT &&
	    (text.at[0] == '/' || span_eq(text, SPAN("..")) || span_starts(text, SPAN("../")) ||
	     span_ends(text, SPAN("/..")) || memmem(text.at, text.len, "/../", 4)))
		return loader_bad(l, value, "found a list outside of the project (accepted: a "
				  "path below the project's folder)");
	while (folder && file.at[folder - 1] != '/')
		folder--;
	if (text.at[0] != '/')
		buf_add_span(ret_path, span_head(file, folder));
	buf_add_span(ret_path, text);
	buf_add(ret_path, "", 1);
	return !ret_path->full;
}

static bool list_open(struct loader *l, const struct node *value, enum form form)
{
	struct buf path = buf_new(LIST_PATH_MAX + 1);
	uint32_t number = LIST_NONE;
	struct span name;
	bool ok;

	l->item.is_list = true;
	l->item.rule.form = (uint8_t)form;
	l->item.rule.host = draft_text(&l->draft, value->text);
	ok = list_path(l, value, &path);
	if (ok) {
		name = span_head(buf_span(&path), path.len - 1);
		number = list_find(&l->draft, form, name);
		if (number == LIST_NONE) {
			number = list_begin(l, form, name);
			ok = number != LIST_NONE && list_read(l, (const char *)path.at, form, number);
			if (ok && form == FORM_HOST_LIST)
				list_end(&l->draft, number);
		}
	}
	buf_done(&path);
	if (ok)
		list_use(&l->draft, number);
	return ok;
}

bool list_set_hosts(struct loader *l, const struct node *value)
{
	return item_take_subject(l, value) && list_open(l, value, FORM_HOST_LIST);
}

bool list_set_addrs(struct loader *l, const struct node *value)
{
	return item_take_subject(l, value) && list_open(l, value, FORM_IP_LIST);
}

bool list_set_category(struct loader *l, const struct node *value)
{
	struct spot s = { l->file, value->line, value->column };

	l->item.is_list = true;
	l->item.rule.form = FORM_CATEGORY;
	l->item.rule.host = draft_text(&l->draft, value->text);
	return item_take_subject(l, value) && category_open(l, value->text, &s);
}
