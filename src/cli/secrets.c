/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/read.h"
#include "cli/folders.h"

#define CMD_LIMIT_S 60		/* for a command, which may ask somebody for a password */
#define LINES_MAX 16		/* bytes of line ends behind a value */
#define RANDOM_BYTES 12		/* of a placeholder */
#define MASKED_MAX (1u << 20)	/* bytes of a variable; the kernel has less room */
#define SHOWN_LEAST 8		/* bytes: a shorter value is in any text */
#define WHY_MAX 160

struct secret_source {
	enum secret_kind kind;
	char	*text;		/* owned: a name, an absolute path, a command */
	char	*words;		/* owned: "env:NAME" */
	struct buf value;
	char	 placeholder[sizeof("sluice-placeholder-") + 2 * RANDOM_BYTES];
	char	 why[WHY_MAX];	/* "": it is there */
	dev_t	 dev;		/* of a file */
	ino_t	 ino;
};

static void value_drop(struct buf *b)
{
	if (b->at)
		explicit_bzero(b->at, b->len);
	buf_done(b);
}

void secret_store_done(struct secret_store *s)
{
	for (size_t i = 0; i < s->count; i++) {
		value_drop(&s->list[i].value);
		free(s->list[i].text);
		free(s->list[i].words);
	}
	free(s->list);
	*s = (struct secret_store){ .count = 0 };
}

void secret_store_guard(const struct secret_store *s)
{
	if (s->count)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* A line end is the file's or the command's, and not the value's */
static void trim(struct buf *b)
{
	while (b->len && (b->at[b->len - 1] == '\n' || b->at[b->len - 1] == '\r'))
		b->len--;
}

static void fail(struct secret_source *at, const char *what)
{
	snprintf(at->why, sizeof(at->why), "%s", what);
}

/* ---- files ---- */

/* "~/X" is at home, "X" beside the policy's file; with all links resolved */
static char *path_of(const char *text, const char *file)
{
	char folder[PATH_MAX] = "", path[PATH_MAX];
	const char *slash = strrchr(file, '/');
	struct err err = { "" };

	if (!strncmp(text, "~/", 2)) {
		if (!folder_home(folder, &err) || !folder_join(path, folder, text + 2, &err))
			return NULL;
	} else if (text[0] == '/' || !slash) {
		if (!span_copy(span_str(text), path, sizeof(path)))
			return NULL;
	} else {
		if (!span_copy(span_of(file, (size_t)(slash - file) + 1), folder, sizeof(folder)) ||
		    !folder_join(path, folder, text, &err))
			return NULL;
	}
	return realpath(path, NULL);
}

/* The jail must have no other way to it, and nobody else may say what it holds */
static const char *unfit(const struct secret_source *at, const struct secret_store *s,
			 const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (s->anybody)
		return NULL;
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return "belongs to another user";
	if (st->st_mode & S_IWOTH)
		return "can be written by everybody";
	if (st->st_nlink != 1)
		return "has another name (a hard link), by which the command could read it";
	if (s->later && (st->st_dev != at->dev || st->st_ino != at->ino))
		return "is not the file that was hidden at the start (write to that file itself)";
	return NULL;
}

static void file_read_value(struct secret_source *at, const struct secret_store *s)
{
	AUTO_CLOSE int fd = open(at->text, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *why;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		snprintf(at->why, sizeof(at->why), "cannot be read: %s", strerror(errno));
		return;
	}
	why = unfit(at, s, &st);
	if (why) {
		fail(at, why);
		return;
	}
	at->dev = st.st_dev;
	at->ino = st.st_ino;
	if (read_all(fd, &at->value))
		trim(&at->value);
	else if (!at->value.full)	/* that is too long, and refused for it */
		fail(at, "cannot be read");
}

/* ---- commands ---- */

static _Noreturn void child(const char *command, int out)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	if (null < 0 || dup2(null, 0) != 0 || dup2(out, 1) != 1)
		_exit(126);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* What it prints, until it closes its output, has printed too much or takes too long */
static bool hear(int fd, struct buf *b)
{
	int64_t end = now_ms() + CMD_LIMIT_S * 1000;
	ssize_t n = 1;

	while (n > 0 && b->len <= SECRET_BYTES_MAX + LINES_MAX) {
		int64_t left = end - now_ms();
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (left <= 0 || !buf_reserve(b, SECRET_BYTES_MAX + LINES_MAX + 1 - b->len))
			return false;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = read(fd, b->at + b->len, SECRET_BYTES_MAX + LINES_MAX + 1 - b->len);
		b->len += n > 0 ? (size_t)n : 0;
		n = n < 0 && errno == EINTR ? 1 : n;
	}
	return n == 0;
}

static void command_run(struct secret_source *at)
{
	int ends[2], status = 0;
	bool heard;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		fail(at, "cannot be run");
		return;
	}
	pid = fork();
	if (pid == 0)
		child(at->text, ends[1]);
	close(ends[1]);
	heard = pid > 0 && hear(ends[0], &at->value);
	close(ends[0]);
	if (!heard && pid > 0) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	trim(&at->value);
	if (!heard)
		snprintf(at->why, sizeof(at->why), "prints too much or takes longer than %d s",
			 CMD_LIMIT_S);
	else if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail(at, "fails");
}

/* ---- the store ---- */

static void source_read(struct secret_source *at, const struct secret_store *s)
{
	const char *value;

	value_drop(&at->value);
	at->value = buf_new(SECRET_BYTES_MAX + LINES_MAX + 1);
	at->why[0] = '\0';
	switch (at->kind) {
	case SECRET_ENV:
		value = getenv(at->text);
		if (!value)
			fail(at, "is not set");
		else if (!buf_add_str(&at->value, value))
			fail(at, "is too long");
		break;
	case SECRET_FILE:
		file_read_value(at, s);
		break;
	case SECRET_CMD:
		if (s->dry)
			buf_add_str(&at->value, "not-run");
		else
			command_run(at);
		break;
	case SECRET_KIND_NUM:
		break;
	}
}

static bool placeholder_make(char *ret, size_t size)
{
	uint8_t random[RANDOM_BYTES];
	size_t len = (size_t)snprintf(ret, size, "sluice-placeholder-");

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return false;
	for (size_t i = 0; i < sizeof(random); i++)
		len += (size_t)snprintf(ret + len, size - len, "%02x", random[i]);
	return true;
}

static struct secret_source *source_of(struct secret_store *s, enum secret_kind kind,
				       const char *text)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].kind == kind && !strcmp(s->list[i].text, text))
			return &s->list[i];
	return NULL;
}

static struct secret_source *source_new(struct secret_store *s, enum secret_kind kind,
					const char *text)
{
	struct secret_source *more = reallocarray(s->list, s->count + 1, sizeof(*more)), *at;

	if (!more)
		return NULL;
	s->list = more;
	at = &more[s->count];
	*at = (struct secret_source){ .kind = kind, .text = strdup(text) };
	if (!at->text || asprintf(&at->words, "%s:%s", secret_word(kind), text) < 0 ||
	    !placeholder_make(at->placeholder, sizeof(at->placeholder))) {
		free(at->text);
		return NULL;
	}
	s->count++;
	return at;
}

bool secret_store_find(struct secret_store *s, enum secret_kind kind, const char *text,
		       const char *file, struct secret_found *ret, struct err *err)
{
	AUTO_FREE char *path = kind == SECRET_FILE ? path_of(text, file) : NULL;
	struct secret_source *at;

	ret->why = "cannot be found";
	if (kind == SECRET_FILE && !path)
		return false;
	at = source_of(s, kind, path ? path : text);
	ret->why = "the command could see when it was started (start it anew)";
	if (!at && s->later)
		return false;
	if (!at) {
		at = source_new(s, kind, path ? path : text);
		if (!at)
			return err_set(err, "out of memory");
		source_read(at, s);
	} else if (s->later && kind == SECRET_FILE) {
		source_read(at, s);
	}
	*ret = (struct secret_found){ buf_span(&at->value), at->placeholder, at->why };
	return !at->why[0];
}

const char *secret_store_file(const struct secret_store *s, size_t i)
{
	for (size_t k = 0; k < s->count; k++)
		if (s->list[k].kind == SECRET_FILE && !i--)
			return s->list[k].text;
	return NULL;
}

static bool is_shown(const struct secret_source *at, struct span text)
{
	return at->value.len >= SHOWN_LEAST && text.len >= at->value.len &&
	       memmem(text.at, text.len, at->value.at, at->value.len);
}

/* @out gets @text with the placeholder for each value in it */
static void mask(const struct secret_store *s, struct span text, struct buf *out)
{
	while (text.len) {
		const struct secret_source *hit = NULL;

		for (size_t i = 0; i < s->count; i++) {
			const struct secret_source *at = &s->list[i];

			if (at->value.len >= SHOWN_LEAST && span_starts(text, buf_span(&at->value)) &&
			    (!hit || at->value.len > hit->value.len))
				hit = at;
		}
		if (hit)
			buf_add_str(out, hit->placeholder);
		else
			buf_add(out, text.at, 1);
		text = span_skip(text, hit ? hit->value.len : 1);
	}
}

char *secret_store_mask(const struct secret_store *s, const char *entry)
{
	size_t name = strcspn(entry, "=");
	struct buf out = buf_new(MASKED_MAX);
	bool shown = false;

	for (size_t i = 0; i < s->count; i++) {
		const struct secret_source *at = &s->list[i];

		shown |= is_shown(at, span_str(entry));
		if (at->kind == SECRET_ENV && strlen(at->text) == name &&
		    !strncmp(at->text, entry, name)) {
			char *text;

			return asprintf(&text, "%s=%s", at->text, at->placeholder) < 0 ? NULL : text;
		}
	}
	if (!shown)
		return strdup(entry);
	mask(s, span_str(entry), &out);
	if (buf_add(&out, "", 1))
		return (char *)out.at;
	buf_done(&out);
	return NULL;
}

const char *secret_store_shows(const struct secret_store *s, const char *text)
{
	for (size_t i = 0; i < s->count; i++)
		if (is_shown(&s->list[i], span_str(text)))
			return s->list[i].words;
	return NULL;
}
