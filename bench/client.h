/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* What the command line asks for, and what was counted */
struct load {
	const char		*name, *port, *path;
	const char		*proxy_host, *proxy_port;
	enum { PROXY_NONE, PROXY_CONNECT, PROXY_GET } proxy;
	bool			 tls, keep, hold;
	size_t			 at_once, count;
	double			 seconds;		/* then nothing new is begun */
	struct sockaddr_storage	 to;
	socklen_t		 to_len;

	size_t			 started, done, failed;
	unsigned long long	 bytes;
	double			*times;			/* seconds a request, TIMES_MAX at most */
};

#define TIMES_MAX 1000000

double load_now(void);
_Noreturn void load_die(const char *what);
void load_look_up(struct load *l, const char *host, const char *port);

/* More may be begun: neither the count nor the time is used up */
bool load_more(const struct load *l, double begin);
/* One request is over */
void load_done(struct load *l, double since);

/* Each measure runs to its end */
void requests(struct load *l);
void idle(struct load *l);
void dns(struct load *l);

#endif
