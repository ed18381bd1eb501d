/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_bench.c - what a record costs
 *
 *	audit_bench FOLDER		(logs are made in it)
 *
 * Prints the time of a line in memory, and lines a second with a flush for each
 * 1, 16 and 64 of them.  Checkpoints are in it, fdatasync is not.
 */
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "audit/audit.h"

#define LINES 192000

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void add_conn(struct audit *a, uint64_t conn)
{
	const struct addr ips[2] = { addr_v4(0xcb007107), addr_v4(0xcb007108) };

	audit_conn_open(a, &(struct audit_conn){ .conn = conn, .host = SPAN("registry.npmjs.org"),
		.ips = ips, .ip_count = 2, .port = 443, .proto = "tls", .verdict = ANSWER_ALLOW,
		.reason = REASON_ALLOWED, .rule = { "preset:npm[0]", "flag" }, .has_sni = true,
		.sni = SPAN("registry.npmjs.org"), .alpn = SPAN("h2") });
}

static bool measure(const char *folder, unsigned batch)
{
	char path[PATH_MAX], key[PATH_MAX];
	struct err err = { 0 };
	double start, in_memory = 0, all;
	struct audit *a;

	snprintf(path, sizeof(path), "%s/bench-%u-%ld.jsonl", folder, batch, (long)getpid());
	snprintf(key, sizeof(key), "%s/bench.key", folder);
	a = audit_open(&(struct audit_options){ .path = path, .key_path = key,
		.session = "bench" }, &err);
	if (!a) {
		fprintf(stderr, "%s\n", err.text);
		return false;
	}
	audit_session_start(a, &(struct audit_start){ .command = "bench", .policy_sha256 = "",
		.version = "" });
	start = now_s();
	for (uint64_t i = 0; i < LINES / batch; i++) {
		double before = now_s();

		for (unsigned k = 0; k < batch; k++)
			add_conn(a, i);
		in_memory += now_s() - before;
		if (audit_flush(a))
			return false;
	}
	all = now_s() - start;
	printf("flush per %2u: %7.0f lines/s, %.2f us a line, of it %.2f us in memory\n", batch,
	       LINES / all, all / LINES * 1e6, in_memory / LINES * 1e6);
	audit_session_end(a, 0);
	unlink(path);
	return audit_close(a) == 0;
}

int main(int argc, char **argv)
{
	const unsigned batches[] = { 1, 16, 64 };

	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(batches); i++)
		if (!measure(argv[1], batches[i]))
			return 1;
	return argc == 2 ? 0 : 2;
}
