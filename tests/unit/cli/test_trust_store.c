/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/trust_store.h"

#define WRITERS 8

static char folder[64], file[128];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/sluice-test-XXXXXX");
	if (!mkdtemp(folder) || setenv("XDG_STATE_HOME", folder, 1))
		return -1;
	snprintf(file, sizeof(file), "%s/sluice/trust.json", folder);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void accept_one(const char *project, const char *hash, const char *text)
{
	struct trust_store t;
	struct err err = {""};

	assert_true(trust_store_change(&t, &err));
	assert_true(trust_store_accept(&t, project, hash, span_str(text), &err));
	trust_store_done(&t);
}

static void what_was_accepted_is_found(void **state)
{
	struct trust_store t;
	struct err err = {""};
	struct stat st;
	bool known;

	(void)state;
	assert_true(trust_store_read(&t, &err));
	assert_null(trust_store_hash(&t, "/a"));
	assert_int_equal(trust_store_text(&t, "/a").len, 0);
	trust_store_done(&t);
	assert_int_equal(access(file, F_OK), -1);

	accept_one("/a", "11", "version: 1\n# \"\xc3\xa4\"\n");
	accept_one("/b \"c\"\n", "22", "");
	accept_one("/a", "33", "version: 1\n");
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	assert_true(trust_store_change(&t, &err));
	assert_string_equal(trust_store_hash(&t, "/a"), "33");
	assert_true(span_eq(trust_store_text(&t, "/a"), SPAN("version: 1\n")));
	assert_string_equal(trust_store_hash(&t, "/b \"c\"\n"), "22");
	assert_null(trust_store_hash(&t, "/"));
	assert_null(trust_store_hash(&t, ""));
	assert_true(trust_store_forget(&t, "/a", &known, &err) && known);
	assert_true(trust_store_forget(&t, "/a", &known, &err) && !known);
	trust_store_done(&t);
	assert_true(trust_store_read(&t, &err));
	assert_null(trust_store_hash(&t, "/a"));
	trust_store_done(&t);
}

static void a_large_file_is_accepted_without_its_text(void **state)
{
	AUTO_FREE char *text = malloc(TRUST_TEXT_MAX + 2);
	struct trust_store t;
	struct err err = {""};

	(void)state;
	assert_non_null(text);
	memset(text, 'x', TRUST_TEXT_MAX + 1);
	text[TRUST_TEXT_MAX + 1] = '\0';
	accept_one("/a", "11", text);
	assert_true(trust_store_read(&t, &err));
	assert_string_equal(trust_store_hash(&t, "/a"), "11");
	assert_int_equal(trust_store_text(&t, "/a").len, 0);
	trust_store_done(&t);
}

static void writers_wait_for_each_other(void **state)
{
	struct trust_store t;
	struct err err = {""};

	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		if (fork())
			continue;
		char name[16];

		snprintf(name, sizeof(name), "/%d", i);
		accept_one(name, "11", "");
		_exit(0);
	}
	for (int i = 0, status; i < WRITERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_true(trust_store_read(&t, &err));
	for (int i = 0; i < WRITERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "/%d", i);
		assert_non_null(trust_store_hash(&t, name));
	}
	trust_store_done(&t);
}

static void write_file(const char *text, mode_t mode)
{
	char path[64 + 8];
	FILE *f;

	snprintf(path, sizeof(path), "%s/sluice", folder);
	assert_true(!mkdir(path, 0700) || !access(path, F_OK));
	f = fopen(file, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(file, mode), 0);
}

/* Cut anywhere, it is no word of the user's; the empty file too */
static void what_sluice_did_not_write_is_refused(void **state)
{
	static const char whole[] = "{\"version\": 1, \"projects\": {\"/a\": {\"sha256\": \"1\"}}, "
				    "\"configured\": {\"npm\": [\"a.test:443\"]}}";
	static const char *const others[] = {
		"[]", "{\"version\": 2, \"projects\": {}, \"configured\": {}}",
		"{\"version\": 1, \"projects\": [], \"configured\": {}}",
		"{\"version\": 1, \"projects\": {}}", "nonsense",
		"{\"version\": 1, \"projects\": {}, \"projects\": {}, \"configured\": {}}",
	};
	char text[sizeof(whole)];
	struct trust_store t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others) + sizeof(whole) - 1; i++) {
		struct err err = {""};

		memcpy(text, whole, sizeof(whole));
		if (i < sizeof(whole) - 1)
			text[i] = '\0';
		write_file(i < sizeof(whole) - 1 ? text : others[i - (sizeof(whole) - 1)], 0600);
		assert_false(trust_store_read(&t, &err));
		assert_non_null(strstr(err.text, "trust.json"));
	}
	struct err err = {""};

	write_file(whole, 0600);
	assert_true(trust_store_read(&t, &err));
	assert_string_equal(trust_store_hash(&t, "/a"), "1");
	trust_store_done(&t);
	write_file(whole, 0666);
	assert_false(trust_store_read(&t, &err));
	assert_non_null(strstr(err.text, "others can write"));
}

static void values_of_other_types_are_nothing(void **state)
{
	struct configured c = {.count = 0};
	struct trust_store t;
	struct err err = {""};

	(void)state;
	write_file("{\"version\": 1, \"projects\": {\"/a\": 1, \"/b\": {\"sha256\": [], \"text\": 1}},"
		   " \"configured\": {\"npm\": [1, null, \"10.0.0.1:443\", \"localhost:80\","
		   " \"*.test:443\", \"good.test:8443\", \"x@y.test:1\"], \"apt\": 3}}", 0600);
	assert_true(trust_store_read(&t, &err));
	assert_null(trust_store_hash(&t, "/a"));
	assert_null(trust_store_hash(&t, "/b"));
	assert_int_equal(trust_store_text(&t, "/b").len, 0);
	trust_store_hosts(&t, "npm", &c);
	trust_store_hosts(&t, "apt", &c);
	assert_int_equal(c.count, 1);
	assert_string_equal(c.at[0].host, "good.test");
	assert_int_equal(c.at[0].port, 8443);
	configured_done(&c);
	trust_store_done(&t);
}

static void recorded_hosts_are_found(void **state)
{
	struct configured c = {.count = 0}, none = {.count = 0}, found = {.count = 0};
	struct trust_store t;
	struct err err = {""};

	(void)state;
	configured_url(&c, SPAN("https://npm.corp.test:4873/"));
	configured_url(&c, SPAN("http://other.test/"));
	assert_true(trust_store_change(&t, &err));
	assert_true(trust_store_record(&t, "npm", &c, &err));
	trust_store_done(&t);
	assert_true(trust_store_change(&t, &err));
	trust_store_hosts(&t, "npm", &found);
	assert_int_equal(found.count, 2);
	assert_string_equal(found.at[0].host, "npm.corp.test");
	assert_int_equal(found.at[0].port, 4873);
	assert_int_equal(found.at[1].port, 80);
	configured_done(&found);
	assert_true(trust_store_record(&t, "npm", &none, &err));
	trust_store_hosts(&t, "npm", &found);
	assert_int_equal(found.count, 0);
	trust_store_done(&t);
	configured_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_accepted_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_file_is_accepted_without_its_text, setup,
						teardown),
		cmocka_unit_test_setup_teardown(writers_wait_for_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(what_sluice_did_not_write_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(values_of_other_types_are_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(recorded_hosts_are_found, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
