/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "cli/file.h"
#include "cli/folders.h"
#include "policy/tree.h"

#define TREE_BYTES_MAX (256u << 20)	/* the tree of a policy file at its bound */

/* ---- the hash ---- */

/* Name and bytes with their lengths: no two sequences of files feed the same */
static bool feed(EVP_MD_CTX *md, struct span name, struct span bytes)
{
	const uint64_t lengths[] = { name.len, bytes.len };

	return EVP_DigestUpdate(md, lengths, sizeof(lengths)) &&
	       EVP_DigestUpdate(md, name.at, name.len) &&
	       EVP_DigestUpdate(md, bytes.at, bytes.len);
}

static bool keep_list(struct project_lists *keep, struct span name, struct buf *bytes)
{
	struct project_list *at = reallocarray(keep->at, keep->count + 1, sizeof(*at));

	if (!at)
		return false;
	keep->at = at;
	at += keep->count;
	at->name = strndup((const char *)name.at, name.len);
	if (!at->name)
		return false;
	at->bytes = *bytes;
	*bytes = buf_new(0);
	keep->count++;
	return true;
}

void project_lists_done(struct project_lists *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->at[i].name);
		buf_done(&l->at[i].bytes);
	}
	free(l->at);
	*l = (struct project_lists){ 0 };
}

const struct buf *project_list_of(const struct project *p, const char *path)
{
	const char *slash = strrchr(p->path, '/');
	size_t folder = slash ? (size_t)(slash + 1 - p->path) : 0;

	if (strncmp(path, p->path, folder) != 0)
		return NULL;
	for (size_t i = 0; i < p->lists.count; i++)
		if (!strcmp(p->lists.at[i].name, path + folder))
			return &p->lists.at[i].bytes;
	return NULL;
}

static bool feed_list(EVP_MD_CTX *md, const char *folder, struct span name,
		      struct project_lists *keep, struct err *err)
{
	char path[PATH_MAX], text[PATH_MAX];
	struct buf bytes;
	bool ok;

	if (!span_copy(name, text, sizeof(text)))
		return err_set(err, "%s: path too long", folder);
	if (text[0] == '/' ? !span_copy(name, path, sizeof(path))
			   : !folder_join(path, folder, text, err))
		return false;
	switch (file_read(path, FILE_ANYONES, &bytes, err)) {
	case FILE_ABSENT:
		return err_sys(err, ENOENT, "%s", path);
	case FILE_FAILED:
		return false;
	case FILE_READ:
		break;
	}
	ok = feed(md, name, buf_span(&bytes)) || err_set(err, "%s: cannot hash", path);
	if (ok && keep && !keep_list(keep, name, &bytes))
		ok = err_set(err, "out of memory");
	buf_done(&bytes);
	return ok;
}

/* The lists that the items of @list name, in their order */
static bool feed_lists(EVP_MD_CTX *md, const char *folder, const struct node *list,
		       struct project_lists *keep, struct err *err)
{
	static const char *const keys[] = { "host_list", "ip_list" };

	if (!list || list->kind != NODE_LIST)
		return true;
	for (const struct node *item = list->first; item; item = item->next) {
		for (size_t i = 0; item->kind == NODE_MAP && i < ARRAY_SIZE(keys); i++) {
			const struct node *name = tree_get(item, keys[i]);

			if (name && name->kind == NODE_TEXT &&
			    !feed_list(md, folder, name->text, keep, err))
				return false;
		}
	}
	return true;
}

static bool feed_all(EVP_MD_CTX *md, const char *folder, const char *path, struct span text,
		     struct project_lists *keep, struct err *err)
{
	struct arena arena = arena_new(TREE_BYTES_MAX);
	struct node *root = tree_read(path, text, &arena, NULL);
	bool ok;

	ok = (EVP_DigestInit_ex(md, EVP_sha256(), NULL) && feed(md, SPAN(PROJECT_FILE), text)) ||
	     err_set(err, "%s: cannot hash", path);
	if (ok && root && root->kind == NODE_MAP)
		ok = feed_lists(md, folder, tree_get(root, "deny"), keep, err);
	arena_done(&arena);
	return ok;
}

bool project_hash(const char *folder, const char *path, struct span text,
		  struct project_lists *keep, char ret_hex[TRUST_HEX], struct err *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	bool ok = md ? feed_all(md, folder, path, text, keep, err) : err_set(err, "out of memory");

	if (ok && !EVP_DigestFinal_ex(md, digest, NULL))
		ok = err_set(err, "%s: cannot hash", path);
	for (unsigned i = 0; ok && i < TRUST_HEX / 2; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
	EVP_MD_CTX_free(md);
	return ok;
}

/* ---- the file ---- */

/* A repository that could hold sluice's own files could bring its own trust with it */
static bool check_own_folders(const char *project, struct err *err)
{
	bool (*const folders[])(char *, struct err *) = { folder_config, folder_state, folder_run };
	char own[PATH_MAX], real[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		if (!folders[i](own, err))
			return false;
		if (folder_holds(project, realpath(own, real) ? real : own))
			return err_set(err, "%s: sluice's own folder is inside the project (move it, "
				       "or run elsewhere)", own);
	}
	return true;
}

/* A link to elsewhere would put another file's text, or its lists, under this project's name */
static bool check_link(const struct project *p, const struct stat *st, struct err *err)
{
	char real[PATH_MAX];

	if (!S_ISLNK(st->st_mode))
		return true;
	if (!realpath(p->path, real))
		return err_sys(err, errno, "%s", p->path);
	return folder_holds(p->folder, real) ||
	       err_set(err, "%s: a link to outside of its folder (put the file itself there)",
		       p->path);
}

static bool read_trust(struct project *p, struct err *err)
{
	struct trust_store store;
	const char *hash;

	if (!trust_store_read(&store, err))
		return false;
	hash = trust_store_hash(&store, p->folder);
	p->trust = !hash ? TRUST_NONE : strcmp(hash, p->sha256) ? TRUST_CHANGED : TRUST_HOLDS;
	p->accepted = buf_new(TRUST_TEXT_MAX);
	if (p->trust == TRUST_CHANGED)
		buf_add_span(&p->accepted, trust_store_text(&store, p->folder));
	trust_store_done(&store);
	return true;
}

static bool read_file(struct project *p, struct err *err)
{
	switch (file_read(p->path, FILE_ANYONES, &p->text, err)) {
	case FILE_ABSENT:
		return err_sys(err, ENOENT, "%s", p->path);
	case FILE_FAILED:
		return false;
	case FILE_READ:
		break;
	}
	return project_hash(p->folder, p->path, buf_span(&p->text), &p->lists, p->sha256, err) &&
	       read_trust(p, err);
}

bool project_find(struct project *p, const char *folder, struct err *err)
{
	char here[PATH_MAX];
	struct stat st;

	*p = (struct project){ .found = false };
	if (!span_copy(span_str(folder), here, sizeof(here)))
		return err_set(err, "%s: path too long", folder);
	for (char *slash = here + strlen(here); slash; slash = strrchr(here, '/')) {
		/* "/" itself has no name before its slash */
		*slash = '\0';
		if (!folder_join(p->path, here, PROJECT_FILE, err))
			return false;
		if (lstat(p->path, &st) < 0) {
			if (errno == ENOENT || errno == ENOTDIR)
				continue;
			return err_sys(err, errno, "%s", p->path);
		}
		if (!realpath(here[0] ? here : "/", p->folder))
			return err_sys(err, errno, "%s", here);
		p->found = true;
		return check_link(p, &st, err) && check_own_folders(p->folder, err) &&
		       read_file(p, err);
	}
	return true;
}

void project_done(struct project *p)
{
	buf_done(&p->text);
	buf_done(&p->accepted);
	project_lists_done(&p->lists);
	p->found = false;
}
