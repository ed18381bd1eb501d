/* SPDX-License-Identifier: Apache-2.0 */
#include "log_unit.h"

#include <jansson.h>
#include <signal.h>
#include <sys/wait.h>

#include "cli/commands.h"

static const char forged[] = "{" TS("01") ",\"event\":\"dns.query\",\"name\":\"\\u001b[2J\"}\n"
			     "garbage\n{\"event\":\"x\",\"a\":\"\x7f\xc2\x9b\"}\n{\"torn";

static void show(void **state)
{
	char name[] = "log", action[] = "show", format[] = "--format=json";
	char *path = log_file(forged);
	AUTO_FREE char *text = log_output(log_main, (char *[]){ name, action, path, NULL }, 0);
	AUTO_FREE char *json = log_output(log_main,
					  (char *[]){ name, action, path, format, NULL }, 0);
	json_t *events = json_loads(json, 0, NULL);

	(void)state;
	assert_string_equal(text, "2026-01-31 12:00:01.123  dns.query           \\x1b[2J\n"
			    "  x                   \n");
	assert_int_equal(json_array_size(events), 2);
	for (const char *c = json; *c; c++)
		assert_true((*c >= 0x20 && *c < 0x7f) || *c == '\n');
	json_decref(events);
	unlink(path);
}

static const char mixed[] =
	"{" TS("01") ",\"event\":\"dns.query\",\"name\":\"a.x.test\",\"verdict\":\"allow\"}\n"
	"{" TS("02") ",\"event\":\"conn.open\",\"host\":\"x.test\",\"verdict\":\"deny\",\"port\":1}\n"
	"{" TS("03") ",\"event\":\"conn.open\",\"host\":\"yx.test\",\"ips\":[\"192.0.2.7\"],\"verdict\":\"allow\"}\n"
	"{" TS("04") ",\"event\":\"denials\",\"sample\":[\"b.x.test\"],\"count\":7}\n"
	"{" TS("05") ",\"event\":\"packet.drop\",\"ip\":\"2001:db8::1\",\"count\":1}\n"
	"{" TS("06") ",\"event\":\"checkpoint\"}\n";

/* Which lines these options show, by the last digit of their second */
static const char *shown(char *first, char *second)
{
	static char digits[16];
	char name[] = "log", action[] = "show";
	char *path = log_file(mixed);
	char *argv[] = { name, action, path, first, second, NULL };
	AUTO_FREE char *text = log_output(log_main, argv, 0);
	size_t count = 0;

	for (const char *c = text; (c = strstr(c, "12:00:0")); c += 7)
		digits[count++] = c[7];
	digits[count] = '\0';
	unlink(path);
	return digits;
}

static void filters(void **state)
{
	static char exact[] = "--host=X.test.", below[] = "--host=*.x.test", both[] = "--host=.x.test",
		    address[] = "--host=192.0.2.7", v6[] = "--host=2001:DB8:0::1", deny[] = "--verdict=deny",
		    allow[] = "--verdict=allow", conns[] = "--event=conn.open", names[] = "--event=dns.query";

	(void)state;
	assert_string_equal(shown(NULL, NULL), "123456");
	assert_string_equal(shown(exact, NULL), "2");
	assert_string_equal(shown(below, NULL), "14");
	assert_string_equal(shown(both, NULL), "124");
	assert_string_equal(shown(address, NULL), "3");
	assert_string_equal(shown(v6, NULL), "5");
	assert_string_equal(shown(exact, below), "124");
	assert_string_equal(shown(deny, NULL), "245");
	assert_string_equal(shown(deny, allow), "12345");
	assert_string_equal(shown(conns, allow), "3");
	assert_string_equal(shown(conns, names), "123");
}

static void verify(void **state)
{
	char name[] = "log", action[] = "verify", format[] = "--format=json";
	char *path = log_file(forged);
	AUTO_FREE char *text = log_output(log_main, (char *[]){ name, action, path, NULL }, 1);
	AUTO_FREE char *json = log_output(log_main,
					  (char *[]){ name, action, format, path, NULL }, 1);
	json_t *result = json_loads(json, 0, NULL);

	(void)state;
	assert_non_null(strstr(text, ": BAD: line 1: not a line as sluice writes it\n"));
	assert_int_equal(json_integer_value(json_object_get(result, "line")), 1);
	assert_true(json_is_false(json_object_get(result, "ok")));
	assert_true(json_is_null(json_object_get(result, "head")));
	json_decref(result);
	unlink(path);
}

static void check_refused(char **argv)
{
	AUTO_FREE char *text = log_output(log_main, argv, EXIT_SLUICE);

	assert_string_equal(text, "");
}

static void mistakes(void **state)
{
	char name[] = "log", none[] = "/nonexistent", show_word[] = "show", other[] = "delete",
	     host[] = "--host=a b", verdict[] = "--verdict=maybe", event[] = "--event=conn", good[] = "--host=a",
	     empty[] = "/dev/null",
	     verify_word[] = "verify", strict[] = "--strict", key[] = "--key=/dev/null",
	     format[] = "--format=xml";

	(void)state;
	check_refused((char *[]){ name, NULL });
	check_refused((char *[]){ name, other, NULL });
	check_refused((char *[]){ name, show_word, none, NULL });
	check_refused((char *[]){ name, verify_word, none, NULL });
	check_refused((char *[]){ name, show_word, strict, none, NULL });
	check_refused((char *[]){ name, show_word, none, none, NULL });
	check_refused((char *[]){ name, show_word, format, none, NULL });
	check_refused((char *[]){ name, verify_word, key, none, NULL });
	check_refused((char *[]){ name, show_word, host, empty, NULL });
	check_refused((char *[]){ name, show_word, verdict, empty, NULL });
	check_refused((char *[]){ name, show_word, event, empty, NULL });
	check_refused((char *[]){ name, verify_word, good, empty, NULL });
}

/* The last ten lines that are there, then each that comes */
static void follow(void **state)
{
	char name[] = "log", action[] = "follow", *path = log_file("");
	char *argv[] = { name, action, path, NULL }, text[4096] = "";
	FILE *log = fopen(path, "a");
	size_t len = 0, lines = 0;
	int pipes[2];
	pid_t child;

	(void)state;
	assert_non_null(log);
	for (int i = 0; i < 15; i++)
		fprintf(log, "{\"event\":\"e%d\"}\n", i);
	fflush(log);
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (!child) {
		dup2(pipes[1], STDOUT_FILENO);
		log_main(3, argv);
		_exit(1);
	}
	while (lines < 11 && len < sizeof(text) - 1 && read(pipes[0], text + len, 1) == 1) {
		lines += text[len++] == '\n';
		if (lines == 10 && text[len - 1] == '\n') {
			fputs("{\"event\":\"new\"}\n", log);
			fflush(log);
		}
	}
	kill(child, SIGINT);
	assert_non_null(strstr(text, "  e5 "));
	assert_null(strstr(text, "  e4 "));
	assert_non_null(strstr(text, "  new "));
	assert_int_equal(waitpid(child, &pipes[1], 0), child);
	assert_true(WIFSIGNALED(pipes[1]) && WTERMSIG(pipes[1]) == SIGINT);
	fclose(log);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(show),
		cmocka_unit_test(filters),
		cmocka_unit_test(verify),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
