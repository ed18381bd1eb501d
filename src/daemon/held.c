/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/json.h"

/* ---- which namespace ---- */

static void read_boot(char ret[40])
{
	AUTO_FCLOSE FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	ret[0] = '\0';
	if (f && fscanf(f, "%39s", ret) != 1)
		ret[0] = '\0';
}

/* When a process has started, field 22 of its stat (proc(5)); 0: there is none */
static uint64_t read_started(pid_t pid)
{
	char path[64], text[1024];
	AUTO_FCLOSE FILE *f = NULL;
	unsigned long long ticks = 0;
	const char *at;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	at = strrchr(text, ')');	/* the name may hold anything, brackets too */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, " %llu", &ticks) == 1 ? ticks : 0;
}

static void path_of(const struct held *h, char ret[PATH_MAX])
{
	if (h->netns[0])
		snprintf(ret, PATH_MAX, "%s", h->netns);
	else
		snprintf(ret, PATH_MAX, "/proc/%d/ns/net", (int)h->pid);
}

static bool look(struct held *h, struct err *err)
{
	char path[PATH_MAX];
	struct stat ours, st;

	path_of(h, path);
	if (stat(path, &st) || stat("/proc/self/ns/net", &ours))
		return err_sys(err, errno, "%s", path);
	if (st.st_dev != ours.st_dev)
		return err_set(err, "%s: not a network namespace", path);
	if (st.st_ino == ours.st_ino)
		return err_set(err, "%s: the namespace is the one of this machine itself", path);
	h->device = st.st_dev;
	h->inode = st.st_ino;
	h->started = h->pid ? read_started(h->pid) : 0;
	read_boot(h->boot);
	return true;
}

bool held_find(const struct control_request *r, struct held *ret, struct err *err)
{
	*ret = (struct held){ .pid = (pid_t)r->pid };
	if (!control_name_is_valid(r->session))
		return err_set(err, "session %s: not a name (letters, digits, '.', '_', '-'; at most %d)",
			       r->session, CONTROL_NAME_MAX);
	if (r->netns && strlen(r->netns) >= PATH_MAX)
		return err_set(err, "netns: path too long");
	snprintf(ret->session, sizeof(ret->session), "%s", r->session);
	snprintf(ret->netns, sizeof(ret->netns), "%s", r->netns ? r->netns : "");
	if ((r->mode && strlen(r->mode) >= HELD_WORD_MAX) ||
	    (r->guest && strlen(r->guest) >= HELD_WORD_MAX))
		return err_set(err, "session %s: mode or guest: too long", r->session);
	snprintf(ret->mode, sizeof(ret->mode), "%s", r->mode ? r->mode : "");
	snprintf(ret->guest, sizeof(ret->guest), "%s", r->guest ? r->guest : "");
	ret->uplink = r->uplink;
	ret->policies = r->policies;
	ret->labels = r->labels;
	ret->publish = r->publish;
	ret->object = json_incref(r->object);
	return look(ret, err);
}

bool held_is_there(const struct held *h)
{
	struct held now = { .pid = h->pid };
	struct err err;

	memcpy(now.netns, h->netns, sizeof(now.netns));
	return look(&now, &err) && now.device == h->device && now.inode == h->inode &&
	       now.started == h->started && !strcmp(now.boot, h->boot);
}

/* ---- the file ---- */

static bool file_path(const char *folder, const char *session, const char *ending,
		      char ret[PATH_MAX])
{
	int len = snprintf(ret, PATH_MAX, "%s/held/%s.json%s", folder, session, ending);

	return len > 0 && len < PATH_MAX;
}

static void put(struct buf *b, const struct held *h)
{
	json_open(b, '{');
	json_field_str(b, "session", h->session);
	json_field_str(b, "netns", h->netns);
	json_field_uint(b, "pid", (uint64_t)h->pid);
	json_field_uint(b, "started", h->started);
	json_field_uint(b, "device", h->device);
	json_field_uint(b, "inode", h->inode);
	json_field_str(b, "boot", h->boot);
	json_field_str(b, "mode", h->mode);
	json_field_str(b, "guest", h->guest);
	json_field_bool(b, "uplink", h->uplink);
	control_words_write(b, "policies", &h->policies);
	control_words_write(b, "labels", &h->labels);
	control_words_write(b, "publish", &h->publish);
	json_close(b, '}');
	buf_add_str(b, "\n");
}

bool held_write(const char *folder, const struct held *h, struct err *err)
{
	struct buf text = buf_new(HELD_BYTES_MAX);
	char path[PATH_MAX], new[PATH_MAX];
	AUTO_CLOSE int fd = -1;
	bool ok;

	if (!file_path(folder, h->session, "", path) || !file_path(folder, h->session, ".new", new))
		return err_set(err, "%s: path too long", folder);
	put(&text, h);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	ok = fd >= 0 && !text.full && write(fd, text.at, text.len) == (ssize_t)text.len &&
	     rename(new, path) == 0;
	buf_done(&text);
	return ok || err_sys(err, errno, "%s: the session cannot be remembered", path);
}

static bool take_text(const json_t *object, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || strlen(text) >= size)
		return false;
	memcpy(ret, text, strlen(text) + 1);
	return true;
}

static bool take_number(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	*ret = (uint64_t)json_integer_value(value);
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

/* Unknown to an earlier sluice */
static bool take_publish(const json_t *o, struct held *h)
{
	const json_t *value = json_object_get(o, "publish");

	return !value || control_words_read(value, &h->publish);
}

static bool take(const json_t *o, struct held *h)
{
	uint64_t pid;

	if (!take_number(o, "pid", &pid) || pid > INT_MAX)
		return false;
	h->pid = (pid_t)pid;
	h->uplink = json_is_true(json_object_get(o, "uplink"));
	return take_text(o, "session", h->session, sizeof(h->session)) &&
	       take_text(o, "netns", h->netns, sizeof(h->netns)) &&
	       take_text(o, "boot", h->boot, sizeof(h->boot)) &&
	       take_text(o, "mode", h->mode, sizeof(h->mode)) &&
	       take_text(o, "guest", h->guest, sizeof(h->guest)) &&
	       take_number(o, "started", &h->started) && take_number(o, "device", &h->device) &&
	       take_number(o, "inode", &h->inode) && control_words_read(json_object_get(o, "policies"), &h->policies) &&
	       control_words_read(json_object_get(o, "labels"), &h->labels) && take_publish(o, h);
}

bool held_read(const char *folder, const char *session, struct held *ret, struct err *err)
{
	char path[PATH_MAX];

	*ret = (struct held){ .pid = 0 };
	if (!file_path(folder, session, "", path))
		return err_set(err, "%s: path too long", folder);
	ret->object = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (!ret->object || !take(ret->object, ret) || strcmp(ret->session, session) != 0 ||
	    !control_name_is_valid(session))
		return err_set(err, "%s: cannot be read as a session (remove it)", path);
	return true;
}

void held_forget(const char *folder, const char *session)
{
	char path[PATH_MAX];

	if (file_path(folder, session, "", path))
		unlink(path);
}

int held_lock(const char *folder, const char *session)
{
	AUTO_CLOSE int fd = -1;
	char path[PATH_MAX];

	if (!file_path(folder, session, "", path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return TAKE_FD(fd);
}

void held_done(struct held *h)
{
	json_decref(h->object);
	h->object = NULL;
}
