/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's side: this is the courier, which meets the network and may say what it likes.
 * The wait at the end runs SPEED times as fast.
 */
#include "../unit.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/clock.h"

#define SPEED 50
#define clock_ms() (clock_ms() * SPEED)
#define poll(fds, count, wait) poll(fds, count, ((wait) + SPEED - 1) / SPEED)
#include "daemon/webhook.c"
#undef clock_ms
#undef poll

#include "desk.h"
#include "watch/shared.h"

#define URL "https://hook.example/in?token=hush"
#define SECRET "hush-key"

static struct desk d;
static struct webhook *w;
static int courier;
static const struct shared_counters *counters;
static char key_path[96], packet[COURIER_PACKET_MAX + 1], complained[1024];
static const struct audit_alert alert = { .kind = "error_rate", .value = 31, .threshold = 30,
					  .message = SPAN("31 % of answers\n\"\x1b[31m\xff") };

static void write_key(const char *text, mode_t mode)
{
	int fd = open(key_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int begin(void **state)
{
	struct err err = { "" };
	int fd;

	(void)state;
	desk_open(&d);
	assert_true(watched_start(&d.k, &err));
	fd = watched_share(&d.k, &err);
	counters = mmap(NULL, sizeof(*counters), PROT_READ, MAP_SHARED, fd, 0);
	assert_true(counters != MAP_FAILED);
	snprintf(key_path, sizeof(key_path), "%s/webhook.key", d.dir);
	write_key(SECRET "\n", 0600);
	w = webhook_new(&d.k, URL, key_path, &courier, &err);
	assert_non_null(w);
	return 0;
}

static int end(void **state)
{
	(void)state;
	webhook_free(w);
	DROP_FD(courier);
	unlink(key_path);
	munmap((void *)(uintptr_t)counters, sizeof(*counters));
	watched_free(&d.k);
	desk_done(&d);
	return 0;
}

/* Return: what is in the next packet, after its letter; NULL: there is none */
static const char *next(char letter)
{
	ssize_t n = recv(courier, packet, sizeof(packet) - 1, MSG_DONTWAIT);

	if (n <= 0)
		return NULL;
	packet[n] = '\0';
	assert_int_equal(packet[0], letter);
	return packet + 1;
}

static void say_counts(uint64_t sent, uint64_t lost)
{
	struct courier_count said = { sent, lost };

	assert_int_equal(send(courier, &said, sizeof(said), MSG_NOSIGNAL), sizeof(said));
	event_base_loop(d.k.loop, EVLOOP_NONBLOCK);
}

static void metrics_are(uint64_t sent, uint64_t lost)
{
	assert_int_equal(counters->counters.gauge[GAUGE_WEBHOOK_SENT], sent);
	assert_int_equal(counters->counters.gauge[GAUGE_WEBHOOK_LOST], lost);
}

/* What webhook_end() complains of */
static const char *end_it(void)
{
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	dup2(fds[1], STDERR_FILENO);
	webhook_end(w);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	n = read(fds[0], complained, sizeof(complained) - 1);
	complained[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	return complained;
}

static void what_the_courier_must_know_comes_first(void **state)
{
	(void)state;
	webhook_send(w, "s1", &alert);
	assert_string_equal(next(LETTER_ADDRESS), URL);
	assert_string_equal(next(LETTER_KEY), SECRET);
	assert_non_null(next(LETTER_ALERT));
	assert_null(next(0));
}

static void an_alert_is_json_of_one_line(void **state)
{
	const char *text;

	(void)state;
	next(LETTER_ADDRESS);
	next(LETTER_KEY);
	webhook_send(w, "s\"1", &alert);
	text = next(LETTER_ALERT);
	assert_non_null(text);
	assert_true(!strncmp(text, "{\"v\":1,\"ts\":\"20", 15));
	assert_non_null(strstr(text, "Z\",\"session\":\"s\\\"1\",\"event\":\"alert\",\"kind\":\"error_rate\","
			       "\"value\":31,\"threshold\":30,\"message\":\"31 % of answers\\n\\\""
			       "\\u001b[31m\\ufffd\"}"));
	for (const char *c = text; *c; c++)
		assert_true(*c >= ' ' && *c < 0x7f);
}

static void counts_are_published(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		webhook_send(w, "s", &alert);
	metrics_are(0, 0);
	say_counts(1, 0);
	metrics_are(1, 0);
	say_counts(3, 2);
	metrics_are(3, 2);
	assert_string_equal(end_it(), "sluice: webhook: 2 alerts did not arrive (the log has them)\n");
}

static void counts_that_cannot_be_are_not_believed(void **state)
{
	static const uint64_t lies[][2] = {
		{ 3, 0 }, { 0, 3 }, { 2, 1 }, { UINT64_MAX, 0 }, { 0, UINT64_MAX },
		{ UINT64_MAX, 3 }, { 2, UINT64_MAX },
	};

	(void)state;
	webhook_send(w, "s", &alert);
	webhook_send(w, "s", &alert);
	say_counts(1, 0);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		say_counts(lies[i][0], lies[i][1]);
		metrics_are(1, 0);
	}
}

static void a_courier_that_is_gone_loses_what_it_had(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		webhook_send(w, "s", &alert);
	say_counts(2, 1);
	DROP_FD(courier);
	event_base_loop(d.k.loop, EVLOOP_NONBLOCK);
	metrics_are(2, 3);
	/* and all that comes after */
	webhook_send(w, "s", &alert);
	metrics_are(2, 4);
	webhook_lost(w);
	metrics_are(2, 4);
	assert_string_equal(end_it(), "");
}

/* Packets of another length are no counts: who says that is not heard again */
static void a_courier_that_talks_nonsense_is_not_heard_again(void **state)
{
	(void)state;
	webhook_send(w, "s", &alert);
	assert_int_equal(send(courier, "x", 1, MSG_NOSIGNAL), 1);
	event_base_loop(d.k.loop, EVLOOP_NONBLOCK);
	metrics_are(0, 1);
	assert_true(send(courier, "x", 1, MSG_NOSIGNAL) < 0);
}

/* The keeper waits for nobody: what has no room is lost, and counted */
static void a_courier_that_does_not_read(void **state)
{
	uint64_t lost;

	(void)state;
	for (int i = 0; i < 5000; i++)
		webhook_send(w, "s", &alert);
	lost = counters->counters.gauge[GAUGE_WEBHOOK_LOST];
	assert_true(lost > 0 && lost < 5000);
	assert_null(strstr(end_it(), "hush"));
	assert_string_equal(complained, "sluice: webhook: 5000 alerts did not arrive (the log has them)\n");
}

static void the_end_waits_for_it_but_not_for_ever(void **state)
{
	int64_t start_ms = clock_ms(), took_ms;

	(void)state;
	webhook_send(w, "s", &alert);
	end_it();
	took_ms = (clock_ms() - start_ms) * SPEED;
	assert_true(took_ms >= COURIER_END_MS && took_ms < COURIER_END_MS + COURIER_LATE_MS + 1000 * SPEED);
	metrics_are(0, 1);
}

static void a_key_that_is_none(void **state)
{
	static char much[SECRET_MAX + 100];
	struct err err = { "" };
	int theirs = -1;

	(void)state;
	memset(much, 'x', sizeof(much) - 1);
	for (int i = 0; i < 3; i++) {
		write_key(i == 0 ? "\n" : i == 1 ? SECRET : much, i == 1 ? 0644 : 0600);
		err.text[0] = '\0';
		assert_null(webhook_new(&d.k, URL, key_path, &theirs, &err));
		assert_int_equal(theirs, -1);
		assert_non_null(strstr(err.text, "webhook.key: "));
		assert_null(strstr(err.text, "hush"));
		assert_null(strstr(err.text, "xxx"));
	}
}

static void a_key_is_made_if_there_is_none(void **state)
{
	struct err err = { "" };
	int theirs, kept = courier;
	char first[100];
	struct stat st;

	(void)state;
	unlink(key_path);
	for (int i = 0; i < 2; i++) {
		struct webhook *other = webhook_new(&d.k, URL, key_path, &theirs, &err);

		assert_non_null(other);
		courier = theirs;
		next(LETTER_ADDRESS);
		next(LETTER_KEY);
		assert_int_equal(strlen(packet), 65);
		if (i)
			assert_string_equal(packet, first);
		strcpy(first, packet);
		webhook_free(other);
		close(theirs);
	}
	courier = kept;
	assert_int_equal(stat(key_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(what_the_courier_must_know_comes_first), WITH(an_alert_is_json_of_one_line),
		WITH(counts_are_published), WITH(counts_that_cannot_be_are_not_believed),
		WITH(a_courier_that_is_gone_loses_what_it_had),
		WITH(a_courier_that_talks_nonsense_is_not_heard_again),
		WITH(a_courier_that_does_not_read), WITH(the_end_waits_for_it_but_not_for_ever),
		WITH(a_key_that_is_none), WITH(a_key_is_made_if_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
