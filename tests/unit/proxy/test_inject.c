/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <sys/socket.h>

#include "proxy/inject.h"

#define HOST_FIELD "Host: " RIG_HOST "\r\n"
#define PLAIN "GET /plain HTTP/1.1\r\n" HOST_FIELD "\r\n"
#define OK2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define GATES_OWN "accept-encoding: identity\r\n"

static const char rules[] =
	"    paths: [/plain]\n"
	"  - host: " RIG_HOST "\n    ports: [8080]\n    paths: [/v1/*]\n"
	"    inject: {header: X-Key, value: Bearer s3cret-1}\n"
	"  - host: " RIG_HOST "\n    ports: [8080]\n    paths: [/v1/two]\n"
	"    inject: {header: X-Other, value: s3cret-2}\n"
	"  - host: " RIG_HOST "\n    ports: [8080]\n    paths: [/v1/two]\n"
	"    inject: {header: x-key, value: s3cret-3}\n";

static struct policy_secrets secrets_of(size_t count)
{
	static const struct {
		const char *value, *placeholder;
		uint32_t at, len;
	} rows[] = {
		{ "Bearer s3cret-1", "holder-1", 7, 8 }, { "s3cret-2", "holder-2", 0, 8 },
		{ "s3cret-3", "", 0, 8 },
	};
	struct policy_secrets s = { .list = calloc(ARRAY_SIZE(rows), sizeof(*s.list)) };

	for (; s.count < count; s.count++) {
		s.list[s.count] = (struct policy_secret){
			(uint32_t)s.count + 1, strdup(rows[s.count].value),
			calloc(1, sizeof(struct secret_part)), 1 };
		s.list[s.count].parts[0] = (struct secret_part){
			rows[s.count].at, rows[s.count].len, strdup(rows[s.count].placeholder) };
	}
	return s;
}

static struct injects *three(const struct policy *p)
{
	struct policy_secrets s = secrets_of(3);
	struct injects *x = injects_new(&s, p);

	assert_non_null(x);
	assert_int_equal(s.count, 0);
	return x;
}

static void values_belong_to_rules(void **state)
{
	struct policy_secrets s;
	struct injects *x;
	struct rig r;

	(void)state;
	rig_rule_more = rules;
	rig_open(&r, 1);
	x = three(r.policy);
	assert_true(injects_fit(x, r.policy));
	injects_free(x);
	assert_false(injects_fit(NULL, r.policy));
	s = secrets_of(2);
	x = injects_new(&s, r.policy);
	assert_non_null(x);
	assert_false(injects_fit(x, r.policy));
	injects_free(x);
	/* a rule that wants none, or is none */
	for (uint32_t rule = 0; rule < 10; rule += 9) {
		s = secrets_of(1);
		s.list[0].rule = rule;
		assert_null(injects_new(&s, r.policy));
	}
	injects_free(NULL);
	rig_done(&r);
	rig_rule_more = "";
}

/* What edits() makes of a request for the path: "name=value," for each field */
static const char *edits(const struct rig *r, const char *path, bool inspected)
{
	static char text[512];
	struct question q = {
		.about = ABOUT_CONN, .host = SPAN(RIG_HOST), .port = 8080, .transport = TRANSPORT_TCP,
		.seen = SEEN_HTTP, .http_host = SPAN(RIG_HOST), .method = SPAN("GET"),
		.path = span_str(path), .inspected = inspected, .now_s = 1,
	};
	struct http_edits e;
	size_t len = 0;

	text[0] = '\0';
	assert_true(inject_edits(r->x.injects, r->policy, &q, &e));
	for (size_t i = 0; i < e.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, SPAN_FMT "=" SPAN_FMT ",",
					SPAN_ARG(e.at[i].name), SPAN_ARG(e.at[i].value));
	return text;
}

static void each_rule_puts_its_own(void **state)
{
	struct rig r;

	(void)state;
	rig_rule_more = rules;
	rig_open(&r, 1);
	assert_string_equal(edits(&r, "/v1/one", true), "");
	r.x.injects = three(r.policy);
	assert_string_equal(edits(&r, "/v1/one", true), "x-key=Bearer s3cret-1,"
			    "accept-encoding=identity,range=,if-range=,");
	/* of two for one field the first */
	assert_string_equal(edits(&r, "/v1/two", true), "x-key=Bearer s3cret-1,x-other=s3cret-2,"
			    "accept-encoding=identity,range=,if-range=,");
	assert_string_equal(edits(&r, "/plain", true), "accept-encoding=identity,range=,if-range=,");
	assert_string_equal(edits(&r, "/v1/one", false), "");
	assert_null(inject_hides(r.x.injects, SPAN("other.example")));
	assert_int_equal(scrub_set_count(inject_hides(r.x.injects, SPAN(RIG_HOST))), 3);
	injects_free(r.x.injects);
	rig_done(&r);
	rig_rule_more = "";
}

/* A connection that is as one whose TLS ended here: the rig has none */
static struct line begin(struct rig *r)
{
	struct line l = rig_connect(r, 8080);

	say(l.client, PLAIN);
	rig_drive(r, &l);
	rig_told(r, GATE_ASK);
	rig_allow(r, &l, false, true);
	heard(r, l.server, PLAIN);
	say(l.server, OK2);
	heard(r, l.client, OK2);
	rig_told(r, GATE_HTTP);
	flow_find(r->x.flows, l.ref)->inspect = true;
	return l;
}

static const struct {
	const char *request, *onward, *answer, *back;
	bool ends;
} exchanges[] = {
	{ "POST /v1/one HTTP/1.1\r\nX-Key: mine\r\n" HOST_FIELD "Content-Length: 4\r\nRange: x\r\n\r\nbody",
	  "POST /v1/one HTTP/1.1\r\n" HOST_FIELD "Content-Length: 4\r\nx-key: Bearer s3cret-1\r\n"
	  GATES_OWN "\r\nbody",
	  "HTTP/1.1 103 Hints\r\nL: s3cret-1\r\n\r\nHTTP/1.1 200 s3cret-1\r\nX: s3cret-1\r\n"
	  "Content-Length: 16\r\n\r\ns3cret-1 s3cret-",
	  "HTTP/1.1 103 Hints\r\nL: holder-1\r\n\r\nHTTP/1.1 200 holder-1\r\nX: holder-1\r\n"
	  "Content-Length: 16\r\n\r\nholder-1 s3cret-", false },
	{ "GET /plain HTTP/1.1\r\n" HOST_FIELD "\r\n", "GET /plain HTTP/1.1\r\n" HOST_FIELD GATES_OWN "\r\n",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n-s3cr\r\n5\r\net-2-\r\n0\r\nX: s3cret-1\r\n\r\n",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n-hold\r\n5\r\ner-2-\r\n0\r\nX: holder-1\r\n\r\n",
	  false },
	{ "GET /v1/x HTTP/1.1\r\n" HOST_FIELD "\r\n",
	  "GET /v1/x HTTP/1.1\r\n" HOST_FIELD "x-key: Bearer s3cret-1\r\n" GATES_OWN "\r\n",
	  "HTTP/1.1 200 OK\r\n\r\ns3cret-3 to the end, s3cret", "HTTP/1.1 200 OK\r\n\r\nsluice-p to the end, s3cret",
	  true },
};

/* The bytes of each side in two pieces, cut anywhere */
static void an_exchange(size_t i, size_t request_cut, size_t answer_cut)
{
	struct span request = span_str(exchanges[i].request), answer = span_str(exchanges[i].answer);
	struct line l;
	struct rig r;

	rig_open(&r, 4);
	r.x.injects = three(r.policy);
	l = begin(&r);
	say_bytes(l.client, span_head(request, request_cut));
	rig_run(&r);
	say_bytes(l.client, span_skip(request, request_cut));
	heard(&r, l.server, exchanges[i].onward);
	say_bytes(l.server, span_head(answer, answer_cut));
	rig_run(&r);
	say_bytes(l.server, span_skip(answer, answer_cut));
	if (exchanges[i].ends) {
		rig_run(&r);
		shutdown(l.server, SHUT_WR);
	}
	heard(&r, l.client, exchanges[i].back);
	assert_int_equal(rig_told(&r, GATE_HTTP)->http.bytes_in, answer.len);
	rig_hang_up(&l);
	rig_run(&r);
	injects_free(r.x.injects);
	rig_done(&r);
}

static void values_go_and_do_not_come_back(void **state)
{
	(void)state;
	rig_rule_more = rules;
	for (size_t i = 0; i < ARRAY_SIZE(exchanges); i++) {
		for (size_t cut = 0; cut <= strlen(exchanges[i].answer); cut++)
			an_exchange(i, strlen(exchanges[i].request) / 2, cut);
		for (size_t cut = 0; cut <= strlen(exchanges[i].request); cut++)
			an_exchange(i, cut, 0);
	}
	rig_rule_more = "";
}

static void placeholders_have_their_place(void **state)
{
	static const struct {
		const char *head;
		bool edited, misplaced;
	} rows[] = {
		{ "GET / HTTP/1.1\r\nX-Key: holder-1\r\n\r\n", true, false },
		{ "GET / HTTP/1.1\r\nx_key: Bearer holder-1\r\n\r\n", true, false },
		{ "GET / HTTP/1.1\r\nX-Key: holder-1\r\n\r\n", false, true },
		{ "GET /?k=holder-2 HTTP/1.1\r\nA: b\r\n\r\n", true, true },
		{ "GET /x-key:holder-2 HTTP/1.1\r\nA: b\r\n\r\n", true, true },
		{ "GET / HTTP/1.1\r\nX-Key: a\r\nOther: holder-1\r\n\r\n", true, true },
		{ "GET / HTTP/1.1\r\nOther: holder-3\r\n\r\n", true, false },
		{ "", true, false },
	};
	static const struct http_edits e = { { { SPAN("x-key"), SPAN("v") } }, 1 };
	struct rig r;

	(void)state;
	rig_rule_more = rules;
	rig_open(&r, 1);
	r.x.injects = three(r.policy);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (inject_misplaced(r.x.injects, span_str(rows[i].head), rows[i].edited ? &e : NULL) !=
		    rows[i].misplaced)
			fail_msg("row %zu", i);
	injects_free(r.x.injects);
	rig_done(&r);
	rig_rule_more = "";
}

/* One alert a minute, which counts those between */
static void an_alert_is_told_once_a_minute(void **state)
{
	static const char head[] = "GET /plain?holder-1 HTTP/1.1\r\n" HOST_FIELD "\r\n";
	static const char onward[] = "GET /plain?holder-1 HTTP/1.1\r\n" HOST_FIELD GATES_OWN "\r\n";
	struct line l;
	struct rig r;

	(void)state;
	rig_rule_more = rules;
	rig_open(&r, 4);
	r.x.injects = three(r.policy);
	l = begin(&r);
	for (unsigned i = 0; i < 4; i++) {
		say(l.client, head);
		heard(&r, l.server, onward);
		say(l.server, OK2);
		heard(&r, l.client, OK2);
		if (i == 0 || i == 3) {
			const struct told *t = rig_told(&r, GATE_ALERT);

			assert_int_equal(t->alert.kind, ALERT_PLACEHOLDER);
			assert_int_equal(t->alert.value, i ? 3 : 1);
			assert_true(span_eq(t->tail, SPAN(RIG_HOST)));
		}
		rig_told(&r, GATE_HTTP);
		r.x.now_s += i == 2 ? 60 : 0;
	}
	rig_hang_up(&l);
	rig_run(&r);
	injects_free(r.x.injects);
	rig_done(&r);
	rig_rule_more = "";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_belong_to_rules),
		cmocka_unit_test(each_rule_puts_its_own),
		cmocka_unit_test(values_go_and_do_not_come_back),
		cmocka_unit_test(placeholders_have_their_place),
		cmocka_unit_test(an_alert_is_told_once_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
