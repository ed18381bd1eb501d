/* SPDX-License-Identifier: Apache-2.0 */
/* learn.c - `sluice learn`: turn audit logs into the policy that would have allowed them */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/learning.h"

struct learn_command {
	struct learning		 learning;
	const char		*key;
	bool			 unverified;
	struct public_key	 keys[KEYS_MAX];
	size_t			 key_count;
};

/* Whose logs are believed: our own, unless the user says otherwise */
static bool read_keys(struct learn_command *c, struct err *err)
{
	char own[PATH_MAX], state[PATH_MAX];
	const char *path = c->key;

	if (c->unverified)
		return !c->key || err_set(err, "learn: --key and --unverified do not go together");
	if (!path) {
		if (!folder_state(state, err) || !folder_join(own, state, "keys/audit.key.pub", err))
			return false;
		path = own;
		if (access(path, R_OK) != 0)
			return err_set(err, "learn: this machine has no key of its own to verify with (--key "
				       "FILE.pub: whose logs they are; --unverified: learn from them as "
				       "they are)");
	}
	c->key_count = public_key_read(c->keys, path, err);
	return c->key_count;
}

static bool take_all(struct learn_command *c, char *const *paths, int count, struct err *err)
{
	for (int i = 0; i < count; i++) {
		uint64_t left;

		if (!learning_take(&c->learning, paths[i], c->unverified ? NULL : c->keys,
				   c->key_count, &left, err))
			return false;
		if (left)
			fprintf(stderr, "sluice: %s: %" PRIu64 " lines at its end are not signed, and "
				"left out\n", paths[i], left);
	}
	return true;
}

static bool learn(struct learn_command *c, char *const *paths, int count, struct err *err)
{
	struct buf text = buf_new(LEARN_TEXT_MAX);
	struct learn_result result;
	bool ok;

	c->learning.o.forged = c->unverified;
	ok = read_keys(c, err) && learning_open(&c->learning, err) && take_all(c, paths, count, err) &&
	     learning_write(&c->learning, &text, &result, err);
	if (ok) {
		fwrite(text.at, 1, text.len, stdout);
		learning_tell(&result, NULL);
	}
	buf_done(&text);
	learning_done(&c->learning);
	return ok;
}

int learn_main(int argc, char **argv)
{
	struct learn_command c = { .key = NULL };
	const struct option rows[] = {
		{ 0, "all", OPTION_FLAG, NULL, "what is to be reviewed holds too", &c.learning.o.all },
		{ 0, "key", OPTION_TEXT, "FILE", "public keys that alone may have signed (default: this "
		  "machine's own)", &c.key },
		{ 0, "unverified", OPTION_FLAG, NULL, "learn from logs that do not verify", &c.unverified },
		{ .name = NULL },
	};
	struct err err = { "" };
	int count, code;

	if (!command_read(argc, argv, rows, &count, &code))
		return code;
	if (!count)
		err_set(&err, "learn: no LOG (sluice learn LOG...; run --learn FILE makes log and policy)");
	if (err.text[0] || !learn(&c, argv + 1, count, &err))
		return complain(&err);
	return 0;
}
