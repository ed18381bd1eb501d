/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selftest.c - `sluice selftest`: try to escape; print a table
 *
 * Two children, one after the other, make the same attempts: the first as it
 * is, the second through `run`, in a jail like any other.  Both report on a
 * pipe; this process holds the targets and believes them more than the reports.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/print.h"
#include "cli/selftest.h"

#define PLACE_LIMIT_S 120	/* for all attempts of one place */
#define LEFT_MS 300		/* for what is still on its way when the reports end */
#define LEFT_MAX 1000		/* messages: somebody else may talk to the targets for ever */
#define JSON_MAX (256u << 10)

enum report { REPORT_NONE, REPORT_NO, REPORT_WORKED };

struct selftest {
	struct aim	 aim;
	struct targets	 targets;
	enum report	 reports[PLACE_NUM][SELFTEST_MAX];
	int		 leak;		/* a connected socket that children inherit */
	unsigned	 held, out, failed;
};

/* ---- before ---- */

static bool make_token(struct aim *aim, struct err *err)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(err, "no random numbers");
	snprintf(aim->token, sizeof(aim->token), "%016llx", (unsigned long long)random);
	return true;
}

/* FOLDER/policy/policy.yaml: a file that decides, in a folder that the user may rename */
static bool make_policy(struct aim *aim, struct err *err)
{
	char folder[SELFTEST_FOLDER + 8];
	AUTO_FCLOSE FILE *f = NULL;

	snprintf(folder, sizeof(folder), "%s/policy", aim->folder);
	snprintf(aim->policy, sizeof(aim->policy), "%s/policy.yaml", folder);
	if (mkdir(folder, 0700) < 0)
		return err_sys(err, errno, "%s", folder);
	f = fopen(aim->policy, "wxe");
	if (!f || fprintf(f, "version: 1\nmode: filtered\nhost_ports: [%u]\n", aim->host_port) < 0 ||
	    fflush(f))
		return err_sys(err, errno, "%s", aim->policy);
	return true;
}

static bool make_folder(struct aim *aim, struct err *err)
{
	static const char pattern[] = "/tmp/sluice-selftest-XXXXXX";
	char path[sizeof(pattern)];

	memcpy(path, pattern, sizeof(pattern));
	if (!mkdtemp(path))
		return err_sys(err, errno, "/tmp: cannot make a folder");
	memcpy(aim->folder, path, sizeof(path));
	return true;
}

static bool find_files(struct aim *aim, struct err *err)
{
	return folder_config(aim->config, err) && folder_state(aim->state, err) &&
	       folder_data(aim->data, err) && folder_programs(aim->programs, err) &&
	       (realpath("/proc/self/exe", aim->self) || err_sys(err, errno, "/proc/self/exe"));
}

/* A network socket above 2, open across exec: what the jail must not inherit */
static bool make_leak(struct selftest *s, struct err *err)
{
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(&s->aim.spot[SPOT_LOOP4].addr,
					 s->aim.spot[SPOT_LOOP4].udp, &sa);

	s->leak = socket(sa.sin6_family, SOCK_DGRAM, 0);
	return (s->leak > STDERR_FILENO && !connect(s->leak, (struct sockaddr *)&sa, len)) ||
	       err_sys(err, errno, "cannot make a socket to leak");
}

/* ---- one place ---- */

static void child_outside(const struct aim *aim)
{
	AUTO_FCLOSE FILE *to = fdopen(STDOUT_FILENO, "w");

	if (to)
		selftest_perform(aim, to);
}

static int child_inside(struct aim *aim)
{
	char *argv[] = { aim->self, (char[]){ "role-selftest" }, NULL };
	int in[2];

	/* The aim fits into a pipe, which holds 64 KiB */
	if (pipe2(in, O_CLOEXEC) < 0 || write(in[1], aim, sizeof(*aim)) != sizeof(*aim) ||
	    dup2(in[0], STDIN_FILENO) < 0)
		return EXIT_SLUICE;
	close(in[1]);
	return run_alone(aim->policy, argv);
}

/* Return: the child, whose reports come from *@ret_reports */
static pid_t start_place(struct selftest *s, enum place place, int *ret_reports)
{
	int reports[2];
	pid_t pid;

	s->aim.place = place;
	if (pipe2(reports, O_CLOEXEC) < 0)
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int code = 0;

		dup2(reports[1], STDOUT_FILENO);
		if (place == PLACE_OUTSIDE)
			child_outside(&s->aim);
		else
			code = child_inside(&s->aim);
		_exit(code);
	}
	close(reports[1]);
	*ret_reports = reports[0];
	return pid;
}

static void take_report(struct selftest *s, enum place place, const char *line, struct err *err)
{
	unsigned number, worked;

	if (!strcmp(line, "ready"))
		targets_open_late(&s->targets, &s->aim, err);
	if (sscanf(line, "%u %u", &number, &worked) == 2 && number < SELFTEST_MAX && worked < 2)
		s->reports[place][number] = worked ? REPORT_WORKED : REPORT_NO;
}

/* Serve the targets until the reports end.  Return: false if they do not */
static bool hear(struct selftest *s, enum place place, int reports, struct err *err)
{
	AUTO_FCLOSE FILE *from = fdopen(reports, "r");
	time_t end = time(NULL) + PLACE_LIMIT_S;
	char line[64];
	size_t at = 0;
	ssize_t n = 1;

	if (!from || fcntl(reports, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(err, errno, "cannot hear the reports");
	while (time(NULL) < end) {
		targets_serve(&s->targets, reports, 1000);
		while ((n = read(reports, line + at, 1)) == 1) {
			if (line[at] != '\n') {
				at += at < sizeof(line) - 1;
				continue;
			}
			line[at] = '\0';
			at = 0;
			take_report(s, place, line, err);
		}
		if (n == 0)
			return true;
	}
	return err_set(err, "the attempts take longer than %d s", PLACE_LIMIT_S);
}

static bool try_place(struct selftest *s, enum place place, struct err *err)
{
	int reports, status = 0;
	pid_t pid = start_place(s, place, &reports);
	bool ok;

	if (pid < 0)
		return err_sys(err, errno, "cannot start a process");
	ok = hear(s, place, reports, err);
	for (int i = 0; i < LEFT_MAX && targets_serve(&s->targets, -1, LEFT_MS); i++)
		;
	if (!ok)
		kill(pid, SIGKILL);	/* the jail dies with it */
	waitpid(pid, &status, 0);
	return ok && ((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
		      err_set(err, "selftest: the attempts %s did not run to their end",
			      place == PLACE_INSIDE ? "in the jail" : "outside"));
}

/* ---- the table ---- */

enum outcome { OUTCOME_SKIPPED, OUTCOME_HELD, OUTCOME_OUT, OUTCOME_OK, OUTCOME_FAILED };

static const struct {
	const char	*word;
	enum colour	 colour;
} outcomes[] = {
	[OUTCOME_SKIPPED] = { "skipped", COLOUR_WAIT },
	[OUTCOME_HELD] = { "held", COLOUR_GOOD },
	[OUTCOME_OUT] = { "OUT", COLOUR_BAD },
	[OUTCOME_OK] = { "control ok", COLOUR_GOOD },
	[OUTCOME_FAILED] = { "control FAILED", COLOUR_BAD },
};

static bool worked(const struct selftest *s, enum place place, unsigned number)
{
	return s->reports[place][number] == REPORT_WORKED || s->targets.arrived[place][number];
}

static enum outcome outcome(const struct selftest *s, const struct attempt *a, unsigned number)
{
	if (a->possible && !a->possible(&s->aim))
		return OUTCOME_SKIPPED;
	if (a->control == CONTROL_ALLOWED)
		return worked(s, PLACE_INSIDE, number) ? OUTCOME_OK : OUTCOME_FAILED;
	if (worked(s, PLACE_INSIDE, number))
		return OUTCOME_OUT;
	if (s->reports[PLACE_INSIDE][number] == REPORT_NONE)
		return OUTCOME_FAILED;
	if (a->control == CONTROL_MUST && !worked(s, PLACE_OUTSIDE, number))
		return OUTCOME_FAILED;
	return OUTCOME_HELD;
}

/* What the same attempt did without a jail */
static const char *outside(const struct selftest *s, const struct attempt *a, unsigned number)
{
	if (a->control == CONTROL_NEVER || a->control == CONTROL_ALLOWED ||
	    s->reports[PLACE_OUTSIDE][number] == REPORT_NONE)
		return "-";
	return worked(s, PLACE_OUTSIDE, number) ? "works" : "fails too";
}

static void count(struct selftest *s)
{
	const struct attempt *a;

	for (unsigned i = 0; (a = selftest_attempt(i)); i++) {
		enum outcome o = outcome(s, a, i);

		s->held += o == OUTCOME_HELD;
		s->out += o == OUTCOME_OUT;
		s->failed += o == OUTCOME_FAILED;
	}
}

static void print_table(const struct selftest *s)
{
	const struct attempt *a;

	printf("%-18s %-58s %-10s %s\n", "ATTEMPT", "WHAT", "OUTSIDE", "IN THE JAIL");
	for (unsigned i = 0; (a = selftest_attempt(i)); i++) {
		enum outcome o = outcome(s, a, i);

		printf("%-18s %-58s %-10s %s%s%s\n", a->name, a->what, outside(s, a, i),
		       print_colour(stdout, outcomes[o].colour), outcomes[o].word,
		       print_colour(stdout, COLOUR_PLAIN));
	}
	if (s->failed)
		printf("%u controls failed: what they stand for is not proved\n", s->failed);
	printf("%u attempts held, %u got out\n", s->held, s->out);
}

static void print_json(const struct selftest *s)
{
	struct buf b = buf_new(JSON_MAX);
	const struct attempt *a;

	json_open(&b, '{');
	json_key(&b, "attempts");
	json_open(&b, '[');
	for (unsigned i = 0; (a = selftest_attempt(i)); i++) {
		json_open(&b, '{');
		json_field_str(&b, "name", a->name);
		json_field_str(&b, "what", a->what);
		json_field_str(&b, "outside", outside(s, a, i));
		json_field_str(&b, "outcome", outcomes[outcome(s, a, i)].word);
		json_close(&b, '}');
	}
	json_close(&b, ']');
	json_field_uint(&b, "held", s->held);
	json_field_uint(&b, "out", s->out);
	json_field_uint(&b, "failed_controls", s->failed);
	json_close(&b, '}');
	printf("%.*s\n", (int)b.len, (const char *)b.at);
	buf_done(&b);
}

/* ---- the command ---- */

static void clean(struct selftest *s)
{
	static const char *const names[] = { "/policy", "/mount", "" };
	char folder[SELFTEST_FOLDER + 8];

	targets_close(&s->targets, &s->aim);
	DROP_FD(s->leak);
	if (!s->aim.folder[0])
		return;
	unlink(s->aim.policy);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(folder, sizeof(folder), "%s%s", s->aim.folder, names[i]);
		rmdir(folder);
	}
}

static bool perform(struct selftest *s, struct err *err)
{
	return make_token(&s->aim, err) && make_folder(&s->aim, err) && find_files(&s->aim, err) &&
	       targets_open(&s->targets, &s->aim, err) && make_policy(&s->aim, err) &&
	       make_leak(s, err) && try_place(s, PLACE_OUTSIDE, err) &&
	       try_place(s, PLACE_INSIDE, err) && !err->text[0];
}

int selftest_main(int argc, char **argv)
{
	static struct selftest s = { .leak = -1 };
	const char *format = "text";
	const struct option rows[] = {
		{ 0, "format", OPTION_TEXT, "FORMAT", "text | json", &format },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL },
	};
	struct err err = { "" };
	bool help = false;
	int rest = 0;

	if (!options_parse(argc, argv, rows, &rest, &help, &err))
		return complain(&err);
	if (help)
		return command_help("selftest", rows);
	if (rest < argc || (strcmp(format, "text") && strcmp(format, "json")))
		err_set(&err, "selftest: takes no operand, and --format text or json");
	else if (run_in_a_jail())
		err_set(&err, "selftest: already in a jail (run it outside)");
	else if (perform(&s, &err))
		count(&s);
	clean(&s);
	if (err.text[0])
		return complain(&err);
	if (!strcmp(format, "json"))
		print_json(&s);
	else
		print_table(&s);
	return s.out || s.failed ? 1 : 0;
}
