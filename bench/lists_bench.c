/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists_bench.c - what large deny lists cost: to load, to hold, to ask
 *
 *	lists_bench HOSTS [NETS]
 *
 * Loads a policy with both lists, as every command does but for the reading of
 * its own files, and then asks policy_decide() for each 16th name of HOSTS, for
 * that name with another first letter, and for an address; each question is
 * timed for itself.  Prints one JSON object.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "policy/load.h"

#define QUESTIONS_MAX 400000
#define STRIDE 16

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static ptrdiff_t list_read(void *arg, const char *path, enum layer layer, uint64_t at,
			   void *ret_bytes, size_t room)
{
	int *fd = arg;

	(void)layer;
	if (at == 0) {
		DROP_FD(*fd);
		*fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return read(*fd, ret_bytes, room);
}

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct policy *load(const char *hosts, const char *nets, double *ret_s)
{
	char text[10000];
	struct policy_file file = { LAYER_POLICY, "bench.yaml", { 0 } };
	struct err err = { "" };
	int fd = -1;
	struct policy_input in = { .files = &file, .file_count = 1, .list_read = list_read,
				   .arg = &fd };
	uint64_t begin = now_ns();
	struct policy *p;

	snprintf(text, sizeof(text), "version: 1\nallow: [{host: .allowed.example}, "
		 "{ip: 0.0.0.0/1, ports: [443]}]\ndeny:\n- host_list: %s\n%s%s\n", hosts,
		 nets ? "- ip_list: " : "", nets ? nets : "");
	file.text = span_str(text);
	p = policy_load(&in, &err);
	*ret_s = (double)(now_ns() - begin) / 1e9;
	DROP_FD(fd);
	if (!p)
		fprintf(stderr, "lists_bench: %s\n", err.text);
	return p;
}

static long peak_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[200];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static uint32_t times[QUESTIONS_MAX];
static unsigned count, denied;

static void take(const struct policy *p, const struct question *q)
{
	uint64_t begin = now_ns();
	struct verdict v = policy_decide(p, q);

	if (count < QUESTIONS_MAX)
		times[count++] = (uint32_t)(now_ns() - begin);
	denied += v.reason == REASON_HOST_LIST || v.reason == REASON_IP_LIST;
}

static void ask_all(const struct policy *p, const char *hosts)
{
	FILE *f = fopen(hosts, "re");
	char line[400], name[HOST_MAX + 1];
	struct question q = { .about = ABOUT_CONN, .port = 443 };
	uint32_t address = 0x01000000;

	for (unsigned i = 0; f && fgets(line, sizeof(line), f); i++) {
		line[strcspn(line, "\r\n")] = '\0';
		if (i % STRIDE || !host_normal(span_str(line), name))
			continue;
		q.host = span_str(name);
		take(p, &q);
		name[0] = name[0] == 'q' ? 'z' : 'q';
		take(p, &q);
		q.host = (struct span){ 0 };
		address += 0x9e3779b9;
		q.addr = addr_v4(address & 0x7fffffff);
		take(p, &q);
	}
	if (f)
		fclose(f);
}

static int order(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

int main(int argc, char **argv)
{
	struct policy *p;
	double load_s;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: lists_bench HOSTS [NETS]\n");
		return 2;
	}
	p = load(argv[1], argv[2], &load_s);
	if (!p)
		return 1;
	printf("{\"load_s\": %.3f, \"cpu_s\": %.3f, \"peak_kib\": %ld, \"image_kib\": %zu, ", load_s, cpu_s(),
	       peak_kib(),
	       policy_image(p).len / 1024);
	ask_all(p, argv[1]);
	qsort(times, count, sizeof(*times), order);
	if (count)
		printf("\"questions\": %u, \"denied\": %u, \"median_ns\": %u, \"p99_ns\": %u}\n", count,
		       denied, times[count / 2], times[count / 100 * 99]);
	policy_free(p);
	return count ? 0 : 1;
}
