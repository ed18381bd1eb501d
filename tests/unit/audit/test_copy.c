/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "audit/copy.h"

static int listen_at(const struct desk *p, char path[128])
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	snprintf(path, 128, "%s/socket", p->folder);
	unlink(path);
	assert_true(span_copy(span_str(path), at.sun_path, sizeof(at.sun_path)));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static const char *heard(int fd)
{
	static char text[70000];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void each_line_is_a_datagram(void **state)
{
	static const struct {
		const char	*line;
		int		 priority;
	} rows[] = {
		{ "{\"event\":\"conn.open\",\"verdict\":\"allow\"}", 6 },
		{ "{\"event\":\"conn.open\",\"verdict\":\"deny\"}", 5 },
		{ "{\"event\":\"denials\",\"count\":7}", 5 },
		{ "{\"event\":\"alert\",\"kind\":\"x\"}", 4 },
		/* what an agent wrote is escaped */
		{ "{\"event\":\"http\",\"path\":\"\\\"event\\\":\\\"alert\\\"\"}", 6 },
	};
	struct err err = { "" };
	char path[128], want[256];
	struct buf lines = buf_new(4096);
	struct copy c;
	int fd = listen_at(*state, path);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		buf_printf(&lines, "%s\n", rows[i].line);
	assert_true(copy_open(&c, COPY_SYSLOG, path, "s1", &err));
	copy_lines(&c, buf_span(&lines));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(want, sizeof(want), "<%d>sluice[%d]: %s", (10 << 3) + rows[i].priority,
			 (int)getpid(), rows[i].line);
		assert_string_equal(heard(fd), want);
	}
	copy_close(&c);
	assert_true(copy_open(&c, COPY_JOURNALD, path, "s1", &err));
	copy_lines(&c, buf_span(&lines));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(want, sizeof(want), "PRIORITY=%d\nSYSLOG_IDENTIFIER=sluice\nSLUICE_SESSION="
			 "s1\nMESSAGE=%s\n", rows[i].priority, rows[i].line);
		assert_string_equal(heard(fd), want);
	}
	assert_int_equal(c.lost, 0);
	copy_close(&c);
	close(fd);
	buf_done(&lines);
}

static void the_longest_line(void **state)
{
	struct buf line = buf_new(RECORD_LINE_MAX);
	struct err err = { "" };
	struct copy c;
	char path[128];
	int fd = listen_at(*state, path);

	while (line.len < RECORD_LINE_MAX - 1)
		buf_add_str(&line, "x");
	buf_add_str(&line, "\n");
	assert_true(copy_open(&c, COPY_JOURNALD, path, "s1", &err));
	copy_lines(&c, buf_span(&line));
	assert_int_equal(c.lost, 0);
	assert_true(strlen(heard(fd)) > RECORD_LINE_MAX);
	copy_close(&c);
	close(fd);
	buf_done(&line);
}

/* A daemon that does not read costs copies, and no time; one that comes back gets them again */
static void who_does_not_listen(void **state)
{
	struct err err = { "" };
	struct copy c;
	char path[128];
	int fd = listen_at(*state, path);

	assert_true(copy_open(&c, COPY_SYSLOG, path, "s1", &err));
	for (int i = 0; i < 5000; i++)
		copy_lines(&c, SPAN("line\n"));
	assert_true(c.lost > 0);
	close(fd);
	c.lost = 0;
	copy_lines(&c, SPAN("gone\n"));
	assert_int_equal(c.lost, 1);
	fd = listen_at(*state, path);
	copy_lines(&c, SPAN("back\n"));
	assert_int_equal(c.lost, 1);
	assert_non_null(strstr(heard(fd), "]: back"));
	copy_close(&c);
	close(fd);
}

static void nobody_there(void **state)
{
	const struct desk *p = *state;
	struct err err = { "" };
	struct copy c;

	assert_false(copy_open(&c, COPY_SYSLOG, p->log, "s1", &err));
	assert_non_null(strstr(err.text, "--syslog: "));
	copy_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_line_is_a_datagram, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(the_longest_line, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(who_does_not_listen, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(nobody_there, desk_make, desk_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
