/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "daemon/wall.h"

static const char theirs[] = "*filter\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n"
			     "-A FORWARD -j DOCKER-USER\n-A DOCKER-USER -j RETURN\nCOMMIT\n";
static const char none[] = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n";
static const char unhooked[] = "*filter\n:FORWARD ACCEPT [0:0]\n:DOCKER-USER - [0:0]\nCOMMIT\n";
#define MINE "-A DOCKER-USER -s 172.28.1.2/32 -m comment --comment \"sluice a\" -j DROP\n"
#define OTHER "-A DOCKER-USER -s 172.28.1.3/32 -m comment --comment \"sluice ab\" -j DROP\n"
#define HEAD "*filter\n:FORWARD ACCEPT [0:0]\n:SLUICE-USER - [0:0]\n-A FORWARD -j SLUICE-USER\n"
#define OURS "-A SLUICE-USER -i b ! -o b -m comment --comment \"sluice a\" -j DROP\n"
#define OURS_OTHER "-A SLUICE-USER -i b ! -o b -m comment --comment \"sluice b\" -j DROP\n"

static const struct jail_uplink *uplink(void)
{
	static struct jail_uplink u = { .mac = "02:42:ac:1c:01:02", .bridge = "br-1" };

	assert_true(addr_parse(SPAN("172.28.1.2"), &u.own));
	return &u;
}

static const struct {
	const char	*saved, *text;
	bool		 raise, v6;
} cases[] = {
	{ theirs, "*filter\n"
	  "-I DOCKER-USER -s 172.28.1.2 -i br-1 ! -o br-1 -m comment --comment \"sluice a\" -j DROP\n"
	  "-I DOCKER-USER -d 172.28.1.2 ! -i br-1 -o br-1 -m comment --comment \"sluice a\" -j DROP\n"
	  "COMMIT\n", true, false },
	{ none, "*filter\n:SLUICE-USER - [0:0]\n-I FORWARD -j SLUICE-USER\n"
	  "-I SLUICE-USER -i br-1 ! -o br-1 -m mac --mac-source 02:42:ac:1c:01:02 -m comment "
	  "--comment \"sluice a\" -j DROP\nCOMMIT\n", true, true },
	/* Nothing comes by it: it is not there for us */
	{ unhooked, "*filter\n:SLUICE-USER - [0:0]\n-I FORWARD -j SLUICE-USER\n"
	  "-I SLUICE-USER -i br-1 ! -o br-1 -m mac --mac-source 02:42:ac:1c:01:02 -m comment "
	  "--comment \"sluice a\" -j DROP\nCOMMIT\n", true, true },
	/* Twice is as once, and no other session's goes */
	{ "*filter\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n" MINE OTHER "COMMIT\n",
	  "*filter\n-D DOCKER-USER -s 172.28.1.2/32 -m comment --comment \"sluice a\" -j DROP\n"
	  "-I DOCKER-USER -s 172.28.1.2 -i br-1 ! -o br-1 -m comment --comment \"sluice a\" -j DROP\n"
	  "-I DOCKER-USER -d 172.28.1.2 ! -i br-1 -o br-1 -m comment --comment \"sluice a\" -j DROP\n"
	  "COMMIT\n", true, false },
	{ "*filter\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n" MINE OTHER "COMMIT\n",
	  "*filter\n-D DOCKER-USER -s 172.28.1.2/32 -m comment --comment \"sluice a\" -j DROP\nCOMMIT\n",
	  false, false },
	/* With its last rule a chain of ours goes */
	{ HEAD OURS "COMMIT\n", "*filter\n"
	  "-D SLUICE-USER -i b ! -o b -m comment --comment \"sluice a\" -j DROP\n"
	  "-D FORWARD -j SLUICE-USER\n-X SLUICE-USER\nCOMMIT\n", false, true },
	{ HEAD OURS OURS_OTHER "COMMIT\n", "*filter\n"
	  "-D SLUICE-USER -i b ! -o b -m comment --comment \"sluice a\" -j DROP\nCOMMIT\n", false, true },
	{ HEAD OURS_OTHER "COMMIT\n", "*filter\n"
	  "-I SLUICE-USER -i br-1 ! -o br-1 -m mac --mac-source 02:42:ac:1c:01:02 -m comment "
	  "--comment \"sluice a\" -j DROP\nCOMMIT\n", true, true },
	/* Nothing to do is nothing said */
	{ theirs, "", false, false }, { none, "", false, true }, { "", "", false, false },
	{ HEAD OURS_OTHER "COMMIT\n", "", false, true },
};

static void rules_come_and_go(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b = buf_new(WALL_TEXT_MAX);

		wall_text(span_str(cases[i].saved), "a", cases[i].raise ? uplink() : NULL, cases[i].v6, &b);
		assert_true(buf_add(&b, "", 1));
		assert_string_equal((const char *)b.at, cases[i].text);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rules_come_and_go) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
