/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "daemon/web.h"

#define LIMIT_MS 5000
#define LONG (1u << 20)

static struct web_client client;
static char heard[LONG + 4096];

/* Return: the other end of @c */
static int begin(struct web_client *c, uint32_t serial)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	web_begin(c, ends[0], LIMIT_MS, serial);
	return ends[1];
}

/* What has been written, in heard[] */
static size_t hear(int fd, size_t len)
{
	ssize_t n = recv(fd, heard + len, sizeof(heard) - 1 - len, MSG_DONTWAIT);

	len += n > 0 ? (size_t)n : 0;
	heard[len] = '\0';
	return len;
}

static void an_answer_is_written_and_its_end_waited_for(void **state)
{
	AUTO_CLOSE int fd = begin(&client, 1);

	(void)state;
	web_answer(&client, "200 OK", "text/plain", "X-More: 1\r\n", SPAN("hello"), false);
	assert_int_equal(client.stage, WEB_ANSWER);
	web_writes(&client);
	assert_int_equal(client.stage, WEB_END);
	hear(fd, 0);
	assert_string_equal(heard, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
			    "Cache-Control: no-store\r\nConnection: close\r\nX-More: 1\r\n\r\nhello");
	/* what it still says is passed over, until it ends */
	assert_int_equal(send(fd, "more", 4, 0), 4);
	web_drains(&client);
	web_drains(&client);
	assert_true(client.fd >= 0);
	shutdown(fd, SHUT_WR);
	web_drains(&client);
	assert_int_equal(client.fd, -1);
}

static void a_head_alone_tells_the_length(void **state)
{
	AUTO_CLOSE int fd = begin(&client, 1);

	(void)state;
	web_answer(&client, "200 OK", "text/plain", "", SPAN("hello"), true);
	web_writes(&client);
	hear(fd, 0);
	assert_non_null(strstr(heard, "Content-Length: 5\r\n"));
	assert_string_equal(strstr(heard, "\r\n\r\n"), "\r\n\r\n");
	web_end(&client);
}

static void a_slow_reader_gets_it_in_pieces(void **state)
{
	AUTO_CLOSE int fd = begin(&client, 1);
	AUTO_FREE char *body = malloc(LONG);
	size_t len = 0, turns = 0;

	(void)state;
	assert_non_null(body);
	memset(body, 'x', LONG);
	web_answer(&client, "200 OK", "text/plain", "", span_of(body, LONG), false);
	for (; client.stage == WEB_ANSWER && turns < 1000; turns++) {
		web_writes(&client);
		if (client.stage == WEB_ANSWER)
			web_writes(&client);	/* no room: it stays */
		assert_true(client.fd >= 0);
		while (len != hear(fd, len))
			len = strlen(heard);
	}
	assert_true(turns > 1 && client.stage == WEB_END);
	assert_int_equal(strlen(strstr(heard, "\r\n\r\n")), LONG + 4);
	web_end(&client);
}

static void a_request_comes_cut_and_is_bounded(void **state)
{
	AUTO_CLOSE int fd = begin(&client, 1);

	(void)state;
	assert_false(web_reads(&client, 8));
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(send(fd, &"request!"[i], 1, 0), 1);
		assert_true(web_reads(&client, 8));
		assert_int_equal(client.in_len, i + 1);
	}
	assert_memory_equal(client.in, "request!", 8);
	assert_true(client.fd >= 0);
	shutdown(fd, SHUT_WR);
	assert_false(web_reads(&client, 16));
	assert_int_equal(client.fd, -1);
}

static void who_was_there_longest_makes_room(void **state)
{
	static struct web_client all[3];
	int others[4];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		all[i].fd = -1;
	for (uint32_t i = 0; i < 3; i++) {	/* the numbers begin anew on the way */
		struct web_client *c = web_slot(all, 3);

		assert_ptr_equal(c, &all[i]);
		others[i] = begin(c, UINT32_MAX - 1 + i);
	}
	all[0].stage = WEB_WAIT;	/* an answer is to come */
	assert_ptr_equal(web_slot(all, 3), &all[1]);
	assert_int_equal(all[1].fd, -1);
	assert_int_equal(hear(others[1], 0), 0);
	others[3] = begin(&all[1], 1);
	assert_ptr_equal(web_slot(all, 3), &all[2]);
	for (size_t i = 1; i < 3; i++)
		all[i].stage = WEB_WAIT;
	close(begin(&all[2], 2));
	all[2].stage = WEB_WAIT;
	assert_null(web_slot(all, 3));
	for (size_t i = 0; i < 3; i++)
		web_end(&all[i]);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		close(others[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_written_and_its_end_waited_for),
		cmocka_unit_test(a_head_alone_tells_the_length),
		cmocka_unit_test(a_slow_reader_gets_it_in_pieces),
		cmocka_unit_test(a_request_comes_cut_and_is_bounded),
		cmocka_unit_test(who_was_there_longest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
