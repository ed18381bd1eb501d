/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runtime_start.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/oci.h"
#include "cli/ask_daemon.h"
#include "cli/runtime_pins.h"
#include "jail/uplink.h"

#define WORDS_MAX 128	/* of a command line of ours */
#define STATE_MAX (1u << 20)

/* Of the namespace that was looked at */
static json_t *find_held(const json_t *list, const struct stat *st)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *one = json_array_get(list, i);

		if ((ino_t)json_integer_value(json_object_get(one, "inode")) == st->st_ino &&
		    (dev_t)json_integer_value(json_object_get(one, "device")) == st->st_dev)
			return one;
	}
	return NULL;
}

json_t *runtime_session_of(const char *path, struct err *err)
{
	const struct control_request r = { .what = CONTROL_HELD };
	json_t *answer = ask_daemon(&r, err), *list = json_object_get(answer, "held"), *found = NULL;
	struct stat st;

	if (answer && stat(path, &st))
		err_sys(err, errno, "%s", path);
	if (answer && !err->text[0])
		found = json_incref(find_held(list, &st));
	json_decref(answer);
	return found;
}

bool runtime_is_ours(const char *path, const char *kind)
{
	struct stat ours, st;
	char own[32];

	snprintf(own, sizeof(own), "/proc/self/ns/%s", kind);
	return stat(own, &ours) || stat(path, &st) ||
	       (st.st_dev == ours.st_dev && st.st_ino == ours.st_ino);
}

static bool is_same(const char *path, const struct stat *as)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == as->st_dev && st.st_ino == as->st_ino;
}

/* A process of namespace @pids with another network than @net (NULL: with any); it may have gone */
static bool is_other(const char *name, const struct stat *pids, const struct stat *net)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/pid", name);
	if (!is_same(path, pids))
		return false;
	snprintf(path, sizeof(path), "/proc/%.20s/ns/net", name);
	return stat(path, &st) == 0 && !(net && is_same(path, net));
}

bool runtime_check_processes(const char *path, const char *network, struct err *err)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	struct stat pids, net;
	bool found = false;

	if (!dir || stat(path, &pids) || (network && stat(network, &net)))
		err_sys(err, errno, "%s", path);
	while (!err->text[0] && !found && (entry = readdir(dir)))
		found = isdigit((unsigned char)entry->d_name[0]) &&
			is_other(entry->d_name, &pids, network ? &net : NULL);
	if (found)
		err_set(err, "the container sees processes whose network is not its own, under no session or another "
			"one, and could act through them (--network container:NAME of the same)");
	if (dir)
		closedir(dir);
	return !err->text[0];
}

/* Run a program with @in to read, or nothing.  What it says: to read from *@ret_says */
static int run(const char *program, const char *const *argv, int in, int *ret_says)
{
	int says = memfd_create("says", MFD_CLOEXEC), status = -1;
	pid_t pid;

	if (in < 0)
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid = says < 0 || in < 0 ? -1 : fork();
	if (pid == 0) {
		if (dup2(in, 0) == 0 && dup2(says, 1) == 1 && dup2(says, 2) == 2)
			execv(program, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (says >= 0)
		lseek(says, 0, SEEK_SET);
	*ret_says = says;
	return status;
}

/* `runc state ID`; its text stays in *@ret_text */
static json_t *state_of(const char *runc, int count, char *const *argv, const char *id, int *ret_text,
			struct err *err)
{
	const char *words[WORDS_MAX];
	json_t *state = NULL;
	int n = 0;

	*ret_text = -1;
	if (count > WORDS_MAX - 3) {
		err_set(err, "runtime: too many options");
		return NULL;
	}
	words[n++] = runc;
	for (int i = 1; i < count; i++)
		words[n++] = argv[i];
	words[n++] = "state";
	words[n++] = id;
	words[n] = NULL;
	if (run(runc, words, -1, ret_text) == 0)
		state = json_loadfd(*ret_text, 0, NULL);
	if (!state)
		err_set(err, "runtime: container %s: runc does not know its state", id);
	return state;
}

/* The hook's words, but the one that let it wait.  Return: their count; 0: it did not wait, or is not there */
static size_t deferred_words(const json_t *config, const char *words[WORDS_MAX + 1])
{
	char program[PATH_MAX];
	const json_t *args = realpath("/proc/self/exe", program) ? oci_find_hook(config, program) : NULL;
	bool deferred = false;
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(args) && n < WORDS_MAX; i++) {
		words[n] = json_string_value(json_array_get(args, i));
		if (words[n] && !strcmp(words[n], OCI_DEFER))
			deferred = true;
		else
			n++;
	}
	words[n] = NULL;
	return deferred && n < WORDS_MAX ? n : 0;
}

/* Owned; NULL: it cannot be read */
static json_t *config_of(const json_t *state)
{
	const char *bundle = json_string_value(json_object_get(state, "bundle"));
	char path[PATH_MAX];

	if (!bundle || snprintf(path, sizeof(path), "%s/config.json", bundle) >= PATH_MAX)
		return NULL;
	return json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
}

/* What the hook put off: whatever network there is to be is there by now */
static bool attach_now(const json_t *config, int text, struct err *err)
{
	const char *words[WORDS_MAX + 1];
	char said[ERR_TEXT_MAX] = "";
	AUTO_CLOSE int says = -1;
	bool ok;

	if (!deferred_words(config, words))
		ok = err_set(err, "the container's network is under no session");
	else
		ok = lseek(text, 0, SEEK_SET) == 0 && run("/proc/self/exe", words, text, &says) == 0;
	if (!ok && says >= 0 && read(says, said, sizeof(said) - 1) > 0) {
		said[strcspn(said, "\n")] = '\0';
		err_set(err, "%s", !strncmp(said, "sluice: ", 8) ? said + 8 : said);
	}
	return ok || err_set(err, "runtime: the container cannot be attached");
}

bool runtime_check_exec(const char *runc, int count, char *const *argv, const char *process, const char *id,
			struct err *err)
{
	AUTO_CLOSE int text = -1;
	json_t *new = json_pack("{s:o}", "process", json_load_file(process, JSON_REJECT_DUPLICATES, NULL));
	json_t *state = NULL, *config = NULL;
	bool ok;

	if (new && !oci_rights(new)) {
		json_decref(new);
		return true;
	}
	state = state_of(runc, count, argv, id, &text, err);
	config = config_of(state);
	ok = config && new && json_object_update(config, new) == 0 && oci_check(config, err);
	json_decref(new);
	json_decref(config);
	json_decref(state);
	return ok || err_set(err, "runtime: container %s: what is to be run in it cannot be read", id);
}

/* Nothing but what its session knows of */
static bool check(const json_t *session, const char *path, struct err *err)
{
	AUTO_CLOSE int net = open(path, O_RDONLY | O_CLOEXEC);
	const char *name = json_string_value(json_object_get(session, "session"));
	struct err why = { "" };
	struct jail_uplink u;
	bool bare = false, known;

	if (net < 0)
		return err_sys(err, errno, "%s", path);
	known = uplink_look(net, &u, &bare, &why);
	return (known && bare) ||
	       (known && name && json_is_true(json_object_get(session, "uplink")) && uplink_stands(name)) ||
	       err_set(err, "the container got an interface after it was attached: a way out beside the gate "
		       "(--network none, or a policy of mode internal)");
}

bool runtime_check_start(const char *runc, int count, char *const *argv, const char *id, struct err *err)
{
	AUTO_CLOSE int text = -1;
	json_t *state = state_of(runc, count, argv, id, &text, err), *config = config_of(state), *session = NULL;
	pid_t pid = (pid_t)json_integer_value(json_object_get(state, "pid"));
	char path[64];
	bool ok;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	if (state && !config)
		err_set(err, "runtime: the container's bundle cannot be read");
	if (!err->text[0])
		session = runtime_session_of(path, err);
	if (!session && !err->text[0] && attach_now(config, text, err))
		session = runtime_session_of(path, err);
	ok = session && check(session, path, err) && runtime_check_pins(config, pid, err);
	json_decref(session);
	json_decref(config);
	json_decref(state);
	return ok;
}
