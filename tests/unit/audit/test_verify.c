/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

static const struct verify_options plain = { 0 };
static const struct verify_options strict = { .strict = true };

/* Index of the first byte of line @n (from 0) */
static size_t line_at(struct span s, unsigned n)
{
	size_t at = 0;

	while (n--)
		at += (size_t)span_find(span_skip(s, at), '\n') + 1;
	return at;
}

static struct span line_of(struct span s, unsigned n)
{
	size_t at = line_at(s, n);

	return span_of(s.at + at, line_at(s, n + 1) - at);
}

static struct buf small_log(const struct desk *p, unsigned conns)
{
	desk_session(p, conns);
	return desk_read(p->log);
}

static void check_bad(struct span log, uint64_t line, const char *why)
{
	struct verify_result r = desk_verify_span(log, &plain);

	assert_false(r.ok);
	assert_int_equal(r.bad_line, line);
	assert_non_null(strstr(r.why, why));
}

static void a_whole_log_is_proved(void **state)
{
	struct desk *p = *state;
	struct buf log = small_log(p, 3);
	struct verify_result r = desk_verify_span(buf_span(&log), &strict);
	struct verify_options o = { .head = r.head };

	assert_string_equal(r.why, "");
	assert_true(r.ok);
	assert_true(r.complete);
	assert_false(r.torn);
	assert_int_equal(r.lines, 6);		/* start, 3, end, checkpoint */
	assert_int_equal(r.signed_lines, 6);
	assert_int_equal(r.sessions, 1);
	assert_int_equal(r.end, log.len);
	assert_true(desk_verify_span(buf_span(&log), &o).ok);
	o.head = "00";
	r = desk_verify_span(buf_span(&log), &o);
	assert_false(r.ok);
	assert_non_null(strstr(r.why, "the head is"));
	buf_done(&log);
}

/* Lines put together anew from numbers of lines of the log, and what is found */
static void edited_missing_inserted_reordered(void **state)
{
	static const struct {
		unsigned order[8], count;
		uint64_t bad;
		const char *why;
	} cases[] = {
		{ { 0, 2, 3, 4, 5 }, 5, 2, "missing" },
		{ { 0, 1, 2, 4, 5 }, 5, 4, "missing" },
		{ { 0, 1, 1, 2, 3, 4, 5 }, 7, 3, "inserted" },
		{ { 0, 2, 1, 3, 4, 5 }, 6, 2, "missing" },
		{ { 0, 1, 2, 3, 4, 5, 5 }, 7, 7, "inserted" },
		{ { 1, 2, 3, 4, 5 }, 5, 1, "missing" },
		{ { 0, 1, 2, 3, 5 }, 5, 5, "missing" },
		{ { 0, 0 }, 2, 2, "inserted" },
	};
	struct buf log = small_log(*state, 3);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b = buf_new(1 << 20);

		for (unsigned k = 0; k < cases[i].count; k++)
			buf_add_span(&b, line_of(buf_span(&log), cases[i].order[k]));
		check_bad(buf_span(&b), cases[i].bad, cases[i].why);
		buf_done(&b);
	}
	/* an edit names the line that was edited */
	memcpy(strstr((char *)log.at + line_at(buf_span(&log), 2), "api.example"), "bad", 3);
	check_bad(buf_span(&log), 3, "was changed");
	buf_done(&log);
}

/*
 * Whoever edits a line can hash everything behind it anew: then the signature
 * tells.  Rewrites all prev fields so that the chain is whole again.
 */
static void rechain(struct buf *log, unsigned lines)
{
	for (unsigned i = 0; i + 1 < lines; i++) {
		struct span line = line_of(buf_span(log), i);
		size_t next_end = line_at(buf_span(log), i + 2);
		uint8_t hash[32];

		EVP_Digest(line.at, line.len - 1, hash, NULL, EVP_sha256(), NULL);
		hex_encode(hash, 32, (char *)log->at + next_end - 3 - HASH_HEX);
	}
}

static void a_chain_made_anew_has_no_signature(void **state)
{
	struct buf log = small_log(*state, 3);

	memcpy(strstr((char *)log.at, "api.example"), "bad", 3);
	rechain(&log, 6);
	check_bad(buf_span(&log), 6, "signature is bad");
	buf_done(&log);
}

/* Every bit of a complete log counts, those of the last line and newline too */
static void every_flipped_bit_is_found(void **state)
{
	struct buf log = small_log(*state, 1);

	for (size_t i = 0; i < log.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			log.at[i] = (uint8_t)(log.at[i] ^ 1u << bit);
			if (desk_verify_span(buf_span(&log), &plain).ok)
				fail_msg("byte %zu of %zu, bit %u", i, log.len, bit);
			log.at[i] = (uint8_t)(log.at[i] ^ 1u << bit);
		}
	}
	assert_true(desk_verify_span(buf_span(&log), &strict).ok);
	buf_done(&log);
}

/* Cut anywhere: never proved as complete, and what is whole still holds */
static void every_cut_is_seen(void **state)
{
	struct buf log = small_log(*state, 2);
	struct verify_result r;

	for (size_t len = 0; len < log.len; len++) {
		struct span cut = span_head(buf_span(&log), len);

		r = desk_verify_span(cut, &strict);
		assert_false(r.ok);
		r = desk_verify_span(cut, &plain);
		assert_int_equal(r.ok, r.lines > 0);
		assert_false(r.complete);
		assert_int_equal(r.torn, len > 0 && cut.at[len - 1] != '\n');
		if (r.ok && r.torn)
			assert_int_equal(cut.at[r.end - 1], '\n');
	}
	buf_done(&log);
}

static void unsigned_lines_are_counted(void **state)
{
	struct buf log = small_log(*state, 3);
	struct verify_result r;

	r = desk_verify_span(span_head(buf_span(&log), line_at(buf_span(&log), 4)), &plain);
	assert_true(r.ok);
	assert_int_equal(r.lines, 4);
	assert_int_equal(r.signed_lines, 0);
	assert_false(r.complete);
	buf_done(&log);
}

static void keys(void **state)
{
	struct desk *p = *state, *other;
	struct public_key both[2];
	struct verify_options o = { .keys = both, .key_count = 1 };
	struct err err = { 0 };
	struct buf log = small_log(p, 2);
	struct verify_result r;
	struct key mine, theirs;
	void *other_state;

	desk_make(&other_state);
	other = other_state;
	assert_true(key_open(&mine, p->key, &err));
	assert_true(key_open(&theirs, other->key, &err));
	both[0] = theirs.public;
	r = desk_verify_span(buf_span(&log), &o);
	assert_false(r.ok);
	assert_int_equal(r.bad_line, 1);
	assert_non_null(strstr(r.why, "another key"));
	both[1] = mine.public;
	o.key_count = 2;
	assert_true(desk_verify_span(buf_span(&log), &o).ok);
	buf_done(&log);
	key_done(&mine);
	key_done(&theirs);
	desk_remove(&other_state);
}

/* A session of another key in the middle: a forger's, unless the caller knows both */
static void a_change_of_keys(void **state)
{
	struct desk *p = *state;
	struct public_key both[2];
	struct verify_options o = { .keys = both, .key_count = 2 };
	struct verify_result r;
	struct err err = { 0 };
	struct key k;
	struct chain chain;
	struct record record;
	struct audit_start start = { .command = "x", .policy_sha256 = "", .version = "" };
	struct buf log = small_log(p, 1);
	char sig[SIG_HEX];

	r = desk_verify_span(buf_span(&log), &plain);
	assert_true(key_open(&k, p->key, &err));
	both[0] = k.public;
	key_done(&k);
	assert_int_equal(unlink(p->key), 0);
	assert_true(key_open(&k, p->key, &err));
	both[1] = k.public;
	chain = r.chain;
	assert_true(record_init(&record, "s2"));
	record_resume(&record, &chain);
	record_session_start(&record, 0, &(struct record_start){ &start, k.public.id,
								 k.public.hex });
	assert_true(key_sign(&k, record.chain.prev, sig));
	record_checkpoint(&record, k.public.id, sig);
	buf_add_span(&log, buf_span(&record.out));
	r = desk_verify_span(buf_span(&log), &o);
	assert_string_equal(r.why, "");
	assert_int_equal(r.sessions, 2);
	assert_false(r.complete);
	check_bad(buf_span(&log), 5, "another key");
	record_done(&record);
	key_done(&k);
	buf_done(&log);
}

/* @log with a checkpoint of a forger's behind it, as well chained as can be */
static void check_forged(struct span log, const char *key_id, const char *sig, const char *why)
{
	struct verify_result r = desk_verify_span(log, &plain);
	struct buf forged = buf_new(1 << 20);
	struct record record;

	assert_true(r.ok);
	assert_true(record_init(&record, "s1"));
	record_resume(&record, &r.chain);
	record_checkpoint(&record, key_id, sig);
	buf_add_span(&forged, log);
	buf_add_span(&forged, buf_span(&record.out));
	check_bad(buf_span(&forged), r.lines + 1, why);
	record_done(&record);
	buf_done(&forged);
}

/* A checkpoint where there was none: made up, a true one's repeated, with a key of one's own */
static void forged_checkpoints(void **state)
{
	struct desk *p = *state, *other;
	struct buf log = small_log(p, 3);
	struct span head = span_head(buf_span(&log), line_at(buf_span(&log), 3));
	struct verify_result r = desk_verify_span(head, &plain);
	const char *sig_at = strstr((char *)log.at, "\"sig\":\"") + strlen("\"sig\":\"");
	char zeros[SIG_HEX], sig[SIG_HEX], upper[SIG_HEX];
	struct public_key both[2];
	struct err err = { 0 };
	void *other_state;
	struct key mine, theirs;

	desk_make(&other_state);
	other = other_state;
	assert_true(key_open(&mine, p->key, &err));
	assert_true(key_open(&theirs, other->key, &err));
	memset(zeros, '0', sizeof(zeros));
	check_forged(head, mine.public.id, zeros, "signature is bad");
	check_forged(head, mine.public.id, sig_at, "signature is bad");
	assert_true(key_sign(&theirs, r.chain.prev, sig));
	check_forged(head, mine.public.id, sig, "signature is bad");
	check_forged(head, theirs.public.id, sig, "key_id is not that of the session's key");
	/* the true one would be taken, and only as it is written */
	assert_true(key_sign(&mine, r.chain.prev, sig));
	for (size_t i = 0; i < sizeof(sig); i++)
		upper[i] = (char)(sig[i] >= 'a' ? sig[i] - 'a' + 'A' : sig[i]);
	check_forged(head, mine.public.id, upper, "signature is bad");
	/* a second key that the caller believes signs sessions of its own, not this one */
	both[0] = mine.public;
	both[1] = theirs.public;
	{
		struct verify_options o = { .keys = both, .key_count = 2 };
		struct buf forged = buf_new(1 << 20);
		struct record record;

		assert_true(record_init(&record, "s1"));
		record_resume(&record, &r.chain);
		assert_true(key_sign(&theirs, r.chain.prev, sig));
		record_checkpoint(&record, theirs.public.id, sig);
		buf_add_span(&forged, head);
		buf_add_span(&forged, buf_span(&record.out));
		assert_false(desk_verify_span(buf_span(&forged), &o).ok);
		record_done(&record);
		buf_done(&forged);
	}
	key_done(&mine);
	key_done(&theirs);
	buf_done(&log);
	desk_remove(&other_state);
}

/* What a log alone cannot tell: that it is an old one, or another one.  The head does. */
static void an_old_or_another_log_is_known_by_the_head(void **state)
{
	struct desk *p = *state, other = *p;
	struct buf old = small_log(p, 3), now = small_log(p, 2), another;
	struct verify_result r = desk_verify_span(buf_span(&now), &strict);
	struct verify_options o = { .head = r.head, .strict = true };
	struct buf mixed = buf_new(1 << 20);

	assert_int_equal(r.sessions, 2);
	assert_true(desk_verify_span(buf_span(&now), &o).ok);
	assert_true(desk_verify_span(buf_span(&old), &strict).ok);
	r = desk_verify_span(buf_span(&old), &o);
	assert_false(r.ok);
	assert_non_null(strstr(r.why, "the head is"));
	/* a whole log of the same key in the place of this one */
	snprintf(other.log, sizeof(other.log), "%.90s-other", p->log);
	another = small_log(&other, 5);
	assert_true(desk_verify_span(buf_span(&another), &strict).ok);
	assert_false(desk_verify_span(buf_span(&another), &o).ok);
	/* its sessions the other way round, or those of both one after the other */
	buf_add_span(&mixed, span_skip(buf_span(&now), old.len));
	buf_add_span(&mixed, buf_span(&old));
	check_bad(buf_span(&mixed), 1, "missing");
	buf_clear(&mixed);
	buf_add_span(&mixed, buf_span(&old));
	buf_add_span(&mixed, buf_span(&another));
	check_bad(buf_span(&mixed), 7, "inserted");
	assert_int_equal(unlink(other.log), 0);
	buf_done(&mixed);
	buf_done(&another);
	buf_done(&now);
	buf_done(&old);
}

/* Lines behind the last signature can be made up; they are told apart, and strict refuses them */
static void what_is_not_signed_can_be_made_up(void **state)
{
	struct desk *p = *state;
	struct buf log = small_log(p, 3);
	struct span head = span_head(buf_span(&log), line_at(buf_span(&log), 4));
	struct verify_result r = desk_verify_span(head, &plain);
	struct buf made_up = buf_new(1 << 20);
	struct record record;

	assert_true(record_init(&record, "s1"));
	record_resume(&record, &r.chain);
	record_packet_drop(&record, 0, &(struct audit_drop){ .proto = "tcp" });
	record_session_end(&record, 0, 0, &(struct audit_totals){ 0 });
	buf_add_span(&made_up, head);
	buf_add_span(&made_up, buf_span(&record.out));
	r = desk_verify_span(buf_span(&made_up), &plain);
	assert_true(r.ok && !r.complete);
	assert_int_equal(r.lines, 6);
	assert_int_equal(r.signed_lines, 0);
	assert_false(desk_verify_span(buf_span(&made_up), &strict).ok);
	record_done(&record);
	buf_done(&made_up);
	buf_done(&log);
}

static void what_sluice_never_writes_is_refused(void **state)
{
#define Z "0000000000000000000000000000000000000000000000000000000000000000"
#define T "\"ts\":\"2026-01-01T00:00:00.000000Z\",\"session\":\"s\","
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "\n", "not a line" },
		{ "[]\n", "not a line" },
		{ "{}\n", "not a line" },
		{ "{\"v\":2,\"seq\":0," T "\"event\":\"x\",\"prev\":\"" Z "\"}\n", "not a line" },
		{ "{\"v\":1, \"seq\":0," T "\"event\":\"x\",\"prev\":\"" Z "\"}\n", "not a line" },
		{ "{\"v\":1,\"seq\":00," T "\"event\":\"x\",\"prev\":\"" Z "\"}\n", "not a line" },
		{ "{\"v\":1,\"seq\":0," T "\"event\":\"x\",\"prev\":\"" Z "\"} \n", "not a line" },
		{ "{\"v\":1,\"seq\":0," T "\"event\":\"x\",\"a\":1,\"a\":1,\"prev\":\"" Z "\"}\n",
		  "not a line" },
		{ "{\"v\":1,\"seq\":0," T "\"event\":\"x\",\"prev\":\"" Z "\"}\n",
		  "does not begin with session.start" },
		{ "{\"v\":1,\"seq\":0," T "\"event\":\"checkpoint\",\"prev\":\"" Z "\"}\n",
		  "does not begin with session.start" },
		{ "{\"v\":1,\"seq\":0," T "\"event\":\"session.start\",\"prev\":\"" Z "\"}\n",
		  "has no key" },
		{ "{\"v\":1,\"seq\":0," T "\"event\":\"session.start\",\"key_id\":\"00\",\"key\":\""
		  Z "\",\"prev\":\"" Z "\"}\n", "has no key" },
		{ "{\"v\":1,\"seq\":0," T "\"event\":\"session.start\",\"key_id\":{},\"key\":[],"
		  "\"prev\":\"" Z "\"}\n", "has no key" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_bad(span_str(cases[i].line), 1, cases[i].why);
}

static void nothing_may_follow_the_end(void **state)
{
	struct desk *p = *state;
	struct buf log = small_log(p, 1);
	struct verify_result r = desk_verify_span(buf_span(&log), &plain);
	struct record record;

	assert_true(record_init(&record, "s1"));
	record_resume(&record, &r.chain);
	record_packet_drop(&record, 0, &(struct audit_drop){ .proto = "tcp" });
	buf_add_span(&log, buf_span(&record.out));
	check_bad(buf_span(&log), 5, "follows the end");
	record_done(&record);
	assert_true(record_init(&record, "s2"));
	record_resume(&record, &r.chain);
	record_packet_drop(&record, 0, &(struct audit_drop){ .proto = "tcp" });
	log.len = (size_t)r.end;
	buf_add_span(&log, buf_span(&record.out));
	check_bad(buf_span(&log), 5, "another session");
	record_done(&record);
	buf_done(&log);
}

static void a_tail_that_is_no_beginning_is_refused(void **state)
{
	struct buf log = small_log(*state, 1);
	size_t len = log.len;

	buf_add_str(&log, "{\"v\":1,\"seq\":4,\"ts\":\"2026");
	assert_true(desk_verify_span(buf_span(&log), &plain).ok);
	log.len = len;
	buf_add_str(&log, "garbage");
	check_bad(buf_span(&log), 5, "no torn one");
	log.len = len;
	buf_add(&log, "", 1);
	check_bad(buf_span(&log), 5, "no torn one");
	log.len = len;
	for (int i = 0; i < RECORD_LINE_MAX; i++)
		buf_add_str(&log, "x");
	check_bad(buf_span(&log), 5, "longer than");
	buf_done(&log);
}

int main(void)
{
#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, desk_make, desk_remove)
	const struct CMUnitTest tests[] = {
		AT_DESK(a_whole_log_is_proved),
		AT_DESK(edited_missing_inserted_reordered),
		AT_DESK(a_chain_made_anew_has_no_signature),
		AT_DESK(every_flipped_bit_is_found),
		AT_DESK(every_cut_is_seen),
		AT_DESK(unsigned_lines_are_counted),
		AT_DESK(keys),
		AT_DESK(a_change_of_keys),
		AT_DESK(forged_checkpoints),
		AT_DESK(an_old_or_another_log_is_known_by_the_head),
		AT_DESK(what_is_not_signed_can_be_made_up),
		cmocka_unit_test(what_sluice_never_writes_is_refused),
		AT_DESK(nothing_may_follow_the_end),
		AT_DESK(a_tail_that_is_no_beginning_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
