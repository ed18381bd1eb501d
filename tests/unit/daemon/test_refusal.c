/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <unistd.h>

#include "desk.h"
#include "jail/broker.h"

static struct broker_note note_of(uint16_t port, const char *exe)
{
	struct broker_note n = { .pid = getpid(), .port = port, .server = addr_v4(0x08080808) };

	snprintf(n.exe, sizeof(n.exe), "%s", exe);
	return n;
}

static void drop(struct desk *d, uint16_t port, uint32_t count)
{
	struct talk_drop drop = { .addr = addr_v4(0x08080808), .port = port,
				  .protocol = IPPROTO_TCP, .count = count };

	desk_say(d, GATE_DROP, 0, &drop, sizeof(drop), (struct span){ 0 });
}

static void each_note_tells_of_one_drop(void **state)
{
	struct broker_note a = note_of(80, "/bin/a"), b = note_of(80, "/bin/b\n");
	struct desk d;

	(void)state;
	desk_open(&d);
	refusal_note(&d.k, &a);
	refusal_note(&d.k, &b);
	drop(&d, 81, 1);
	assert_int_equal(desk_count(&d, "conn.open", "\"exe\""), 0);
	drop(&d, 80, 3);
	assert_int_equal(desk_count(&d, "conn.open", "\"verdict\":\"deny\""), 4);
	assert_int_equal(desk_count(&d, "conn.open", "\"exe\":\"/bin/a\""), 1);
	assert_int_equal(desk_count(&d, "conn.open", "\"exe\":\"/bin/b\\n\""), 1);
	assert_int_equal(desk_count(&d, "conn.open", "\"exe\""), 2);
	desk_done(&d);
}

/* A broker may say what it likes: no more than so much is kept, and all of it escaped */
static void notes_have_a_bound(void **state)
{
	struct broker_note n = note_of(80, "");
	struct desk d;

	(void)state;
	desk_open(&d);
	memset(n.exe, 'x', sizeof(n.exe));
	n.pid = -1;
	for (int i = 0; i < 1000; i++)
		refusal_note(&d.k, &n);
	drop(&d, 80, 40);
	assert_int_equal(desk_count(&d, "conn.open", "\"exe\":\"xxx"), 40);
	assert_int_equal(desk_count(&d, "conn.open", "\"pid\""), 0);
	desk_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_note_tells_of_one_drop),
		cmocka_unit_test(notes_have_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
