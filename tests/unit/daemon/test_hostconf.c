/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <stdio.h>

#include "daemon/hostconf.h"
#include "policy/policy.h"

static char path[64];

static void write_file(const char *text)
{
	int fd;

	strcpy(path, "/tmp/hostconf-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static struct hostconf_servers servers(const char *text)
{
	struct hostconf_servers s = { .count = 99 };
	struct err err = { "" };

	write_file(text);
	assert_true(hostconf_servers(path, &s, &err));
	unlink(path);
	return s;
}

static void servers_in_order(void **state)
{
	struct hostconf_servers s = servers(
		"; generated\nsearch a b\n nameserver\t192.0.2.1 \r\nnameserver fe80::1%eth0\n"
		"nameserverx 192.0.2.9\nnameserver 192.0.2.1@5353\nnameserver name.example\n"
		"nameserver\n#nameserver 192.0.2.8\nnameserver 2001:db8::1");

	(void)state;
	assert_int_equal(s.count, 3);
	assert_string_equal(s.text[0], "192.0.2.1");
	assert_string_equal(s.text[1], "fe80::1%eth0");
	assert_string_equal(s.text[2], "2001:db8::1");
}

static void no_more_than_libc_takes(void **state)
{
	struct hostconf_servers s = servers("nameserver 192.0.2.1\nnameserver 192.0.2.2\n"
					    "nameserver 192.0.2.3\nnameserver 192.0.2.4\n");

	(void)state;
	assert_int_equal(s.count, 3);
	assert_string_equal(s.text[2], "192.0.2.3");
}

static void none_is_localhost(void **state)
{
	struct hostconf_servers s = servers("options edns0\n");
	struct err err = { "" };

	(void)state;
	assert_int_equal(s.count, 1);
	assert_string_equal(s.text[0], "127.0.0.1");
	s.count = 0;
	assert_true(hostconf_servers("/nonexistent/resolv.conf", &s, &err));
	assert_int_equal(s.count, 1);
	assert_false(hostconf_servers("/", &s, &err));	/* a directory cannot be read */
	assert_non_null(strstr(err.text, "/: "));
}

struct list {
	size_t	count, max;
	char	text[8][64];
};

static bool note(void *arg, const char *name, const struct addr *addr)
{
	struct list *l = arg;
	char text[ADDR_TEXT_MAX];

	if (l->count == l->max)
		return false;
	assert_true(snprintf(l->text[l->count++], 64, "%s=%s", name, addr_text(addr, text)) < 64);
	return true;
}

static void hosts_lines(void **state)
{
	struct list l = { .max = 8 };
	struct err err = { "" };

	(void)state;
	write_file("127.0.0.1\tlocalhost Box # me\n\n#192.0.2.9 no\nfe80::1%lo0 no\n1.2.3 no\n"
		   "192.0.2.1 a..b .c d. e/f g_h\n2001:db8::1 six");
	assert_true(hostconf_hosts(path, note, &l, &err));
	assert_int_equal(l.count, 4);
	assert_string_equal(l.text[0], "localhost=127.0.0.1");
	assert_string_equal(l.text[1], "Box=127.0.0.1");
	assert_string_equal(l.text[2], "g_h=192.0.2.1");
	assert_string_equal(l.text[3], "six=2001:db8::1");
	l = (struct list){ .max = 2 };
	assert_false(hostconf_hosts(path, note, &l, &err));
	assert_non_null(strstr(err.text, path));
	unlink(path);
	assert_true(hostconf_hosts(path, note, &l, &err));	/* no file: no hosts */
}

static void plain_names(void **state)
{
	char text[HOST_MAX + 2];

	(void)state;
	assert_true(hostconf_plain(SPAN("a")));
	assert_true(hostconf_plain(SPAN("_x-1.Example.ORG")));
	assert_false(hostconf_plain(SPAN("")));
	assert_false(hostconf_plain(SPAN(".")));
	assert_false(hostconf_plain(SPAN("a.")));
	assert_false(hostconf_plain(SPAN(".a")));
	assert_false(hostconf_plain(SPAN("a..b")));
	assert_false(hostconf_plain(SPAN("a\\b")));
	assert_false(hostconf_plain(SPAN("a\0b")));
	memset(text, 'a', sizeof(text));
	assert_true(hostconf_plain(span_of(text, 63)));
	assert_false(hostconf_plain(span_of(text, 64)));
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = '.';
	assert_true(hostconf_plain(span_of(text, HOST_MAX)));
	text[HOST_MAX] = 'a';
	assert_false(hostconf_plain(span_of(text, HOST_MAX + 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_in_order),
		cmocka_unit_test(no_more_than_libc_takes),
		cmocka_unit_test(none_is_localhost),
		cmocka_unit_test(hosts_lines),
		cmocka_unit_test(plain_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
