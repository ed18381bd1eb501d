/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/naming.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/folders.h"

static bool make_name(struct naming *n, const char *command, struct err *err)
{
	unsigned random = 0;
	char word[24] = "";
	size_t at = 0;

	if (n->session && !control_name_is_valid(n->session))
		return err_set(err, "--session %s: not a name (letters, digits, '.', '_', '-'; at most %d)",
			       n->session, CONTROL_NAME_MAX);
	if (n->session) {
		snprintf(n->name, sizeof(n->name), "%s", n->session);
		return true;
	}
	for (; *command && at < sizeof(word) - 1; command++)
		if (isalnum((unsigned char)*command))
			word[at++] = *command;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(err, "no random numbers");
	snprintf(n->name, sizeof(n->name), "%s-%06x", word[0] ? word : "run", random & 0xffffff);
	return true;
}

static bool join(char *dst, const char *folder, const char *name, struct err *err)
{
	int len = snprintf(dst, PATH_MAX, "%s/%s", folder, name);

	return (len > 0 && len < PATH_MAX) || err_set(err, "%s/%s: path too long", folder, name);
}

bool naming_true_path(const char *path, char ret[PATH_MAX], struct err *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char folder[PATH_MAX], real[PATH_MAX];
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return err_set(err, "%s: a symbolic link (name the file itself)", path);
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	if (!realpath(slash == path ? "/" : folder, real))
		return err_sys(err, errno, "%s", folder);
	return join(ret, real[1] ? real : "", name, err);
}

bool naming_paths(struct naming *n, struct err *err)
{
	char folder[PATH_MAX], file[CONTROL_NAME_MAX + 64], stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	if (!folder_state(n->state, err) || !join(folder, n->state, "audit", err) ||
	    !folder_make(folder, err) || !join(folder, n->state, "keys", err) ||
	    !folder_make(folder, err) || !join(n->key_path, folder, "audit.key", err) ||
	    !join(n->webhook_key, folder, "webhook.key", err))
		return false;
	if (n->log)
		return naming_true_path(n->log, n->log_path, err);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	snprintf(file, sizeof(file), "audit/%s-%s.jsonl", stamp, n->name);
	return join(n->log_path, n->state, file, err);
}

static bool make_labels(struct naming *n, struct err *err)
{
	n->label = calloc(n->labels.count + 1, sizeof(*n->label));
	if (!n->label)
		return err_set(err, "out of memory");
	for (size_t i = 0; i < n->labels.count; i++) {
		char *eq = strchr(n->labels.at[i], '=');

		if (!eq || eq == n->labels.at[i])
			return err_set(err, "--label %s: not KEY=VALUE", n->labels.at[i]);
		*eq = '\0';
		n->label[i] = (struct audit_label){ n->labels.at[i], eq + 1 };
	}
	return true;
}

bool naming_words(struct naming *n, const char *command, struct err *err)
{
	return make_name(n, command, err) && make_labels(n, err);
}

void naming_done(struct naming *n)
{
	free(n->label);
	n->label = NULL;
}
