/* SPDX-License-Identifier: Apache-2.0 */
/* What bridges may hold together, whoever attacks: and that nothing of it is left over */
#include "http2_rig.h"

#define WHOLE (64u << 20)
#define HOGS 6
#define SLACK 4096	/* an allocation may be some bytes larger than was asked for */

struct crowd {
	struct http2_memory memory;
	size_t		    most;
	struct http2_limits limits;
	struct h2_rig	    *hog[HOGS];
	size_t		    hogs;
};

static void crowd_open(struct crowd *c)
{
	*c = (struct crowd){ .limits = http2_limits_default };
	c->limits.memory = WHOLE;
	c->limits.shared = &c->memory;
}

static struct h2_rig *hog_new(struct crowd *c)
{
	struct h2_rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	h2_open(r, &c->limits);
	h2_run(r);	/* settings of both are known, so that windows are the largest */
	c->hog[c->hogs++] = r;
	return r;
}

static void crowd_run(struct crowd *c, struct h2_rig *r)
{
	h2_run(r);
	if (c->memory.used > c->most)
		c->most = c->memory.used;
	assert_true(c->memory.used <= WHOLE + SLACK);
}

static size_t calmed(const struct h2_rig *r)
{
	size_t n = 0;

	for (size_t i = 0; i < H2_STREAMS; i++)
		n += r->client.seen[i].closed &&
		     r->client.seen[i].code == NGHTTP2_ENHANCE_YOUR_CALM;
	return n;
}

/* One who asks for little is served while the others hold what they can */
static void still_served(struct crowd *c)
{
	struct h2_rig *r = calloc(1, sizeof(*r));
	int32_t id;

	assert_non_null(r);
	h2_open(r, &c->limits);
	id = h2_ask(r, "POST", "/x", 20000, NULL);
	crowd_run(c, r);
	assert_string_equal(h2_at(&r->client, id)->status, "200");
	assert_int_equal(h2_at(&r->client, id)->body, 5);
	assert_int_equal(h2_at(&r->server, 1)->body, 20000);
	h2_done(r);
	free(r);
}

static void crowd_done(struct crowd *c)
{
	while (c->hogs) {
		h2_done(c->hog[--c->hogs]);
		free(c->hog[c->hogs]);
	}
	assert_int_equal(c->memory.used, 0);
}

/* Bodies that come before anybody has said that their requests may pass */
static void test_bodies_that_wait(void **state)
{
	struct crowd c;
	size_t resets = 0;

	(void)state;
	crowd_open(&c);
	for (int n = 0; n < HOGS; n++) {
		struct h2_rig *r = hog_new(&c);

		r->later = true;
		for (int i = 0; i < 100; i++)
			h2_ask(r, "POST", "/x", 1000000, NULL);
		crowd_run(&c, r);
		resets += calmed(r);
		assert_int_equal(r->server.requests, 0);
	}
	assert_true(c.most > WHOLE / 2);	/* the attack was one */
	assert_true(resets > 300);
	still_served(&c);
	crowd_done(&c);
}

/* Heads as large as they may be, of requests that wait */
static void test_heads_that_wait(void **state)
{
	static char value[60000];
	struct crowd c;
	size_t resets = 0, asked = 0;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	crowd_open(&c);
	for (int n = 0; n < HOGS; n++) {
		struct h2_rig *r = hog_new(&c);

		r->later = true;
		for (int i = 0; i < 120; i++)
			h2_ask(r, "GET", "/x", 0, "x", value, NULL);
		crowd_run(&c, r);
		resets += calmed(r);
		asked += r->asked;
	}
	assert_true(c.most > WHOLE / 2);
	assert_true(resets > 300 && asked > 10);
	still_served(&c);
	crowd_done(&c);
}

/* Requests that were allowed, and for which the server has no room: libnghttp2 holds them */
static void test_a_server_that_takes_none(void **state)
{
	static const nghttp2_settings_entry none = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0 };
	static char value[60000];
	struct crowd c;
	size_t closed = 0;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	crowd_open(&c);
	for (int n = 0; n < HOGS; n++) {
		struct h2_rig *r = hog_new(&c);

		assert_int_equal(nghttp2_submit_settings(r->server.session, 0, &none, 1), 0);
		h2_run(r);
		for (int i = 0; i < 120; i++)
			h2_ask(r, "GET", "/x", 0, "x", value, NULL);
		crowd_run(&c, r);
		assert_int_equal(r->server.requests, 0);
		for (size_t i = 0; i < H2_STREAMS; i++)
			closed += r->client.seen[i].closed;
	}
	assert_true(c.most > WHOLE / 2);
	assert_true(closed > 300);
	still_served(&c);
	crowd_done(&c);
}

/* Answers that the client does not read */
static void test_answers_that_wait(void **state)
{
	struct crowd c;
	size_t resets = 0;

	(void)state;
	crowd_open(&c);
	for (int n = 0; n < HOGS; n++) {
		struct h2_rig *r = hog_new(&c);

		r->client.slow = 199;
		for (int i = 0; i < 100; i++)
			h2_ask(r, "GET", "/big", 0, NULL);
		crowd_run(&c, r);
		resets += calmed(r);
	}
	assert_true(c.most > WHOLE / 2);
	assert_true(resets > 300);
	still_served(&c);
	crowd_done(&c);
}

/* A connection that holds much stands still; its socket is not read.  Others go on. */
static void test_a_client_that_reads_nothing(void **state)
{
	struct crowd c;

	(void)state;
	crowd_open(&c);
	for (int n = 0; n < HOGS; n++) {
		struct h2_rig *r = hog_new(&c);

		for (int i = 0; i < 100; i++)
			h2_ask(r, "GET", "/big", 0, NULL);
		r->hold[HTTP2_AGENT] = true;
		crowd_run(&c, r);
	}
	assert_true(c.most > WHOLE / 2);
	still_served(&c);
	crowd_done(&c);
}

/* Connections alone cost something too: they have half of it */
static void test_bridges(void **state)
{
	static const struct http2_calls none = { .on_end = NULL };
	struct http2_limits l = http2_limits_default;
	struct http2 *b[1024];
	struct http2_memory memory = { .used = 0 };
	size_t n = 0;

	(void)state;
	l.memory = WHOLE;
	l.shared = &memory;
	while (n < ARRAY_SIZE(b) && (b[n] = http2_new(&none, NULL, &l)))
		n++;
	assert_int_equal(n, WHOLE / 2 / 65536);
	assert_false(http2_has_room(&l));
	print_message("a bridge holds %zu bytes\n", memory.used / n);
	assert_in_range(memory.used / n, 16384, 65536);	/* as http2_memory.c counts on */
	http2_free(b[--n]);
	assert_true(http2_has_room(&l));
	while (n)
		http2_free(b[--n]);
	assert_int_equal(memory.used, 0);
	assert_int_equal(memory.bridges, 0);
}

/* libnghttp2 is refused memory at every point: its connection ends, and leaves nothing behind */
static void test_no_memory_at_all(void **state)
{
	struct http2_limits l = http2_limits_default;
	struct http2_memory memory = { .used = 0 };
	size_t served = 0, ended = 0;

	(void)state;
	l.memory = 1 << 20;
	l.shared = &memory;
	for (size_t left = 0; left < 6000; left += 11) {
		struct h2_rig *r = calloc(1, sizeof(*r));
		size_t filled;

		assert_non_null(r);
		h2_open(r, &l);
		h2_run(r);
		filled = l.memory - memory.used - left;
		memory.used += filled;
		for (int i = 0; i < 3; i++)
			h2_ask(r, "POST", i ? "/deny" : "/trailers", 3000, NULL);
		h2_run(r);
		assert_true(memory.used <= l.memory + SLACK);
		http2_tick(r->bridge);
		h2_run(r);
		ended += http2_over(r->bridge);
		memory.used -= filled;
		/* what is free of the streams' part is less than the rest of the whole */
		served += r->client.seen[0].fin;
		h2_done(r);
		free(r);
		assert_int_equal(memory.used, 0);
	}
	assert_int_equal(served, 0);
	assert_true(ended > 10);
}

/* A bridge that cannot be made */
static void test_no_memory_for_a_bridge(void **state)
{
	struct http2_limits l = http2_limits_default;
	struct http2_memory memory = { .used = 0 };
	size_t refused = 0, made = 0;

	(void)state;
	l.memory = 1 << 20;
	l.shared = &memory;
	for (size_t left = 40000; left < 80000; left += 97) {
		struct http2 *b;

		memory.used = l.memory - left;
		b = http2_new(&(struct http2_calls){ .on_end = NULL }, NULL, &l);
		made += b != NULL;
		refused += !b;
		http2_free(b);
		assert_int_equal(memory.used, l.memory - left);
		assert_int_equal(memory.bridges, 0);
	}
	assert_true(refused > 20 && made > 20);
}

/* What hides values in an answer counts for its stream, and is refused if there is no room */
static void test_values_that_are_hidden(void **state)
{
	struct scrub_set *set = scrub_set_new();
	struct http2_limits l = http2_limits_default;
	struct http2_memory memory = { .used = 0 };
	char value[16];
	size_t before;
	struct h2_rig r;
	int32_t id;

	(void)state;
	assert_non_null(set);
	for (int i = 0; i < 5000; i++) {
		snprintf(value, sizeof(value), "value-%d", i);
		assert_true(scrub_set_add(set, span_str(value), (struct span){ 0 }));
	}
	l.memory = 16 << 20;
	l.shared = &memory;
	h2_open(&r, &l);
	r.later = true;
	id = h2_ask(&r, "GET", "/x", 0, NULL);
	h2_run(&r);
	before = memory.used;
	memory.used = l.memory;
	assert_false(http2_hide(r.bridge, id, set));
	assert_int_equal(memory.used, l.memory);
	memory.used = before;
	assert_true(http2_hide(r.bridge, id, set));
	assert_int_equal(memory.used - before, (2 * 5000 + 1) * sizeof(uint16_t));
	h2_done(&r);
	assert_int_equal(memory.used, 0);
	scrub_set_unref(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies_that_wait),
		cmocka_unit_test(test_heads_that_wait),
		cmocka_unit_test(test_a_server_that_takes_none),
		cmocka_unit_test(test_answers_that_wait),
		cmocka_unit_test(test_a_client_that_reads_nothing),
		cmocka_unit_test(test_bridges),
		cmocka_unit_test(test_no_memory_at_all),
		cmocka_unit_test(test_no_memory_for_a_bridge),
		cmocka_unit_test(test_values_that_are_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
