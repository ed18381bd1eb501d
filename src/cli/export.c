/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - `sluice export FORMAT`: config for other enforcement planes */
#include <stdio.h>

#include "cli/commands.h"
#include "export/export.h"
#include "policy/loader.h"

#define FORMATS_TEXT_MAX 1024

static bool no_format(const char *word, struct err *err)
{
	struct buf names = buf_new(FORMATS_TEXT_MAX);

	for (const struct export_format *f = export_formats; f->name; f++)
		buf_printf(&names, "%s%s", names.len ? " | " : "", f->name);
	if (word)
		err_set(err, "export: %s: no such format (" SPAN_FMT ")", word,
			SPAN_ARG(buf_span(&names)));
	else
		err_set(err, "export: one FORMAT (" SPAN_FMT ")", SPAN_ARG(buf_span(&names)));
	buf_done(&names);
	return false;
}

static bool export(const char *word, const char *mode, struct err *err)
{
	struct export_request r = { .mode = MODE_FILTERED, .every_mode = !mode };
	const struct export_format *f = word ? export_find(word) : NULL;
	struct buf text = buf_new(EXPORT_TEXT_MAX);
	bool ok;

	if (!f)
		return no_format(word, err);
	if (mode && !mode_from(span_str(mode), &r.mode))
		return err_set(err, "--mode %s: accepted: " ACCEPTS_MODE, mode);
	ok = f->write(&r, &text, err) && (!text.full || err_set(err, "export: out of memory"));
	if (ok)
		fwrite(text.at, 1, text.len, stdout);
	buf_done(&text);
	return ok;
}

static int help_print(const struct option *rows)
{
	command_help("export", rows);
	puts("\nFormats:");
	for (const struct export_format *f = export_formats; f->name; f++)
		printf("  %-18s%s\n", f->name, f->summary);
	return 0;
}

int export_main(int argc, char **argv)
{
	const char *mode = NULL;
	const struct option rows[] = {
		{ 0, "mode", OPTION_TEXT, "MODE",
		  "libvirt-network: filtered (agent-nat-filtered) | isolated (agent-isolated); "
		  "compose: filtered | internal | isolated (default: all)", &mode },
		{ .name = NULL },
	};
	struct err err = { "" };
	bool help = false;
	int count;

	if (!options_parse_mixed(argc, argv, rows, &count, &help, &err))
		return complain(&err);
	if (help)
		return help_print(rows);
	if (count > 1)
		err_set(&err, "export: one FORMAT at a time");
	if (err.text[0] || !export(argv[1], mode, &err))
		return complain(&err);
	return 0;
}
