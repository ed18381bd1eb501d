/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trust_store.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/folders.h"

#define NAME "trust.json"
#define LOCK "trust.lock"

static bool is_object(const json_t *in, const char *key)
{
	return json_is_object(json_object_get(in, key));
}

/* A file that somebody else wrote, or that says something else, is no word of the user's */
static bool parse(struct trust_store *t, struct span text, struct err *err)
{
	json_t *version;

	t->root = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
	version = json_object_get(t->root, "version");
	if (json_is_integer(version) && json_integer_value(version) == 1 &&
	    is_object(t->root, "projects") && is_object(t->root, "configured"))
		return true;
	return err_set(err, "%s: not what sluice trust wrote (remove it, and trust again)",
		       t->path);
}

static bool load(struct trust_store *t, struct err *err)
{
	struct buf text;
	bool ok;

	switch (file_read(t->path, FILE_OWN, &text, err)) {
	case FILE_ABSENT:
		t->root = json_pack("{s:i,s:{},s:{}}", "version", 1, "projects", "configured");
		return t->root || err_set(err, "out of memory");
	case FILE_FAILED:
		return false;
	case FILE_READ:
		break;
	}
	ok = parse(t, buf_span(&text), err);
	buf_done(&text);
	return ok;
}

bool trust_store_read(struct trust_store *t, struct err *err)
{
	*t = (struct trust_store){ .lock = -1 };
	if (folder_state(t->path, err) && folder_join(t->path, t->path, NAME, err) &&
	    load(t, err))
		return true;
	trust_store_done(t);
	return false;
}

bool trust_store_change(struct trust_store *t, struct err *err)
{
	char folder[PATH_MAX], lock[PATH_MAX];

	*t = (struct trust_store){ .lock = -1 };
	if (!folder_state(folder, err) || !folder_make(folder, err) ||
	    !folder_join(t->path, folder, NAME, err) || !folder_join(lock, folder, LOCK, err))
		return false;
	t->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (t->lock < 0)
		return err_sys(err, errno, "%s", lock);
	while (flock(t->lock, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		err_sys(err, errno, "%s", lock);
		trust_store_done(t);
		return false;
	}
	if (load(t, err))
		return true;
	trust_store_done(t);
	return false;
}

void trust_store_done(struct trust_store *t)
{
	json_decref(t->root);
	t->root = NULL;
	DROP_FD(t->lock);
}

static bool write_all(int fd, const char *at, size_t len)
{
	while (len) {
		ssize_t put = write(fd, at, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		at += put;
		len -= (size_t)put;
	}
	return true;
}

/* A new file beside it takes its name: there is always a whole one */
static bool save(const struct trust_store *t, struct err *err)
{
	AUTO_FREE char *text = json_dumps(t->root, JSON_INDENT(1) | JSON_SORT_KEYS);
	char path[PATH_MAX];
	bool ok;
	int fd;

	if (!text)
		return err_set(err, "out of memory");
	if (snprintf(path, sizeof(path), "%s.new", t->path) >= (int)sizeof(path))
		return err_set(err, "%s: path too long", t->path);
	/* one that a writer left behind when it was killed; the lock says that there is no other */
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, errno, "%s", path);
	ok = write_all(fd, text, strlen(text)) && write_all(fd, "\n", 1) && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	if (ok && rename(path, t->path) == 0)
		return true;
	err_sys(err, errno, "%s", t->path);
	unlink(path);
	return false;
}

static const json_t *project_of(const struct trust_store *t, const char *project)
{
	return json_object_get(json_object_get(t->root, "projects"), project);
}

const char *trust_store_hash(const struct trust_store *t, const char *project)
{
	return json_string_value(json_object_get(project_of(t, project), "sha256"));
}

struct span trust_store_text(const struct trust_store *t, const char *project)
{
	const json_t *text = json_object_get(project_of(t, project), "text");

	return span_of(json_string_value(text), json_string_length(text));
}

bool trust_store_accept(struct trust_store *t, const char *project, const char *sha256,
			struct span text, struct err *err)
{
	time_t now = time(NULL);
	json_t *entry, *kept = NULL;
	char stamp[32];
	struct tm tm;

	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	entry = json_pack("{s:s,s:s}", "sha256", sha256, "accepted", stamp);
	if (text.len && text.len <= TRUST_TEXT_MAX)
		kept = json_stringn((const char *)text.at, text.len);
	if (!entry || (kept && json_object_set_new(entry, "text", kept)) ||
	    json_object_set_new(json_object_get(t->root, "projects"), project, entry))
		return err_set(err, "%s: the path is no UTF-8, or out of memory", project);
	return save(t, err);
}

bool trust_store_forget(struct trust_store *t, const char *project, bool *ret_known,
			struct err *err)
{
	*ret_known = json_object_del(json_object_get(t->root, "projects"), project) == 0;
	return !*ret_known || save(t, err);
}

static int path_order(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

bool trust_store_each(const struct trust_store *t,
		      void (*show)(void *arg, const char *project, const char *sha256,
				   const char *accepted), void *arg)
{
	json_t *projects = json_object_get(t->root, "projects"), *entry;
	AUTO_FREE const char **names = calloc(json_object_size(projects) + 1, sizeof(*names));
	const char *name;
	size_t count = 0;

	if (!names)
		return false;
	json_object_foreach(projects, name, entry)
		names[count++] = name;
	qsort(names, count, sizeof(*names), path_order);
	for (size_t i = 0; i < count; i++) {
		const char *accepted = json_string_value(
			json_object_get(project_of(t, names[i]), "accepted"));

		show(arg, names[i], trust_store_hash(t, names[i]), accepted ? accepted : "");
	}
	return true;
}

/* "host:port": what configured_url() reads behind the scheme */
static void add_host(struct configured *c, const json_t *text)
{
	char url[HOST_MAX + 32];

	if (json_string_length(text) > HOST_MAX + 8)
		return;
	snprintf(url, sizeof(url), "https://%s", json_string_value(text));
	configured_url(c, span_str(url));
}

void trust_store_hosts(const struct trust_store *t, const char *manager, struct configured *c)
{
	const json_t *list = json_object_get(json_object_get(t->root, "configured"), manager);

	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_is_string(json_array_get(list, i)))
			add_host(c, json_array_get(list, i));
}

bool trust_store_record(struct trust_store *t, const char *manager, const struct configured *c,
			struct err *err)
{
	json_t *all = json_object_get(t->root, "configured"), *list = json_array();
	bool ok = list != NULL;

	for (size_t i = 0; ok && i < c->count; i++) {
		char text[HOST_MAX + 8];

		snprintf(text, sizeof(text), "%s:%u", c->at[i].host, c->at[i].port);
		ok = json_array_append_new(list, json_string(text)) == 0;
	}
	if (!ok || (c->count ? json_object_set(all, manager, list) : 0)) {
		json_decref(list);
		return err_set(err, "out of memory");
	}
	json_decref(list);
	if (!c->count)
		json_object_del(all, manager);
	return save(t, err);
}
