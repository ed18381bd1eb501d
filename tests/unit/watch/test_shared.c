/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <pthread.h>
#include <unistd.h>

#include "watch/shared.h"

#define COPIES 500

static struct shared_counters shared;
static bool enough;

static void what_is_written_is_read(void **state)
{
	struct counters in = { .bytes_in = 3 }, out;

	(void)state;
	in.gauge[GAUGE_NUM - 1] = 4;
	assert_true(shared_read(&shared, &out));	/* before anything is written: zeroes */
	assert_int_equal(out.bytes_in, 0);
	shared_write(&shared, &in);
	assert_true(shared_read(&shared, &out));
	assert_memory_equal(&in, &out, sizeof(in));
}

static void a_writer_that_stopped_in_the_midst(void **state)
{
	struct counters out, in = { .bytes_in = 8 };

	(void)state;
	shared.turn |= 1;
	assert_false(shared_read(&shared, &out));
	shared_write(&shared, &in);		/* one that goes on heals it */
	assert_true(shared_read(&shared, &out));
	assert_int_equal(out.bytes_in, 8);
}

static void *write_on(void *arg)
{
	struct counters c = { 0 };

	for (uint64_t i = 1; !__atomic_load_n(&enough, __ATOMIC_RELAXED); i++) {
		c.bytes_out = c.gauge[GAUGE_NUM - 1] = i;
		shared_write(arg, &c);
		if (i % 8 == 0)
			usleep(10);	/* as the keeper does other things between */
	}
	return NULL;
}

/* First and last word are always of one turn, and turns never go back */
static void no_copy_is_torn(void **state)
{
	uint64_t last = 0, copies = 0;
	struct counters c = { 0 };
	pthread_t thread;

	(void)state;
	memset(&shared, 0, sizeof(shared));
	assert_int_equal(pthread_create(&thread, NULL, write_on, &shared), 0);
	while (copies < COPIES) {
		if (!shared_read(&shared, &c))
			continue;
		assert_int_equal(c.bytes_out, c.gauge[GAUGE_NUM - 1]);
		assert_true(c.bytes_out >= last);
		copies += c.bytes_out != last;
		last = c.bytes_out;
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_writer_that_stopped_in_the_midst),
		cmocka_unit_test(no_copy_is_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
