/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preset_store.h - preset files by name and alias; category files by name
 *
 * A preset is looked for in the data folder, then in presets.d of the system's
 * and of the user's configuration; the first one wins, so that nobody gives a
 * name that a stronger layer uses another meaning.  Categories are the same, in
 * folders of their own.
 */
#ifndef SLUICE_CLI_PRESET_STORE_H
#define SLUICE_CLI_PRESET_STORE_H

#include "base/err.h"
#include "base/span.h"
#include "cli/file.h"

#define PRESET_NAME_MAX 64	/* bytes */
#define PRESET_FOLDERS_MAX 3
#define PRESETS_MAX 4096	/* files in all folders */

struct preset_file {
	char		*name;		/* of the file, without ".yaml" */
	char		*path;
	struct buf	 text;		/* read when it is first asked for */
	bool		 is_read;
};

struct preset_store {
	char			*folders[PRESET_FOLDERS_MAX];
	size_t			 folder_count;
	struct preset_file	*files;		/* strongest folder first */
	size_t			 count;
};

/*
 * preset_store_open() - list the files
 * @what:	"presets" or "categories"
 * @user:	those in the user's folder too
 *
 * Return: false and @err; free with preset_store_done() in any case.
 */
bool preset_store_open(struct preset_store *s, const char *what, bool user, struct err *err);

/*
 * preset_store_add() - the files of one more folder, weaker than those before
 *
 * A folder that is not there holds none; one that cannot be read is an error.
 */
bool preset_store_add(struct preset_store *s, const char *folder, struct err *err);
void preset_store_done(struct preset_store *s);

/* May it be the name of a preset's file?  Letters, digits, '-', '_', '.', not first. */
bool preset_name_ok(const char *name);

/*
 * preset_store_find() - the file whose name is @name, else the first one that has it as an alias
 *
 * Reads it.  Return: NULL, and @err only if a file could not be read.
 */
struct preset_file *preset_store_find(struct preset_store *s, const char *name, struct err *err);

/* Read a file of the store, once.  Return: false and @err */
bool preset_file_read(struct preset_file *f, struct err *err);

#endif
