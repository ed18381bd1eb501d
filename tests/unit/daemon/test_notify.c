/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/notify.h"

/* A socket that waits at @name, "@..." for an abstract one */
static int waits_at(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	size_t len = strlen(name);

	memcpy(at.sun_path, name, len);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (const void *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
	return fd;
}

static void who_waits_is_told_once(void **state)
{
	char path[64], abstract[64], said[32];
	const char *const names[] = { path, abstract };

	(void)state;
	snprintf(path, sizeof(path), "/tmp/sluice-notify-%d", getpid());
	snprintf(abstract, sizeof(abstract), "@sluice-notify-%d", getpid());
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_CLOSE int fd = waits_at(names[i]);

		setenv("NOTIFY_SOCKET", names[i], 1);
		assert_int_equal(notify_ready(), 0);
		assert_int_equal(recv(fd, said, sizeof(said), 0), 7);
		assert_memory_equal(said, "READY=1", 7);
		assert_null(getenv("NOTIFY_SOCKET"));
		assert_int_equal(notify_ready(), 0);
		assert_int_equal(recv(fd, said, sizeof(said), 0), -1);
	}
	unlink(path);
}

static void what_is_no_socket_is_said(void **state)
{
	char longest[200];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_int_equal(notify_ready(), -EAFNOSUPPORT);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_ready(), -EAFNOSUPPORT);
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	assert_int_equal(notify_ready(), -ENOENT);
	assert_null(getenv("NOTIFY_SOCKET"));
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_ready(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_is_told_once),
		cmocka_unit_test(what_is_no_socket_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
