/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runtime_files.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/oci.h"
#include "base/auto.h"
#include "base/span.h"

#define LINES_MAX 65536		/* of a table of the kernel's: more than that is not looked through */
#define UNIX_PATH_FIELD 7	/* of a line of /proc/net/unix */

/* ---- one folder, whatever it is called ---- */

static bool is_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

bool path_is_in(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	while (len && folder[len - 1] == '/')
		len--;
	return !strncmp(path, folder, len) && (path[len] == '/' || !path[len]);
}

static void true_path(const char *path, char ret[PATH_MAX])
{
	if (!realpath(path, ret))
		snprintf(ret, PATH_MAX, "%s", path);
}

/* Links, volumes that an engine binds, second mounts: the folder itself is the same in all of them */
static bool holds(const char *folder, const char *path)
{
	char true_folder[PATH_MAX], at[PATH_MAX];
	struct stat wanted, st;
	bool same = false;
	char *slash = at;

	true_path(folder, true_folder);
	true_path(path, at);
	if (path_is_in(folder, path) || path_is_in(true_folder, path) || path_is_in(true_folder, at))
		return true;
	if (stat(true_folder, &wanted))
		return false;
	while (!same && slash) {
		same = stat(*at ? at : "/", &st) == 0 && st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino;
		slash = strrchr(at, '/');
		if (slash)
			*slash = '\0';
	}
	return same;
}

/* ---- tables of the kernel's ---- */

/* The lines of a file, until we become the true runtime; a table that cannot be read whole is none */
struct table {
	const char	*path;
	char		*line[LINES_MAX];
	size_t		 count;
	bool		 read, whole;
};

static const struct table *table_read(struct table *t)
{
	AUTO_FCLOSE FILE *f = t->read ? NULL : fopen(t->path, "re");
	AUTO_FREE char *line = NULL;
	size_t size = 0;

	t->read = true;
	while (f && getline(&line, &size, f) > 0) {
		if (t->count == LINES_MAX)
			return t;
		line[strcspn(line, "\n")] = '\0';
		t->line[t->count++] = TAKE(line);
		size = 0;
	}
	t->whole = t->whole || (f && feof(f));
	return t;
}

/* What is behind @count blanks; NULL: there are not so many */
static const char *field(const char *line, int count)
{
	while (line && count-- > 0) {
		line = strchr(line, ' ');
		while (line && *line == ' ')
			line++;
	}
	return line;
}

/* A server and whoever names its socket here may call it differently */
static bool is_allowed(const char *path, const char *const *allow)
{
	while (*allow && !holds(*allow, path))
		allow++;
	return *allow;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Paths alone, each once: of a server's socket and of each of its connections it is the same */
static const struct table *sockets_read(void)
{
	static struct table sockets = { .path = "/proc/net/unix" };
	struct table *t = &sockets;
	size_t count = 0;

	if (t->read)
		return t;
	table_read(t);
	for (size_t i = 0; i < t->count; i++) {
		const char *at = field(t->line[i], UNIX_PATH_FIELD);

		if (at && at[0] == '/')
			t->line[count++] = memmove(t->line[i], at, strlen(at) + 1);
	}
	qsort(t->line, count, sizeof(t->line[0]), compare_lines);
	t->count = 0;
	for (size_t i = 0; i < count; i++)
		if (!i || strcmp(t->line[i], t->line[t->count - 1]) != 0)
			t->line[t->count++] = t->line[i];
	return t;
}

/* Datagram sockets too.  Those of other network namespaces are not told of: a container's own, which another
 * one may share. */
static const char *bound(const char *path, const char *const *allow)
{
	const struct table *t = sockets_read();

	for (size_t i = 0; i < t->count; i++)
		if (is_socket(t->line[i]) && holds(path, t->line[i]) && !is_allowed(t->line[i], allow))
			return t->line[i];
	return t->whole ? NULL : t->path;
}

/* ---- mounts ---- */

/* A line of proc_pid_mountinfo(5): the file system, which folder of it is where, and its kind */
struct mount {
	const char	*device, *root, *at, *kind;
};

struct mounts {
	struct mount	 one[LINES_MAX];
	size_t		 count;
	bool		 whole;
};

/* In its place; \040 is a blank */
static void unescape(char *word)
{
	char *to = word;

	while (*word) {
		unsigned code;

		if (word[0] == '\\' && sscanf(word + 1, "%3o", &code) == 1) {
			*to++ = (char)code;
			word += strnlen(word, 4);
		} else {
			*to++ = *word++;
		}
	}
	*to = '\0';
}

/* @line is cut.  Return: false: it is no such line */
static bool take_mount(char *line, struct mount *ret)
{
	char *word[5] = { NULL }, *one;

	for (size_t i = 0; i < ARRAY_SIZE(word); i++)
		word[i] = strsep(&line, " ");
	do
		one = strsep(&line, " ");
	while (one && strcmp(one, "-") != 0);
	one = strsep(&line, " ");
	if (!one)
		return false;
	unescape(word[3]);
	unescape(word[4]);
	*ret = (struct mount){ word[2], word[3], word[4], one };
	return true;
}

static const struct mounts *mounts_read(void)
{
	static struct table lines = { .path = "/proc/self/mountinfo" };
	static struct mounts mounts;

	if (lines.read)
		return &mounts;
	mounts.whole = table_read(&lines)->whole;
	for (size_t i = 0; i < lines.count; i++) {
		if (take_mount(lines.line[i], &mounts.one[mounts.count]))
			mounts.count++;
		else
			mounts.whole = false;
	}
	return &mounts;
}

/* The one that @path is on; of two at one place the later one is above.  NULL: it cannot be told */
static const struct mount *mount_of(const struct mounts *t, const char *path)
{
	const struct mount *found = NULL;

	for (size_t i = 0; t->whole && i < t->count; i++)
		if (path_is_in(t->one[i].at, path) && (!found || strlen(t->one[i].at) >= strlen(found->at)))
			found = &t->one[i];
	return found;
}

/* @path, which is in @folder, as one in @other; "/" has no name of its own */
static void move(const char *path, const char *folder, const char *other, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s%s", strcmp(other, "/") ? other : "", path + (strcmp(folder, "/") ? strlen(folder) : 0));
}

static bool is_same(const char *path, const char *other)
{
	struct stat st, as;

	return stat(path, &st) == 0 && stat(other, &as) == 0 && st.st_dev == as.st_dev && st.st_ino == as.st_ino;
}

/* A volume may be a folder that another mount of that file system shows where it is guarded */
static bool see_names(const struct mount *m, const char *at, bool itself, oci_see *see, void *arg)
{
	const struct mounts *t = mounts_read();
	char inside[PATH_MAX], name[PATH_MAX];

	if (!see(arg, at, m->kind, itself))
		return false;
	move(at, m->at, m->root, inside);
	for (size_t i = 0; i < t->count; i++) {
		const struct mount *other = &t->one[i];

		if (other == m || strcmp(other->device, m->device) != 0 || !path_is_in(other->root, inside))
			continue;
		move(inside, other->root, other->at, name);
		if (is_same(at, name) && !see(arg, name, m->kind, itself))
			return false;
	}
	return true;
}

static bool each(const char *path, oci_see *see, void *arg)
{
	const struct mounts *t = mounts_read();
	const struct mount *m;
	char at[PATH_MAX];

	true_path(path, at);
	m = mount_of(t, at);
	/* What cannot be told is taken for the worst */
	if (!m)
		return see(arg, path, "proc", true);
	if (!see_names(m, at, true, see, arg))
		return false;
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->one[i].at, at) != 0 && path_is_in(at, t->one[i].at) &&
		    !see_names(&t->one[i], t->one[i].at, false, see, arg))
			return false;
	return true;
}

bool runtime_check_mounts(const json_t *config, const char *program, const char *const *allow, struct err *err)
{
	const struct oci_eyes eyes = { is_socket, bound, holds, each, program };

	return oci_check_mounts(config, &eyes, allow, err);
}

/* ---- descriptors ---- */

/* By a folder all of the machine's files are reached (openat); to a socket's file one connects by /proc/self/fd.
 * NULL: it is none */
static const char *way_out_of(int fd)
{
	socklen_t len = sizeof(int);
	struct stat st;
	int domain;

	if (fstat(fd, &st))
		return NULL;
	if (S_ISDIR(st.st_mode))
		return "folder";
	if (!S_ISSOCK(st.st_mode))
		return NULL;
	return fd > 2 || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) || domain != AF_UNIX ? "socket" : NULL;
}

bool runtime_check_descriptors(const char *kept, struct err *err)
{
	const char *said[] = { kept, getenv("LISTEN_FDS") };	/* runc(8) keeps those of sd_listen_fds(3) too */
	uint64_t count;
	int last = 2;

	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		if (!said[i])
			continue;
		if (!span_u64(span_str(said[i]), 1 << 16, &count))
			return err_set(err, "the container keeps %s descriptors: not a number", said[i]);
		last = last < 2 + (int)count ? 2 + (int)count : last;
	}
	for (int fd = 0; fd <= last; fd++) {
		const char *what = way_out_of(fd);

		if (what)
			return err_set(err, "the container would get a %s that was opened outside (descriptor %d): a way "
				       "out (no --preserve-fds of it)", what, fd);
	}
	return true;
}
