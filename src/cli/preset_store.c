/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/preset_store.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>

#include "cli/folders.h"
#include "policy/tree.h"

#define SUFFIX ".yaml"
#define TREE_BYTES_MAX (256u << 20)	/* the tree of a preset file at its bound */

bool preset_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > PRESET_NAME_MAX || !isalnum((unsigned char)name[0]))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
			return false;
	return true;
}

static bool add_file(struct preset_store *s, const char *folder, const char *entry,
		     struct err *err)
{
	size_t len = strlen(entry);
	struct preset_file *files;
	char name[NAME_MAX + 1], path[PATH_MAX];

	if (len <= strlen(SUFFIX) || strcmp(entry + len - strlen(SUFFIX), SUFFIX))
		return true;
	snprintf(name, sizeof(name), "%.*s", (int)(len - strlen(SUFFIX)), entry);
	if (!preset_name_ok(name))
		return true;
	if (s->count == PRESETS_MAX)
		return err_set(err, "%s: more than %u presets", folder, PRESETS_MAX);
	if (!folder_join(path, folder, entry, err))
		return false;
	files = realloc(s->files, (s->count + 1) * sizeof(*files));
	if (!files)
		return err_set(err, "out of memory");
	s->files = files;
	files[s->count] = (struct preset_file){ .name = strdup(name), .path = strdup(path) };
	s->count++;
	return (files[s->count - 1].name && files[s->count - 1].path) ||
	       err_set(err, "out of memory");
}

static int by_name(const void *a, const void *b)
{
	const struct preset_file *left = a, *right = b;

	return strcmp(left->name, right->name);
}

bool preset_store_add(struct preset_store *s, const char *folder, struct err *err)
{
	DIR *dir = opendir(folder);
	size_t first = s->count;
	struct dirent *entry;
	bool ok;

	assert(s->folder_count < PRESET_FOLDERS_MAX);
	if (!dir)
		return errno == ENOENT || err_sys(err, errno, "%s", folder);
	s->folders[s->folder_count] = strdup(folder);
	ok = s->folders[s->folder_count] || err_set(err, "out of memory");
	s->folder_count += ok;
	while (ok && (entry = readdir(dir)))
		ok = add_file(s, folder, entry->d_name, err);
	closedir(dir);
	if (s->count > first)
		qsort(s->files + first, s->count - first, sizeof(*s->files), by_name);
	return ok;
}

bool preset_store_open(struct preset_store *s, const char *what, bool user, struct err *err)
{
	char folder[PATH_MAX], system[PATH_MAX], name[32];

	*s = (struct preset_store){ 0 };
	snprintf(name, sizeof(name), "%s.d", what);
	if (!folder_data(folder, err) || !folder_join(folder, folder, what, err) ||
	    !preset_store_add(s, folder, err) ||
	    !folder_join(system, FOLDER_SYSTEM, name, err) || !preset_store_add(s, system, err))
		return false;
	if (!user)
		return true;
	if (!folder_config(folder, err) || !folder_join(folder, folder, name, err))
		return false;
	return !strcmp(folder, system) || preset_store_add(s, folder, err);
}

void preset_store_done(struct preset_store *s)
{
	for (size_t i = 0; i < s->folder_count; i++)
		free(s->folders[i]);
	for (size_t i = 0; i < s->count; i++) {
		free(s->files[i].name);
		free(s->files[i].path);
		buf_done(&s->files[i].text);
	}
	free(s->files);
	*s = (struct preset_store){ 0 };
}

bool preset_file_read(struct preset_file *f, struct err *err)
{
	if (f->is_read)
		return true;
	switch (file_read(f->path, FILE_ANYONES, &f->text, err)) {
	case FILE_READ:
		f->is_read = true;
		return true;
	case FILE_ABSENT:
		return err_set(err, "%s: it has just been removed", f->path);
	case FILE_FAILED:
		break;
	}
	return false;
}

static bool has_alias(const struct preset_file *f, struct span alias)
{
	struct arena arena = arena_new(TREE_BYTES_MAX);
	struct node *root = tree_read(f->path, buf_span(&f->text), &arena, NULL);
	const struct node *list = root ? tree_get(root, "aliases") : NULL;
	bool found = false;

	for (const struct node *n = list ? list->first : NULL; n && !found; n = n->next)
		found = n->kind == NODE_TEXT && span_eq(n->text, alias);
	arena_done(&arena);
	return found;
}

/* Cheap: most files do not even mention the word */
static bool mentions(const struct preset_file *f, const char *word)
{
	return memmem(f->text.at, f->text.len, word, strlen(word));
}

struct preset_file *preset_store_find(struct preset_store *s, const char *name, struct err *err)
{
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->files[i].name, name))
			return preset_file_read(&s->files[i], err) ? &s->files[i] : NULL;
	if (!preset_name_ok(name))
		return NULL;
	for (size_t i = 0; i < s->count; i++) {
		struct preset_file *f = &s->files[i];

		if (!preset_file_read(f, err))
			return NULL;
		if (mentions(f, name) && has_alias(f, span_str(name)))
			return f;
	}
	return NULL;
}
