/* SPDX-License-Identifier: Apache-2.0 */
/* desk.h - a folder of its own for each test that writes logs, and logs in it */
#ifndef SLUICE_TESTS_AUDIT_DESK_H
#define SLUICE_TESTS_AUDIT_DESK_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "../unit.h"

#include "audit/verify.h"

struct desk {
	char folder[64];
	char log[128], key[128];
};

static inline int desk_make(void **state)
{
	struct desk *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->folder, "/tmp/sluice-audit-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->log, sizeof(p->log), "%s/audit/a.jsonl", p->folder);
	snprintf(p->key, sizeof(p->key), "%s/keys/audit.key", p->folder);
	*state = p;
	return 0;
}

static inline int desk_remove_one(const char *path, const struct stat *st, int flag,
				   struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline int desk_remove(void **state)
{
	struct desk *p = *state;

	nftw(p->folder, desk_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(p);
	return 0;
}

static inline struct audit *desk_open(const struct desk *p, uint64_t max_bytes)
{
	struct err err = { 0 };
	struct audit *a = audit_open(&(struct audit_options){ .path = p->log, .key_path = p->key,
		.session = "s1", .max_bytes = max_bytes }, &err);

	assert_string_equal(err.text, "");
	assert_non_null(a);
	return a;
}

static inline void desk_start(struct audit *a)
{
	audit_session_start(a, &(struct audit_start){ .mode = MODE_FILTERED, .command = "curl",
		.policy_sha256 = "00", .version = "0.1.0" });
}

static inline void desk_conn(struct audit *a, uint64_t conn, enum answer verdict)
{
	struct addr ip = addr_v4(0xcb007107);

	audit_conn_open(a, &(struct audit_conn){ .conn = conn, .host = SPAN("api.example"),
		.ips = &ip, .ip_count = 1, .port = 443, .proto = "tls", .verdict = verdict,
		.reason = verdict == ANSWER_ALLOW ? REASON_ALLOWED : REASON_NO_RULE });
}

/* A session of @conns connections, complete */
static inline void desk_session(const struct desk *p, unsigned conns)
{
	struct audit *a = desk_open(p, 0);

	desk_start(a);
	for (unsigned i = 1; i <= conns; i++)
		desk_conn(a, i, ANSWER_ALLOW);
	assert_int_equal(audit_flush(a), 0);
	audit_session_end(a, 0);
	assert_int_equal(audit_close(a), 0);
}

static inline struct buf desk_read(const char *path)
{
	struct buf b = buf_new(64 << 20);
	AUTO_CLOSE int fd = open(path, O_RDONLY);
	ssize_t got;

	assert_true(fd >= 0);
	do {
		assert_true(buf_reserve(&b, 65536));
		got = read(fd, b.at + b.len, 65536);
		assert_true(got >= 0);
		b.len += (size_t)got;
	} while (got);
	return b;
}

static inline void desk_write(const char *path, struct span s)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, s.at, s.len), (ssize_t)s.len);
}

/* A lines_read over a span */
static inline ssize_t desk_read_span(void *arg, void *dst, size_t len)
{
	struct span *left = arg, head = span_head(*left, len);

	if (head.len)
		memcpy(dst, head.at, head.len);
	*left = span_skip(*left, head.len);
	return (ssize_t)head.len;
}

static inline struct verify_result desk_verify_span(struct span s, const struct verify_options *o)
{
	struct verify_result r;

	verify_stream(desk_read_span, &s, o, &r);
	return r;
}

static inline struct verify_result desk_verify(const char *path)
{
	struct verify_options o = { 0 };
	struct buf b = desk_read(path);
	struct verify_result r = desk_verify_span(buf_span(&b), &o);

	buf_done(&b);
	return r;
}

#endif
