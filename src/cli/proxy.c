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

#include "cli/approved.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/judge.h"
#include "cli/listen.h"
#include "cli/naming.h"
#include "cli/print.h"
#include "cli/reread.h"
#include "daemon/session.h"
#include "jail/trusted_ca.h"
#include "policy/proxy_url.h"

#define SUMMARY_LINES 5		/* at the end, as run has it */

struct proxy_command {
	struct judge_options	 judge;
	struct judged		 judged;
	struct shared_policy	 shared;
	struct reread		 reread;
	struct secret_store	 secrets;
	struct naming		 naming;
	const char		*at[LISTEN_NUM];
	struct metrics_options	 metrics;
	bool			 quiet, watch;
	struct listen_plan	 listen;
	char			 root[PATH_MAX];	/* of the project, for approvals */
	const char		*control_folder;	/* NULL: no control socket */
	char			 programs[PATH_MAX], run_folder[PATH_MAX];
	char			 ca_path[PATH_MAX];	/* what clients shall trust; "": nothing */
	char *const		*argv;
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
	const char *text = policy_settings(p->shared.policy).upstream_proxy, *why;
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
	for (size_t i = 0; p->ca_path[0] && trusted_ca_variable(i); i++)
		print_variable(trusted_ca_variable(i), p->ca_path);
	if (dns.on)
		printf("# DNS, over UDP and TCP: %s\n", listen_text(&dns, text));
}

/* ---- the session's CA ---- */

/* The certificate alone, with what is trusted without it: its key is the gate's */
static bool write_ca(struct proxy_command *p, const char *pem, struct err *err)
{
	const char *bundle = trusted_ca_path();
	AUTO_FREE char *text = trusted_ca_text(bundle ? bundle : "/dev/null", pem, environ);
	AUTO_CLOSE int fd = -1;
	struct span left = span_str(text);

	if (!text)
		return err_set(err, "cannot write the session's CA: out of memory");
	if (!folder_run(p->run_folder, err) || !folder_make(p->run_folder, err) ||
	    snprintf(p->ca_path, PATH_MAX, "%s/%s-ca.pem", p->run_folder, p->naming.name) >= PATH_MAX)
		return err_set(err, "cannot write the session's CA: no folder for it");
	fd = open(p->ca_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_sys(err, errno, "%s", p->ca_path);
		p->ca_path[0] = '\0';
		return false;
	}
	while (left.len) {
		ssize_t n = write(fd, left.at, left.len);

		if (n <= 0)
			return err_sys(err, errno, "%s", p->ca_path);
		left = span_skip(left, (size_t)n);
	}
	return true;
}

static bool on_ready(void *arg, const struct listen_at *at, const char *ca, struct err *err)
{
	struct proxy_command *p = arg;

	if (!check_upstream(p, at, err) || (ca && !write_ca(p, ca, err)))
		return false;
	fputs("sluice: proxy: cooperative, not enforcement: a program that does not use it goes "
	      "where it likes (sluice run holds what it runs)\n", stderr);
	print_variables(p, at);
	return fflush(stdout) == 0 || err_sys(err, errno, "standard output");
}

/* ---- the command ---- */

static bool prepare(struct proxy_command *p, struct err *err)
{
	if (!listen_where(p, err) || !metrics_where(&p->metrics, err) || !judge(&p->judge, &p->judged, err) ||
	    !naming_words(&p->naming, "proxy", err) ||
	    !share_policy(TAKE(p->judged.policy), &p->shared, err) ||
	    !share_secrets(&p->judged.secrets, &p->shared, err) ||
	    !check_upstream(p, p->listen.at, err) || !naming_paths(&p->naming, err) ||
	    !folder_programs(p->programs, err) ||
	    !reread_begin(&p->reread, &p->judge, NULL, 0, err))
		return false;
	p->reread.all = true;
	if (!folder_run(p->run_folder, err) || !approved_root_here(p->root, err))
		return false;
	p->control_folder = control_folder_make(p->run_folder);
	policy_secrets_done(&p->judged.secrets);
	secret_store_guard(&p->secrets);
	if (policy_mode(p->shared.policy) == MODE_MONITOR)
		fprintf(stderr, "sluice: mode monitor: every public destination passes and is "
			"logged; only deny rules, the ceiling, limits and special addresses hold\n");
	return true;
}

static bool keep_always(void *arg, const struct approval_question *q, struct err *err)
{
	struct proxy_command *p = arg;

	return approved_add(p->root, q, err);
}

static void plan_fill(struct proxy_command *p, struct session_plan *plan)
{
	plan->listen = &p->listen;
	plan->policy_fd = p->shared.fd;
	plan->secrets_fd = p->shared.secrets;
	plan->jail = (struct jail_plan){
		.argv = p->argv, .policy = p->shared.policy, .session = p->naming.name,
	};
	plan->proxy_credentials = p->judged.proxy_credentials;
	plan->log_path = p->naming.log_path;
	memcpy(plan->copies, p->naming.copies, sizeof(plan->copies));
	plan->key_path = p->naming.key_path;
	plan->webhook = p->judged.webhook;
	plan->webhook_key = p->naming.webhook_key;
	plan->labels = p->naming.label;
	plan->label_count = p->naming.labels.count;
	plan->version = SLUICE_VERSION;
	plan->programs = p->programs;
	plan->metrics = p->metrics.plan;
	plan->alarm = (struct alarm_plan){ .quiet = p->quiet,
		.begin = print_colour(stderr, COLOUR_WAIT), .end = print_colour(stderr, COLOUR_PLAIN) };
	plan->keep_always = keep_always;
	plan->keep_arg = p;
	plan->control = (struct controlled_plan){ p->control_folder, p->naming.name, "proxy", true };
	plan->reload = (struct reload_source){ .load = reread_load, .arg = &p->reread };
	if (p->watch) {
		plan->reload.watch = (const char *const *)p->judged.files;
		plan->reload.watch_count = p->judged.file_count;
	}
}

static int serve(struct proxy_command *p, struct err *err)
{
	struct summary summary = { .count = 0 };
	struct session_plan plan = { .summary = &summary };
	struct session_result result;
	int code = EXIT_SLUICE;

	p->listen.ready = on_ready;
	p->listen.arg = p;
	plan_fill(p, &plan);
	if (session_run(&plan, &result, err)) {
		code = result.exit_code;
		if (!p->quiet)
			summary_print(&summary, stderr, SUMMARY_LINES);
	} else {
		code = complain(err);
	}
	if (p->ca_path[0])
		unlink(p->ca_path);
	summary_done(&summary);
	return code;
}

static void proxy_done(struct proxy_command *p)
{
	naming_done(&p->naming);
	share_done(&p->shared);
	reread_done(&p->reread);
	judge_done(&p->judged);
	secret_store_done(&p->secrets);
}

int proxy_main(int argc, char **argv)
{
	static struct proxy_command p = {
		.judge = { .secrets = &p.secrets, .proxy_variables = true },
		.secrets = { .anybody = true },
		.at = { [LISTEN_HTTP] = "127.0.0.1:3128", [LISTEN_SOCKS] = "127.0.0.1:1080",
			[LISTEN_DNS] = "none" },
	};
	const struct option rows[] = {
		JUDGE_OPTIONS(&p.judge),
		{ 0, "http", OPTION_TEXT, "ADDR", "listen for HTTP here (default 127.0.0.1:3128; none)",
		  &p.at[LISTEN_HTTP] },
		{ 0, "socks", OPTION_TEXT, "ADDR", "listen for SOCKS5 here (default 127.0.0.1:1080; none)",
		  &p.at[LISTEN_SOCKS] },
		{ 0, "dns", OPTION_TEXT, "ADDR", "listen for DNS here (default none)",
		  &p.at[LISTEN_DNS] },
		{ 'q', "quiet", OPTION_FLAG, NULL, "say nothing of denials at the end", &p.quiet },
		{ 0, "watch", OPTION_FLAG, NULL,
		  "reload when a policy file changes (SIGHUP reloads always)", &p.watch },
		METRICS_OPTIONS(&p.metrics),
		NAMING_OPTIONS(&p.naming),
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL },
	};
	struct err err = { "" };
	bool help = false;
	int rest, code;

	if (!options_parse(argc, argv, rows, &rest, &help, &err))
		return complain(&err);
	if (help)
		return command_help("proxy", rows);
	if (rest < argc) {
		err_set(&err, "proxy: %s: it takes no command (sluice run jails one)", argv[rest]);
		return complain(&err);
	}
	p.argv = argv;
	code = prepare(&p, &err) ? serve(&p, &err) : complain(&err);
	proxy_done(&p);
	return code;
}
