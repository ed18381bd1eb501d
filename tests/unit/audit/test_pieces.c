/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include <errno.h>

#define SMALL 2000	/* bytes: a few events */

static struct audit *open_rotating(const struct desk *p, uint64_t max)
{
	struct err err = { "" };
	struct audit *a = audit_open(&(struct audit_options){ .path = p->log, .key_path = p->key,
		.session = "s1", .max_bytes = max, .rotate_bytes = SMALL }, &err);

	assert_string_equal(err.text, "");
	return a;
}

static void write_session(const struct desk *p, unsigned events)
{
	struct audit *a = open_rotating(p, 0);

	desk_start(a);
	for (unsigned i = 1; i <= events; i++) {
		desk_conn(a, i, ANSWER_ALLOW);
		assert_int_equal(audit_flush(a), 0);
	}
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), 0);
}

static struct verify_result verify_all(const struct desk *p, unsigned *ret_pieces)
{
	struct verify_options o = { .strict = true };
	struct verify_result r;
	struct pieces pieces;

	assert_int_equal(pieces_open(&pieces, p->log, false), 0);
	verify_pieces(&pieces, &o, &r);
	*ret_pieces = pieces.index;
	pieces_close(&pieces);
	return r;
}

static const char *name_of(const struct desk *p, unsigned index)
{
	static char path[2][PATH_MAX];
	static int turn;

	turn = !turn;
	assert_true(piece_path(p->log, index, path[turn]));
	return path[turn];
}

static void a_chain_runs_through_all(void **state)
{
	struct desk *p = *state;
	struct verify_result r;
	unsigned pieces;

	write_session(p, 40);
	r = verify_all(p, &pieces);
	assert_string_equal(r.why, "");
	assert_true(r.ok && r.complete && r.sessions == 1 && pieces > 3);
	assert_int_equal(pieces_next(p->log), pieces);
	/* another session goes on in it */
	write_session(p, 5);
	r = verify_all(p, &pieces);
	assert_true(r.ok && r.complete && r.sessions == 2);
	/* each piece ends signed */
	assert_int_equal(rename(name_of(p, 1), p->log), 0);
	for (unsigned i = 2; i < pieces; i++)
		assert_int_equal(remove(name_of(p, i)), 0);
	r = desk_verify(p->log);
	assert_true(r.ok && r.signed_lines == r.lines && r.lines > 2);
}

static void what_is_lost_or_swapped_shows(void **state)
{
	struct desk *p = *state;
	unsigned pieces;

	write_session(p, 40);
	assert_int_equal(rename(name_of(p, 1), name_of(p, 90)), 0);
	assert_int_equal(rename(name_of(p, 2), name_of(p, 1)), 0);
	assert_int_equal(rename(name_of(p, 90), name_of(p, 2)), 0);
	assert_false(verify_all(p, &pieces).ok);
	assert_int_equal(rename(name_of(p, 1), name_of(p, 90)), 0);
	assert_int_equal(rename(name_of(p, 2), name_of(p, 1)), 0);
	assert_int_equal(rename(name_of(p, 90), name_of(p, 2)), 0);
	assert_true(verify_all(p, &pieces).ok);		/* the positive control */
	assert_int_equal(remove(name_of(p, 2)), 0);
	assert_false(verify_all(p, &pieces).ok);
}

static void max_is_of_all_together(void **state)
{
	struct desk *p = *state;
	struct audit *a = open_rotating(p, 20000);
	unsigned pieces, i = 0;
	struct verify_result r;
	int error = 0;

	desk_start(a);
	while (!error && ++i < 1000) {
		desk_conn(a, i, ANSWER_ALLOW);
		error = audit_flush(a);
	}
	assert_int_equal(error, -EFBIG);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), -EFBIG);
	r = verify_all(p, &pieces);
	assert_true(r.ok && r.complete && pieces > 3);
	/* and for who goes on in it */
	a = open_rotating(p, 20000);
	desk_start(a);
	desk_conn(a, 1, ANSWER_ALLOW);
	desk_conn(a, 2, ANSWER_ALLOW);
	desk_conn(a, 3, ANSWER_ALLOW);
	desk_conn(a, 4, ANSWER_ALLOW);
	desk_conn(a, 5, ANSWER_ALLOW);
	assert_int_equal(audit_flush(a), -EFBIG);
	audit_close(a);
}

/* A reader at the end when the log is turned over goes on in the next piece */
static void read_while_it_is_written(void **state)
{
	struct desk *p = *state;
	struct audit *a = open_rotating(p, 0);
	uint8_t bytes[512];
	struct pieces reader;
	size_t got = 0, whole = 0;
	struct stat st;
	unsigned count;
	ssize_t n;

	desk_start(a);
	assert_int_equal(audit_flush(a), 0);
	assert_int_equal(pieces_open(&reader, p->log, true), 0);
	for (unsigned i = 1; i <= 30; i++) {
		desk_conn(a, i, ANSWER_ALLOW);
		assert_int_equal(audit_flush(a), 0);
		while (i % 7 && (n = pieces_read(&reader, bytes, sizeof(bytes))) > 0)
			got += (size_t)n;
	}
	while ((n = pieces_read(&reader, bytes, sizeof(bytes))) > 0)
		got += (size_t)n;
	assert_int_equal(n, 0);
	count = pieces_next(p->log);
	assert_true(count > 3);
	for (unsigned i = 1; i < count; i++) {
		assert_int_equal(stat(name_of(p, i), &st), 0);
		whole += (size_t)st.st_size;
	}
	assert_int_equal(stat(p->log, &st), 0);
	assert_int_equal(got, whole + (size_t)st.st_size);
	assert_int_equal(reader.before, whole);
	pieces_close(&reader);
	audit_session_end(a, 0);
	audit_close(a);
}

/* A file in the way is not overwritten, and nothing is allowed that is not in the log */
static void what_cannot_be_rotated_breaks(void **state)
{
	struct desk *p = *state;
	struct audit *a = open_rotating(p, 0);
	char folder[128];
	int error = 0;

	snprintf(folder, sizeof(folder), "%s/audit", p->folder);
	desk_start(a);
	assert_int_equal(audit_flush(a), 0);
	assert_int_equal(rename(p->log, name_of(p, 7)), 0);
	for (unsigned i = 1; !error && i < 40; i++) {
		desk_conn(a, i, ANSWER_ALLOW);
		error = audit_flush(a);
	}
	assert_int_equal(error, -ENOENT);
	desk_conn(a, 99, ANSWER_ALLOW);
	assert_int_equal(audit_flush(a), -ENOENT);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), -ENOENT);
	assert_true(desk_verify(name_of(p, 7)).ok);
}

static void nothing_there(void **state)
{
	struct desk *p = *state;
	struct pieces pieces;

	assert_int_equal(pieces_open(&pieces, p->log, false), -ENOENT);
	assert_int_equal(pieces_open(&pieces, p->log, true), -ENOENT);
	assert_int_equal(pieces_next(p->log), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_chain_runs_through_all, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(what_is_lost_or_swapped_shows, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(max_is_of_all_together, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(read_while_it_is_written, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(what_cannot_be_rotated_breaks, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(nothing_there, desk_make, desk_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
