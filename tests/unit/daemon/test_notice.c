/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "desk.h"
#include "daemon/notice.h"

#define REF 7

static struct addr address(const struct desk *d)
{
	struct policy_settings s = policy_settings(d->policy);

	return reserved_addr(&s.synthetic4, RESERVED_NOTICE);
}

/* As the gate tells of a request */
static void ask(struct desk *d, uint32_t ref, enum seen seen, const char *host, const char *method,
		const char *path)
{
	struct talk_ask a = {
		.addr = address(d), .port = NOTICE_PORT, .transport = TRANSPORT_TCP,
		.door = DOOR_NOTICE, .seen = (uint8_t)seen, .host_len = (uint16_t)strlen(host),
		.method_len = (uint8_t)strlen(method), .path_len = (uint16_t)strlen(path),
	};
	struct buf tail = buf_new(4096);

	buf_add_str(&tail, host);
	buf_add_str(&tail, method);
	buf_add_str(&tail, path);
	desk_say(d, GATE_ASK, ref, &a, sizeof(a), buf_span(&tail));
	buf_done(&tail);
}

/* What the gate can relay.  Return: its bytes */
static size_t read_page(int fd, char *to, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, to + len, size - 1 - len)) > 0)
		len += (size_t)n;
	assert_int_equal(n, 0);		/* it is whole, and nothing follows */
	to[len] = '\0';
	close(fd);
	return len;
}

static void answered(struct desk *d, const char *method, const char *path, char *to, size_t size)
{
	struct talk_closed closed = { .end = END_SERVER, .reason = REASON_ALLOWED };
	const struct answer_seen *a;

	ask(d, REF, SEEN_HTTP, NOTICE_HOST, method, path);
	a = desk_answer(d);
	assert_non_null(a);
	assert_int_equal(a->type, KEEPER_ALLOW);
	read_page(a->fd, to, size);
	desk_say(d, GATE_CLOSED, REF, &closed, sizeof(closed), (struct span){ 0 });
}

static void pages_say_what_holds(void **state)
{
	static char page[NOTICE_BYTES_MAX + 1024];
	struct desk d;

	(void)state;
	desk_open(&d);
	answered(&d, "GET", "/", page, sizeof(page));
	assert_ptr_equal(strstr(page, "HTTP/1.1 200 OK\r\n"), page);
	assert_non_null(strstr(page, policy_sha256(d.policy)));
	answered(&d, "GET", "/policy", page, sizeof(page));
	assert_non_null(strstr(page, "\r\nContent-Type: application/yaml\r\n"));
	assert_non_null(strstr(page, "\"" DESK_HOST "\""));
	answered(&d, "HEAD", "/policy", page, sizeof(page));
	assert_string_equal(strstr(page, "\r\n\r\n"), "\r\n\r\n");
	answered(&d, "GET", "/nothing", page, sizeof(page));
	assert_ptr_equal(strstr(page, "HTTP/1.1 404 "), page);
	answered(&d, "POST", "/policy", page, sizeof(page));
	assert_ptr_equal(strstr(page, "HTTP/1.1 405 "), page);
	assert_non_null(strstr(page, "\r\nAllow: GET, HEAD\r\n"));
	desk_run(&d);
	assert_int_equal(desk_count(&d, "conn.open", "\"host\":\"sluice.internal\""), 5);
	assert_int_equal(desk_count(&d, "http", "\"status\":200"), 3);
	assert_int_equal(desk_count(&d, "http", "\"status\":404"), 1);
	assert_int_equal(d.dial_count, 0);
	desk_done(&d);
}

static void denials_are_told_the_last_first(void **state)
{
	static char page[NOTICE_BYTES_MAX + 1024];
	struct denied one = { .host = SPAN("one.test"), .port = 443, .reason = REASON_NO_RULE, .times = 1 };
	struct denied two = { .host = SPAN("\"\x01two"), .reason = REASON_NO_RULE, .times = 1 };
	struct desk d;

	(void)state;
	desk_open(&d);
	answered(&d, "GET", "/denials", page, sizeof(page));
	assert_string_equal(strstr(page, "\r\n\r\n") + 4, "{\"denials\":[],\"others\":0}\n");
	keeper_denied(&d.k, &one, RULE_NONE);
	keeper_denied(&d.k, &two, RULE_NONE);
	keeper_denied(&d.k, &one, RULE_NONE);
	answered(&d, "GET", "/denials", page, sizeof(page));
	assert_string_equal(strstr(page, "\r\n\r\n") + 4,
			    "{\"denials\":[{\"host\":\"\\\"\\u0001two\",\"transport\":\"tcp\","
			    "\"reason\":\"no_rule\",\"times\":1,\"suggest\":null},"
			    "{\"host\":\"one.test\",\"port\":443,\"transport\":\"tcp\","
			    "\"reason\":\"no_rule\",\"times\":2,\"suggest\":\"--allow one.test\"}],"
			    "\"others\":0}\n");
	desk_done(&d);
}

/* The longest page goes into the socket at once: nobody reads yet */
static void what_is_too_long_is_cut_and_counted(void **state)
{
	static char page[NOTICE_BYTES_MAX + 1024];
	struct desk d;
	char host[200], *others;
	size_t told = 0;

	(void)state;
	desk_open(&d);
	for (unsigned i = 0; i < SUMMARY_MAX; i++) {
		struct denied one = { .reason = REASON_NO_RULE, .port = 443, .times = 1 };

		snprintf(host, sizeof(host), "%0150u.test", i);
		one.host = span_str(host);
		keeper_denied(&d.k, &one, RULE_NONE);
	}
	answered(&d, "GET", "/denials", page, sizeof(page));
	assert_true(strlen(page) > NOTICE_BYTES_MAX - 1024);
	for (const char *at = page; (at = strstr(at, "\"host\"")); at++)
		told++;
	others = strstr(page, "],\"others\":");
	assert_non_null(others);
	assert_int_equal(told + strtoul(others + 11, NULL, 10), SUMMARY_MAX);
	desk_done(&d);
}

static void denied(struct desk *d, enum reason reason)
{
	const struct answer_seen *a = desk_answer(d);

	assert_non_null(a);
	assert_int_equal(a->type, KEEPER_DENY);
	assert_string_equal(reason_name((enum reason)a->deny.reason), reason_name(reason));
}

static void other_questions_are_refused(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d);
	ask(&d, REF, SEEN_HTTP, "evil.test", "GET", "/policy");
	denied(&d, REASON_HOST_MISMATCH);
	ask(&d, REF, SEEN_HTTP, "a.sluice.internal", "GET", "/policy");
	denied(&d, REASON_HOST_MISMATCH);
	ask(&d, REF, SEEN_OTHER, "", "", "");
	denied(&d, REASON_PROTOCOL);
	ask(&d, REF, SEEN_MALFORMED, "", "", "");
	denied(&d, REASON_MALFORMED);
	desk_run(&d);
	assert_int_equal(desk_count(&d, "conn.open", "\"verdict\":\"deny\""), 4);
	desk_done(&d);
}

/* Who does not read them has no more of them */
static void so_many_are_open_at_once(void **state)
{
	struct talk_closed closed = { .end = END_CLIENT, .reason = REASON_ALLOWED };
	int fd[NOTICE_OPEN_MAX];
	struct desk d;

	(void)state;
	desk_open(&d);
	for (uint32_t i = 0; i < NOTICE_OPEN_MAX; i++) {
		const struct answer_seen *a;

		ask(&d, REF + i, SEEN_HTTP, NOTICE_HOST, "GET", "/");
		a = desk_answer(&d);
		assert_non_null(a);
		assert_int_equal(a->type, KEEPER_ALLOW);
		fd[i] = a->fd;
	}
	ask(&d, REF - 1, SEEN_HTTP, NOTICE_HOST, "GET", "/");
	denied(&d, REASON_LIMIT);
	for (uint32_t i = 0; i < NOTICE_OPEN_MAX; i++) {
		close(fd[i]);
		desk_say(&d, GATE_CLOSED, REF + i, &closed, sizeof(closed), (struct span){ 0 });
	}
	desk_run(&d);
	assert_int_equal(d.k.notice.open, 0);
	ask(&d, REF, SEEN_HTTP, NOTICE_HOST, "GET", "/");
	assert_int_equal(desk_answer(&d)->type, KEEPER_ALLOW);
	desk_done(&d);
}

/* The gate may have been taken over: it cannot have another address taken for it */
static void the_door_alone_opens_nothing(void **state)
{
	struct talk_ask a = {
		.port = NOTICE_PORT, .transport = TRANSPORT_TCP, .door = DOOR_NOTICE,
		.seen = SEEN_HTTP, .host_len = 15, .method_len = 3, .path_len = 1,
	};
	struct desk d;

	(void)state;
	desk_open(&d);
	a.addr = addr_v4(0x01010101);
	desk_say(&d, GATE_ASK, REF, &a, sizeof(a), SPAN(NOTICE_HOST "GET/"));
	denied(&d, REASON_NO_RULE);
	a.addr = address(&d);
	a.port = 443;
	desk_say(&d, GATE_ASK, REF, &a, sizeof(a), SPAN(NOTICE_HOST "GET/"));
	denied(&d, REASON_NO_RULE);
	/* nor is there any outside of a jail */
	a.port = NOTICE_PORT;
	d.k.cooperative = true;
	desk_say(&d, GATE_ASK, REF, &a, sizeof(a), SPAN(NOTICE_HOST "GET/"));
	denied(&d, REASON_NO_RULE);
	desk_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_say_what_holds),
		cmocka_unit_test(denials_are_told_the_last_first),
		cmocka_unit_test(what_is_too_long_is_cut_and_counted),
		cmocka_unit_test(other_questions_are_refused),
		cmocka_unit_test(so_many_are_open_at_once),
		cmocka_unit_test(the_door_alone_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
