/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <openssl/x509.h>

#include "daemon/approvals.h"
#include "daemon/clock.h"
#include "daemon/controlled.h"
#include "daemon/doors.h"
#include "daemon/fixed.h"
#include "daemon/exporter.h"
#include "daemon/inspected.h"
#include "daemon/keeper.h"
#include "daemon/plugged.h"
#include "daemon/probed.h"
#include "daemon/reload.h"
#include "daemon/crew.h"
#include "daemon/role.h"
#include "daemon/watched.h"
#include "daemon/webhook.h"
#include "jail/broker.h"
#include "jail/guest.h"
#include "jail/interfaces.h"
#include "jail/uplink.h"
#include "policy/upstream.h"

#define COMMAND_MAX (4u << 20)	/* bytes of all arguments; the kernel has no room for more */
#define READY_LIMIT_MS 5000	/* for the gate to confine itself */
#define FINISH_LIMIT_MS 2000	/* for the gate to report its last connections */
#define DIED_POLL_MS 10
#define BROKER_GRACE_MS 200

struct session {
	const struct session_plan *plan;
	struct keeper	 keeper;
	struct jail	 jail;
	struct crew	 crew;
	struct event	 child_ev, signal_ev, init_ev, links_ev;
	struct interface_kept own_link;		/* of what is held */
	int		 signals;		/* signalfd; -1 */
	sigset_t	 old_signals;
	char		*ca;			/* PEM of the session's CA; NULL: nothing is inspected */
	struct reload	*reload;
	struct plugged	*plugged;		/* NULL: it is no guest's */
	struct alarm	 alarm;
	struct controlled *controlled;
	struct webhook	*webhook;		/* NULL: the policy has none */
	void		(*old_hangup)(int);	/* disposition of SIGHUP, while ours holds; else NULL */
	struct shared_policy current;		/* that was reloaded; all zeroes: the plan's holds */
	int		 exit_code;		/* of the command */
	bool		 jailed;		/* jail_start() worked */
	bool		 over;			/* bwrap has ended; of a proxy: it shall */
	bool		 finishing;		/* roles may end now */
	bool		 failed;		/* a role was lost */
	bool		 serves_metrics;	/* their socket was made */
	bool		 killed;		/* limits: on_exceed: kill */
};

/* ---- the command and the roles ---- */

/* Its descriptors close; one of them is watched */
static void end_jail(struct session *s)
{
	if (event_initialized(&s->links_ev))
		event_del(&s->links_ev);
	jail_end(&s->jail);
	s->keeper.nft_fd = s->keeper.porter_fd = s->keeper.stats_fd = s->keeper.port.fd = -1;
}

static void fail(struct session *s, const char *why)
{
	if (s->finishing || s->failed)
		return;
	s->failed = true;
	role_complain("session", why);
	if (s->jailed)
		end_jail(s);
	s->over = true;
}

static void on_closed(void *arg, const char *why)
{
	struct session *s = arg;

	if (s->finishing)
		return;
	watched_failed(&s->keeper);
	/* Without its log the jail lives on, without a network; without its gate it ends */
	if (audit_flush(s->keeper.audit) < 0)
		role_complain("keeper", why);
	else
		fail(s, why);
}

/* A limit of the policy's: the roles live on, and tell of the last connections */
static void on_kill(void *arg, const char *why)
{
	struct session *s = arg;

	if (s->finishing || s->failed || s->killed)
		return;
	s->killed = true;
	role_complain("session", why);
	if (s->plan->hold && s->plan->hold->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, s->plan->hold->pidfd, SIGKILL, NULL, 0);
	if (s->jailed)
		end_jail(s);
	s->over = true;
}

static void on_alert(void *arg, const struct audit_alert *e)
{
	struct session *s = arg;

	alarm_tell(&s->alarm, e->message, clock_ms());
	webhook_send(s->webhook, s->plan->jail.session, e);
}

/* What the user should know of approvals */
static void say(void *arg, const char *words)
{
	(void)arg;
	role_complain("approvals", words);
}

static void on_questions(void *arg)
{
	struct session *s = arg;

	if (s->plan->questions && !s->finishing)
		s->plan->questions(s->plan->questions_arg, &s->keeper);
}

static bool keep_always(void *arg, const struct approval_question *q, struct err *err)
{
	struct session *s = arg;

	return s->plan->keep_always(s->plan->keep_arg, q, err);
}

static void on_resolver_died(void *arg)
{
	fail(arg, "the resolver is gone: the command is ended");
}

static void role_ended(struct session *s, enum role role)
{
	char why[64];

	if (crew_spare(role)) {
		if (!s->finishing)
			role_complain("session", crew_spare(role));
		return;
	}
	/* The broker ends with the last process of the jail, a moment before bwrap does */
	for (int i = 0; role == ROLE_BROKER && !s->over && i < BROKER_GRACE_MS; i++) {
		s->over = jail_wait(&s->jail, &s->exit_code);
		if (!s->over)
			usleep(1000);
	}
	snprintf(why, sizeof(why), "the %s is gone: the command is ended", crew_name(role));
	if (!s->keeper.closed && !s->over)
		fail(s, why);
}

static void on_guest_ended(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd, (void)what;
	s->over = true;
}

/* The first process of what is held: with it the others end, and the namespace with them.  A guest's has gone
 * with its interface, and the guest may be there still */
static void on_init_ended(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd, (void)what;
	s->over = !s->plugged || !plugged_outlives(s->plugged, on_guest_ended, s);
}

/* Root has put an interface into what is held: it goes, and so do we */
static void on_links(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;
	const struct jail_plan *jail = &s->plan->jail;
	char name[IFNAMSIZ], why[96];

	(void)what;
	s->own_link.name = jail->guest ? jail->guest->link : jail->uplink ? jail->uplink->link : NULL;
	if (!interfaces_changed(fd, &s->own_link, name))
		return;
	interfaces_cut(fd, &s->own_link);
	snprintf(why, sizeof(why), "%s has come into the namespace, a way out: it is cut, and all is refused",
		 name);
	fail(s, why);
}

static void on_child(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;
	enum role role;

	(void)fd, (void)what;
	if (s->jailed && !s->plan->hold && !s->over)
		s->over = jail_wait(&s->jail, &s->exit_code);
	while (crew_ended(&s->crew, &role))
		role_ended(s, role);
}

/* ---- another policy ---- */

static bool change_policy(struct session *s, const struct shared_policy *new, struct err *err)
{
	struct keeper *k = &s->keeper;

	if (!fixed_check(k->policy, new->policy, err) ||
	    !jail_change_nets(&s->jail, k->policy, new->policy, err))
		return false;
	keeper_change_policy(k, new);
	return true;
}

static void on_reloaded(void *arg, struct shared_policy *new, const struct err *failed, bool asked)
{
	struct session *s = arg;
	struct keeper *k = &s->keeper;
	char why[ERR_TEXT_MAX + 64];
	struct err err = { "" };
	/* of values the hash says nothing */
	bool same = new && new->secrets < 0 &&
		    !strcmp(policy_sha256(new->policy), policy_sha256(k->policy));

	if (new && !same && change_policy(s, new, &err)) {
		share_done(&s->current);
		s->current = *new;
		controlled_reloaded(s->controlled, NULL);
		return;
	}
	if (!new)
		err = *failed;
	if (!same) {
		snprintf(why, sizeof(why), "%s (the policy stays as it was)", err.text);
		role_complain("policy not reloaded", why);
	}
	if (!same || asked)
		audit_policy_reload(k->audit, policy_sha256(k->policy), false,
				    same ? NULL : err.text);
	controlled_reloaded(s->controlled, same ? NULL : err.text);
	if (new)
		share_done(new);
	keeper_stir(k);
}

/*
 * Ctrl-C and Ctrl-\ reach the command from the terminal, as does the SIGHUP of one that
 * hangs up (SI_KERNEL); we live on to record its end.  What somebody sends to us is
 * passed on to the command, but for SIGHUP, which is ours: read the policy again.
 * A proxy has no command, nor has what is held: what would end one ends the session.
 */
static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct signalfd_siginfo info;
	struct session *s = arg;

	(void)what;
	while (read(fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo == SIGHUP && info.ssi_code != SI_KERNEL && s->reload)
			reload_ask(s->reload);
		else if (s->plan->listen || s->plan->hold)
			s->over = s->over || (info.ssi_signo != SIGUSR1 && info.ssi_signo != SIGUSR2);
		else if (s->jailed && info.ssi_code != SI_KERNEL)
			jail_signal(&s->jail, (int)info.ssi_signo);
}

static bool watch_signals(struct session *s, struct err *err)
{
	static const int numbers[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 };
	sigset_t set;

	event_assign(&s->child_ev, s->keeper.loop, SIGCHLD, EV_SIGNAL | EV_PERSIST, on_child, s);
	event_add(&s->child_ev, NULL);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaddset(&set, numbers[i]);
	/* What was ignored outside (nohup) stays ignored: it is never pending */
	sigprocmask(SIG_BLOCK, &set, &s->old_signals);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return err_sys(err, errno, "signalfd");
	event_assign(&s->signal_ev, s->keeper.loop, s->signals, EV_READ | EV_PERSIST, on_signal, s);
	event_add(&s->signal_ev, NULL);
	return true;
}

/* Run the loop until *@flag, at most @limit_ms */
static bool loop_until(struct session *s, const bool *flag, int limit_ms)
{
	int64_t end = clock_ms() + limit_ms;

	while (!*flag && !s->failed && clock_ms() < end) {
		struct timeval slice = { .tv_usec = DIED_POLL_MS * 1000 };

		event_base_loopexit(s->keeper.loop, &slice);
		event_base_loop(s->keeper.loop, EVLOOP_ONCE);
	}
	return *flag;
}

/* ---- what the gate gets ---- */

/* The gate confines itself as soon as it has the policy, while the jail is made */
static bool hand_over_policy(struct session *s, struct err *err)
{
	struct talk_policy about = { policy_image(s->keeper.policy).len };
	int fd;

	if (!keeper_tell_secrets(&s->keeper, s->plan->secrets_fd))
		return err_sys(err, errno, "cannot hand over the values of inject");
	fd = fcntl(s->plan->policy_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_sys(err, errno, "cannot hand over the policy");
	keeper_tell(&s->keeper, KEEPER_POLICY, 0, &about, sizeof(about), (struct span){ 0 }, fd);
	keeper_settle(&s->keeper);
	return true;
}

/* ---- the start ---- */

/* The command, as log.command wants it */
static void add_command(struct buf *b, char *const *argv, enum detail detail)
{
	const char *name = strrchr(argv[0], '/');

	if (detail == DETAIL_REDACT)
		buf_add_str(b, name ? name + 1 : argv[0]);
	for (size_t i = 0; detail == DETAIL_FULL && argv[i]; i++)
		buf_printf(b, "%s%s", i ? " " : "", argv[i]);
	buf_add(b, "", 1);
}

static bool record_start(struct session *s, struct err *err)
{
	const struct session_plan *plan = s->plan;
	struct policy_settings settings = policy_settings(plan->jail.policy);
	struct buf command = buf_new(COMMAND_MAX);
	struct audit_start e = {
		.mode = policy_mode(plan->jail.policy),
		.command = "",
		.labels = plan->labels, .label_count = plan->label_count,
		.policy_sha256 = policy_sha256(plan->jail.policy), .version = plan->version,
	};
	int r;

	add_command(&command, plan->jail.argv, (enum detail)settings.log.command);
	e.command = command.full ? "***" : (const char *)command.at;
	audit_keep(s->keeper.audit, &settings.log);
	audit_session_start(s->keeper.audit, &e);
	buf_done(&command);
	r = audit_flush(s->keeper.audit);
	watched_tick(&s->keeper);
	return r == 0 || err_sys(err, -r, "%s: cannot write the audit log", plan->log_path);
}

static bool keeper_prepare(struct session *s, struct err *err)
{
	const struct session_plan *plan = s->plan;
	struct policy_settings settings = policy_settings(plan->jail.policy);
	struct audit_options log = { .path = plan->log_path, .key_path = plan->key_path,
				     .session = plan->jail.session, .sync = settings.log.sync,
				     .max_bytes = settings.log.max_bytes == AMOUNT_NONE ? 0 :
						  settings.log.max_bytes,
				     .rotate_bytes = settings.log.rotate_bytes == AMOUNT_NONE ? 0 :
						     settings.log.rotate_bytes };
	struct keeper *k = &s->keeper;
	struct seed seed;

	memcpy(log.copies, plan->copies, sizeof(log.copies));
	k->policy = plan->jail.policy;
	k->proxy_credentials = plan->proxy_credentials;
	k->summary = plan->summary;
	k->on_closed = on_closed;
	k->on_kill = on_kill;
	k->on_alert = on_alert;
	s->alarm.plan = plan->alarm;
	k->say = say;
	k->on_questions = on_questions;
	k->keep_always = plan->keep_always ? keep_always : NULL;
	k->arg = s;
	k->nft_fd = k->porter_fd = k->stats_fd = k->port.fd = -1;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ||
	    getrandom(k->probe_token, sizeof(k->probe_token), 0) != sizeof(k->probe_token))
		return err_sys(err, errno, "no random numbers");
	k->bindings = bindings_new(&settings.synthetic4, &settings.synthetic6, &seed);
	k->loop = event_base_new();
	if (!k->bindings || !k->loop)
		return err_set(err, "out of memory");
	k->approvals = approvals_new(plan->ask_ms ? plan->ask_ms : APPROVAL_WAIT_MS);
	if (!k->approvals)
		return err_set(err, "out of memory");
	k->audit = audit_open(&log, err);
	return k->audit;
}

/* Our place on a daemon's board, whose exporter serves them all; or an exporter of our own */
static bool start_exporter(struct session *s, struct err *err)
{
	const struct hold_plan *hold = s->plan->hold;
	struct page_at *at = s->plan->metrics;
	bool any = at && at->listen.port == 0;
	AUTO_CLOSE int listening = at ? doors_of_page(at, s->keeper.policy, err) : -1;
	struct exporter_plan plan = { listening, at && at->local, s->plan->jail.session,
				      s->plan->version };

	s->serves_metrics = listening >= 0;
	if (s->serves_metrics && any)
		doors_say_metrics(at);
	if (hold && hold->counters >= 0)
		return watched_share_there(&s->keeper, hold->counters, hold->counters_at, err);
	return !at || (s->serves_metrics && crew_exporter(&s->crew, &plan, err));
}

static bool start_courier(struct session *s, struct err *err)
{
	const struct session_plan *plan = s->plan;
	int theirs = -1;

	if (!plan->webhook)
		return true;
	s->webhook = webhook_new(&s->keeper, plan->webhook, plan->webhook_key, &theirs, err);
	return s->webhook && crew_courier(&s->crew, &theirs, err);
}

/* What every kind of session needs */
static bool start_roles(struct session *s, struct err *err)
{
	struct keeper *k = &s->keeper;
	AUTO_CLOSE int theirs = -1;
	int gate, resolver;

	if (!crew_begin(&s->crew, k, s->plan->programs, s->plan->role_user, err) ||
	    !keeper_prepare(s, err))
		return false;
	if (!watch_signals(s, err) || !watched_start(k, err) || !start_courier(s, err) ||
	    !start_exporter(s, err))
		return false;
	gate = crew_pair(ROLE_GATE, &theirs, err);
	if (gate < 0 || !keeper_start(k, gate, err) || !crew_gate(&s->crew, &theirs, err))
		return false;
	if (policy_may_inspect(k->policy)) {
		s->ca = session_ca(k, err);
		if (!s->ca)
			return false;
	}
	if (!hand_over_policy(s, err))
		return false;
	resolver = crew_pair(ROLE_RESOLVER, &s->crew.resolver, err);
	k->resolve = resolver < 0 ? NULL : resolve_new(k->loop, resolver, on_resolver_died, s);
	if (!k->resolve)
		return err_set(err, "cannot start the resolver");
	return true;
}

static void hear_broker(void *arg)
{
	struct session *s = arg;

	crew_hear(&s->crew);
}

/* @init: whose /proc tells who holds a socket; 0: nobody's does */
static void own_jail(struct session *s, pid_t init)
{
	struct keeper *k = &s->keeper;

	s->jailed = true;
	k->guest = s->plan->jail.guest ? s->plan->jail.guest->link : NULL;
	k->stats_fd = s->jail.fd[JAIL_STATS];
	k->nft_fd = s->jail.fd[JAIL_NFT];
	k->port.fd = s->jail.fd[JAIL_ALIVE_KEEPER];
	k->port.session = s->jail.uplink ? s->jail.uplink->session : NULL;
	k->porter_fd = s->jail.porter;
	k->processes = init ? processes_new(s->jail.fd[JAIL_DIAG], init) : NULL;
}

/* The gate gets the jail's sockets, and the walls are tried */
static bool serve_jail(struct session *s, struct err *err)
{
	if (!doors_of_jail(&s->keeper, &s->jail, err))
		return false;
	if (!loop_until(s, &s->keeper.gate_ready, READY_LIMIT_MS))
		return err_set(err, "the gate did not start (see `sluice doctor`)");
	/* A gate that only looks has nothing that a probe could ask */
	if (s->jail.uplink)
		return true;
	/* Nobody waits for the resolver: it gets ready while the command does */
	return probed(&s->keeper, &s->jail, &s->failed, err) && crew_resolver(&s->crew, err);
}

static bool start_jail(struct session *s, struct err *err)
{
	struct jail_plan jail = s->plan->jail;
	struct keeper *k = &s->keeper;

	jail.program = s->crew.programs.fd[PROGRAM_JAIL];
	jail.trusted_ca = s->ca;
	jail.count_packets = s->plan->metrics;
	if (!jail_start(&jail, &s->jail, err))
		return false;
	own_jail(s, s->jail.init);
	k->hear = hear_broker;
	if (!crew_broker(&s->crew, &s->jail, &jail, err) || !serve_jail(s, err))
		return false;
	if (!loop_until(s, &s->crew.broker_ready, READY_LIMIT_MS))
		return err_set(err, "the broker did not start (see `sluice doctor`)");
	return record_start(s, err);
}

/* Who lives there may be at work already: what he does is recorded from the first door on */
static bool serve_held(struct session *s, struct err *err)
{
	if (!record_start(s, err))
		return false;
	if (serve_jail(s, err))
		return true;
	audit_session_end(s->keeper.audit, EXIT_SLUICE);
	return false;
}

/* A namespace that others made: nobody is started, so nobody is waited for */
static bool start_held(struct session *s, struct err *err)
{
	const struct hold_plan *hold = s->plan->hold;
	struct jail_plan jail = s->plan->jail;

	jail.count_packets = (s->plan->metrics || jail.guest || hold->counters >= 0) && !jail.uplink;
	if (!jail_hold(&jail, hold->net, &s->jail, err))
		return false;
	own_jail(s, hold->init);
	s->keeper.kernel_alone = jail.uplink;
	if (hold->pidfd >= 0) {
		event_assign(&s->init_ev, s->keeper.loop, hold->pidfd, EV_READ, on_init_ended, s);
		event_add(&s->init_ev, NULL);
	}
	event_assign(&s->links_ev, s->keeper.loop, s->jail.fd[JAIL_LINKS], EV_READ | EV_PERSIST, on_links,
		     s);
	event_add(&s->links_ev, NULL);
	if (jail.guest) {
		s->plugged = plugged_watch(s->keeper.loop, jail.guest->link, err);
		if (!s->plugged)
			return false;
	}
	event_active(&s->links_ev, EV_READ, 0);	/* what came since it was found bare */
	return serve_held(s, err);
}

/* There is no jail to probe, and no broker */
static bool start_proxy(struct session *s, struct err *err)
{
	struct listen_plan *listen = s->plan->listen;

	s->keeper.cooperative = true;
	if (!doors_of_proxy(&s->keeper, listen->at, err))
		return false;
	if (!loop_until(s, &s->keeper.gate_ready, READY_LIMIT_MS))
		return err_set(err, "the gate did not start (see `sluice doctor`)");
	return crew_resolver(&s->crew, err) && record_start(s, err) &&
	       listen->ready(listen->arg, listen->at, s->ca, err);
}

/* ---- the end ---- */

static void stop(struct session *s)
{
	struct keeper *k = &s->keeper;

	s->finishing = true;
	if (s->jailed)
		end_jail(s);
	crew_stop(&s->crew);
	webhook_free(s->webhook);
	controlled_free(s->controlled);
	reload_free(s->reload);
	plugged_free(s->plugged);
	if (k->resolve)
		resolve_free(k->resolve);	/* answers what waits, with a failure */
	keeper_done(k);
	watched_free(k);
	if (s->serves_metrics)
		doors_forget_page(s->plan->metrics);
	if (k->audit)
		audit_close(k->audit);
	bindings_free(k->bindings);
	processes_free(k->processes);
	share_done(&s->current);
	free(s->ca);
	if (s->signals >= 0) {
		event_del(&s->signal_ev);
		close(s->signals);
		if (s->old_hangup)
			signal(SIGHUP, s->old_hangup);
		sigprocmask(SIG_SETMASK, &s->old_signals, NULL);
	}
	if (event_initialized(&s->init_ev))
		event_del(&s->init_ev);
	if (event_initialized(&s->child_ev))
		event_del(&s->child_ev);
	if (k->loop)
		event_base_free(k->loop);
}

/* A copy that is not whole is told of: whoever looks there must know */
static void tell_lost(const struct audit *a)
{
	char why[80];

	for (int to = 0; to < COPY_NUM; to++) {
		uint64_t lost = audit_lost(a, (enum copy_to)to);

		snprintf(why, sizeof(why), "%llu records were not copied (the log has them)",
			 (unsigned long long)lost);
		if (lost)
			role_complain(copy_name((enum copy_to)to), why);
	}
}

/* The command is over: hear of the gate's last connections, then write the end */
static void finish(struct session *s, int code)
{
	struct keeper *k = &s->keeper;

	s->finishing = true;
	approvals_end(k);
	conn_forged(k);
	keeper_tell(k, KEEPER_FINISH, 0, NULL, 0, (struct span){ 0 }, -1);
	keeper_settle(k);
	loop_until(s, &k->closed, FINISH_LIMIT_MS);
	keeper_close(k, "the session is over");
	audit_session_end(k->audit, code);
	tell_lost(k->audit);
	alarm_end(&s->alarm);
	webhook_end(s->webhook);
}

/* The command has its own disposition by now: nohup is for it, not for our SIGHUP */
static void start_reload(struct session *s)
{
	if (!s->plan->reload.load)
		return;
	s->old_hangup = signal(SIGHUP, SIG_DFL);
	s->reload = reload_new(s->keeper.loop, &s->plan->reload, on_reloaded, s);
	if (!s->reload)
		role_complain("reload", "out of memory: the policy stays as it is");
}

static bool start_kind(struct session *s, struct err *err)
{
	if (s->plan->listen)
		return start_proxy(s, err);
	if (s->plan->hold)
		return start_held(s, err);
	return start_jail(s, err) && jail_go(&s->jail, err);
}

bool session_run(const struct session_plan *plan, struct session_result *ret_result,
		 struct err *err)
{
	struct session s = { .plan = plan, .signals = -1 };

	*ret_result = (struct session_result){ .exit_code = EXIT_SLUICE };
	if (!start_roles(&s, err) || !start_kind(&s, err)) {
		stop(&s);
		return false;
	}
	ret_result->started = true;
	if (plan->terminal)
		terminal_start(plan->terminal, s.keeper.loop, s.jail.bwrap);
	start_reload(&s);
	s.controlled = controlled_new(&plan->control, &s.keeper, s.reload);
	if (plan->hold && !plan->hold->ready(plan->hold->arg, s.ca, err))
		fail(&s, err->text);
	while (!s.over)
		event_base_loop(s.keeper.loop, EVLOOP_ONCE);
	if (plan->terminal)
		terminal_over(plan->terminal);
	ret_result->exit_code = s.failed || s.killed ? EXIT_SLUICE : s.exit_code;
	ret_result->killed = s.killed;
	finish(&s, ret_result->exit_code);
	ret_result->denied = s.keeper.denied_count;
	stop(&s);
	return true;
}
