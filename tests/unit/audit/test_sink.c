/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static unsigned count_in(const struct buf *b, const char *what)
{
	size_t len = strlen(what);
	unsigned count = 0;

	for (size_t i = 0; i + len <= b->len; i++)
		count += !memcmp(b->at + i, what, len);
	return count;
}

static void a_session_from_start_to_end(void **state)
{
	struct desk *p = *state;
	struct audit *a = desk_open(p, 0);
	struct verify_result r;
	struct stat st;

	desk_start(a);
	assert_true(audit_pending(a));
	assert_int_equal(audit_flush(a), 0);
	assert_false(audit_pending(a));
	desk_conn(a, 1, ANSWER_ALLOW);
	desk_conn(a, 2, ANSWER_DENY);
	audit_dns_query(a, &(struct audit_dns){ .name = SPAN("x"), .type = 1,
		.verdict = ANSWER_DENY, .reason = REASON_NO_RULE });
	audit_conn_close(a, &(struct audit_close){ .conn = 1, .end = "client", .bytes_out = 5,
		.bytes_in = 7 });
	/* nothing reaches the kernel before the flush */
	r = desk_verify(p->log);
	assert_int_equal(r.lines, 1);
	assert_int_equal(audit_flush(a), 0);
	r = desk_verify(p->log);
	assert_int_equal(r.lines, 5);
	assert_int_equal(audit_totals(a)->connections, 2);
	assert_int_equal(audit_totals(a)->denied, 2);
	assert_int_equal(audit_totals(a)->dns, 1);
	assert_int_equal(audit_totals(a)->bytes_out, 5);
	assert_int_equal(audit_totals(a)->bytes_in, 7);
	assert_int_equal(fstat(audit_fd(a), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), 0);
	r = desk_verify(p->log);
	assert_true(r.ok && r.complete);
	assert_int_equal(r.signed_lines, 7);
}

struct watcher {
	struct audit_totals totals;
	uint64_t	    requests, drops, reloads;
};

static void watch(void *arg, const struct audit_seen *e)
{
	struct watcher *w = arg;
	bool judged = e->kind == AUDIT_NAME || e->kind == AUDIT_OPEN || e->kind == AUDIT_REQUEST;

	w->totals.connections += e->kind == AUDIT_OPEN;
	w->totals.dns += e->kind == AUDIT_NAME;
	w->totals.denied += judged && e->verdict == ANSWER_DENY;
	w->totals.alerts += e->kind == AUDIT_ALERT;
	w->totals.bytes_out += e->bytes_out;
	w->totals.bytes_in += e->bytes_in;
	w->requests += e->kind == AUDIT_REQUEST;
	w->drops += e->count;
	w->reloads += e->kind == AUDIT_RELOAD;
}

/* Also what folds, what log.dns leaves out, and what a broken log could not take */
static void who_watches_sees_all_that_is_counted(void **state)
{
	struct desk *p = *state;
	struct watcher w = { .requests = 0 };
	struct audit *a = desk_open(p, 16384);

	audit_watch(a, watch, &w);
	audit_keep(a, &(struct policy_log){ .dns = false });
	desk_start(a);
	for (int i = 0; i < 500; i++)
		desk_conn(a, (uint64_t)i, i % 2 ? ANSWER_DENY : ANSWER_ALLOW);
	for (int i = 0; i < 70; i++)
		audit_dns_query(a, &(struct audit_dns){ .name = SPAN("x"), .type = 1,
			.verdict = i % 7 ? ANSWER_ALLOW : ANSWER_DENY, .reason = REASON_NO_RULE });
	audit_http_done(a, &(struct audit_http){ .host = SPAN("x"), .method = SPAN("GET"),
		.path = SPAN("/"), .verdict = ANSWER_DENY, .reason = REASON_METHOD });
	audit_conn_close(a, &(struct audit_close){ .conn = 1, .end = "client", .bytes_out = 5,
		.bytes_in = 7 });
	audit_packet_drop(a, &(struct audit_drop){ "icmp", addr_v4(1), 0, 3 });
	audit_alert(a, &(struct audit_alert){ "error_rate", 1, 2, SPAN("x") });
	audit_policy_reload(a, "00", true, NULL);
	assert_int_equal(audit_flush(a), -EFBIG);
	desk_conn(a, 999, ANSWER_DENY);
	assert_memory_equal(&w.totals, audit_totals(a), sizeof(w.totals));
	assert_int_equal(w.totals.connections, 501);
	assert_int_equal(w.totals.denied, 250 + 10 + 1 + 1);
	assert_int_equal(w.requests, 1);
	assert_int_equal(w.drops, 3);
	assert_int_equal(w.reloads, 1);
	audit_session_end(a, 0);
	audit_close(a);
}

static void the_size_is_that_of_the_file(void **state)
{
	struct desk *p = *state;
	struct audit *a;
	struct stat st;

	desk_session(p, 3);
	a = desk_open(p, 0);
	assert_int_equal(audit_size(a).lines, 0);	/* of this session */
	desk_start(a);
	assert_int_equal(audit_size(a).lines, 0);	/* nor before they are written */
	assert_int_equal(audit_flush(a), 0);
	desk_conn(a, 1, ANSWER_ALLOW);
	assert_int_equal(audit_flush(a), 0);
	assert_int_equal(audit_size(a).lines, 2);
	assert_int_equal(stat(p->log, &st), 0);
	assert_int_equal(audit_size(a).bytes, st.st_size);
	audit_session_end(a, 0);
	audit_close(a);
}

static void folders_are_private(void **state)
{
	struct desk *p = *state;
	char folder[96];
	struct stat st;

	desk_session(p, 1);
	snprintf(folder, sizeof(folder), "%s/audit", p->folder);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void every_thousand_events_are_signed(void **state)
{
	struct desk *p = *state;
	struct audit *a = desk_open(p, 0);
	struct verify_result r;

	desk_start(a);
	for (unsigned i = 1; i < 2500; i++)
		desk_conn(a, i, ANSWER_ALLOW);
	assert_int_equal(audit_flush(a), 0);
	r = desk_verify(p->log);
	assert_int_equal(r.lines, 2502);
	assert_int_equal(r.signed_lines, 2002);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), 0);
}

/* Ticks 10 s apart could leave an event unsigned for 20 s if each looked only back */
static void a_tick_signs_what_would_get_too_old(void **state)
{
	struct desk *p = *state;
	struct audit *a = desk_open(p, 0);

	desk_start(a);
	assert_int_equal(audit_tick(a), 0);
	assert_int_equal(desk_verify(p->log).lines, 1);
	assert_int_equal(desk_verify(p->log).signed_lines, 0);
	for (int i = 0; i < 2; i++) {
		usleep(10000);
		assert_int_equal(audit_tick(a), 0);
	}
	assert_int_equal(desk_verify(p->log).signed_lines, 0);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), 0);
	assert_int_equal(desk_verify(p->log).signed_lines, 3);
}

static void a_flood_of_denials_is_folded(void **state)
{
	struct desk *p = *state;
	struct audit *a = desk_open(p, 0);
	struct timespec now;
	struct buf log;

	desk_start(a);
	/* away from the end of a second, so that there are one or two of them */
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_nsec > 800000000)
		usleep(250000);
	for (unsigned i = 0; i < 5000; i++)
		desk_conn(a, i, ANSWER_DENY);
	desk_conn(a, 1, ANSWER_ALLOW);
	audit_session_end(a, 0);
	assert_int_equal(audit_totals(a)->denied, 5000);
	assert_int_equal(audit_close(a), 0);
	log = desk_read(p->log);
	assert_int_equal(count_in(&log, "\"verdict\":\"deny\""), 50);
	assert_int_equal(count_in(&log, "\"verdict\":\"allow\""), 1);
	assert_int_equal(count_in(&log, "\"event\":\"denials\",\"reason\":\"no_rule\","
				  "\"count\":4950,\"distinct\":1,\"sample\":[\"api.example\"]"), 1);
	assert_int_equal(count_in(&log, "\"denied\":5000"), 1);
	assert_true(desk_verify(p->log).complete);
	buf_done(&log);
}

static void a_log_is_continued(void **state)
{
	struct desk *p = *state;
	struct verify_result r;

	desk_session(p, 2);
	desk_session(p, 3);
	r = desk_verify(p->log);
	assert_string_equal(r.why, "");
	assert_true(r.complete);
	assert_int_equal(r.sessions, 2);
	assert_int_equal(r.lines, 5 + 6);
}

static void a_torn_end_is_cut_before_it_is_continued(void **state)
{
	struct desk *p = *state;
	struct verify_result r;
	struct stat st;

	desk_session(p, 2);
	assert_int_equal(stat(p->log, &st), 0);
	assert_int_equal(truncate(p->log, st.st_size - 10), 0);
	r = desk_verify(p->log);
	assert_true(r.ok && r.torn);
	desk_session(p, 1);
	r = desk_verify(p->log);
	assert_string_equal(r.why, "");
	assert_true(r.complete && !r.torn);
	assert_int_equal(r.lines, 4 + 4);
	assert_int_equal(r.signed_lines, r.lines);
}

static void check_refused(const char *path, const char *key, const char *why)
{
	struct err err = { 0 };

	assert_null(audit_open(&(struct audit_options){ .path = path, .key_path = key,
		.session = "s" }, &err));
	assert_non_null(strstr(err.text, why));
}

static void what_does_not_verify_is_not_continued(void **state)
{
	struct desk *p = *state;
	char other_key[160], path[160];
	struct buf log;

	desk_session(p, 2);
	snprintf(other_key, sizeof(other_key), "%s/other.key", p->folder);
	check_refused(p->log, other_key, "line 1: signed with another key");
	log = desk_read(p->log);
	log.at[200] ^= 1;
	desk_write(p->log, buf_span(&log));
	check_refused(p->log, p->key, "line 1: ");
	desk_write(p->log, SPAN("some other file\n"));
	check_refused(p->log, p->key, "line 1: not a line as sluice writes it");
	buf_done(&log);
	log = desk_read(p->log);
	assert_true(span_eq(buf_span(&log), SPAN("some other file\n")));	/* left alone */
	buf_done(&log);
	snprintf(path, sizeof(path), "%s/link", p->folder);
	assert_int_equal(symlink(p->log, path), 0);
	check_refused(path, p->key, "symbolic link");
	snprintf(path, sizeof(path), "%s/pipe", p->folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	check_refused(path, p->key, "not a regular file");
}

static void one_writer_at_a_time(void **state)
{
	struct desk *p = *state;
	struct audit *a = desk_open(p, 0);
	int status;

	check_refused(p->log, p->key, "another session");
	if (fork() == 0) {
		struct err err = { 0 };

		_exit(audit_open(&(struct audit_options){ .path = p->log, .key_path = p->key,
			.session = "s" }, &err) ? 1 : 0);
	}
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
	desk_start(a);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), 0);
	desk_session(p, 1);
	assert_true(desk_verify(p->log).complete);
}

static void a_full_device_breaks_it_for_ever(void **state)
{
	struct desk *p = *state;
	struct err err = { 0 };
	struct audit *a = audit_open(&(struct audit_options){ .path = "/dev/full",
		.key_path = p->key, .session = "s" }, &err);

	assert_non_null(a);
	desk_start(a);
	assert_int_equal(audit_flush(a), -ENOSPC);
	assert_int_equal(audit_flush(a), -ENOSPC);
	desk_conn(a, 1, ANSWER_ALLOW);
	assert_int_equal(audit_flush(a), -ENOSPC);
	assert_int_equal(audit_tick(a), -ENOSPC);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), -ENOSPC);
}

/* Flush until it breaks; the log that is left must verify and be complete */
static void check_until_broken(const struct desk *p, struct audit *a, int error)
{
	uint64_t good = 0;
	struct verify_result r;
	int got = 0;

	desk_start(a);
	for (unsigned i = 1; i < 100000 && !got; i += 3) {
		for (unsigned k = 0; k < 3; k++)
			desk_conn(a, i + k, ANSWER_ALLOW);
		got = audit_flush(a);
		good += got ? 0 : 3;
	}
	assert_int_equal(got, error);
	desk_conn(a, 1, ANSWER_ALLOW);
	assert_int_equal(audit_flush(a), error);
	assert_false(audit_pending(a));
	audit_session_end(a, 1);
	assert_int_equal(audit_close(a), error);
	r = desk_verify(p->log);
	assert_string_equal(r.why, "");
	assert_true(r.complete);
	assert_int_equal(r.lines, good + 3 + good / 1000);
}

static void log_max_is_a_bound_and_the_end_fits(void **state)
{
	struct desk *p = *state;
	struct stat st;

	check_until_broken(p, desk_open(p, 20000), -EFBIG);
	assert_int_equal(stat(p->log, &st), 0);
	assert_true(st.st_size <= 20000 && st.st_size > 14000);
	/* a full log is not continued: the first flush fails, and the file stays as it is */
	struct audit *a = desk_open(p, 20000);

	desk_start(a);
	assert_int_equal(audit_flush(a), -EFBIG);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), -EFBIG);
	assert_true(desk_verify(p->log).complete);
	assert_int_equal(desk_verify(p->log).sessions, 1);
}

static void a_file_size_limit_breaks_it(void **state)
{
	struct rlimit old, low;
	struct desk *p = *state;
	struct audit *a = desk_open(p, 0);
	struct verify_result r;
	int error = 0;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){ .rlim_cur = 5000, .rlim_max = old.rlim_max };
	desk_start(a);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	for (unsigned i = 1; i < 100 && !error; i++) {
		desk_conn(a, i, ANSWER_ALLOW);
		error = audit_flush(a);
	}
	/* half of the last line went in, then no more: it is cut away again */
	assert_int_equal(error, -EFBIG);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	r = desk_verify(p->log);
	assert_string_equal(r.why, "");
	assert_false(r.torn);
}

/* A real full disk: a tmpfs of 64 kB in a mount namespace of a child */
static void a_full_disk_breaks_it(void **state)
{
	struct desk *p = *state;
	struct err err = { 0 };
	int status;

	assert_true(make_parents(p->log, &err));
	if (fork() == 0) {
		char folder[96];

		snprintf(folder, sizeof(folder), "%s/audit", p->folder);
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("none", folder, "tmpfs", 0, "size=64k"))
			_exit(77);
		check_until_broken(p, desk_open(p, 0), -ENOSPC);
		_exit(0);
	}
	assert_true(wait(&status) > 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* One flush with more than the batch can hold: broken, not cut short silently */
static void a_batch_beyond_its_bound_breaks_it(void **state)
{
	struct desk *p = *state;
	struct audit *a = desk_open(p, 0);

	desk_start(a);
	for (unsigned i = 1; i < 20000; i++)
		desk_conn(a, i, ANSWER_ALLOW);
	assert_int_equal(audit_flush(a), -ENOBUFS);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), -ENOBUFS);
}

static void sync_writes_too(void **state)
{
	struct desk *p = *state;
	struct err err = { 0 };
	struct audit *a = audit_open(&(struct audit_options){ .path = p->log, .key_path = p->key,
		.session = "s", .sync = true }, &err);

	assert_non_null(a);
	desk_start(a);
	assert_int_equal(audit_flush(a), 0);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), 0);
	assert_true(desk_verify(p->log).complete);
}

/* Answers to what still waited when the session ended must not take effect */
static void outside_of_a_session_nothing_is_recorded(void **state)
{
	struct desk *p = *state;
	struct audit *a = desk_open(p, 0);

	assert_int_equal(audit_tick(a), 0);
	desk_conn(a, 1, ANSWER_ALLOW);
	assert_int_equal(audit_flush(a), -ESHUTDOWN);
	assert_int_equal(audit_close(a), 0);
	a = desk_open(p, 0);
	desk_start(a);
	audit_session_end(a, 0);
	assert_int_equal(audit_flush(a), 0);
	desk_conn(a, 1, ANSWER_ALLOW);
	assert_int_equal(audit_flush(a), -ESHUTDOWN);
	assert_int_equal(audit_tick(a), -ESHUTDOWN);
	assert_int_equal(audit_close(a), 0);
	assert_true(desk_verify(p->log).complete);
	assert_int_equal(desk_verify(p->log).lines, 3);
}

static void hostile_session_names(void **state)
{
	static const char *const names[] = { "", "a\"b\\c\n\x7f\xff", "\xe2\x80\xa8" };
	struct desk *p = *state;
	struct err err = { 0 };
	char longest[3000];

	memset(longest, 1, sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i <= ARRAY_SIZE(names); i++) {
		struct audit *a = audit_open(&(struct audit_options){ .path = p->log,
			.key_path = p->key, .session = i < ARRAY_SIZE(names) ? names[i] : longest },
			&err);

		assert_non_null(a);
		desk_start(a);
		audit_session_end(a, 0);
		assert_int_equal(audit_close(a), 0);
		assert_string_equal(desk_verify(p->log).why, "");
	}
}

int main(void)
{
#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, desk_make, desk_remove)
	const struct CMUnitTest tests[] = {
		AT_DESK(a_session_from_start_to_end),
		AT_DESK(who_watches_sees_all_that_is_counted),
		AT_DESK(the_size_is_that_of_the_file),
		AT_DESK(folders_are_private),
		AT_DESK(every_thousand_events_are_signed),
		AT_DESK(a_tick_signs_what_would_get_too_old),
		AT_DESK(a_flood_of_denials_is_folded),
		AT_DESK(a_log_is_continued),
		AT_DESK(a_torn_end_is_cut_before_it_is_continued),
		AT_DESK(what_does_not_verify_is_not_continued),
		AT_DESK(one_writer_at_a_time),
		AT_DESK(a_full_device_breaks_it_for_ever),
		AT_DESK(log_max_is_a_bound_and_the_end_fits),
		AT_DESK(a_file_size_limit_breaks_it),
		AT_DESK(a_full_disk_breaks_it),
		AT_DESK(a_batch_beyond_its_bound_breaks_it),
		AT_DESK(sync_writes_too),
		AT_DESK(outside_of_a_session_nothing_is_recorded),
		AT_DESK(hostile_session_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
