/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c - from options and files to a policy
 *
 * policy_load() asks for presets, categories, lists and for what package managers
 * are set up to use while it reads.  Those questions have no room for an error, so the first
 * one is kept here and counts more than what policy_load() makes of an empty
 * answer.
 */
#include "cli/judge.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "cli/configured.h"
#include "cli/list_file.h"
#include "cli/preset_store.h"
#include "cli/print.h"

#define PROJECT_FILE ".sluice.yaml"
#define MANAGERS_MAX 2	/* npm and apt */

struct manager {
	char			name[8];
	struct configured	configured;
};

struct judging {
	struct buf		*texts;		/* of each file in turn */
	struct policy_file	*files;
	size_t			 count;
	char			 user[PATH_MAX];	/* path of the user's file */
	char			 project[PATH_MAX];	/* path of the project's file */
	struct preset_store	 presets, categories;
	struct list_file	 list;		/* the one that is being read */
	struct manager		*managers;	/* MANAGERS_MAX */
	size_t			 manager_count;
	struct path_list	 read, folders;	/* what struct judged tells */
	struct err		*err;
	struct err		 asked;		/* what went wrong in a question */
};

void judge_options_done(struct judge_options *o)
{
	struct option_list *lists[] = {
		&o->policies, &o->presets, &o->allows, &o->denies, &o->private_networks,
		&o->host_ports, &o->publishes,
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		option_list_done(lists[i]);
}

/* @optional: a file that is not there is no error */
static bool add_file(struct judging *j, enum layer layer, const char *path, bool optional)
{
	switch (file_read(path, FILE_ANYONES, &j->texts[j->count], j->err)) {
	case FILE_ABSENT:
		return optional || err_sys(j->err, ENOENT, "%s", path);
	case FILE_FAILED:
		return false;
	case FILE_READ:
		break;
	}
	j->files[j->count] = (struct policy_file){ layer, path, buf_span(&j->texts[j->count]) };
	j->count++;
	return path_list_add_file(&j->read, path, j->err);
}

static bool add_folder(struct judging *j, const char *path)
{
	struct stat st;

	return stat(path, &st) || !S_ISDIR(st.st_mode) || path_list_add(&j->folders, path) ||
	       err_set(j->err, "out of memory");
}

/* Is @path @folder or below it?  Both in their true form. */
static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !strncmp(path, folder, len) && (!path[len] || path[len] == '/');
}

/* A repository that could hold sluice's own files could bring its own trust with it */
static bool check_own_folders(const char *project, struct err *err)
{
	bool (*const folders[])(char *, struct err *) = { folder_config, folder_state, folder_run };
	char own[PATH_MAX], real[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		if (!folders[i](own, err))
			return false;
		if (is_below(realpath(own, real) ? real : own, project))
			return err_set(err, "%s: sluice's own folder is inside the project (move it, "
				       "or run elsewhere)", own);
	}
	return true;
}

/*
 * The project's file is found from the working directory up.  Until it can be
 * trusted its denies hold and its allows do not, which is said in one line.
 */
static bool add_project(struct judging *j)
{
	char here[PATH_MAX];

	if (!getcwd(here, sizeof(here)))
		return true;
	for (char *slash = here + strlen(here); slash; slash = strrchr(here, '/')) {
		*slash = '\0';
		if (!folder_join(j->project, here, PROJECT_FILE, NULL) || access(j->project, F_OK))
			continue;
		if (!check_own_folders(here[0] ? here : "/", j->err) ||
		    !add_file(j, LAYER_PROJECT, j->project, false))
			return false;
		j->files[j->count - 1].untrusted = true;
		fputs("sluice: ", stderr);
		print_safe(stderr, span_str(j->project));
		fputs(": its denies hold; it allows nothing: trusting a project is not supported "
		      "yet (-p loads it whole)\n", stderr);
		return true;
	}
	return true;
}

/* Strongest layer first */
static bool add_files(struct judging *j, const struct judge_options *o)
{
	static const char system[] = FOLDER_SYSTEM "/policy.yaml";
	char config[PATH_MAX];

	if (!add_folder(j, FOLDER_SYSTEM) ||
	    (!o->alone && !add_file(j, LAYER_SYSTEM, system, true)))
		return false;
	if (!o->only && !o->alone &&
	    (!folder_config(config, j->err) || !add_folder(j, config) ||
	     !folder_join(j->user, config, "policy.yaml", j->err)))
		return false;
	if (!o->only && !o->alone && strcmp(j->user, system) &&
	    !add_file(j, LAYER_USER, j->user, true))
		return false;
	if (!o->only && !o->alone && !add_project(j))
		return false;
	for (size_t i = 0; i < o->policies.count; i++)
		if (!add_file(j, LAYER_POLICY, o->policies.at[i], false))
			return false;
	return true;
}

static bool add_store(struct judging *j, struct preset_store *s, const char *what,
		      const struct judge_options *o)
{
	bool ok = preset_store_open(s, what, !o->only && !o->alone, j->err);

	for (size_t i = 0; ok && i < s->folder_count; i++)
		ok = add_folder(j, s->folders[i]);
	return ok;
}

static struct span preset_text(void *arg, const char *name)
{
	struct judging *j = arg;
	struct preset_file *f = preset_store_find(&j->presets, name, &j->asked);

	if (!f || !path_list_add_file(&j->read, f->path, &j->asked))
		return (struct span){ 0 };
	return buf_span(&f->text);
}

static struct span category_text(void *arg, const char *name)
{
	struct judging *j = arg;
	struct preset_store *s = &j->categories;
	size_t i = 0;

	while (i < s->count && strcmp(s->files[i].name, name) != 0)
		i++;
	if (i == s->count || !preset_file_read(&s->files[i], &j->asked) ||
	    !path_list_add_file(&j->read, s->files[i].path, &j->asked))
		return (struct span){ 0 };
	return buf_span(&s->files[i].text);
}

static const char *category_name(void *arg, size_t i)
{
	struct judging *j = arg;

	return i < j->categories.count ? j->categories.files[i].name : NULL;
}

static ptrdiff_t list_read(void *arg, const char *path, enum layer layer, uint64_t at,
			   void *ret_bytes, size_t room)
{
	struct judging *j = arg;

	if (at == 0 && !list_file_open(&j->list, path, layer == LAYER_PROJECT ? j->project : NULL,
				       &j->read, &j->asked))
		return -1;
	return list_file_read(&j->list, ret_bytes, room, &j->asked);
}

static struct manager *manager_of(struct judging *j, const char *name)
{
	struct manager *m;

	for (size_t i = 0; i < j->manager_count; i++)
		if (!strcmp(j->managers[i].name, name))
			return &j->managers[i];
	if (j->manager_count == MANAGERS_MAX || strlen(name) >= sizeof(m->name))
		return NULL;
	m = &j->managers[j->manager_count++];
	memcpy(m->name, name, strlen(name) + 1);
	configured_read(&m->configured, name, &j->read, &j->asked);
	return m;
}

static size_t configured(void *arg, const char *manager, const struct extra_host **ret_hosts)
{
	const struct manager *m = manager_of(arg, manager);

	*ret_hosts = m ? m->configured.at : NULL;
	return m ? m->configured.count : 0;
}

static bool load(struct judging *j, const struct judge_options *o, struct policy **ret_policy)
{
	const struct policy_input in = {
		.files = j->files, .file_count = j->count,
		.presets = o->presets.at, .allows = o->allows.at, .denies = o->denies.at,
		.private_networks = o->private_networks.at, .host_ports = o->host_ports.at,
		.publishes = o->publishes.at, .mode = o->mode,
		.preset_text = preset_text, .configured = configured,
		.category_text = category_text, .category_name = category_name,
		.list_read = list_read, .arg = j,
	};
	struct err wrong = { "" };
	struct policy *p = policy_load(&in, &wrong);

	if (p && !j->asked.text[0]) {
		*ret_policy = p;
		return true;
	}
	policy_free(p);
	return err_set(j->err, "%s", j->asked.text[0] ? j->asked.text : wrong.text);
}

static void judging_done(struct judging *j)
{
	for (size_t i = 0; i < j->count; i++)
		buf_done(&j->texts[i]);
	for (size_t i = 0; i < j->manager_count; i++)
		configured_done(&j->managers[i].configured);
	free(j->managers);
	free(j->texts);
	free(j->files);
	preset_store_done(&j->presets);
	preset_store_done(&j->categories);
	list_file_done(&j->list);
	path_list_done(&j->read);
	path_list_done(&j->folders);
}

bool judge(const struct judge_options *o, struct judged *ret_judged, struct err *err)
{
	size_t most = o->policies.count + 3;	/* the system's, the user's, the project's */
	struct judging j = {
		.err = err,
		.list.fd = -1,
		.texts = calloc(most, sizeof(*j.texts)),
		.files = calloc(most, sizeof(*j.files)),
		.managers = calloc(MANAGERS_MAX, sizeof(*j.managers)),
	};
	struct policy *p = NULL;
	bool ok;

	ok = (j.texts && j.files && j.managers) || err_set(err, "out of memory");
	ok = ok && add_files(&j, o) && add_store(&j, &j.presets, "presets", o) &&
	     add_store(&j, &j.categories, "categories", o);
	ok = ok && load(&j, o, &p);
	if (ok) {
		*ret_judged = (struct judged){
			p, j.read.at, j.read.count, j.folders.at, j.folders.count,
		};
		j.read = j.folders = (struct path_list){ 0 };
	}
	judging_done(&j);
	return ok;
}

void judge_done(struct judged *j)
{
	struct path_list files = { j->files, j->file_count };
	struct path_list folders = { j->folders, j->folder_count };

	policy_free(j->policy);
	path_list_done(&files);
	path_list_done(&folders);
	*j = (struct judged){ 0 };
}
