/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy.c - `sluice proxy`: the same decisions for programs that can only be configured
 *
 * Nothing is jailed: a program that does not use the proxy is not stopped by it, and that
 * is said each time.  Variables are printed once it serves, in words that a shell reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/service.h"
#include "jail/trusted_ca.h"
#include "policy/proxy_url.h"

struct proxy_command {
	struct service		 service;
	const char		*at[LISTEN_NUM];
	struct listen_plan	 listen;
};

static const char *const kinds[LISTEN_NUM] = {
	[LISTEN_HTTP] = "http", [LISTEN_SOCKS] = "socks", [LISTEN_DNS] = "dns",
};

/* ---- where it listens ---- */

static bool listen_where(struct proxy_command *p, struct err *err)
{
	char text[LISTEN_TEXT_MAX];
	bool any = false;

	for (int i = 0; i < LISTEN_NUM; i++) {
		struct listen_at *at = &p->listen.at[i];

		if (!listen_parse(span_str(p->at[i]), at))
			return err_set(err, "--%s %s: not an address to listen on "
				       "(127.0.0.1:PORT, [::1]:PORT, :PORT, none)", kinds[i], p->at[i]);
		any |= at->on;
		if (at->on && !listen_is_loopback(&at->addr))
			fprintf(stderr, "sluice: --%s %s: not loopback: whoever reaches it may use "
				"it, without a password\n", kinds[i], listen_text(at, text));
	}
	return any || err_set(err, "proxy: nothing to listen on (--http, --socks, --dns)");
}

/* Through itself every connection would come back, without end */
static bool check_upstream(const struct proxy_command *p, const struct listen_at *at,
			   struct err *err)
{
	const char *text = policy_settings(p->service.shared.policy).upstream_proxy, *why;
	struct proxy_url u;

	if (!*text || !proxy_url_parse(span_str(text), &u, &why) || u.host[0])
		return true;
	for (int i = 0; i < LISTEN_NUM; i++)
		if (at[i].on && at[i].port == u.port && (addr_eq(&at[i].addr, &u.addr) ||
							listen_is_loopback(&u.addr)))
			return err_set(err, "upstream_proxy %s is this proxy itself (unset http_proxy "
				       "and the like, or upstream_proxy)", text);
	return true;
}

/* ---- the variables ---- */

/* A value that the shell takes as it is */
static void print_variable(const char *name, const char *value)
{
	printf("export %s='", name);
	for (; *value; value++) {
		if (*value == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*value);
	}
	puts("'");
}

/* Where a client on this machine finds it: an address that stands for all is none to connect to */
static struct listen_at as_client(const struct listen_at *at)
{
	static const struct addr any6;
	struct addr any4 = addr_v4(INADDR_ANY);
	struct listen_at to = *at;

	if (addr_eq(&to.addr, &any4) || addr_eq(&to.addr, &any6))
		to.addr = addr_v4(INADDR_LOOPBACK);
	return to;
}

static void print_proxy(const char *const *names, const char *scheme, const struct listen_at *at)
{
	struct listen_at to = as_client(at);
	char value[LISTEN_TEXT_MAX + 16], text[LISTEN_TEXT_MAX];

	snprintf(value, sizeof(value), "%s://%s", scheme, listen_text(&to, text));
	for (; *names; names++)
		print_variable(*names, value);
}

static void print_variables(const struct proxy_command *p, const struct listen_at *at)
{
	static const char *const http[] = { "http_proxy", "https_proxy", "HTTP_PROXY",
					    "HTTPS_PROXY", NULL };
	static const char *const all[] = { "all_proxy", "ALL_PROXY", NULL };
	struct listen_at dns = as_client(&at[LISTEN_DNS]);
	char text[LISTEN_TEXT_MAX];

	if (at[LISTEN_HTTP].on)
		print_proxy(http, "http", &at[LISTEN_HTTP]);
	if (at[LISTEN_SOCKS].on)
		print_proxy(all, "socks5h", &at[LISTEN_SOCKS]);
	else if (at[LISTEN_HTTP].on)
		print_proxy(all, "http", &at[LISTEN_HTTP]);
	print_variable("no_proxy", "localhost,127.0.0.1,::1");
	print_variable("NO_PROXY", "localhost,127.0.0.1,::1");
	for (size_t i = 0; p->service.ca_path[0] && trusted_ca_variable(i); i++)
		print_variable(trusted_ca_variable(i), p->service.ca_path);
	if (dns.on)
		printf("# DNS, over UDP and TCP: %s\n", listen_text(&dns, text));
}

static bool on_ready(void *arg, const struct listen_at *at, const char *ca, struct err *err)
{
	struct proxy_command *p = arg;

	if (!check_upstream(p, at, err) || (ca && !service_write_ca(&p->service, ca, 0600, err)))
		return false;
	fputs("sluice: proxy: cooperative, not enforcement: a program that does not use it goes "
	      "where it likes (sluice run holds what it runs)\n", stderr);
	print_variables(p, at);
	return fflush(stdout) == 0 || err_sys(err, errno, "standard output");
}

/* ---- the command ---- */

static int serve(struct proxy_command *p, struct err *err)
{
	struct session_plan plan = { .listen = &p->listen };

	if (!listen_where(p, err) || !service_prepare(&p->service, "proxy", err) ||
	    !check_upstream(p, p->listen.at, err))
		return complain(err);
	p->listen.ready = on_ready;
	p->listen.arg = p;
	service_plan(&p->service, &plan);
	plan.control.proxy = true;
	return service_run(&p->service, &plan, err);
}

int proxy_main(int argc, char **argv)
{
	static struct proxy_command p = {
		.service = { .judge = { .secrets = &p.service.secrets, .proxy_variables = true },
			     .secrets = { .anybody = true } },
		.at = { [LISTEN_HTTP] = "127.0.0.1:3128", [LISTEN_SOCKS] = "127.0.0.1:1080",
			[LISTEN_DNS] = "none" },
	};
	const struct option rows[] = {
		SERVICE_OPTIONS(&p.service),
		{ 0, "http", OPTION_TEXT, "ADDR", "listen for HTTP here (default 127.0.0.1:3128; none)",
		  &p.at[LISTEN_HTTP] },
		{ 0, "socks", OPTION_TEXT, "ADDR", "listen for SOCKS5 here (default 127.0.0.1:1080; none)",
		  &p.at[LISTEN_SOCKS] },
		{ 0, "dns", OPTION_TEXT, "ADDR", "listen for DNS here (default none)",
		  &p.at[LISTEN_DNS] },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL },
	};
	struct err err = { "" };
	int code;

	if (!command_alone(argc, argv, rows, "it takes no command (sluice run jails one)", &code))
		return code;
	code = serve(&p, &err);
	service_done(&p.service);
	return code;
}
