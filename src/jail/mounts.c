/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

const char *path_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	while (len > 0 && dir[len - 1] == '/')
		len--;
	if (strncmp(path, dir, len) != 0)
		return NULL;
	return path[len] == '/' || path[len] == '\0' ? path + len : NULL;
}

/* Undo \040 and its like, in place */
static void field_decode(char *s)
{
	char *to = s;

	for (; *s; to++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*to = *s++;
		}
	}
	*to = '\0';
}

static bool mount_parse(char *line, struct mount *ret)
{
	struct mount m = { 0 };
	char *rest = NULL, *word[5], *tail = strstr(line, " - ");

	if (!tail)
		return false;
	*tail = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		word[i] = strtok_r(i ? NULL : line, " ", &rest);
		if (!word[i])
			return false;
	}
	if (sscanf(word[2], "%u:%u", &m.major, &m.minor) != 2)
		return false;
	m.type = strtok_r(tail + 3, " \n", &rest);
	if (!m.type)
		return false;
	field_decode(word[3]);
	field_decode(word[4]);
	m.root = strdup(word[3]);
	m.point = strdup(word[4]);
	m.type = strdup(m.type);
	*ret = m;
	return true;
}

static void mount_done(struct mount *one)
{
	free(one->root);
	free(one->point);
	free(one->type);
}

/* Takes @one over, also on failure */
static bool mounts_add(struct mounts *m, struct mount *one)
{
	struct mount *grown = NULL;

	if (m->count < MOUNTS_MAX && one->root && one->point && one->type)
		grown = reallocarray(m->at, m->count + 1, sizeof(*grown));
	if (!grown) {
		mount_done(one);
		return false;
	}
	m->at = grown;
	m->at[m->count++] = *one;
	return true;
}

int mounts_read(FILE *from, struct mounts *ret_mounts)
{
	AUTO_FREE char *line = NULL;
	struct mounts m = { 0 };
	struct mount one;
	size_t size = 0;

	while (getline(&line, &size, from) > 0) {
		if (!mount_parse(line, &one)) {
			mounts_done(&m);
			return -EBADMSG;
		}
		if (!mounts_add(&m, &one)) {
			mounts_done(&m);
			return -ENOMEM;
		}
	}
	*ret_mounts = m;
	return 0;
}

void mounts_done(struct mounts *m)
{
	for (size_t i = 0; i < m->count; i++)
		mount_done(&m->at[i]);
	free(m->at);
	*m = (struct mounts){ 0 };
}

/* The mount that @path is seen through: the deepest, of equals the last */
static const struct mount *mounts_of(const struct mounts *m, const char *path)
{
	const struct mount *best = NULL;

	for (size_t i = 0; i < m->count; i++) {
		const struct mount *one = &m->at[i];

		if (path_below(path, one->point) &&
		    (!best || strlen(one->point) >= strlen(best->point)))
			best = one;
	}
	return best;
}

/* @dir/@rest without a double slash; @rest is "" or "/..." */
static bool path_join(char dst[PATH_MAX], const char *dir, const char *rest)
{
	int n = snprintf(dst, PATH_MAX, "%s%s", strcmp(dir, "/") ? dir : "", rest);

	if (n == 0)
		n = snprintf(dst, PATH_MAX, "/");
	return n > 0 && n < PATH_MAX;
}

void mounts_names(const struct mounts *m, const char *path,
		  void (*each)(void *arg, const char *name), void *arg)
{
	const struct mount *home = mounts_of(m, path);
	char inside[PATH_MAX], name[PATH_MAX];

	if (!home || !path_join(inside, home->root, path_below(path, home->point)))
		return;
	for (size_t i = 0; i < m->count; i++) {
		const struct mount *one = &m->at[i];
		const char *rest;

		if (one == home || one->major != home->major || one->minor != home->minor)
			continue;
		rest = path_below(inside, one->root);
		if (!rest)
			rest = path_below(one->root, inside) ? "" : NULL;
		if (rest && path_join(name, one->point, rest) && strcmp(name, path) != 0)
			each(arg, name);
	}
}
