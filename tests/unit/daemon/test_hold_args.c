/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "daemon/hold_args.h"
#include "watch/board.h"

static struct hold_args args;

/* All of them, with a blank between */
static const char *line_of(const struct held *h, const struct hold_facts *f)
{
	static char line[1 << 18];
	size_t len = 0;

	hold_args_make(h, f, &args);
	assert_null(args.at[args.count]);
	for (size_t i = 0; i < args.count; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s", i ? " " : "", args.at[i]);
	return line;
}

static void what_is_held_is_said(void **state)
{
	struct held of_pid = { .session = "s", .pid = 77 };
	struct held of_path = {
		.session = "s", .pid = 77, .netns = "/run/netns/x", .mode = "isolated", .guest = "tap0=52:54:00:0:0:1",
		.uplink = true, .policies = { { "web", "/p/own.yaml", "" }, 3 }, .labels = { { "a=b", "" }, 2 },
		.publish = { { "22:2222" }, 1 },
	};
	const struct hold_facts none = { .policies = "/etc/p", .place = BOARD_NONE };
	const struct hold_facts all = { "/etc/p", 5, true, { { 9464, 9400 }, 2 } };

	(void)state;
	assert_string_equal(line_of(&of_pid, &none), "sluice hold --only --quiet --ready-fd 3 --session s --pid 77");
	assert_string_equal(line_of(&of_path, &all),
			    "sluice hold --only --quiet --ready-fd 3 --session s --netns /run/netns/x --mode isolated "
			    "--guest tap0=52:54:00:0:0:1 --uplink --again --counters 5 --spare 9464 --spare 9400 "
			    "--policy /etc/p/web.yaml --policy /p/own.yaml --policy /etc/p/.yaml --label a=b --label  "
			    "--publish 22:2222");
}

static void there_is_room_for_all(void **state)
{
	const struct hold_facts facts = { "/etc/p", SIZE_MAX - 1, true, { { 65535, 65535 }, CONTROL_PORTS_MAX } };
	struct held h = { .session = "s", .pid = INT32_MAX, .netns = "/n", .mode = "m", .guest = "g", .uplink = true };

	(void)state;
	for (size_t i = 0; i < CONTROL_WORDS_MAX; i++)
		h.policies.at[i] = h.labels.at[i] = h.publish.at[i] = "x";
	h.policies.count = h.labels.count = h.publish.count = CONTROL_WORDS_MAX;
	line_of(&h, &facts);
	assert_string_equal(args.pid, "2147483647");
	assert_string_equal(args.place, "18446744073709551614");
	assert_string_equal(args.port[1], "65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_held_is_said),
		cmocka_unit_test(there_is_room_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
