/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_bench.c - how long the first certificate of a name takes
 *
 * Prints the median and the worst, in microseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proxy/certs.h"

#define NAMES 500

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	struct buf secret = buf_new(CERTS_SECRET_MAX), pem = buf_new(CERTS_PEM_MAX);
	const struct seed seed = { { 1, 2 } };
	double took[NAMES];
	struct certs *certs = NULL;

	if (certs_make_ca(time(NULL), &secret, &pem))
		certs = certs_open(buf_span(&secret), &seed);
	for (int i = 0; certs && i < NAMES; i++) {
		char name[32];
		double before = now_us();

		snprintf(name, sizeof(name), "n%d.example", i);
		if (!certs_leaf(certs, span_str(name), time(NULL)))
			return 1;
		took[i] = now_us() - before;
	}
	if (!certs)
		return 1;
	qsort(took, NAMES, sizeof(took[0]), compare);
	printf("%.0f %.0f\n", took[NAMES / 2], took[NAMES - 1]);
	certs_free(certs);
	buf_done(&secret);
	buf_done(&pem);
	return 0;
}
