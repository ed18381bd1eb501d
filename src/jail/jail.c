/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail.c - the order of a start and of an end
 *
 *	keeper ──fork──> bwrap ──> shim, the init ──fork──> command
 *	   └────fork──> setup ──> nft
 *
 * setup reads the pid of the jail's init from bwrap itself, so the keeper waits
 * for one thing only: setup's report.  Whatever fails, jail_end() kills bwrap
 * and its child.  If we can't say so any more, killed ourselves, the init does: it
 * ends with our socket (shim.c).
 */
#include "jail/jail.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "jail/deadman.h"
#include "jail/namespace.h"
#include "jail/nft.h"
#include "jail/plan.h"
#include "jail/setup.h"
#include "jail/spawn.h"

#define START_LIMIT_MS 10000	/* for each of setup and shim; 10 ms in all are usual */

/* Inherited by the jail, a network socket would be a way out */
static bool stdio_check(struct err *err)
{
	for (int fd = 0; fd <= 2; fd++) {
		int domain;
		socklen_t len = sizeof(domain);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain != AF_UNIX)
			return err_set(err, "descriptor %d: a network socket (the jail would"
				       " inherit it)", fd);
	}
	return true;
}

/*
 * Closed standard descriptors: filled while the jail starts, or a pipe of ours
 * would take their place and be inherited.
 */
static void stdio_fill(int ret_fds[3])
{
	for (int fd = 0; fd <= 2; fd++)
		ret_fds[fd] = fcntl(fd, F_GETFD) < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
}

static bool wait_readable(int fd, const char *whom, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, START_LIMIT_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return err_set(err, "%s: no answer in %d ms", whom, START_LIMIT_MS);
	return r > 0 || err_sys(err, errno, "poll");
}

/* The ip rules that allow, and peers.  NULL: out of memory */
static struct link_net *nets_of(const struct policy *p, size_t *ret_count)
{
	static const struct port_range every[] = {
		{ 1, UINT16_MAX, TRANSPORT_TCP }, { 1, UINT16_MAX, TRANSPORT_UDP },
	};
	struct policy_settings s = policy_settings(p);
	size_t total = policy_rule_count(p);
	struct link_net *nets = calloc(total + s.peer_count + 1, sizeof(*nets));

	*ret_count = 0;
	for (uint32_t i = 0; nets && i < total; i++) {
		struct rule_view r = policy_rule(p, i);

		if (r.allow && r.is_net)
			nets[(*ret_count)++] = (struct link_net){ r.net, r.ports, r.port_count };
	}
	for (size_t i = 0; nets && policy_mode(p) == MODE_INTERNAL && i < s.peer_count; i++)
		nets[(*ret_count)++] = (struct link_net){ s.peers[i], every, ARRAY_SIZE(every) };
	return nets;
}

static int ruleset_memfd(const struct jail_plan *plan, bool anew)
{
	struct policy_settings settings = policy_settings(plan->policy);
	struct link_rules rules = { plan->pool4, plan->pool6, plan->open_all,
				    plan->count_packets, anew, NULL, 0, plan->guest,
				    settings.publish, settings.publish_count };
	AUTO_FREE struct link_net *nets = nets_of(plan->policy, &rules.net_count);
	struct buf text = buf_new(LINK_RULESET_MAX);
	int fd = -1;

	if (!nets)
		return -1;
	if (plan->uplink) {
		uplink_rules_inside(plan->uplink, &text);
		fd = text.full ? -1 : spawn_memfd("ruleset", text.at, text.len);
		buf_done(&text);
		return fd;
	}
	rules.nets = nets;
	rules.open_all = plan->open_all || policy_mode(plan->policy) == MODE_MONITOR;
	link_ruleset(&rules, &text);
	if (!text.full)
		fd = spawn_memfd("ruleset", text.at, text.len);
	buf_done(&text);
	return fd;
}

/* ---- while it runs ---- */

static void nets_text(const struct policy *p, struct buf *to)
{
	struct link_rules rules = { 0 };
	AUTO_FREE struct link_net *nets = nets_of(p, &rules.net_count);

	rules.nets = nets;
	if (nets)
		link_nets(&rules, to);
	else
		to->full = true;
}

/* In a child: enter the jail's network, let nft read the text.  Its exit status says how it went. */
static _Noreturn void nets_child(int net, int ruleset, int says)
{
	struct err err = { "" };
	struct nft nft = { .says = -1 };
	bool ok = namespace_enter(net, &err) && nft_start(nft_find(), ruleset, false, &nft, &err) &&
		  nft_wait(&nft, &err);

	if (!ok && write(says, err.text, strlen(err.text)) < 0)
		_exit(2);
	_exit(!ok);
}

static bool nets_load(int net, struct span text, struct err *err)
{
	AUTO_CLOSE int ruleset = spawn_memfd("nets", text.at, text.len);
	struct err said = { "nft: died" };
	int p[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (ruleset < 0 || !nft_find() || pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, "the jail's networks: nft cannot be run");
	pid = fork();
	if (pid == 0)
		nets_child(net, ruleset, p[1]);
	close(p[1]);
	n = pid > 0 ? read(p[0], said.text, sizeof(said.text) - 1) : -1;
	close(p[0]);
	if (n > 0)
		said.text[n] = '\0';
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return err_set(err, "the jail's networks: %s", said.text);
	return true;
}

/* First the wall that holds: while they differ the narrower one counts */
static bool uplink_change(const struct jail *jail, const struct policy *after, struct err *err)
{
	struct jail_uplink u = *jail->uplink;
	struct buf text = buf_new(UPLINK_RULES_MAX);
	bool ok;

	if (!uplink_judge(&u, after, err))
		return false;
	uplink_rules_inside(&u, &text);
	ok = text.full ? err_set(err, "too many peers") :
	     uplink_raise(&u, err) && nets_load(jail->net, buf_span(&text), err);
	buf_done(&text);
	return ok;
}

bool jail_change_nets(const struct jail *jail, const struct policy *before,
		      const struct policy *after, struct err *err)
{
	struct buf old = buf_new(LINK_RULESET_MAX), new = buf_new(LINK_RULESET_MAX);
	bool ok;

	if (jail->uplink)
		return uplink_change(jail, after, err);
	nets_text(before, &old);
	nets_text(after, &new);
	if (old.full || new.full)
		ok = err_set(err, "the jail's networks: too many ip rules");
	else
		ok = span_eq(buf_span(&old), buf_span(&new)) ||
		     nets_load(jail->net, buf_span(&new), err);
	buf_done(&old);
	buf_done(&new);
	return ok;
}

/* ---- the start ---- */

/* Take the report's descriptors over; a slot out of range is our own mistake */
static void report_take(const struct setup_report *r, const int *fds, struct jail *jail)
{
	int *ports = &jail->host_port_fd[0][0];

	jail->init = r->init;
	for (size_t i = 0; i < r->count; i++) {
		size_t slot = r->slots[i];

		assert(slot < SETUP_SLOTS);
		if (slot < JAIL_FD_NUM)
			jail->fd[slot] = fds[i];
		else if (slot < SETUP_SLOT_PORTER)
			ports[slot - SETUP_SLOT_PORTS] = fds[i];
		else
			jail->porter = fds[i];
	}
}

static bool report_read(int sock, struct jail *jail, struct err *err)
{
	struct setup_report report;
	struct pass p = { .bytes = &report, .size = sizeof(report) };
	ssize_t n;

	if (!wait_readable(sock, "setup of the jail's network", err))
		return false;
	n = pass_receive(sock, &p);
	if (n != sizeof(report) || (report.ok && report.count != p.fd_count))
		return err_set(err, "setup of the jail's network: died");
	if (!report.ok)
		return err_set(err, "%s", report.err.text);
	report_take(&report, p.fds, jail);
	if (jail->init)
		jail->net = namespace_of(jail->init);
	return jail->net >= 0 || err_sys(err, -jail->net, "the jail's network namespace");
}

/* In the child: setup has no use for the ends that the jail's start hangs on */
static _Noreturn void setup_child(const struct setup *setup, struct spawn *s)
{
	struct setup own = *setup;

	if (s) {
		own.info = dup(s->info[0]);
		spawn_close(s);
	}
	_exit(setup_run(&own));
}

/* @s: of a bwrap that was started; NULL: the namespace jail->net is there already */
static bool setup_do(const struct jail_plan *plan, struct spawn *s, struct jail *jail,
		     struct err *err)
{
	struct policy_settings settings = policy_settings(plan->policy);
	AUTO_CLOSE int ruleset = ruleset_memfd(plan, !s);
	struct setup setup = {
		.info = -1, .held = s ? -1 : jail->net, .ruleset = ruleset, .nft = nft_find(), .pool4 = plan->pool4,
		.pool6 = plan->pool6, .settings = namespace_settings_of_host(),
		.host_ports = settings.host_ports, .host_port_count = settings.host_port_count,
		.porter = settings.publish_count > 0, .guest = plan->guest, .uplink = plan->uplink,
		.again = plan->again,
	};
	int report[2];
	pid_t pid;
	bool ok;

	if (ruleset < 0)
		return err_set(err, "ruleset: too many ip rules");
	if (settings.host_port_count > JAIL_HOST_PORTS_MAX)
		return err_set(err, "host ports: more than %d", JAIL_HOST_PORTS_MAX);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report))
		return err_sys(err, errno, "socketpair");
	jail->host_port_count = settings.host_port_count;
	setup.report = report[1];
	pid = fork();
	if (pid == 0)
		setup_child(&setup, s);
	close(report[1]);
	if (s)
		DROP_FD(s->info[0]);
	ok = pid > 0 ? report_read(report[0], jail, err) : err_sys(err, errno, "fork");
	close(report[0]);
	if (pid > 0) {
		if (!ok)
			kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return ok;
}

/* Let bwrap run the shim, and take the listener that it sends */
static bool shim_take(struct spawn *s, struct jail *jail, struct err *err)
{
	char byte = 0;
	struct pass p = { .bytes = &byte, .size = 1 };

	if (write(s->block[1], "", 1) != 1)
		return err_sys(err, errno, "bwrap: unblock");
	if (!wait_readable(s->shim[0], "the jail's first program", err))
		return false;
	if (pass_receive(s->shim[0], &p) != 1 || byte != 'N' || p.fd_count != 1) {
		for (size_t i = 0; i < p.fd_count; i++)
			close(p.fds[i]);
		return err_set(err, "the jail's first program did not start");
	}
	jail->notify = p.fds[0];
	jail->command = (int)syscall(SYS_pidfd_open, p.pid, 0);
	if (jail->command < 0)
		return err_sys(err, errno, "pidfd of the command");
	jail->go = TAKE_FD(s->shim[0]);
	return true;
}

static bool start_with(const struct jail_plan *plan, struct view *view, struct spawn *s,
		       struct jail *jail, struct err *err)
{
	pid_t pid = spawn_bwrap(plan, view, s, err);

	if (pid < 0)
		return false;
	jail->bwrap = pid;
	/* Only the jail's copies may keep these open, or its end would not show */
	DROP_FD(s->info[1]);
	DROP_FD(s->block[0]);
	DROP_FD(s->shim[1]);
	return setup_do(plan, s, jail, err) && shim_take(s, jail, err);
}

static void jail_clear(struct jail *jail)
{
	*jail = (struct jail){ .net = -1, .command = -1, .notify = -1, .porter = -1, .go = -1 };
	for (size_t i = 0; i < JAIL_FD_NUM; i++)
		jail->fd[i] = -1;
	for (size_t i = 0; i < JAIL_HOST_PORTS_MAX; i++)
		jail->host_port_fd[i][0] = jail->host_port_fd[i][1] = -1;
}

bool jail_start(const struct jail_plan *plan, struct jail *ret_jail, struct err *err)
{
	struct view_facts facts;
	struct view view = { 0 };
	struct spawn s;
	struct jail jail;
	int filled[3];
	bool ok;

	if (!stdio_check(err) || !view_facts_read(plan, &facts, err))
		return false;
	if (access(BWRAP, X_OK)) {
		view_facts_done(&facts);
		return err_set(err, BWRAP ": not found (install bubblewrap)");
	}
	if (!nft_find()) {
		view_facts_done(&facts);
		return err_set(err, "nft: not found (install nftables)");
	}
	jail_clear(&jail);
	jail.pool4 = plan->pool4;
	jail.pool6 = plan->pool6;
	stdio_fill(filled);
	view_prepare(plan);
	ok = view_make(plan, &facts, &view, err) && spawn_open(&s, err);
	view_facts_done(&facts);
	if (ok) {
		ok = start_with(plan, &view, &s, &jail, err);
		spawn_close(&s);
	}
	view_done(&view);
	for (size_t i = 0; i < ARRAY_SIZE(filled); i++)
		DROP_FD(filled[i]);
	if (!ok) {
		jail_end(&jail);
		return false;
	}
	*ret_jail = jail;
	return true;
}

/* From here on the wall is open while keeper and gate live */
static bool uplink_switch(const struct jail_uplink *u, int ret_fd[JAIL_FD_NUM], struct err *err)
{
	static const struct {
		enum jail_fd	fd;
		enum deadman	who;
	} switches[] = { { JAIL_ALIVE_KEEPER, DEADMAN_KEEPER }, { JAIL_ALIVE_GATE, DEADMAN_GATE } };

	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		int fd = deadman_hold(switches[i].who, u->session, u->port);

		if (fd < 0)
			return err_sys(err, -fd, "the wall around %s: its dead man's switch", u->port);
		ret_fd[switches[i].fd] = fd;
	}
	return true;
}

bool jail_hold(const struct jail_plan *plan, int net, struct jail *ret_jail, struct err *err)
{
	struct policy_settings settings = policy_settings(plan->policy);
	struct jail jail;

	if (!nft_find())
		return err_set(err, "nft: not found (install nftables)");
	if (plan->guest && settings.host_port_count)
		return err_set(err, "a guest has a localhost of its own: no host_ports");
	if (plan->uplink && (settings.host_port_count || settings.publish_count))
		return err_set(err, "mode internal on an engine's network has no host_ports and no publish");
	if (namespace_is_ours(net))
		return err_set(err, "the namespace is the one of this machine itself");
	jail_clear(&jail);
	jail.pool4 = plan->pool4;
	jail.pool6 = plan->pool6;
	jail.guest = plan->guest;
	jail.uplink = plan->uplink;
	jail.net = fcntl(net, F_DUPFD_CLOEXEC, 3);
	if (jail.net < 0)
		return err_sys(err, errno, "the network namespace");
	if ((plan->uplink && !uplink_raise(plan->uplink, err)) || !setup_do(plan, NULL, &jail, err) ||
	    (plan->uplink && !uplink_switch(plan->uplink, jail.fd, err))) {
		jail_end(&jail);
		return false;
	}
	*ret_jail = jail;
	return true;
}

bool jail_go(struct jail *jail, struct err *err)
{
	/* The socket stays open: its end is what the jail's init watches for */
	return send(jail->go, "G", 1, MSG_NOSIGNAL) == 1 || err_sys(err, errno, "start of the command");
}

int jail_signal(const struct jail *jail, int signo)
{
	return syscall(SYS_pidfd_send_signal, jail->command, signo, NULL, 0) ? -errno : 0;
}

static int exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool jail_wait(struct jail *jail, int *ret_code)
{
	int status;

	if (jail->bwrap <= 0 || waitpid(jail->bwrap, &status, WNOHANG) != jail->bwrap)
		return false;
	jail->bwrap = 0;
	*ret_code = exit_code(status);
	return true;
}

/* bwrap's child is the jail's init, or will be: it may still wait for bwrap's word */
static void kill_children(pid_t parent)
{
	char path[64];
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	AUTO_FCLOSE FILE *f = fopen(path, "re");

	while (f && fscanf(f, "%d", &child) == 1)
		kill(child, SIGKILL);	/* its number is its own until bwrap reaps it */
}

void jail_end(struct jail *jail)
{
	for (size_t i = 0; i < JAIL_FD_NUM; i++)
		DROP_FD(jail->fd[i]);
	for (size_t i = 0; i < JAIL_HOST_PORTS_MAX; i++) {
		DROP_FD(jail->host_port_fd[i][0]);
		DROP_FD(jail->host_port_fd[i][1]);
	}
	DROP_FD(jail->net);
	DROP_FD(jail->go);
	DROP_FD(jail->notify);
	DROP_FD(jail->porter);
	DROP_FD(jail->command);
	if (jail->bwrap > 0) {
		kill(jail->bwrap, SIGSTOP);	/* so that no child is born meanwhile */
		kill_children(jail->bwrap);
		kill(jail->bwrap, SIGKILL);
		while (waitpid(jail->bwrap, NULL, 0) < 0 && errno == EINTR)
			;
		jail->bwrap = 0;
	}
}
