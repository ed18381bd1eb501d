/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - `sluice run`: jail a command */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/learn_file.h"
#include "cli/print.h"
#include "cli/question.h"
#include "cli/service.h"
#include "jail/program.h"

#define EXIT_DENIED 124		/* --fail-on-deny */

struct run {
	struct service		 service;
	struct option_list	 allow_unix;
	const char		*report;
	const char		*learn, *learn_full;
	struct learn_file	 learnt;
	bool			 dry_run, fail_on_deny;
	const char		*ask;		/* --ask: "" or a number of seconds; NULL */
	int64_t			 ask_ms;
	struct asker		 asker;
	char			 data[PATH_MAX], self[PATH_MAX], cwd[PATH_MAX];
	char			 config[PATH_MAX];
	char			*program[PROGRAM_NUM];
	const char		**read_only, **hidden;
	size_t			 read_only_count, hidden_count;
	size_t			 deciding_count;	/* the first of read_only: policies and the like */
	char			**env;
	char *const		*argv;
};

/* ---- the environment of the command ---- */

/* Proxies are what the jail replaces: a variable that names one would lead nowhere */
static bool is_proxy_variable(const char *entry)
{
	static const char *const names[] = {
		"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy", "rsync_proxy",
		"socks_proxy", "ws_proxy", "wss_proxy", "npm_config_proxy", "npm_config_http_proxy",
		"npm_config_https_proxy", "npm_config_noproxy", "cargo_http_proxy",
		"global_agent_http_proxy", "global_agent_https_proxy", "global_agent_no_proxy",
	};
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (len == strlen(names[i]) && !strncasecmp(entry, names[i], len))
			return true;
	return false;
}

static bool is_our_variable(const char *entry)
{
	return !strncmp(entry, "SLUICE=", 7) || !strncmp(entry, "SLUICE_SESSION=", 15);
}

static bool make_env(struct run *r, struct err *err)
{
	size_t count = 0, at = 0;

	while (environ[count])
		count++;
	r->env = calloc(count + 3, sizeof(*r->env));
	if (!r->env)
		return err_set(err, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (!is_proxy_variable(environ[i]) && !is_our_variable(environ[i]))
			r->env[at++] = secret_store_mask(&r->service.secrets, environ[i]);
	for (size_t i = 0; i < at; i++)
		if (!r->env[i])
			return err_set(err, "out of memory");
	r->env[at++] = strdup("SLUICE=1");
	if (asprintf(&r->env[at], "SLUICE_SESSION=%s", r->service.naming.name) < 0)
		return err_set(err, "out of memory");
	return true;
}

/* ---- what the jail may not touch ---- */

static void add_read_only(struct run *r, const char *path)
{
	r->read_only[r->read_only_count++] = path;
}

static bool add_programs(struct run *r, struct err *err)
{
	for (int i = 0; i < PROGRAM_NUM; i++) {
		if (asprintf(&r->program[i], "%s/%s", r->service.programs,
			     program_name((enum program)i)) < 0)
			return err_set(err, "out of memory");
		add_read_only(r, r->program[i]);
	}
	return true;
}

/* Files that decide are read-only; files that sluice writes are out of reach */
static bool make_protection(struct run *r, struct err *err)
{
	struct service *s = &r->service;
	ssize_t len = readlink("/proc/self/exe", r->self, sizeof(r->self) - 1);
	size_t secret_files = 0;

	if (len < 0)
		return err_sys(err, errno, "/proc/self/exe");
	r->self[len] = '\0';
	if (!folder_data(r->data, err) || !folder_config(r->config, err) ||
	    !folder_make(r->config, err) || !getcwd(r->cwd, sizeof(r->cwd)))
		return err_sys(err, errno, "cannot find sluice's folders");
	r->read_only = calloc(s->judged.file_count + s->judged.folder_count + PROGRAM_NUM + 3,
			      sizeof(*r->read_only));
	while (secret_store_file(&s->secrets, secret_files))
		secret_files++;
	r->hidden = calloc(secret_files + 5, sizeof(*r->hidden));
	if (!r->read_only || !r->hidden)
		return err_set(err, "out of memory");
	for (size_t i = 0; i < s->judged.file_count; i++)
		add_read_only(r, s->judged.files[i]);
	for (size_t i = 0; i < s->judged.folder_count; i++)
		add_read_only(r, s->judged.folders[i]);
	add_read_only(r, r->config);
	add_read_only(r, r->data);
	r->deciding_count = r->read_only_count;
	add_read_only(r, r->self);
	r->hidden[r->hidden_count++] = s->naming.state;
	r->hidden[r->hidden_count++] = s->run_folder;
	if (s->naming.log)
		r->hidden[r->hidden_count++] = s->naming.log_path;
	if (s->metrics.path[0])
		r->hidden[r->hidden_count++] = s->metrics.path;
	if (r->learnt.path[0])
		r->hidden[r->hidden_count++] = r->learnt.path;
	for (size_t i = 0; i < secret_files; i++)
		r->hidden[r->hidden_count++] = secret_store_file(&s->secrets, i);
	return add_programs(r, err);
}

/* Network sockets on 0 to 2 would be a way out that nobody judged */
static bool check_standard_fds(struct err *err)
{
	for (int fd = 0; fd <= 2; fd++) {
		socklen_t len = sizeof(int);
		int family;

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 && family != AF_UNIX) {
			signal(SIGPIPE, SIG_IGN);	/* it may be where errors go */
			return err_set(err, "descriptor %d is a network socket: the command would "
				       "inherit a way out (redirect it)", fd);
		}
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return err_set(err, "descriptor %d is closed and cannot be replaced", fd);
	}
	return true;
}

/* ---- inside another jail ---- */

/* Only loopback, under filters that a jail's shim has set: no way out but the outer gate's */
bool run_in_a_jail(void)
{
	char line[128];
	AUTO_FCLOSE FILE *status = fopen("/proc/self/status", "re");
	bool filtered = false, only_loopback = true;
	struct ifaddrs *all, *i;

	if (!getenv("SLUICE") || !status || getifaddrs(&all) < 0)
		return false;
	while (fgets(line, sizeof(line), status))
		if (!strcmp(line, "Seccomp:\t2\n"))
			filtered = true;
	for (i = all; i; i = i->ifa_next)
		only_loopback = only_loopback && !strcmp(i->ifa_name, "lo");
	freeifaddrs(all);
	return filtered && only_loopback;
}

static int run_inside(const struct run *r)
{
	if (!r->service.quiet)
		fprintf(stderr, "sluice: already in a jail: its policy holds, not this one%s\n",
			r->learn || r->learn_full ? ", and nothing is learnt" : "");
	execvp(r->argv[0], r->argv);
	fprintf(stderr, "sluice: %s: %s\n", r->argv[0], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

/* ---- the run ---- */

static void plan_fill(struct run *r, struct session_plan *p)
{
	struct jail_plan *jail = &p->jail;

	service_plan(&r->service, p);
	jail->argv = r->argv;
	jail->envp = r->env;
	jail->cwd = r->cwd;
	jail->protect_read = r->read_only;
	jail->protect_read_count = r->read_only_count;
	jail->protect_hide = r->hidden;
	jail->protect_hide_count = r->hidden_count;
	jail->allow_unix = (const char *const *)r->allow_unix.at;
	jail->allow_unix_count = r->allow_unix.count;
	p->terminal = r->asker.terminal;
	if (p->terminal) {
		jail->terminal = terminal_slave(p->terminal);
		p->questions = asker_changed;
		p->questions_arg = &r->asker;
	}
	p->ask_ms = r->ask_ms;
	if (r->service.watch) {
		p->reload.watch = r->read_only;
		p->reload.watch_count = r->deciding_count;
	}
}

static int finish(struct run *r)
{
	struct service *s = &r->service;
	const char *log = s->naming.log_path;

	/* The command had the terminal, and could hide what is said of it */
	if (r->report || r->learnt.path[0] || (!s->quiet && s->result.denied))
		print_afresh(stderr);
	if (!s->quiet)
		summary_print(&s->summary, stderr, SUMMARY_LINES);
	if (r->report && report_print(log, r->report[0] ? r->report : "text", stderr) != 0)
		fprintf(stderr, "sluice: %s: no report could be made of it\n", log);
	if (r->learnt.path[0] && !learn_file_write(&r->learnt, log) && s->result.exit_code == 0)
		return EXIT_SLUICE;
	if (s->result.exit_code == 0 && r->fail_on_deny && s->result.denied)
		return EXIT_DENIED;
	return s->result.exit_code;
}

/* What the jail cannot write may decide later as well */
static bool make_reread(struct run *r, struct err *err)
{
	if (!reread_begin(&r->service.reread, &r->service.judge, r->read_only, r->read_only_count, err))
		return false;
	for (size_t i = 0; i < r->hidden_count; i++)
		if (!reread_add(&r->service.reread, r->hidden[i], err))
			return false;
	return true;
}

/* What the command is told in its arguments it knows */
static bool check_arguments(const struct run *r, struct err *err)
{
	for (char *const *arg = r->argv; *arg; arg++) {
		const char *words = secret_store_shows(&r->service.secrets, *arg);

		if (words)
			return err_set(err, "argument %d of the command holds the value of ${%s} "
				       "(leave it out: inject puts it into requests)",
				       (int)(arg - r->argv), words);
	}
	return true;
}

/* A piece of a log gets its name while the command runs: that cannot be masked beforehand */
static bool check_rotation(const struct run *r, struct err *err)
{
	const struct service *s = &r->service;
	size_t state = strlen(s->naming.state);

	if (policy_settings(s->shared.policy).log.rotate_bytes == AMOUNT_NONE || !s->naming.log ||
	    (!strncmp(s->naming.log_path, s->naming.state, state) &&
	     s->naming.log_path[state] == '/'))
		return true;
	return err_set(err, "--log %s: with log.rotate its pieces would be in reach of the command "
		       "(leave --log out, or name a file below %s)", s->naming.log_path,
		       s->naming.state);
}

/* Learning is mode monitor; FILE is made, and must be none that decides now */
static bool prepare_learn(struct run *r, struct err *err)
{
	const struct service *s = &r->service;
	const char *path = r->learn_full ? r->learn_full : r->learn;
	struct stat st;

	if (!path || r->dry_run)
		return true;
	if (stat(s->naming.log_path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(err, "--learn: the log %s is no file that could be read again",
			       s->naming.log_path);
	if (!learn_file_open(&r->learnt, path, err))
		return false;
	for (size_t i = 0; i < s->judged.file_count; i++)
		if (!strcmp(s->judged.files[i], r->learnt.path))
			return err_set(err, "--learn %s: it is a policy of this very run (name another "
				       "file)", path);
	return true;
}

/* Without a terminal there is nobody to ask: as if it was not said */
static bool make_asker(struct run *r, struct err *err)
{
	if (!r->ask)
		return true;
	if (!ask_time_parse(r->ask, &r->ask_ms, err))
		return false;
	if (!r->dry_run)
		r->asker.terminal = terminal_open(err);
	if (err->text[0])
		return false;
	r->service.judge.ask = r->asker.terminal || r->dry_run;
	if (!r->service.judge.ask)
		fprintf(stderr, "sluice: --ask: no terminal: what no rule matches is denied\n");
	return true;
}

static bool prepare(struct run *r, struct err *err)
{
	const char *command = strrchr(r->argv[0], '/');

	if (!make_asker(r, err) || !check_standard_fds(err) ||
	    !service_judge(&r->service, command ? command + 1 : r->argv[0], err) ||
	    !check_arguments(r, err) || !service_share(&r->service, err) ||
	    !check_rotation(r, err) || !prepare_learn(r, err) ||
	    !make_protection(r, err) || !make_env(r, err) || !make_reread(r, err))
		return false;
	if (geteuid() == 0 && !r->service.quiet)
		fprintf(stderr, "sluice: running as root: the command can change this system's files\n");
	return true;
}

/* What the policy opens and closes, a rule a line, in the columns of the plan */
static void rules_print(const struct policy *p)
{
	struct policy_settings s = policy_settings(p);
	char text[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		struct rule_view v = policy_rule(p, i);

		printf("%-14s %s%s%s", v.allow ? "allowed" : "denied", v.list ? v.list : "",
		       v.list ? " " : "", v.host);
		for (size_t n = 0; n < v.port_count; n++) {
			printf("%s%u", n ? "," : ":", v.ports[n].first);
			if (v.ports[n].last != v.ports[n].first)
				printf("-%u", v.ports[n].last);
			printf("%s", v.ports[n].transport == TRANSPORT_UDP ? "/udp" : "");
		}
		printf("  (%s)\n", v.id);
	}
	if (s.upstream_proxy[0])
		printf("%-14s %s, with CONNECT; no UDP%s%s\n", "by proxy", s.upstream_proxy,
		       s.no_proxy[0] ? "; straight to " : "", s.no_proxy);
	for (size_t i = 0; i < s.host_port_count; i++)
		printf("%-14s localhost:%u in the jail is the host's 127.0.0.1:%u\n", "allowed",
		       s.host_ports[i].inside, s.host_ports[i].outside);
	for (size_t i = 0; i < s.publish_count; i++)
		printf("%-14s %s port %u of the host is port %u of the jail\n", "published",
		       addr_text(&s.publish[i].addr, text), s.publish[i].outside,
		       s.publish[i].inside);
}

static int run(struct run *r, struct err *err)
{
	struct service *s = &r->service;
	struct session_plan plan = { .policy_fd = -1 };

	plan_fill(r, &plan);
	if (r->dry_run) {
		rules_print(s->shared.policy);
		jail_plan_print(&plan.jail, stdout);
		return 0;
	}
	return session_run(&plan, &s->result, err) ? finish(r) : complain(err);
}

static void run_done(struct run *r)
{
	terminal_close(r->asker.terminal);
	for (size_t i = 0; r->env && r->env[i]; i++)
		free(r->env[i]);
	free(r->env);
	for (int i = 0; i < PROGRAM_NUM; i++)
		free(r->program[i]);
	free(r->read_only);
	free(r->hidden);
	learn_file_done(&r->learnt);
	service_done(&r->service);
}

int run_alone(char *policy_path, char *const *argv)
{
	char *policies[] = { policy_path, NULL };
	struct run r = { .argv = argv, .service = { .quiet = true,
			 .judge = { .policies = { policies, 1 }, .alone = true } } };
	struct err err = { "" };
	int code = prepare(&r, &err) ? run(&r, &err) : complain(&err);

	run_done(&r);
	return code;
}

static bool report_known(const char *format)
{
	static const char *const known[] = { "", "text", "json", "markdown", "html" };

	for (size_t i = 0; format && i < ARRAY_SIZE(known); i++)
		if (!strcmp(format, known[i]))
			return true;
	return !format;
}

/* What --learn means for the policy */
static bool check_learn(struct run *r, struct err *err)
{
	const char *mode = r->service.judge.mode;

	if (r->learn && r->learn_full)
		return err_set(err, "run: --learn and --learn=full do not go together");
	if (!r->learn && !r->learn_full)
		return true;
	if (mode && strcmp(mode, "monitor") != 0 && strcmp(mode, "bridge") != 0)
		return err_set(err, "run: --learn is mode monitor, and --mode %s is not", mode);
	if (r->learn_full && r->service.judge.no_inspect)
		return err_set(err, "run: --learn=full inspects TLS, and --no-inspect forbids it");
	r->service.judge.mode = "monitor";
	r->service.judge.inspect |= r->learn_full != NULL;
	return true;
}

int run_main(int argc, char **argv)
{
	struct run r = { .service.judge = { .secrets = &r.service.secrets, .proxy_variables = true } };
	const struct option rows[] = {
		JUDGE_OPTIONS(&r.service.judge),
		{ 0, "host-port", OPTION_LIST, "[JAIL:]PORT",
		  "localhost:JAIL in the jail reaches the host's 127.0.0.1:PORT; may repeat",
		  &r.service.judge.host_ports },
		{ 0, "publish", OPTION_LIST, "[ADDR:]PORT[:JAIL]",
		  "the host's 127.0.0.1:PORT (or ADDR) reaches a server in the jail; may repeat",
		  &r.service.judge.publishes },
		{ 0, "allow-unix", OPTION_LIST, "PATH",
		  "let the jail use this Unix socket of the host; may repeat", &r.allow_unix },
		{ 0, "dry-run", OPTION_FLAG, NULL,
		  "print what would be allowed, hidden, added; start nothing", &r.dry_run },
		{ 0, "fail-on-deny", OPTION_FLAG, NULL,
		  "exit 124 if the command succeeded but something was denied", &r.fail_on_deny },
		{ 'q', "quiet", OPTION_FLAG, NULL, "say nothing of denials at the end", &r.service.quiet },
		{ 0, "ask", OPTION_MAYBE, "SECONDS", "ask on the terminal for what no rule matches "
		  "(default 30 s, then deny)", &r.ask },
		{ 0, "watch", OPTION_FLAG, NULL,
		  "reload when a policy file changes (SIGHUP reloads always)", &r.service.watch },
		METRICS_OPTIONS(&r.service.metrics),
		{ 0, "learn=full", OPTION_TEXT, "FILE",
		  "as --learn, and inspect TLS: methods and paths are learnt too", &r.learn_full },
		{ 0, "learn", OPTION_TEXT, "FILE",
		  "mode monitor, and write the policy that would have allowed it", &r.learn },
		NAMING_OPTIONS(&r.service.naming),
		{ 0, "report", OPTION_MAYBE, "FORMAT", "print the report at the end, on stderr: "
		  "text | json | markdown | html", &r.report },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL },
	};
	struct err err = { "" };
	bool help = false;
	int rest, code;

	if (!options_parse(argc, argv, rows, &rest, &help, &err))
		return complain(&err);
	if (help)
		return command_help("run", rows);
	if (rest >= argc) {
		err_set(&err, "run: no COMMAND (sluice run [OPTIONS] [--] COMMAND [ARG...])");
		return complain(&err);
	}
	if (!check_learn(&r, &err))
		return complain(&err);
	if (!report_known(r.report)) {
		err_set(&err, "--report=%s: unknown format (text | json | markdown | html)", r.report);
		return complain(&err);
	}
	r.argv = argv + rest;
	r.service.secrets.dry = r.dry_run;
	if (run_in_a_jail())
		return run_inside(&r);
	code = prepare(&r, &err) ? run(&r, &err) : complain(&err);
	run_done(&r);
	return code;
}
