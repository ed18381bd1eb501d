/* SPDX-License-Identifier: Apache-2.0 */
/* The panel, between a daemon and a session that the test plays */
#include "../unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/panel.c"

static struct panel *panel;
static int daemon_link;		/* the daemon's end of the link */
static struct { unsigned slot; uint32_t serial; char text[256]; size_t count; } told;

static void on_told(void *arg, unsigned slot, uint32_t serial, struct span answer)
{
	assert_ptr_equal(arg, &told);
	told.slot = slot;
	told.serial = serial;
	told.count++;
	assert_true(span_copy(answer, told.text, sizeof(told.text)));
}

/* One turn with whatever is there.  Return: the daemon has not gone */
static bool turn(void)
{
	static struct pollfd polled[PANEL_SESSIONS_MAX + 2];
	size_t count;

	panel_look(panel);
	count = panel_gather(panel, polled);
	assert_true(poll(polled, (nfds_t)count, 0) >= 0);
	return panel_turn(panel, polled, count);
}

/* @name's socket, which is closed here; -1: there is none */
static void reply(const char *name, int fd)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = { .room = "" };
	struct panel_open open = { .error = fd < 0 };
	struct iovec iov = { &open, sizeof(open) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	assert_true(span_copy(span_str(name), open.name, sizeof(open.name)));
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
						 .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(daemon_link, &m, 0), sizeof(open));
	if (fd >= 0)
		close(fd);
}

/* The name that is asked for next.  Return: there is one */
static bool next_asked(char ret[CONTROL_NAME_MAX + 1])
{
	ssize_t n = recv(daemon_link, ret, CONTROL_NAME_MAX, MSG_DONTWAIT);

	ret[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* It asks for @name, and gets @fd.  Return: it did */
static bool pass(const char *name, int fd)
{
	char asked[CONTROL_NAME_MAX + 1];
	bool does = next_asked(asked) && !strcmp(asked, name);

	reply(name, fd);
	return does;
}

/* A connection for the desk that asked.  Return: our end, on which "web" has been answered */
static int connect_desk(const char *name)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_true(turn());
	assert_true(pass(name, ends[1]));
	assert_int_equal(send(ends[0], "{\"ok\":true}\n", 12, 0), 12);
	assert_true(turn() && turn() && turn());
	return ends[0];
}

/* It said just that, and gets @answer */
static void talk(int fd, const char *line, const char *answer)
{
	char said[4096];
	ssize_t n = recv(fd, said, sizeof(said) - 1, MSG_DONTWAIT);

	said[n > 0 ? n : 0] = '\0';
	assert_string_equal(said, line);
	assert_int_equal(send(fd, answer, strlen(answer), MSG_NOSIGNAL), strlen(answer));
	assert_true(turn());
}

static bool shows(const char *what)
{
	struct buf b = buf_new(65536);
	bool does;

	panel_state(panel, 0, &b);
	buf_add(&b, "", 1);
	does = strstr((const char *)b.at, what);
	buf_done(&b);
	return does;
}

static int begin(void **state)
{
	int ends[2];

	(void)state;
	memset(&told, 0, sizeof(told));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -1;
	daemon_link = ends[1];
	panel = panel_new(ends[0], on_told, &told);
	return panel ? 0 : -1;
}

/* Its process ends with it, so there is no function for that */
static int end(void **state)
{
	(void)state;
	for (size_t i = 0; i < panel->count; i++)
		desk_close(panel, &panel->desks[i]);
	while (panel->first < panel->next)
		drop_event(panel);
	json_decref(panel->held);
	close(panel->link);
	free(panel);
	return daemon_link >= 0 ? close(daemon_link) : 0;
}

#define HELD(names) "{\"ok\":true,\"held\":[" names "]}\n"
#define STATUS "{\"ok\":true,\"session\":\"a\",\"pid\":7}\n"
#define ASKS "{\"do\":\"approvals\"}\n{\"do\":\"events\"}\n"

static void a_session_is_shown_with_its_events(void **state)
{
	AUTO_CLOSE int head = connect_desk("control"), desk = -1;

	(void)state;
	assert_true(shows("\"daemon\":true,\"held\":[]"));
	talk(head, "{\"do\":\"held\"}\n", HELD("{\"session\":\"a\"},{\"session\":\"../b\"},{\"session\":\"control\"},{}"));
	desk = connect_desk("a");
	talk(desk, "{\"do\":\"status\"}\n", STATUS);
	/* one line in two pieces; then two in one */
	talk(desk, ASKS, "{\"ok\":true,\"approvals\":[{\"nu");
	assert_false(shows("number"));
	talk(desk, "", "mber\":3}]}\n{\"ok\":true,\"next\":9,\"events\":[{\"event\":\"http\"},{\"event\":\"checkpoint\"},"
	     "{\"no\":1}]}\n");
	assert_true(shows("\"sessions\":[{\"ok\":true,\"session\":\"a\",\"pid\":7}]"));
	assert_true(shows("\"approvals\":[[{\"number\":3}]]"));
	assert_true(shows("\"next\":1,\"events\":[{\"event\":\"http\"}]}"));
	assert_int_equal(recv(daemon_link, &(char){ 0 }, 1, MSG_DONTWAIT), -1);	/* no other name was asked for */
}

static void a_decision_is_answered_to_who_asked(void **state)
{
	const struct control_request r = { .what = CONTROL_REJECT, .id = 3, .host = "h.example", .port = 80 };
	AUTO_CLOSE int head = connect_desk("control"), desk = -1;
	char said[256] = "";

	(void)state;
	assert_false(panel_decide(panel, "a", &r, 5, 6));
	assert_false(panel_decide(panel, "control", &r, 5, 6));	/* no session */
	talk(head, "{\"do\":\"held\"}\n", HELD("{\"session\":\"a\"}"));
	desk = connect_desk("a");
	talk(desk, "{\"do\":\"status\"}\n", "{\"ok\":true}\n");
	talk(desk, ASKS, "{\"ok\":true}\n{\"ok\":true}\n");
	assert_true(panel_decide(panel, "a", &r, 5, 6));
	assert_true(recv(desk, said, sizeof(said) - 1, MSG_DONTWAIT) > 0 && strstr(said, "\"reject\""));
	assert_int_equal(told.count, 0);
	talk(desk, "", "{\"ok\":false}\n");
	assert_int_equal(told.count, 1);
	assert_true(told.slot == 5 && told.serial == 6);
	assert_string_equal(told.text, "{\"ok\":false}");
	/* a session that goes leaves nobody waiting */
	assert_true(panel_decide(panel, "a", &r, 7, 8));
	DROP_FD(desk);
	assert_true(turn());
	assert_true(told.count == 2 && told.slot == 7 && told.serial == 8 && !told.text[0]);
	assert_false(panel_decide(panel, "a", &r, 5, 6));
}

static void what_is_no_answer_ends_the_connection(void **state)
{
	static const char *const wrong[] = { "x\n", "{\"ok\":false}\n", "{\"ok\":true,\"ok\":true}\n", "[]\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO_CLOSE int head = -1;

		end(NULL);
		assert_int_equal(begin(NULL), 0);
		head = connect_desk("control");
		talk(head, "{\"do\":\"held\"}\n", wrong[i]);
		assert_int_equal(recv(head, &(char){ 0 }, 1, MSG_DONTWAIT), 0);
		assert_true(shows("\"daemon\":false"));
	}
}

static void more_than_was_asked_for_ends_it_too(void **state)
{
	AUTO_CLOSE int head = connect_desk("control");

	(void)state;
	talk(head, "{\"do\":\"held\"}\n", HELD("") HELD("{\"session\":\"a\"}"));
	assert_true(shows("\"daemon\":false,\"held\":[]"));
}

static void what_was_not_asked_for_is_closed(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_true(turn());
	assert_false(pass("other", ends[1]));
	assert_true(turn());
	assert_int_equal(recv(ends[0], &(char){ 0 }, 1, MSG_DONTWAIT), 0);
	close(ends[0]);
	/* a short packet, and none: the daemon is not there any more */
	assert_int_equal(send(daemon_link, "x", 1, 0), 1);
	assert_false(turn());
	DROP_FD(daemon_link);
	assert_false(turn());
}

/* Names that are too many to look at; they are asked for as the daemon answers */
static void of_more_than_there_are_desks_the_number_is_shown(void **state)
{
	AUTO_CLOSE int head = connect_desk("control");
	struct buf held = buf_new(1u << 20);
	static bool seen[PANEL_SESSIONS_MAX];
	size_t seen_count = 0;
	char name[CONTROL_NAME_MAX + 1];
	unsigned number;

	(void)state;
	buf_add_str(&held, "{\"ok\":true,\"held\":[");
	for (int i = 0; i < PANEL_SESSIONS_MAX + 88; i++)
		buf_printf(&held, "%s{\"session\":\"s%d\"}", i ? "," : "", i);
	assert_int_equal(send(head, held.at, held.len, 0), held.len);
	talk(head, "{\"do\":\"held\"}\n", "]}\n");
	assert_true(shows("\"session\":\"s599\"") && shows("\"unseen\":88,\"sessions\":[]"));
	for (int turns = 0; seen_count < PANEL_SESSIONS_MAX && turns < 20000; turns++) {
		size_t asked = 0;

		assert_true(turn());
		while (next_asked(name)) {
			reply(name, -1);
			assert_true(sscanf(name, "s%u", &number) == 1 && number < PANEL_SESSIONS_MAX);
			seen_count += !seen[number];
			seen[number] = true;
			asked++;
		}
		assert_true(turns ? asked <= OPENS_MAX : asked == OPENS_MAX);
	}
	assert_int_equal(seen_count, PANEL_SESSIONS_MAX);
	buf_done(&held);
}

/* Agents' words come by sessions: whatever is in them, the state is one JSON object that says the same */
static void hostile_words_stay_words(void **state)
{
	static const char *const words[] = {
		"</script><img src=x onerror=alert(1)>", "\"}],\"approvals\":[{\"number\":1}],\"x\":[{\"y\":\"",
		"\x1b[2J\r\n\x7f\x01", "\xe2\x80\xa8\xe2\x80\xae", "a\xcc\x81\xc3\xa4\xf0\x9f\x98\x80", "\\u0000\\", "%s%n",
	};
	AUTO_CLOSE int head = connect_desk("control"), desk = -1;
	struct buf b = buf_new(65536);
	json_t *list = json_array(), *said, *read;
	char *text;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		json_array_append_new(list, json_pack("{ss ss}", "event", "http", "path", words[i]));
	said = json_pack("{sb si sO}", "ok", 1, "next", 9, "events", list);
	text = json_dumps(said, JSON_COMPACT);
	talk(head, "{\"do\":\"held\"}\n", HELD("{\"session\":\"a\",\"labels\":[\"<b>\"]}"));
	desk = connect_desk("a");
	talk(desk, "{\"do\":\"status\"}\n", STATUS);
	talk(desk, ASKS, "{\"ok\":true,\"approvals\":[]}\n");
	talk(desk, "", text);
	talk(desk, "", "\n");
	panel_state(panel, 0, &b);
	read = json_loadb((const char *)b.at, b.len, JSON_REJECT_DUPLICATES, NULL);
	assert_true(json_equal(json_object_get(read, "events"), list));
	assert_string_equal(json_string_value(json_array_get(json_object_get(json_array_get(
		json_object_get(read, "held"), 0), "labels"), 0)), "<b>");
	for (size_t i = 0; i < b.len; i++)	/* nothing that moves a cursor, where somebody looks at it by hand */
		assert_true(b.at[i] >= 0x20);
	buf_done(&b);
	free(text);
	json_decref(read);
	json_decref(said);
	json_decref(list);
}

/* What is no text: the connection ends, and nothing of it is shown */
static void fragments_of_text_are_no_answer(void **state)
{
	static const char *const broken[] = { "\xc3", "\xff\xfe", "\xed\xa0\x80", "\xc1\xa1", "\xf4\x90\x80\x80", "\\ud800",
					      "\\u0000", "\x1b[2J", "\t" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		AUTO_CLOSE int head = -1, desk = -1;
		char line[128];

		end(NULL);
		assert_int_equal(begin(NULL), 0);
		head = connect_desk("control");
		talk(head, "{\"do\":\"held\"}\n", HELD("{\"session\":\"a\"}"));
		desk = connect_desk("a");
		snprintf(line, sizeof(line), "{\"ok\":true,\"session\":\"a\",\"mode\":\"x%s\"}\n", broken[i]);
		talk(desk, "{\"do\":\"status\"}\n", line);
		assert_int_equal(recv(desk, &(char){ 0 }, 1, MSG_DONTWAIT), 0);
		assert_true(shows("\"sessions\":[]"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_session_is_shown_with_its_events, begin, end),
		cmocka_unit_test_setup_teardown(a_decision_is_answered_to_who_asked, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_answer_ends_the_connection, begin, end),
		cmocka_unit_test_setup_teardown(more_than_was_asked_for_ends_it_too, begin, end),
		cmocka_unit_test_setup_teardown(what_was_not_asked_for_is_closed, begin, end),
		cmocka_unit_test_setup_teardown(hostile_words_stay_words, begin, end),
		cmocka_unit_test_setup_teardown(fragments_of_text_are_no_answer, begin, end),
		cmocka_unit_test_setup_teardown(of_more_than_there_are_desks_the_number_is_shown, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
