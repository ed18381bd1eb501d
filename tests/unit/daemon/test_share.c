/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "daemon/share.h"

#define NAMES 200000	/* more than three pieces of the copying */

/* NAMES names of 13 characters, a line each */
static ptrdiff_t many_names(void *arg, const char *path, enum layer layer, uint64_t at,
			    void *ret_bytes, size_t room)
{
	size_t count = room / 14, done = (size_t)at / 14;
	char line[16];

	(void)arg;
	(void)path;
	(void)layer;
	for (size_t i = 0; i < count && done + i < NAMES; i++) {
		snprintf(line, sizeof(line), "n%07zu.test\n", done + i);
		memcpy((char *)ret_bytes + 14 * i, line, 14);
	}
	return (ptrdiff_t)(14 * (done + count > NAMES ? NAMES - done : count));
}

static struct policy *policy_of(const char *text)
{
	struct policy_file file = { LAYER_POLICY, "p.yaml", span_str(text) };
	struct policy_input in = { .files = &file, .file_count = 1, .list_read = many_names };
	struct err err = { "" };
	struct policy *p = policy_load(&in, &err);

	assert_string_equal(err.text, "");
	return p;
}

static void check_shared(const char *text, size_t least)
{
	struct shared_policy s = { 0 };
	struct policy *p = policy_of(text);
	struct span image = policy_image(p);
	uint8_t *copy = malloc(image.len);
	struct err err = { "" };
	size_t len = image.len;
	void *at;

	assert_non_null(copy);
	assert_true(len >= least);
	memcpy(copy, image.at, len);
	assert_true(share_policy(p, &s, &err));
	assert_int_equal(s.len, len);
	assert_memory_equal(policy_image(s.policy).at, copy, len);
	/* nobody can write to it, and it cannot be cut short */
	assert_int_equal(write(s.fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(s.fd, 1), -1);
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd, 0);
	assert_ptr_equal(at, MAP_FAILED);
	/* what the gate does */
	at = mmap(NULL, len, PROT_READ, MAP_SHARED, s.fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_memory_equal(at, copy, len);
	munmap(at, len);
	free(copy);
	share_done(&s);
	share_done(&s);
}

static void a_policy_is_moved_whole(void **state)
{
	(void)state;
	check_shared("version: 1\n", 0);
	check_shared("version: 1\nallow: [{host: a.example}]\ndeny: [{host_list: x}]\n", 3u << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_policy_is_moved_whole) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
