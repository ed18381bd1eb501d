/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/approved.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "cli/file.h"
#include "cli/folders.h"
#include "policy/load.h"
#include "policy/show.h"

#define NAME "approved.yaml"
#define BEGINNING "# What was approved always (sluice approve --always), for each project\n" \
	"version: 1\nprojects:\n"

bool approved_path(char ret[PATH_MAX], struct err *err)
{
	return folder_config(ret, err) && folder_join(ret, ret, NAME, err);
}

bool approved_root(const struct project *p, const char *folder, char ret[PATH_MAX], struct err *err)
{
	if (p->found) {
		memcpy(ret, p->folder, PATH_MAX);
		return true;
	}
	return realpath(folder ? folder : ".", ret) ||
	       err_sys(err, errno, "%s", folder ? folder : "the working directory");
}

bool approved_root_here(char ret[PATH_MAX], struct err *err)
{
	struct project p = { .found = false };
	char here[PATH_MAX];
	bool ok = (getcwd(here, sizeof(here)) || err_sys(err, errno, "the working directory")) &&
		  project_find(&p, here, err) && approved_root(&p, here, ret, err);

	project_done(&p);
	return ok;
}

/* The whole file as it is, or what a new one begins with */
static bool read_old(const char *path, struct buf *text, struct err *err)
{
	switch (file_read(path, FILE_OWN, text, err)) {
	case FILE_READ:
		return true;
	case FILE_FAILED:
		return false;
	case FILE_ABSENT:
		break;
	}
	*text = buf_new(APPROVED_BYTES_MAX);
	return buf_add_str(text, BEGINNING) || err_set(err, "out of memory");
}

static void add_entry(struct buf *b, const char *root, const struct approval_question *q)
{
	buf_add_str(b, "  - root: ");
	quoted_words(b, span_str(root));
	buf_add_str(b, "\n    allow:\n      - host: ");
	quoted_words(b, span_str(q->host));
	buf_printf(b, q->transport == TRANSPORT_UDP ? "\n        ports: [\"%u/udp\"]\n"
						     : "\n        ports: [%u]\n", q->port);
}

/* Does it say so, and nothing that is wrong?  Return: false and @err */
static bool check_new(const char *path, const char *root, struct span text,
		      const struct approval_question *q, struct err *err)
{
	struct policy_file file = { .layer = LAYER_USER, .path = path, .text = text, .project = root };
	struct policy_input in = { .files = &file, .file_count = 1 };
	struct question ask = { .about = ABOUT_NAME, .host = span_str(q->host) };
	struct policy *p = policy_load(&in, err);
	bool says = p && policy_decide(p, &ask).answer == ANSWER_ALLOW;

	policy_free(p);
	return says || err_set(err, "%s: cannot be added to as it is written (add the rule by hand)",
			       path);
}

static bool write_new(const char *path, struct span text, struct err *err)
{
	char temporary[PATH_MAX];
	bool ok;
	int fd;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return err_set(err, "%s: path too long", path);
	/* one that a writer left behind when it was killed; the lock says that there is no other */
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, errno, "%s", temporary);
	ok = true;
	while (ok && text.len) {
		ssize_t n = write(fd, text.at, text.len);

		ok = n > 0;
		text = span_skip(text, ok ? (size_t)n : 0);
	}
	ok = ok && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	if (ok && rename(temporary, path) == 0)
		return true;
	err_sys(err, errno, "%s", path);
	unlink(temporary);
	return false;
}

static bool add_locked(const char *path, const char *root, const struct approval_question *q,
		       struct err *err)
{
	struct buf text = { 0 }, entry = buf_new(2 * PATH_MAX + 1024), new = buf_new(APPROVED_BYTES_MAX);
	bool ok = read_old(path, &text, err);

	if (ok) {
		buf_add_span(&new, buf_span(&text));
		if (new.len && new.at[new.len - 1] != '\n')
			buf_add_str(&new, "\n");
		add_entry(&entry, root, q);
		if (!entry.full && !memmem(text.at, text.len, entry.at, entry.len)) {
			buf_add_span(&new, buf_span(&entry));
			ok = (!new.full || err_set(err, "%s: too long", path)) &&
			     check_new(path, root, buf_span(&new), q, err) &&
			     write_new(path, buf_span(&new), err);
		}
	}
	buf_done(&text);
	buf_done(&entry);
	buf_done(&new);
	return ok;
}

bool approved_add(const char *root, const struct approval_question *q, struct err *err)
{
	char folder[PATH_MAX], path[PATH_MAX];
	AUTO_CLOSE int lock = -1;

	if (!folder_config(folder, err) || !folder_make(folder, err) || !approved_path(path, err))
		return false;
	lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (lock >= 0 && flock(lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "%s", folder);
	if (lock < 0)
		return err_sys(err, errno, "%s", folder);
	return add_locked(path, root, q, err);
}
