/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_style.h - headings and tables as text, Markdown or HTML
 *
 * Cells hold text of strangers; each style escapes what it would obey.
 */
#ifndef SLUICE_CLI_REPORT_STYLE_H
#define SLUICE_CLI_REPORT_STYLE_H

#include <stdio.h>

#include "base/auto.h"
#include "base/span.h"

#define COLUMNS_MAX 6

struct column {
	const char	*title;		/* "" in the first: the table has none */
	int		 width;		/* characters in text; longer cells push the rest on */
	bool		 right;		/* a number */
};

struct table {
	const struct column *columns;
	size_t		 count;		/* at most COLUMNS_MAX */
};

struct style {
	const char	*name;		/* as --format has it */
	void		(*begin)(FILE *to, const char *title);
	void		(*heading)(FILE *to, const char *text);
	void		(*note)(FILE *to, const char *text);
	void		(*table_begin)(FILE *to, const struct table *t);
	/* One cell a column */
	void		(*row)(FILE *to, const struct table *t, const char *const *cells);
	void		(*table_end)(FILE *to);
	void		(*end)(FILE *to);
	/* Bars beside each other, of @count values; NULL: what it would show is in a table alone */
	void		(*chart)(FILE *to, const char *name, const uint64_t *values, size_t count);
};

/* "text", "markdown" or "html"; NULL for others */
const struct style *style_find(const char *name);

#endif
