/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_trust.c - bundles, Java's stores and browsers' policies with one CA more
 *
 * Theory
 *
 * A file can be mounted over a file, so what is replaced must be there on the host:
 *
 *  - Bundles in PEM (trusted_ca.h), which most programs read.
 *  - The stores of Java machines (java_store.h).  Most are links to the distribution's one.
 *  - Chromium and its kin trust their own list and what an administrator's policy names.  The
 *    policy is a file more in a folder of the host's, so the deepest folder that exists
 *    becomes a fresh one with the host's entries bound into it, and ours.  That is done
 *    only for the browser's own folder or /etc/opt, with few and plain entries; one policy
 *    of theirs that names CAs of its own stays the only one.
 *
 * The NSS database in the user's home can't be replaced without hiding what is in it.
 */
#include "jail/view_trust.h"

#include <dirent.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/read.h"
#include "jail/java_store.h"
#include "jail/trusted_ca.h"
#include "jail/view_ops.h"

#define STORE_MAX (4u << 20)	/* bytes of a Java store; Mozilla's list makes 160 KiB */
#define STORES_MAX 32		/* each costs a file in memory */
#define FOLDER_MAX 64		/* entries of a folder that is made anew: two mounts each */
#define POLICY_MAX (1u << 20)	/* bytes of a browser's policy */
#define POLICY_FILE "sluice-session-ca.json"

/* "~" is the command's home, "$" its JAVA_HOME */
static const char *const java_stores[] = {
	"/etc/ssl/certs/java/cacerts",			/* Debian, Arch, Alpine */
	"/etc/pki/ca-trust/extracted/java/cacerts",	/* Fedora, RHEL */
	"/var/lib/ca-certificates/java-cacerts",	/* SUSE */
	"/usr/lib/jvm/*/lib/security/cacerts",
	"/usr/lib/jvm/*/jre/lib/security/cacerts",	/* Java 8 */
	"/opt/java/*/lib/security/cacerts",
	"/usr/local/openjdk-*/lib/security/cacerts",
	"~/.sdkman/candidates/java/*/lib/security/cacerts",
	"~/.jdks/*/lib/security/cacerts",
	"$/lib/security/cacerts",
	"$/jre/lib/security/cacerts",
};

/* Where browsers look for policies of the administrator; the first folder is the least that
 * must exist */
static const struct {
	const char	*least;
	const char	*rest;
} browsers[] = {
	{ "/etc/chromium",		"policies/managed" },
	{ "/etc/chromium-browser",	"policies/managed" },
	{ "/etc/opt",			"chrome/policies/managed" },
	{ "/etc/opt",			"chrome_for_testing/policies/managed" },
	{ "/etc/opt",			"edge/policies/managed" },
	{ "/etc/brave",			"policies/managed" },
};

static void trust_bundles(struct view *v, const struct jail_plan *plan)
{
	for (size_t i = 0; trusted_ca_bundle(i); i++) {
		AUTO_FREE char *real = realpath(trusted_ca_bundle(i), NULL);

		/* several names of one file are common */
		if (real && !view_has(v, VIEW_TEXT, real))
			view_text(v, real, trusted_ca_text(trusted_ca_bundle(i), plan->trusted_ca,
							   plan->envp));
	}
}

/* ---- Java ---- */

static void trust_store(struct view *v, const struct jail_plan *plan, const char *path)
{
	AUTO_FREE char *real = realpath(path, NULL), *bundle = NULL;
	struct buf host = buf_new(STORE_MAX), store = buf_new(3 * STORE_MAX);

	if (real && !view_has(v, VIEW_TEXT, real) && !path_below(real, "/proc") &&
	    !path_below(real, "/dev") && !path_below(real, "/sys") && read_regular(real, &host)) {
		const char *first = trusted_ca_path();

		bundle = trusted_ca_text(first ? first : "/dev/null", "", plan->envp);
		if (bundle && java_store_add(buf_span(&host), span_str(bundle),
					     span_str(plan->trusted_ca), &store)) {
			view_add(v, VIEW_TEXT, real, 0, (char *)store.at);
			if (!v->spent)
				v->ops[v->count - 1].text_len = store.len;
			store = buf_new(0);
		}
	}
	buf_done(&host);
	buf_done(&store);
}

static void trust_stores(struct view *v, const struct jail_plan *plan,
			 const struct view_facts *facts)
{
	const char *java = view_env(plan, "JAVA_HOME");
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(java_stores); i++) {
		const char *at = java_stores[i];
		const char *top = *at == '~' ? facts->home : *at == '$' ? java : "";
		char pattern[PATH_MAX];
		glob_t found = { 0 };

		if (!top || (at[0] != '/' && top[0] != '/') ||
		    snprintf(pattern, sizeof(pattern), "%s%s", top, at + (*at != '/')) >= PATH_MAX)
			continue;
		if (glob(pattern, 0, NULL, &found) == 0)
			for (size_t k = 0; k < found.gl_pathc && count < STORES_MAX; k++, count++)
				trust_store(v, plan, found.gl_pathv[k]);
		globfree(&found);
	}
}

/* ---- browsers ---- */

/* {"CACertificates": ["base64"]}: what is between the lines of the PEM text */
static char *policy_text(const char *pem)
{
	struct buf b = buf_new(POLICY_MAX);
	bool inside = false;

	buf_add_str(&b, "{\"CACertificates\": [\"");
	for (const char *line = pem; *line;) {
		size_t len = strcspn(line, "\n");

		if (!strncmp(line, "-----", 5))
			inside = !inside;
		else if (inside)
			buf_add(&b, line, len);
		line += len + (line[len] == '\n');
	}
	buf_add(&b, "\"]}\n", sizeof("\"]}\n"));
	if (b.full)
		buf_done(&b);
	return (char *)b.at;
}

/* A folder of the host's, that is to be made anew */
struct folder {
	char	 path[PATH_MAX];
	char	*entry[FOLDER_MAX];	/* whole paths */
	size_t	 count;
};

static void folder_done(struct folder *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->entry[i]);
	f->count = 0;
}

/* Return: false if it has something that can't be bound one to one */
static bool folder_read(struct folder *f)
{
	DIR *dir = opendir(f->path);
	bool ok = dir != NULL;

	for (struct dirent *d; ok && (d = readdir(dir));) {
		char path[PATH_MAX];
		struct stat st;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		ok = snprintf(path, sizeof(path), "%s/%s", f->path, d->d_name) < PATH_MAX &&
		     lstat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
		     f->count < FOLDER_MAX && (f->entry[f->count] = strdup(path));
		f->count += ok;
	}
	if (dir)
		closedir(dir);
	return ok;
}

/* Does a policy of the host's name CAs?  What can't be read might. */
static bool folder_names_cas(const struct folder *f)
{
	static const char key[] = "\"CACertificates\"";
	bool found = false;

	for (size_t i = 0; !found && i < f->count; i++) {
		struct buf b = buf_new(POLICY_MAX);

		found = !read_regular(f->entry[i], &b) ||
			(b.len && memmem(b.at, b.len, key, sizeof(key) - 1));
		buf_done(&b);
	}
	return found;
}

/* The deepest folder of @rest below @least that exists.  Return: what is missing, or NULL: none */
static const char *folder_find(struct folder *f, const char *least, const char *rest)
{
	struct stat st;

	snprintf(f->path, sizeof(f->path), "%s", least);
	if (lstat(f->path, &st) != 0 || !S_ISDIR(st.st_mode))
		return NULL;
	while (*rest) {
		size_t at = strlen(f->path), len = strcspn(rest, "/");

		snprintf(f->path + at, sizeof(f->path) - at, "/%.*s", (int)len, rest);
		if (lstat(f->path, &st) != 0) {
			f->path[at] = '\0';
			break;
		}
		if (!S_ISDIR(st.st_mode))
			return NULL;
		rest += len + (rest[len] == '/');
	}
	return rest;
}

/* The folder, with all that is in it */
static bool folder_anew(struct view *v, struct folder *f, bool is_policies)
{
	if (view_has(v, VIEW_FRESH, f->path))
		return true;	/* for another browser */
	if (!folder_read(f) || (is_policies && folder_names_cas(f)))
		return false;
	view_add(v, VIEW_FRESH, f->path, 0755, NULL);
	for (size_t i = 0; i < f->count; i++)
		view_add(v, VIEW_READ, f->entry[i], 0, NULL);
	return true;
}

static void trust_browser(struct view *v, const char *pem, const char *least, const char *rest)
{
	struct folder f = { .count = 0 };
	const char *missing = folder_find(&f, least, rest);
	char path[PATH_MAX];

	if (missing && folder_anew(v, &f, !*missing)) {
		snprintf(path, sizeof(path), "%s", f.path);
		while (*missing) {
			size_t at = strlen(path), len = strcspn(missing, "/");

			snprintf(path + at, sizeof(path) - at, "/%.*s", (int)len, missing);
			if (!view_has(v, VIEW_DIR, path))
				view_add(v, VIEW_DIR, path, 0755, NULL);
			missing += len + (missing[len] == '/');
		}
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "/" POLICY_FILE);
		view_add(v, VIEW_TEXT, path, 0, policy_text(pem));
	}
	folder_done(&f);
}

/* What was made anew from @first on has all it needs */
static void seal(struct view *v, size_t first)
{
	size_t end = v->count;

	for (size_t i = first; i < end; i++)
		if (v->ops[i].kind == VIEW_FRESH)
			view_add(v, VIEW_SEAL, v->ops[i].path, 0, NULL);
}

void view_trust(struct view *v, const struct jail_plan *plan, const struct view_facts *facts)
{
	size_t first = v->count;

	if (!plan->trusted_ca)
		return;
	trust_bundles(v, plan);
	trust_stores(v, plan, facts);
	for (size_t i = 0; i < ARRAY_SIZE(browsers); i++)
		trust_browser(v, plan->trusted_ca, browsers[i].least, browsers[i].rest);
	seal(v, first);
}
