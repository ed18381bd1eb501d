/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's side, against a resolver that the test plays itself; time is the test's */
#include "../unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "daemon/resolve.c"

static int64_t fake_ms;

static int64_t fake_clock(void)
{
	return fake_ms;
}

struct heard {
	size_t			count;
	struct resolution	last;
	uint8_t			records[64];	/* of last: they are gone by then */
	struct resolve		*ask_again;	/* ask this one from within */
};

struct asks {
	size_t	count;
	uint32_t ids[20000];
	char	last[HOST_MAX + 1];
	struct resolver_ask last_ask;	/* type 0: addresses */
};

struct stage {
	struct event_base *loop;
	struct resolve	*r;
	struct msg_link	 far;		/* the resolver's end */
	int		 died;
	struct asks	 asks;
};

static const struct msg_type far_accepts[RESOLVER_MSG_NUM] = {
	[RESOLVE_ASK] = { "ask", 1, HOST_MAX, false },
	[RESOLVE_ASK_RECORDS] = { "ask for records", sizeof(struct resolver_ask) + 1,
				  sizeof(struct resolver_ask) + HOST_MAX, false },
};

static void on_died(void *arg)
{
	((struct stage *)arg)->died++;
}

static struct stage *stage_new(void)
{
	struct stage *s = calloc(1, sizeof(*s));
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	fake_ms = 1000000;
	s->loop = event_base_new();
	s->r = resolve_new(s->loop, fds[0], on_died, s);
	assert_non_null(s->r);
	s->r->now_ms = fake_clock;
	msg_link_init(&s->far, fds[1], far_accepts, ARRAY_SIZE(far_accepts));
	return s;
}

static void stage_free(struct stage *s)
{
	resolve_free(s->r);
	msg_link_done(&s->far);
	event_base_free(s->loop);
	free(s);
}

static void take_ask(void *arg, const struct msg *m)
{
	struct asks *a = arg;

	struct span name = m->payload;

	a->ids[a->count++] = m->id;
	a->last_ask = (struct resolver_ask){ .type = 0 };
	if (m->type == RESOLVE_ASK_RECORDS) {
		memcpy(&a->last_ask, name.at, sizeof(a->last_ask));
		name = span_skip(name, sizeof(a->last_ask));
	}
	assert_true(span_copy(name, a->last, sizeof(a->last)));
}

/* What has arrived at the resolver since the last call */
static size_t asks_came(struct stage *s)
{
	s->asks.count = 0;
	while (msg_read(&s->far, take_ask, &s->asks) > 0)
		;
	return s->asks.count;
}

static void turn(struct stage *s)
{
	event_base_loop(s->loop, EVLOOP_NONBLOCK);
}

static void say_raw(struct stage *s, uint32_t id, const struct resolver_answer *a, size_t addrs)
{
	struct addr list[64];

	memset(list, 7, sizeof(list));
	assert_int_equal(msg_put(&s->far, RESOLVE_ANSWER, id, a, sizeof(*a),
				 span_of(list, addrs * sizeof(struct addr)), -1), 0);
	assert_int_equal(msg_flush(&s->far), 0);
	turn(s);
}

static void say(struct stage *s, uint32_t id, enum resolved status, uint32_t ttl_s, uint8_t count)
{
	struct resolver_answer a = { .ttl_s = ttl_s, .status = (uint8_t)status, .count = count };

	say_raw(s, id, &a, count);
}

static void hear(void *arg, const struct resolution *res)
{
	struct heard *h = arg;

	h->count++;
	h->last = *res;
	if (res->records.len && res->records.len <= sizeof(h->records))
		memcpy(h->records, res->records.at, res->records.len);
	if (h->ask_again) {
		struct resolve *r = TAKE(h->ask_again);

		resolve_ask(r, SPAN("again.example"), hear, h);
	}
}

static void say_records(struct stage *s, uint32_t id, enum resolved status, struct span list)
{
	struct resolver_answer a = { .ttl_s = 10, .status = (uint8_t)status, .count = 1 };

	assert_int_equal(msg_put(&s->far, RESOLVE_RECORDS, id, &a, sizeof(a), list, -1), 0);
	assert_int_equal(msg_flush(&s->far), 0);
	turn(s);
}

static void records_are_known_apart_from_addresses(void **state)
{
	struct stage *s = stage_new();
	struct heard txt = { 0 }, mx = { 0 }, addr = { 0 };

	(void)state;
	resolve_ask_records(s->r, SPAN("a.example"), 16, hear, &txt);
	assert_int_equal(asks_came(s), 1);
	assert_int_equal(s->asks.last_ask.type, 16);
	assert_string_equal(s->asks.last, "a.example");
	say_records(s, s->asks.ids[0], RESOLVED_OK, SPAN("\0\2\1x"));
	assert_int_equal(txt.count, 1);
	assert_int_equal(txt.last.status, RESOLVED_OK);
	assert_memory_equal(txt.records, "\0\2\1x", 4);
	assert_int_equal(txt.last.ttl_s, 10);

	resolve_ask_records(s->r, SPAN("a.example"), 15, hear, &mx);
	resolve_ask(s->r, SPAN("a.example"), hear, &addr);
	assert_int_equal(asks_came(s), 2);
	say_records(s, s->asks.ids[0], RESOLVED_NO_DATA, (struct span){ 0 });
	say(s, s->asks.ids[1], RESOLVED_OK, 10, 1);
	assert_true(mx.count == 1 && mx.last.status == RESOLVED_NO_DATA && !mx.last.records.len);
	assert_true(addr.count == 1 && addr.last.count == 1 && !addr.last.records.len);

	fake_ms += 4000;	/* from the cache, with what is left of the TTL */
	resolve_ask_records(s->r, SPAN("a.example"), 16, hear, &txt);
	assert_int_equal(asks_came(s), 0);
	assert_int_equal(txt.count, 2);
	assert_int_equal(txt.last.ttl_s, 6);
	assert_int_equal(txt.last.records.len, 4);
	stage_free(s);
}

static void lists_without_their_shape_are_failures(void **state)
{
	static const struct {
		enum resolved status;
		struct span list;
	} rows[] = {
		{ RESOLVED_OK, { 0 } }, { RESOLVED_OK, SPAN("\0") }, { RESOLVED_OK, SPAN("\0\2x") },
		{ RESOLVED_OK, SPAN("\0\1xy") }, { RESOLVED_NO_DATA, SPAN("\0\1x") },
		{ RESOLVED_FAILED + 1, { 0 } },
	};
	struct stage *s = stage_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct heard h = { 0 };

		fake_ms += 10000;
		resolve_ask_records(s->r, SPAN("a.example"), 16, hear, &h);
		assert_int_equal(asks_came(s), 1);
		say_records(s, s->asks.ids[0], rows[i].status, rows[i].list);
		assert_int_equal(h.count, 1);
		assert_int_equal(h.last.status, RESOLVED_FAILED);
		assert_int_equal(h.last.records.len, 0);
	}
	/* addresses are no answer to a question for records, nor the other way round */
	for (unsigned type = 0; type <= 16; type += 16) {
		struct heard h = { 0 };

		fake_ms += 10000;
		resolve_ask_records(s->r, SPAN("b.example"), (uint16_t)type, hear, &h);
		assert_int_equal(asks_came(s), 1);
		if (type)
			say(s, s->asks.ids[0], RESOLVED_OK, 10, 1);
		else
			say_records(s, s->asks.ids[0], RESOLVED_OK, SPAN("\0\1x"));
		assert_true(h.count == 1 && h.last.status == RESOLVED_FAILED);
	}
	assert_int_equal(s->died, 0);
	stage_free(s);
}

static void kept_lists_have_a_bound(void **state)
{
	static uint8_t list[16384];
	struct stage *s = stage_new();
	struct heard h = { 0 };
	char name[32];

	(void)state;
	list[0] = (sizeof(list) - 2) >> 8;
	list[1] = (sizeof(list) - 2) & 0xff;
	for (unsigned i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		resolve_ask_records(s->r, span_str(name), 16, hear, &h);
		assert_int_equal(asks_came(s), 1);
		say_records(s, s->asks.ids[0], RESOLVED_OK, span_of(list, sizeof(list)));
		assert_true(s->r->record_bytes <= RESOLVE_RECORDS_BYTES);
	}
	assert_int_equal(h.count, 400);
	assert_int_equal(s->r->record_bytes, RESOLVE_RECORDS_BYTES);
	resolve_ask_records(s->r, SPAN("n399.example"), 16, hear, &h);	/* the newest is there */
	assert_int_equal(asks_came(s), 0);
	resolve_ask_records(s->r, SPAN("n0.example"), 16, hear, &h);	/* the oldest made room */
	assert_int_equal(asks_came(s), 1);
	stage_free(s);
}

static void questions_for_one_name_share_one(void **state)
{
	struct stage *s = stage_new();
	struct heard h = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		resolve_ask(s->r, SPAN("a.example"), hear, &h);
	assert_int_equal(asks_came(s), 1);
	assert_string_equal(s->asks.last, "a.example");
	assert_int_equal(h.count, 0);
	say(s, s->asks.ids[0], RESOLVED_OK, 10, 2);
	assert_int_equal(h.count, 3);
	assert_int_equal(h.last.status, RESOLVED_OK);
	assert_int_equal(h.last.count, 2);
	assert_int_equal(h.last.addrs[1].b[0], 7);
	stage_free(s);
}

/* Ask, answer with @ttl_s; then the answer must hold until @holds_ms and no longer */
static void keeps(enum resolved status, uint32_t ttl_s, int64_t holds_ms)
{
	struct stage *s = stage_new();
	struct heard h = { 0 };

	resolve_ask(s->r, SPAN("a.example"), hear, &h);
	assert_int_equal(asks_came(s), 1);
	say(s, s->asks.ids[0], status, ttl_s, status == RESOLVED_OK);
	fake_ms += holds_ms - 1;
	resolve_ask(s->r, SPAN("a.example"), hear, &h);
	assert_int_equal(h.count, 2);
	assert_int_equal(h.last.status, status);
	assert_int_equal(asks_came(s), 0);
	fake_ms += 1;
	resolve_ask(s->r, SPAN("a.example"), hear, &h);
	assert_int_equal(h.count, 2);
	assert_int_equal(asks_came(s), 1);
	stage_free(s);
	assert_int_equal(h.count, 3);	/* the end answers too */
	assert_int_equal(h.last.status, RESOLVED_FAILED);
}

static void answers_are_kept_for_their_time(void **state)
{
	(void)state;
	keeps(RESOLVED_OK, 30, 30000);
	keeps(RESOLVED_OK, 0, 1000);
	keeps(RESOLVED_OK, UINT32_MAX, 3600 * 1000);
	keeps(RESOLVED_NO_NAME, 30, 30000);
	keeps(RESOLVED_NO_DATA, 3, 3000);
	keeps(RESOLVED_FAILED, 3600, 2000);
}

static void a_question_without_answer_fails_in_time(void **state)
{
	struct stage *s = stage_new();
	struct heard h = { 0 };
	uint32_t late;

	(void)state;
	resolve_ask(s->r, SPAN("a.example"), hear, &h);
	assert_int_equal(asks_came(s), 1);
	late = s->asks.ids[0];
	fake_ms += RESOLVE_LIMIT_MS - 1;
	clock_rang(-1, EV_TIMEOUT, s->r);
	assert_int_equal(h.count, 0);
	fake_ms += 1;
	clock_rang(-1, EV_TIMEOUT, s->r);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	say(s, late, RESOLVED_OK, 30, 1);	/* comes too late: nobody listens */
	assert_int_equal(h.count, 1);
	resolve_ask(s->r, SPAN("a.example"), hear, &h);
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	assert_int_equal(s->died, 0);
	stage_free(s);
}

static void the_clock_is_armed(void **state)
{
	struct stage *s = stage_new();
	struct heard h = { 0 };

	(void)state;
	assert_false(evtimer_pending(s->r->clock, NULL));
	resolve_ask(s->r, SPAN("a.example"), hear, &h);
	assert_true(evtimer_pending(s->r->clock, NULL));
	fake_ms += RESOLVE_LIMIT_MS;
	clock_rang(-1, EV_TIMEOUT, s->r);
	assert_int_equal(h.count, 1);
	stage_free(s);
}

static void misshapen_answers_are_failures(void **state)
{
	static const struct {
		struct resolver_answer	a;
		size_t			addrs;
	} bad[] = {
		{ { .status = RESOLVED_OK, .count = 0 }, 0 },
		{ { .status = RESOLVED_OK, .count = 2 }, 1 },
		{ { .status = RESOLVED_OK, .count = 1 }, 2 },
		{ { .status = RESOLVED_OK, .count = 255 }, 3 },
		{ { .status = RESOLVED_NO_NAME, .count = 1 }, 1 },
		{ { .status = RESOLVED_FAILED + 1 }, 0 },
		{ { .status = 255 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct stage *s = stage_new();
		struct heard h = { 0 };

		resolve_ask(s->r, SPAN("a.example"), hear, &h);
		assert_int_equal(asks_came(s), 1);
		say_raw(s, s->asks.ids[0], &bad[i].a, bad[i].addrs);
		assert_int_equal(h.count, 1);
		assert_int_equal(h.last.status, RESOLVED_FAILED);
		assert_int_equal(s->died, 0);
		stage_free(s);
	}
}

static void too_many_addresses_end_the_link(void **state)
{
	struct stage *s = stage_new();
	struct resolver_answer a = { .status = RESOLVED_OK, .count = 33 };
	struct heard h = { 0 };

	(void)state;
	resolve_ask(s->r, SPAN("a.example"), hear, &h);
	assert_int_equal(asks_came(s), 1);
	say_raw(s, s->asks.ids[0], &a, 33);
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	assert_int_equal(s->died, 1);
	stage_free(s);
}

static void numbers_that_were_not_asked_are_ignored(void **state)
{
	struct stage *s = stage_new();
	struct heard h = { 0 };

	(void)state;
	resolve_ask(s->r, SPAN("a.example"), hear, &h);
	assert_int_equal(asks_came(s), 1);
	say(s, s->asks.ids[0] + 1, RESOLVED_OK, 30, 1);
	say(s, s->asks.ids[0] + RESOLVER_ASKED_MAX, RESOLVED_OK, 30, 1);	/* same slot */
	assert_int_equal(h.count, 0);
	say(s, s->asks.ids[0], RESOLVED_OK, 30, 1);
	say(s, s->asks.ids[0], RESOLVED_OK, 30, 1);	/* twice */
	assert_int_equal(h.count, 1);
	stage_free(s);
}

static void a_dead_resolver_fails_all(void **state)
{
	struct stage *s = stage_new();
	struct heard h = { 0 };

	(void)state;
	resolve_ask(s->r, SPAN("known.example"), hear, &h);
	assert_int_equal(asks_came(s), 1);
	say(s, s->asks.ids[0], RESOLVED_OK, 30, 1);
	resolve_ask(s->r, SPAN("a.example"), hear, &h);
	resolve_ask(s->r, SPAN("b.example"), hear, &h);
	h.ask_again = s->r;
	msg_link_done(&s->far);
	turn(s);
	turn(s);
	assert_int_equal(h.count, 4);	/* known, a, again (asked while dying), b */
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	assert_int_equal(s->died, 1);
	resolve_ask(s->r, SPAN("known.example"), hear, &h);
	assert_int_equal(h.count, 5);
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	stage_free(s);
}

static void asking_from_within_an_answer_works(void **state)
{
	struct stage *s = stage_new();
	struct heard h = { .ask_again = s->r };

	(void)state;
	resolve_ask(s->r, SPAN("a.example"), hear, &h);
	assert_int_equal(asks_came(s), 1);
	say(s, s->asks.ids[0], RESOLVED_OK, 30, 1);
	assert_int_equal(h.count, 1);
	assert_int_equal(asks_came(s), 1);
	assert_string_equal(s->asks.last, "again.example");
	say(s, s->asks.ids[0], RESOLVED_NO_DATA, 30, 0);
	assert_int_equal(h.count, 2);
	assert_int_equal(h.last.status, RESOLVED_NO_DATA);
	stage_free(s);
}

static void names_without_measure_fail(void **state)
{
	static const uint8_t longer[HOST_MAX + 1] = { 'a' };
	struct stage *s = stage_new();
	struct heard h = { 0 };

	(void)state;
	resolve_ask(s->r, (struct span){ 0 }, hear, &h);
	resolve_ask(s->r, span_of(longer, sizeof(longer)), hear, &h);
	assert_int_equal(h.count, 2);
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	assert_int_equal(asks_came(s), 0);
	stage_free(s);
}

static struct span number(char text[32], unsigned i)
{
	snprintf(text, 32, "n%u.example", i);
	return span_str(text);
}

static void questions_have_a_bound(void **state)
{
	struct stage *s = stage_new();
	struct heard h = { 0 }, extra = { 0 };
	char text[32];

	(void)state;
	for (unsigned i = 0; i < RESOLVER_ASKED_MAX; i++)
		resolve_ask(s->r, number(text, i), hear, &h);
	assert_int_equal(h.count, 0);
	resolve_ask(s->r, SPAN("one.more"), hear, &extra);
	assert_int_equal(extra.count, 1);
	assert_int_equal(extra.last.status, RESOLVED_FAILED);
	resolve_ask(s->r, number(text, 3), hear, &extra);	/* already under way */
	assert_int_equal(extra.count, 1);
	asks_came(s);
	turn(s);	/* what did not fit into the socket leaves */
	say(s, s->asks.ids[5], RESOLVED_NO_NAME, 30, 0);
	assert_int_equal(h.count, 1);
	resolve_ask(s->r, SPAN("one.more"), hear, &extra);
	assert_int_equal(extra.count, 1);	/* there is room again */
	stage_free(s);
	assert_int_equal(h.count, RESOLVER_ASKED_MAX);
	assert_int_equal(extra.count, 3);
}

static void the_oldest_answer_makes_room(void **state)
{
	struct stage *s = stage_new();
	struct heard h = { 0 };
	char text[32];

	(void)state;
	for (unsigned i = 0; i < RESOLVE_NAMES_MAX; i++) {
		resolve_ask(s->r, number(text, i), hear, &h);
		assert_int_equal(asks_came(s), 1);
		say(s, s->asks.ids[0], RESOLVED_OK, 3600, 1);
	}
	assert_int_equal(s->r->count, RESOLVE_NAMES_MAX);
	resolve_ask(s->r, SPAN("one.more"), hear, &h);
	assert_int_equal(s->r->count, RESOLVE_NAMES_MAX);
	assert_int_equal(asks_came(s), 1);
	resolve_ask(s->r, number(text, 1), hear, &h);	/* still known */
	assert_int_equal(asks_came(s), 0);
	resolve_ask(s->r, number(text, 0), hear, &h);	/* gone */
	assert_int_equal(asks_came(s), 1);
	stage_free(s);
}

static void waiters_have_a_bound(void **state)
{
	struct stage *s = stage_new();
	struct heard h = { 0 }, extra = { 0 };

	(void)state;
	for (size_t i = 0; i < RESOLVE_WAITERS_MAX; i++)
		resolve_ask(s->r, SPAN("a.example"), hear, &h);
	resolve_ask(s->r, SPAN("a.example"), hear, &extra);
	assert_int_equal(h.count, 0);
	assert_int_equal(extra.count, 1);
	assert_int_equal(extra.last.status, RESOLVED_FAILED);
	stage_free(s);
	assert_int_equal(h.count, RESOLVE_WAITERS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_known_apart_from_addresses),
		cmocka_unit_test(lists_without_their_shape_are_failures),
		cmocka_unit_test(kept_lists_have_a_bound),
		cmocka_unit_test(questions_for_one_name_share_one),
		cmocka_unit_test(answers_are_kept_for_their_time),
		cmocka_unit_test(a_question_without_answer_fails_in_time),
		cmocka_unit_test(the_clock_is_armed),
		cmocka_unit_test(misshapen_answers_are_failures),
		cmocka_unit_test(too_many_addresses_end_the_link),
		cmocka_unit_test(numbers_that_were_not_asked_are_ignored),
		cmocka_unit_test(a_dead_resolver_fails_all),
		cmocka_unit_test(asking_from_within_an_answer_works),
		cmocka_unit_test(names_without_measure_fail),
		cmocka_unit_test(questions_have_a_bound),
		cmocka_unit_test(the_oldest_answer_makes_room),
		cmocka_unit_test(waiters_have_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
