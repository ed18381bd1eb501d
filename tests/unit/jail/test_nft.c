/* SPDX-License-Identifier: Apache-2.0 */
/* When nft is started, and what is told of one that refuses a ruleset or ends without a word */
#include "../unit.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "jail/nft.h"

static const struct {
	const char	*script, *told;
} ends[] = {
	{ "exit 0", "" },
	{ "echo 'no such table' >&2; echo more; exit 1",
	  "nft: the ruleset was refused: no such table (see sluice doctor)" },
	{ "exit 3", "nft: the ruleset was refused: nft ended with 3 and no message (see sluice doctor)" },
	{ "kill -9 $$", "nft: the ruleset was refused: nft was ended by signal 9 (see sluice doctor)" },
};

static void script_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", text);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0700), 0);
}

static void test_how_it_ended(void **state)
{
	char path[] = "nft-script-XXXXXX";
	int fd = mkstemp(path), empty = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0 && empty >= 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct err err = { "" };
		struct nft nft;

		script_write(path, ends[i].script);
		assert_true(nft_start(path, empty, false, &nft, &err));
		assert_int_equal(nft_wait(&nft, &err), !ends[i].told[0]);
		assert_string_equal(err.text, ends[i].told);
	}
	close(empty);
	unlink(path);
}

static uid_t user;
static gid_t group;

static void file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Its two looks at its user id must not have the map between them */
static void test_it_starts_when_users_are_mapped(void **state)
{
	char path[] = "nft-script-XXXXXX", map[32];
	int fd = mkstemp(path), empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct err err = { "" };
	struct nft nft;

	(void)state;
	assert_true(fd >= 0 && empty >= 0);
	close(fd);
	script_write(path, "read inside outside count </proc/self/uid_map || { echo 'nobody is mapped'; exit 1; }");
	assert_true(nft_start(path, empty, true, &nft, &err));
	usleep(200 * 1000);	/* who does not wait has failed by then */
	file_write("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1\n", (unsigned)user);
	file_write("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1\n", (unsigned)group);
	file_write("/proc/self/gid_map", map);
	assert_true(nft_wait(&nft, &err));
	close(empty);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_it_ended),
		cmocka_unit_test(test_it_starts_when_users_are_mapped),
	};

	user = geteuid();
	group = getegid();
	if (unshare(CLONE_NEWUSER))	/* it keeps CAP_NET_ADMIN for nft */
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
