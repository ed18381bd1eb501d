/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/hostnames.h"

#include <errno.h>

#include "base/buf.h"
#include "daemon/hostconf.h"
#include "policy/policy.h"

#define TEXTS_MAX (256u << 20)	/* bytes of all names: the bound of hostconf_hosts() at its worst */

struct entry {
	uint32_t	name;		/* where in @texts */
	uint32_t	order;		/* in the file */
	struct addr	addr;
};

struct hostnames {
	struct buf	texts;		/* each with its NUL */
	struct buf	entries;	/* struct entry, by name and then by order */
};

static const char *name_at(const struct hostnames *h, uint32_t name)
{
	return (const char *)h->texts.at + name;
}

static bool add(void *arg, const char *name, const struct addr *addr)
{
	struct hostnames *h = arg;
	struct entry e = {
		.name = (uint32_t)h->texts.len,
		.order = (uint32_t)(h->entries.len / sizeof(e)),
		.addr = *addr,
	};
	char lower[HOST_MAX + 1];
	size_t len = strlen(name);

	for (size_t i = 0; i <= len; i++)
		lower[i] = (char)ascii_lower((uint8_t)name[i]);
	return buf_add(&h->texts, lower, len + 1) && buf_add(&h->entries, &e, sizeof(e));
}

static int entry_order(const void *left, const void *right, void *arg)
{
	const struct entry *a = left, *b = right;
	int order = strcmp(name_at(arg, a->name), name_at(arg, b->name));

	return order ? order : a->order < b->order ? -1 : a->order > b->order;
}

struct hostnames *hostnames_read(const char *path, struct err *err)
{
	struct hostnames *h = malloc(sizeof(*h));

	if (!h) {
		err_sys(err, ENOMEM, "%s", path);
		return NULL;
	}
	h->texts = buf_new(TEXTS_MAX);
	h->entries = buf_new(HOSTCONF_HOSTS_MAX * sizeof(struct entry));
	if (!hostconf_hosts(path, add, h, err)) {
		hostnames_free(h);
		return NULL;
	}
	if (h->entries.len)
		qsort_r(h->entries.at, h->entries.len / sizeof(struct entry), sizeof(struct entry),
			entry_order, h);
	return h;
}

void hostnames_free(struct hostnames *h)
{
	if (!h)
		return;
	buf_done(&h->texts);
	buf_done(&h->entries);
	free(h);
}

size_t hostnames_find(const struct hostnames *h, const char *name, struct addr *ret_addrs,
		      size_t max)
{
	const struct entry *e = (const void *)h->entries.at;
	size_t count = h->entries.len / sizeof(*e), low = 0, high = count, found = 0;

	/* the first entry that is not before @name */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(name_at(h, e[middle].name), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < count && found < max && !strcmp(name_at(h, e[low].name), name); low++)
		ret_addrs[found++] = e[low].addr;
	return found;
}
