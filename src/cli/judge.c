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

#include "cli/approved.h"
#include "cli/configured.h"
#include "cli/difference.h"
#include "cli/list_file.h"
#include "cli/preset_store.h"
#include "cli/print.h"

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
	char			 approved[PATH_MAX];	/* and of his approvals */
	char			 root[PATH_MAX];	/* of the project that those are for */
	struct project		 project;
	size_t			 project_at;		/* its number among the files, if it was found */
	struct path_list	*unset;			/* judge_options.unset, and secrets */
	struct secret_store	*store;
	struct policy_secrets	 secrets;		/* of the policy that was loaded last */
	bool			 own;			/* what the user recorded of his own counts */
	struct preset_store	 presets, categories;
	struct list_file	 list;		/* the one that is being read */
	struct manager		*managers;	/* MANAGERS_MAX */
	size_t			 manager_count;
	struct path_list	 read, folders;	/* what struct judged tells */
	char			*proxy_credentials;	/* of the policy that was loaded last */
	char			*webhook;		/* the same */
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
	j->files[j->count] = (struct policy_file){ .layer = layer, .path = path,
						      .text = buf_span(&j->texts[j->count]) };
	j->count++;
	return path_list_add_file(&j->read, path, j->err);
}

static bool add_folder(struct judging *j, const char *path)
{
	struct stat st;

	return stat(path, &st) || !S_ISDIR(st.st_mode) || path_list_add(&j->folders, path) ||
	       err_set(j->err, "out of memory");
}

/* The project's file is found from the working directory up */
static bool add_project(struct judging *j, const char *folder)
{
	struct project *p = &j->project;
	char here[PATH_MAX];

	if (!folder && !getcwd(here, sizeof(here)))
		return true;
	if (!project_find(p, folder ? folder : here, j->err))
		return false;
	if (!p->found)
		return true;
	j->project_at = j->count++;
	j->files[j->project_at] = (struct policy_file){
		.layer = LAYER_PROJECT, .path = p->path, .text = buf_span(&p->text),
		.untrusted = p->trust != TRUST_HOLDS,
	};
	return path_list_add_file(&j->read, p->path, j->err);
}

/* What was approved always, for this project: the user's word */
static bool add_approved(struct judging *j, const char *folder)
{
	char path[PATH_MAX];

	if (!approved_root(&j->project, folder, j->root, j->err) || !approved_path(path, j->err))
		return false;
	switch (file_read(path, FILE_OWN, &j->texts[j->count], j->err)) {
	case FILE_ABSENT:
		return true;
	case FILE_FAILED:
		return false;
	case FILE_READ:
		break;
	}
	memcpy(j->approved, path, sizeof(path));
	j->files[j->count] = (struct policy_file){ .layer = LAYER_USER, .path = j->approved,
		.text = buf_span(&j->texts[j->count]), .project = j->root };
	j->count++;
	return path_list_add_file(&j->read, path, j->err);
}

/* Strongest layer first */
static bool add_files(struct judging *j, const struct judge_options *o, const char *folder)
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
	if (!o->only && !o->alone && (!add_project(j, folder) || !add_approved(j, folder)))
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
	const struct buf *hashed = layer == LAYER_PROJECT ? project_list_of(&j->project, path) : NULL;

	if (at == 0 && !list_file_open(&j->list, path, layer == LAYER_PROJECT ? j->project.path : NULL,
				       &j->read, &j->asked))
		return -1;
	if (hashed) {
		struct span rest = span_head(span_skip(buf_span(hashed), at), room);

		if (rest.len)
			memcpy(ret_bytes, rest.at, rest.len);
		return (ptrdiff_t)rest.len;
	}
	return list_file_read(&j->list, ret_bytes, room, &j->asked);
}

/* What the user's own files say counts as it was recorded, and they are not read */
static void add_recorded(struct judging *j, struct manager *m)
{
	struct trust_store store;
	size_t roots = m->configured.count;

	if (!trust_store_read(&store, &j->asked))
		return;
	trust_store_hosts(&store, m->name, &m->configured);
	for (size_t i = roots; i < m->configured.count; i++)
		m->configured.at[i].own = true;
	trust_store_done(&store);
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
	if (j->own)
		add_recorded(j, m);
	return m;
}

static size_t configured(void *arg, const char *manager, const struct extra_host **ret_hosts)
{
	const struct manager *m = manager_of(arg, manager);

	*ret_hosts = m ? m->configured.at : NULL;
	return m ? m->configured.count : 0;
}

/* For lint: what is not there; no command is run */
static bool look_up(struct judging *j, enum secret_kind kind, const char *text,
		    struct secret_found *ret)
{
	const char *value = kind == SECRET_ENV ? getenv(text) : NULL;
	AUTO_FREE char *words = NULL;

	*ret = (struct secret_found){ span_str(value), "", "is not there" };
	if (value || kind == SECRET_CMD || (kind == SECRET_FILE && text[0] != '/') ||
	    (kind == SECRET_FILE && access(text, R_OK) == 0))
		return value;
	if (asprintf(&words, "%s:%s", secret_word(kind), text) < 0 ||
	    !path_list_add(j->unset, words))
		err_set(&j->asked, "out of memory");
	return false;
}

static bool secret(void *arg, enum secret_kind kind, const char *text, const char *file,
		   struct secret_found *ret)
{
	struct judging *j = arg;

	return j->store ? secret_store_find(j->store, kind, text, file, ret, &j->asked)
			: look_up(j, kind, text, ret);
}

/* What most tools take notice of, in their order */
const char *host_proxy(const char **ret_value)
{
	static const char *const names[] = { "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY",
					     "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		*ret_value = getenv(names[i]);
		if (*ret_value && **ret_value)
			return names[i];
	}
	return NULL;
}

static void drop_secret(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static void add_host_proxy(struct policy_input *in)
{
	const char *bypass = getenv("no_proxy");

	in->proxy_variable = host_proxy(&in->proxy_value);
	if (in->proxy_variable)
		in->no_proxy = bypass ? bypass : getenv("NO_PROXY");
}

/* What a policy is made for */
enum purpose { TO_HOLD, TO_TELL };

/* A policy of what was read, with this for the project's file.  Return: NULL and @err */
static struct policy *load(struct judging *j, const struct judge_options *o,
			   struct span project, bool untrusted, enum purpose purpose,
			   struct err *err)
{
	struct policy_input in = {
		.files = j->files, .file_count = j->count,
		.lasting = purpose == TO_TELL && untrusted,
		.presets = o->presets.at, .allows = o->allows.at, .denies = o->denies.at,
		.private_networks = o->private_networks.at, .host_ports = o->host_ports.at,
		.publishes = o->publishes.at, .mode = o->mode,
		/* both: the stricter holds */
		.inspect = o->no_inspect ? INSPECT_NEVER : o->inspect ? INSPECT_ALWAYS : INSPECT_AUTO,
		.ask = o->ask,
		.preset_text = preset_text, .configured = configured,
		.category_text = category_text, .category_name = category_name,
		.list_read = list_read, .arg = j,
		.secret = o->unset || o->secrets ? secret : NULL, .secret_optional = !o->secrets,
		.secrets = &j->secrets,
		.proxy_credentials = &j->proxy_credentials, .webhook = &j->webhook,
	};
	struct err wrong = { "" };
	struct policy *p;

	if (j->project.found) {
		j->files[j->project_at].text = project;
		j->files[j->project_at].untrusted = untrusted;
		j->files[j->project_at].widest = purpose == TO_TELL;
	}
	j->asked.text[0] = '\0';
	drop_secret(&j->proxy_credentials);
	drop_secret(&j->webhook);
	policy_secrets_done(&j->secrets);
	if (o->proxy_variables)
		add_host_proxy(&in);
	p = policy_load(&in, &wrong);
	if (p && !j->asked.text[0])
		return p;
	policy_free(p);
	err_set(err, "%s", j->asked.text[0] ? j->asked.text : wrong.text);
	return NULL;
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
	drop_secret(&j->proxy_credentials);
	drop_secret(&j->webhook);
	policy_secrets_done(&j->secrets);
	project_done(&j->project);
	preset_store_done(&j->presets);
	preset_store_done(&j->categories);
	list_file_done(&j->list);
	path_list_done(&j->read);
	path_list_done(&j->folders);
}

/* @folder: where the project's file is looked for; NULL: the working directory */
static bool judging_open(struct judging *j, const struct judge_options *o, const char *folder,
			 struct err *err)
{
	size_t most = o->policies.count + 4;	/* the system's, the user's two, the project's */
	bool ok;

	*j = (struct judging){
		.err = err,
		.list.fd = -1,
		.texts = calloc(most, sizeof(*j->texts)),
		.files = calloc(most, sizeof(*j->files)),
		.managers = calloc(MANAGERS_MAX, sizeof(*j->managers)),
		.own = !o->only && !o->alone,
		.unset = o->unset, .store = o->secrets,
	};
	ok = (j->texts && j->files && j->managers) || err_set(err, "out of memory");
	return ok && add_files(j, o, folder) && add_store(j, &j->presets, "presets", o) &&
	       add_store(j, &j->categories, "categories", o);
}

/* ---- the project's file, when it is not trusted ---- */

#define TOLD_LINES 3	/* of what a changed file newly opens, in the one line that run has for it */

static void tell_opened(const struct difference *d)
{
	size_t count = d->count[CHANGE_OPENS];

	fputs(count ? "; it newly opens " : "; it opens nothing new", stderr);
	for (size_t i = 0; i < count && i < TOLD_LINES; i++) {
		fputs(i ? ", " : "", stderr);
		print_safe(stderr, span_str(d->lines[CHANGE_OPENS][i]));
	}
	if (count > TOLD_LINES)
		fprintf(stderr, " and %zu more", count - TOLD_LINES);
}

/* What trusting it would open beyond @before; a file that opens nothing is not worth a line */
static void tell_untrusted(const struct project *p, const struct policy *before,
			   const struct policy *trusted, const struct err *wrong)
{
	struct difference d = { .count = { 0 } };
	struct err err = { "" };
	bool known = before && trusted && difference_make(&d, before, trusted, &err);

	if (p->trust == TRUST_CHANGED || !known || d.count[CHANGE_OPENS]) {
		fputs("sluice: ", stderr);
		print_safe(stderr, span_str(p->path));
		fprintf(stderr, ": %s: what it denies holds, what it allows does not",
			p->trust == TRUST_CHANGED ? "changed since it was trusted" : "not trusted");
		if (wrong->text[0]) {
			fputs("; ", stderr);
			print_safe(stderr, span_str(wrong->text));
		} else if (known && p->trust == TRUST_CHANGED) {
			tell_opened(&d);
		}
		fputs(" (see sluice trust)\n", stderr);
	}
	difference_done(&d);
}

static void check_untrusted(struct judging *j, const struct judge_options *o,
			    const struct policy *now)
{
	struct project *p = &j->project;
	struct err wrong = { "" }, old_wrong = { "" };
	struct policy *trusted = load(j, o, buf_span(&p->text), false, TO_TELL, &wrong);
	struct policy *old = NULL;

	if (p->trust == TRUST_CHANGED && p->accepted.len)
		old = load(j, o, buf_span(&p->accepted), false, TO_HOLD, &old_wrong);
	tell_untrusted(p, p->trust == TRUST_CHANGED ? old : now, trusted, &wrong);
	policy_free(trusted);
	policy_free(old);
}

bool judge(const struct judge_options *o, struct judged *ret_judged, struct err *err)
{
	struct judging j;
	bool ok = judging_open(&j, o, NULL, err);
	struct policy *p = NULL;

	if (ok)
		p = load(&j, o, buf_span(&j.project.text), j.project.trust != TRUST_HOLDS, TO_HOLD,
			 err);
	if (p) {
		char *credentials = TAKE(j.proxy_credentials);
		struct policy_secrets secrets = j.secrets;

		j.secrets = (struct policy_secrets){ .count = 0 };
		if (j.project.found && j.project.trust != TRUST_HOLDS)
			check_untrusted(&j, o, p);
		*ret_judged = (struct judged){
			p, j.read.at, j.read.count, j.folders.at, j.folders.count,
			credentials, TAKE(j.webhook), secrets,
		};
		j.read = j.folders = (struct path_list){ 0 };
	}
	judging_done(&j);
	return p;
}

bool judge_project(const struct judge_options *o, const char *folder,
		   struct judged_project *ret_project, struct err *err)
{
	struct judged_project *r = ret_project;
	struct err old_wrong = { "" };
	struct judging j;
	bool ok;

	*r = (struct judged_project){ .now = NULL };
	ok = judging_open(&j, o, folder, err) &&
	     (j.project.found || err_set(err, "%s: no " PROJECT_FILE " here or above", folder));
	if (ok) {
		r->now = load(&j, o, buf_span(&j.project.text), true, TO_TELL, err);
		r->trusted = r->now ? load(&j, o, buf_span(&j.project.text), false, TO_TELL, err)
			    : NULL;
		ok = r->trusted;
	}
	/* if it cannot be read any more, all that the file opens is told */
	if (ok && j.project.accepted.len)
		r->old = load(&j, o, buf_span(&j.project.accepted), false, TO_HOLD, &old_wrong);
	if (ok) {
		r->project = j.project;
		j.project = (struct project){ .found = false };
	}
	judging_done(&j);
	return ok;
}

void judge_project_done(struct judged_project *p)
{
	project_done(&p->project);
	policy_free(p->now);
	policy_free(p->trusted);
	policy_free(p->old);
	*p = (struct judged_project){ .now = NULL };
}

void judge_done(struct judged *j)
{
	struct path_list files = { j->files, j->file_count };
	struct path_list folders = { j->folders, j->folder_count };

	policy_free(j->policy);
	drop_secret(&j->proxy_credentials);
	drop_secret(&j->webhook);
	policy_secrets_done(&j->secrets);
	path_list_done(&files);
	path_list_done(&folders);
	*j = (struct judged){ 0 };
}
