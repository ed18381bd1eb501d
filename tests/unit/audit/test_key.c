/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <sys/wait.h>

static void made_once_and_private(void **state)
{
	struct desk *p = *state;
	struct public_key keys[KEYS_MAX];
	char public_path[160];
	struct err err = { 0 };
	struct key first, second;
	struct stat st;

	snprintf(public_path, sizeof(public_path), "%s.pub", p->key);
	assert_true(key_open(&first, p->key, &err));
	assert_true(key_open(&second, p->key, &err));
	assert_string_equal(first.public.hex, second.public.hex);
	assert_int_equal(stat(p->key, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(public_key_read(keys, public_path, &err), 1);
	assert_string_equal(keys[0].hex, first.public.hex);
	assert_string_equal(keys[0].id, first.public.id);
	assert_int_equal(strlen(keys[0].id), KEY_ID_HEX);
	/* the public half comes back if it is lost */
	assert_int_equal(unlink(public_path), 0);
	key_done(&second);
	assert_true(key_open(&second, p->key, &err));
	assert_int_equal(access(public_path, R_OK), 0);
	key_done(&first);
	key_done(&second);
}

static void signatures(void **state)
{
	struct desk *p = *state;
	char prev[HASH_HEX], sig[SIG_HEX];
	struct span hash = { (const uint8_t *)prev, sizeof(prev) };
	struct span text = { (const uint8_t *)sig, sizeof(sig) };
	struct err err = { 0 };
	struct key k;

	memset(prev, 'a', sizeof(prev));
	assert_true(key_open(&k, p->key, &err));
	assert_true(key_sign(&k, prev, sig));
	assert_true(public_key_verify(&k.public, hash, text));
	assert_false(public_key_verify(&k.public, hash, span_head(text, SIG_HEX - 2)));
	assert_false(public_key_verify(&k.public, span_head(hash, 63), text));
	prev[5] = 'b';
	assert_false(public_key_verify(&k.public, hash, text));
	prev[5] = 'a';
	sig[0] = sig[0] == '0' ? '1' : '0';
	assert_false(public_key_verify(&k.public, hash, text));
	key_done(&k);
}

/* Twenty first runs at once: one key, and no leftovers */
static void first_runs_do_not_race(void **state)
{
	struct desk *p = *state;
	char ids[20][KEY_ID_HEX + 1];
	int pipes[2], entries = 0;
	struct dirent *entry;
	char folder[96];
	DIR *dir;

	assert_int_equal(pipe(pipes), 0);
	for (int i = 0; i < 20; i++) {
		if (fork() == 0) {
			struct err err = { 0 };
			struct key k;

			if (!key_open(&k, p->key, &err) ||
			    write(pipes[1], k.public.id, sizeof(ids[0])) != sizeof(ids[0]))
				_exit(1);
			_exit(0);
		}
	}
	for (int i = 0; i < 20; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
		assert_int_equal(read(pipes[0], ids[i], sizeof(ids[i])), sizeof(ids[i]));
		assert_string_equal(ids[i], ids[0]);
	}
	snprintf(folder, sizeof(folder), "%s/keys", p->folder);
	dir = opendir(folder);
	while ((entry = readdir(dir)))
		entries += entry->d_name[0] != '.';
	assert_int_equal(entries, 2);
	closedir(dir);
	close(pipes[0]);
	close(pipes[1]);
}

static void check_refused(const char *path, const char *why)
{
	struct err err = { 0 };
	struct key k;

	assert_false(key_open(&k, path, &err));
	assert_non_null(strstr(err.text, why));
}

static void what_is_no_key_of_ours_is_refused(void **state)
{
	struct desk *p = *state;
	struct err err = { 0 };
	char link_path[160];
	struct key k;

	assert_true(key_open(&k, p->key, &err));
	key_done(&k);
	snprintf(link_path, sizeof(link_path), "%s/link", p->folder);
	assert_int_equal(symlink(p->key, link_path), 0);
	check_refused(link_path, "symbolic");
	assert_int_equal(chmod(p->key, 0640), 0);
	check_refused(p->key, "chmod 600");
	assert_int_equal(chmod(p->key, 0600), 0);
	desk_write(p->key, SPAN("garbage\n"));
	check_refused(p->key, "not an Ed25519 private key");
	desk_write(p->key, SPAN(""));
	check_refused(p->key, "not an Ed25519 private key");
	check_refused(p->folder, "not a key file");
}

static void other_kinds_of_key_are_refused(void **state)
{
	struct desk *p = *state;
	EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	struct public_key keys[KEYS_MAX];
	struct err err = { 0 };
	FILE *f;

	assert_true(make_parents(p->key, &err));
	f = fopen(p->key, "w");
	assert_non_null(f);
	assert_int_equal(chmod(p->key, 0600), 0);
	assert_true(PEM_write_PrivateKey(f, pair, NULL, NULL, 0, NULL, NULL));
	fclose(f);
	check_refused(p->key, "not an Ed25519 private key");
	f = fopen(p->key, "w");
	assert_true(PEM_write_PUBKEY(f, pair));
	fclose(f);
	assert_int_equal(public_key_read(keys, p->key, &err), 0);
	assert_non_null(strstr(err.text, "no Ed25519 public key"));
	EVP_PKEY_free(pair);
}

static void a_secret_is_made_once_and_may_be_given(void **state)
{
	struct desk *p = *state;
	struct buf first = buf_new(256), again = buf_new(256), given = buf_new(256);
	struct err err = { "" };
	char path[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s/keys/webhook.key", p->folder);
	assert_true(secret_open(path, &first, &err));
	assert_int_equal(first.len, 64);
	assert_true(secret_open(path, &again, &err));
	assert_memory_equal(first.at, again.at, 64);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	desk_write(path, SPAN("of the receiver's\r\n"));
	assert_true(secret_open(path, &given, &err));
	assert_true(span_eq(buf_span(&given), SPAN("of the receiver's")));
	buf_done(&first);
	buf_done(&again);
	buf_done(&given);
}

static void a_secret_that_is_none_is_refused(void **state)
{
	struct desk *p = *state;
	struct err err = { "" };
	struct buf b = buf_new(16);
	char path[160];

	snprintf(path, sizeof(path), "%s/k", p->folder);
	desk_write(path, SPAN("\n"));
	assert_false(secret_open(path, &b, &err));
	desk_write(path, SPAN("0123456789abcdef"));	/* all that there is room for, or more */
	assert_false(secret_open(path, &b, &err));
	desk_write(path, SPAN("x"));
	assert_int_equal(chmod(path, 0644), 0);
	err = (struct err){ "" };
	assert_false(secret_open(path, &b, &err));
	assert_non_null(strstr(err.text, "others may use this key"));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(made_once_and_private, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(signatures, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(first_runs_do_not_race, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(what_is_no_key_of_ours_is_refused, desk_make,
						desk_remove),
		cmocka_unit_test_setup_teardown(other_kinds_of_key_are_refused, desk_make,
						desk_remove),
		cmocka_unit_test_setup_teardown(a_secret_is_made_once_and_may_be_given, desk_make,
						desk_remove),
		cmocka_unit_test_setup_teardown(a_secret_that_is_none_is_refused, desk_make,
						desk_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
