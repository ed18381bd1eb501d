/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - load for bench/: one event loop, one measure a run
 *
 *	client fresh [OPTIONS] NAME PORT	a connection a request
 *	client keep  [OPTIONS] NAME PORT	requests on kept-alive connections
 *	client idle  [OPTIONS] NAME PORT	open -n connections, hold until a line on stdin
 *	client dns   [OPTIONS] SERVER NAME	A queries over UDP
 *
 *	-d SECONDS	end after this time (1); what is under way then does not count
 *	-n COUNT	or after so many
 *	-w COUNT	in flight at once (1)
 *	-f PATH		ask for this (/small)
 *	-t		TLS
 *	-a HOST:PORT	connect there instead
 *	-c HOST:PORT	through a proxy, by CONNECT
 *	-g HOST:PORT	through a proxy, by GET http://NAME/
 *
 * Prints one JSON object: count, failed, seconds, bytes, and the times of single
 * requests in microseconds (p50, p99, max).
 */
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

double load_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

_Noreturn void load_die(const char *what)
{
	perror(what);
	exit(1);
}

void load_look_up(struct load *l, const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_INET }, *found;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		load_die(host);
	memcpy(&l->to, found->ai_addr, found->ai_addrlen);
	l->to_len = found->ai_addrlen;
	freeaddrinfo(found);
}

bool load_more(const struct load *l, double begin)
{
	return l->started < l->count && load_now() - begin < l->seconds;
}

void load_done(struct load *l, double since)
{
	if (l->done < TIMES_MAX)
		l->times[l->done] = load_now() - since;
	l->done++;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(struct load *l, double seconds)
{
	size_t n = l->done < TIMES_MAX ? l->done : TIMES_MAX;

	qsort(l->times, n, sizeof(double), compare);
	n = n ? n : 1;
	printf("{\"count\":%zu,\"failed\":%zu,\"seconds\":%.6f,\"bytes\":%llu,"
	       "\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}\n",
	       l->done, l->failed, seconds, l->bytes, l->times[n / 2] * 1e6,
	       l->times[n * 99 / 100] * 1e6, l->times[n - 1] * 1e6);
}

static void split_proxy(struct load *l, char *text)
{
	char *colon = strrchr(text, ':');

	if (!colon)
		load_die(text);
	*colon = '\0';
	l->proxy_host = text;
	l->proxy_port = colon + 1;
}

static void options(struct load *l, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "d:n:w:f:ta:c:g:")) != -1) {
		switch (c) {
		case 'd': l->seconds = strtod(optarg, NULL); break;
		case 'n': l->count = strtoul(optarg, NULL, 10); break;
		case 'w': l->at_once = strtoul(optarg, NULL, 10); break;
		case 'f': l->path = optarg; break;
		case 't': l->tls = true; break;
		case 'a': split_proxy(l, optarg); break;
		case 'c': l->proxy = PROXY_CONNECT; split_proxy(l, optarg); break;
		case 'g': l->proxy = PROXY_GET; split_proxy(l, optarg); break;
		default: exit(2);
		}
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: see the top of bench/client.c\n");
		exit(2);
	}
	l->name = argv[optind];
	l->port = argv[optind + 1];
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct load *l);
	} measures[] = {
		{ "fresh", requests }, { "keep", requests }, { "idle", idle }, { "dns", dns },
	};
	struct rlimit files = { 20000, 20000 };
	struct load l = { .path = "/small", .at_once = 1, .count = SIZE_MAX, .seconds = 1 };

	options(&l, argc - (argc > 1), argv + (argc > 1));
	l.keep = !strcmp(argv[1], "keep");
	l.times = calloc(TIMES_MAX + 1, sizeof(double));
	if (!l.times)
		load_die("memory");
	setrlimit(RLIMIT_NOFILE, &files);
	for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
		double begin;

		if (strcmp(measures[i].name, argv[1]))
			continue;
		if (measures[i].run == dns)
			load_look_up(&l, l.name, "53");
		else if (l.proxy_host)
			load_look_up(&l, l.proxy_host, l.proxy_port);
		else
			load_look_up(&l, l.name, l.port);
		begin = load_now();
		measures[i].run(&l);
		print(&l, load_now() - begin);
		return 0;
	}
	return 2;
}
