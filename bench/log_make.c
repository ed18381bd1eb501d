/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_make.c - a large audit log, quickly: for log.py
 *
 *	log_make FILE MEGABYTES		(FILE.key and FILE.key.pub are made beside it)
 *
 * A real chain, signed, of one session, but with a clock of its own. What tables are kept by is
 * more than any of them holds: as many hosts, programs, paths and alerts as it has room for.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "audit/key.h"
#include "audit/record.h"

#define START_US INT64_C(1767225600000000)	/* 2026-01-01 */
#define STEP_US 20000
#define FLUSH_BYTES (1u << 20)
#define CHECKPOINT_LINES 1000
#define HOSTS 200000
#define PROGRAMS 50000

struct maker {
	struct record	 r;
	struct key	 key;
	FILE		*to;
	uint64_t	 bytes, signed_at;
	int64_t		 now_us;
	struct audit_totals totals;
};

static int64_t tick(struct maker *m)
{
	return m->now_us += STEP_US;
}

static bool flush(struct maker *m)
{
	bool ok = !m->r.out.full && fwrite(m->r.out.at, 1, m->r.out.len, m->to) == m->r.out.len;

	m->bytes += m->r.out.len;
	buf_clear(&m->r.out);
	return ok;
}

static bool checkpoint(struct maker *m)
{
	char sig[SIG_HEX];

	if (!key_sign(&m->key, m->r.chain.prev, sig))
		return false;
	record_checkpoint(&m->r, m->key.public.id, sig);
	m->signed_at = m->r.chain.seq;
	return true;
}

static void add_allowed(struct maker *m, uint64_t n)
{
	const struct addr ips[2] = { addr_v4(0x17000007), addr_v4(0x17000008) };
	struct audit_rule rule = { "wide", "policy" };
	char host_text[64], path_text[1100];
	struct span host, path;

	snprintf(host_text, sizeof(host_text), "h%" PRIu64 ".d%" PRIu64 ".example.org", n % HOSTS, n % 977);
	snprintf(path_text, sizeof(path_text), "/v1/items/%" PRIu64 "/part-%" PRIu64 "?q=1", n, n % 31);
	host = span_str(host_text);
	path = span_str(path_text);
	if (n % 100 == 0) {	/* now and then a long one */
		memset(path_text + path.len, 'x', 900);
		path.len += 900;
	}
	record_dns_query(&m->r, tick(m), &(struct audit_dns){ .name = host, .type = 1, .verdict = ANSWER_ALLOW,
		.reason = REASON_ALLOWED, .rule = rule, .answer = &ips[0] });
	record_conn_open(&m->r, tick(m), &(struct audit_conn){ .conn = n, .host = host, .ips = ips,
		.ip_count = 2, .port = 443, .proto = "tls", .verdict = ANSWER_ALLOW,
		.reason = REASON_ALLOWED, .rule = rule, .has_sni = true, .sni = host, .alpn = SPAN("h2") });
	record_http(&m->r, tick(m), &(struct audit_http){ .conn = n, .host = host, .port = 443,
		.method = n % 7 ? SPAN("GET") : SPAN("POST"), .path = path, .status = 200,
		.verdict = ANSWER_ALLOW, .reason = REASON_ALLOWED, .rule = rule, .bytes_out = 400,
		.bytes_in = 9000 });
	record_conn_close(&m->r, tick(m), &(struct audit_close){ .conn = n, .host = host, .ip = &ips[0],
		.port = 443, .bytes_out = 900, .bytes_in = 12000, .duration_ms = 80, .end = "client" });
	m->totals.dns++;
	m->totals.connections++;
	m->totals.bytes_out += 900;
	m->totals.bytes_in += 12000;
}

static void add_denied(struct maker *m, uint64_t n)
{
	char host_text[64], exe_text[64];

	snprintf(host_text, sizeof(host_text), "x%" PRIu64 ".bad%" PRIu64 ".example.net", n, n % 13);
	snprintf(exe_text, sizeof(exe_text), "/tmp/build-%" PRIu64 "/bin/p", n % PROGRAMS);
	record_conn_open(&m->r, tick(m), &(struct audit_conn){ .conn = n, .host = span_str(host_text), .port = 443,
		.proto = "tcp", .verdict = ANSWER_DENY, .reason = REASON_NO_RULE,
		.process = { (int32_t)(n % 30000 + 2), span_str(exe_text) } });
	record_alert(&m->r, tick(m), &(struct audit_alert){ .kind = "host_diversity", .value = n,
		.threshold = 50, .message = SPAN("more hosts than are allowed") });
	m->totals.connections++;
	m->totals.denied++;
	m->totals.alerts++;
}

static bool make(struct maker *m, uint64_t bytes)
{
	const struct audit_start start = { .mode = MODE_FILTERED, .command = "bench",
					   .policy_sha256 = "", .version = "0" };

	record_session_start(&m->r, tick(m), &(struct record_start){ &start, m->key.public.id,
								     m->key.public.hex });
	for (uint64_t n = 1; m->bytes + m->r.out.len < bytes; n++) {
		if (n % 5)
			add_allowed(m, n);
		else
			add_denied(m, n);
		if (m->r.chain.seq - m->signed_at >= CHECKPOINT_LINES && !checkpoint(m))
			return false;
		if (m->r.out.len >= FLUSH_BYTES && !flush(m))
			return false;
	}
	record_session_end(&m->r, tick(m), 0, &m->totals);
	return checkpoint(m) && flush(m);
}

int main(int argc, char **argv)
{
	struct maker m = { .now_us = START_US };
	struct err err = { "" };
	char path[PATH_MAX];
	uint64_t megabytes;
	bool ok;

	if (argc != 3 || !span_u64(span_str(argv[2]), 100000, &megabytes))
		return 2;
	snprintf(path, sizeof(path), "%s.key", argv[1]);
	m.to = fopen(argv[1], "we");
	if (!m.to || !key_open(&m.key, path, &err) || !record_init(&m.r, "bench")) {
		fprintf(stderr, "log_make: %s\n", err.text[0] ? err.text : argv[1]);
		return 1;
	}
	ok = make(&m, megabytes * 1000000);
	ok = fclose(m.to) == 0 && ok;
	printf("%" PRIu64 " lines, %" PRIu64 " bytes\n", m.r.chain.seq, m.bytes);
	record_done(&m.r);
	key_done(&m.key);
	return !ok;
}
