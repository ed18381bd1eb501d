/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report_style.h"

#include "cli/print.h"

/* ---- text ---- */

static void text_begin(FILE *to, const char *title)
{
	fputs(print_colour(to, COLOUR_STRONG), to);
	print_safe(to, span_str(title));
	fprintf(to, "%s\n", print_colour(to, COLOUR_PLAIN));
}

static void text_heading(FILE *to, const char *text)
{
	putc('\n', to);
	text_begin(to, text);
}

static void text_note(FILE *to, const char *text)
{
	fputs("  ", to);
	print_safe(to, span_str(text));
	putc('\n', to);
}

static void text_row(FILE *to, const struct table *t, const char *const *cells)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];
		int pad = c->width - (int)strlen(cells[i]);

		fputs("  ", to);
		if (c->right)
			fprintf(to, "%*s", pad > 0 ? pad : 0, "");
		print_safe(to, span_str(cells[i]));
		if (!c->right && i + 1 < t->count)
			fprintf(to, "%*s", pad > 0 ? pad : 0, "");
	}
	putc('\n', to);
}

static void titles(FILE *to, const struct table *t,
		   void (*row)(FILE *to, const struct table *t, const char *const *cells))
{
	const char *cells[COLUMNS_MAX];

	for (size_t i = 0; i < t->count; i++)
		cells[i] = t->columns[i].title;
	row(to, t, cells);
}

static bool has_titles(const struct table *t)
{
	return t->columns[0].title[0];
}

static void text_table_begin(FILE *to, const struct table *t)
{
	if (has_titles(t))
		titles(to, t, text_row);
}

static void nothing(FILE *to)
{
	(void)to;
}

/* ---- Markdown ---- */

static void markdown_text(FILE *to, const char *s)
{
	for (; *s; s++) {
		if (strchr("\\`*_[]<>|#~&", *s))
			putc('\\', to);
		print_safe(to, span_of(s, 1));
	}
}

static void markdown_begin(FILE *to, const char *title)
{
	fputs("# ", to);
	markdown_text(to, title);
	fputs("\n\n", to);
}

static void markdown_heading(FILE *to, const char *text)
{
	fputs("\n#", to);
	markdown_begin(to, text);
}

static void markdown_note(FILE *to, const char *text)
{
	putc('\n', to);
	markdown_text(to, text);
	putc('\n', to);
}

static void markdown_row(FILE *to, const struct table *t, const char *const *cells)
{
	for (size_t i = 0; i < t->count; i++) {
		fputs("| ", to);
		markdown_text(to, cells[i]);
		putc(' ', to);
	}
	fputs("|\n", to);
}

static void markdown_table_begin(FILE *to, const struct table *t)
{
	titles(to, t, markdown_row);
	for (size_t i = 0; i < t->count; i++)
		fputs(t->columns[i].right ? "|--:" : "|---", to);
	fputs("|\n", to);
}

/* ---- HTML ---- */

static void html_text(FILE *to, const char *s)
{
	static const struct {
		char		 c;
		const char	*entity;
	} entities[] = { { '<', "&lt;" }, { '>', "&gt;" }, { '&', "&amp;" }, { '"', "&quot;" },
			 { '\'', "&#39;" } };

	for (; *s; s++) {
		size_t i = 0;

		while (i < ARRAY_SIZE(entities) && entities[i].c != *s)
			i++;
		if (i < ARRAY_SIZE(entities))
			fputs(entities[i].entity, to);
		else
			print_safe(to, span_of(s, 1));
	}
}

static void html_element(FILE *to, const char *element, const char *text)
{
	fprintf(to, "<%s>", element);
	html_text(to, text);
	fprintf(to, "</%s>\n", element);
}

static void html_begin(FILE *to, const char *title)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'\">\n", to);
	html_element(to, "title", title);
	fputs("<style>body{font:1em sans-serif;margin:2em}td,th{padding:.2em 1em;text-align:left}"
	      "td.n,th.n{text-align:right}"
	      "figure{margin:1em 0}rect{fill:#36c}</style>\n</head><body>\n", to);
	html_element(to, "h1", title);
}

static void html_heading(FILE *to, const char *text)
{
	html_element(to, "h2", text);
}

static void html_note(FILE *to, const char *text)
{
	html_element(to, "p", text);
}

static void html_row(FILE *to, const struct table *t, const char *const *cells)
{
	fputs("<tr>", to);
	for (size_t i = 0; i < t->count; i++) {
		fputs(t->columns[i].right ? "<td class=\"n\">" : "<td>", to);
		html_text(to, cells[i]);
		fputs("</td>", to);
	}
	fputs("</tr>\n", to);
}

static void html_table_begin(FILE *to, const struct table *t)
{
	fputs("<table>\n", to);
	if (!has_titles(t))
		return;
	fputs("<tr>", to);
	for (size_t i = 0; i < t->count; i++) {
		fputs(t->columns[i].right ? "<th class=\"n\">" : "<th>", to);
		html_text(to, t->columns[i].title);
		fputs("</th>", to);
	}
	fputs("</tr>\n", to);
}

static void html_table_end(FILE *to)
{
	fputs("</table>\n", to);
}

static void html_end(FILE *to)
{
	fputs("</body></html>\n", to);
}

#define CHART_WIDTH 600		/* pixels */
#define CHART_HEIGHT 60

static void html_chart(FILE *to, const char *name, const uint64_t *values, size_t count)
{
	size_t wide = count ? CHART_WIDTH / count : 0;
	uint64_t most = 1;

	for (size_t i = 0; i < count; i++)
		most = values[i] > most ? values[i] : most;
	fprintf(to, "<figure><svg role=\"img\" width=\"%d\" height=\"%d\" "
		"xmlns=\"http://www.w3.org/2000/svg\"><title>", CHART_WIDTH, CHART_HEIGHT);
	html_text(to, name);
	fputs("</title>", to);
	for (size_t i = 0; i < count; i++) {
		double high = (double)values[i] / (double)most * CHART_HEIGHT;

		fprintf(to, "<rect x=\"%zu\" y=\"%.1f\" width=\"%zu\" height=\"%.1f\"/>",
			i * wide, CHART_HEIGHT - high, wide > 1 ? wide - 1 : 1, high);
	}
	fputs("</svg><figcaption>", to);
	html_text(to, name);
	fputs("</figcaption></figure>\n", to);
}

static const struct style styles[] = {
	{ "text", text_begin, text_heading, text_note, text_table_begin, text_row, nothing,
	  nothing, NULL },
	{ "markdown", markdown_begin, markdown_heading, markdown_note, markdown_table_begin,
	  markdown_row, nothing, nothing, NULL },
	{ "html", html_begin, html_heading, html_note, html_table_begin, html_row,
	  html_table_end, html_end, html_chart },
};

const struct style *style_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(styles); i++)
		if (!strcmp(styles[i].name, name))
			return &styles[i];
	return NULL;
}
