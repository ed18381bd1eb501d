/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor.c - start keepers, and start them again
 *
 *	attach ──> STARTING ──"+"──> SERVING ──detach──> ENDING ──> forgotten
 *	              │  ^               │
 *	       why not│  └──── later ────┤ it has died
 *	              v                  v
 *	          forgotten           WAITING
 *
 * A session that never served is forgotten, and whoever asked for it is told why not: a container
 * must not start.  One that has served is held again for as long as its namespace is there, at first
 * at once, then ever later.
 */
#include "daemon/supervisor.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "control/place.h"
#include "control/server.h"
#include "daemon/clock.h"
#include "daemon/held.h"
#include "daemon/hold_args.h"
#include "daemon/litter.h"
#include "daemon/role.h"
#include "daemon/wall.h"
#include "jail/namespace.h"
#include "policy/loader.h"
#include "policy/ports.h"
#include "watch/board.h"

#define START_LIMIT_S 20	/* for a keeper to serve */
#define END_LIMIT_S 5		/* for a keeper to end */
#define RETRY_FIRST_MS 50
#define RETRY_MAX_MS 30000
#define STEADY_MS 60000		/* who served that long has not failed before */
#define PORT_ANYBODY 1024	/* from there on a port is not root's alone */
#define LOCK_FD (HOLD_READY_FD + 1)	/* of the keeper: its session's lock (held.h) */

enum kept_state { KEPT_WAITING, KEPT_STARTING, KEPT_SERVING, KEPT_ENDING };

static const struct {
	const char	*name;
	unsigned	 next;		/* bits of what may follow */
} states[] = {
	[KEPT_WAITING] = { "closed", BIT(KEPT_STARTING) | BIT(KEPT_SERVING) | BIT(KEPT_ENDING) },
	[KEPT_STARTING] = { "starting", BIT(KEPT_SERVING) | BIT(KEPT_WAITING) | BIT(KEPT_ENDING) },
	[KEPT_SERVING] = { "serving", BIT(KEPT_WAITING) | BIT(KEPT_ENDING) },
	[KEPT_ENDING] = { "ending", 0 },
};

struct kept {
	struct kept	*next;
	struct supervisor *supervisor;
	struct held	 held;
	enum kept_state	 state;
	bool		 has_served;	/* then it is held again */
	pid_t		 pid;		/* of its keeper; 0: none */
	bool		 is_child;	/* else an earlier daemon's */
	int		 pidfd;		/* -1 */
	int		 ready;		/* the end of its --ready-fd; -1 */
	struct event	 ended_ev, ready_ev, timer;
	char		 why[ERR_TEXT_MAX];	/* it does not serve */
	unsigned	 failures;	/* in a row */
	unsigned	 restarts;
	size_t		 place;		/* on the board */
	int64_t		 since_ms;	/* it serves */
	bool		 asked;		/* somebody waits to hear how it goes */
	struct control_ticket ticket;	/* who */
};

struct supervisor {
	const struct supervisor_plan *plan;
	struct event_base *loop;
	struct control_server *server;
	struct exported	*exported;
	struct kept	*all;
	size_t		 count;
};

static void start(struct kept *k);

static void kept_become(struct kept *k, enum kept_state next)
{
	assert(states[k->state].next & BIT(next));
	k->state = next;
}

/* ---- telling who asked ---- */

static void tell(struct kept *k, const char *why)
{
	struct buf answer = buf_new(CONTROL_ANSWER_MAX);

	if (why) {
		control_refuse(&answer, why);
	} else {
		json_open(&answer, '{');
		json_field_bool(&answer, "ok", true);
		json_field_str(&answer, "session", k->held.session);
		json_close(&answer, '}');
	}
	if (k->asked)
		control_answer(k->supervisor->server, &k->ticket, buf_span(&answer));
	k->asked = false;
	buf_done(&answer);
}

/* ---- one keeper ---- */

static void after(struct kept *k, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(&k->timer, &tv);
}

static void drop_keeper(struct kept *k)
{
	if (k->pidfd >= 0)
		event_del(&k->ended_ev);
	if (k->ready >= 0)
		event_del(&k->ready_ev);
	event_del(&k->timer);
	DROP_FD(k->pidfd);
	DROP_FD(k->ready);
	k->pid = 0;
}

/* What a keeper that was killed could not remove */
static void clean(const char *folder, const char *session)
{
	char path[PATH_MAX];

	held_forget(folder, session);
	control_remove(folder, session);
	snprintf(path, sizeof(path), "%s/%s-ca.pem", folder, session);
	unlink(path);
}

/* Who asked is told at last: when he hears of it, nothing is left.  @why: as for tell() */
static void forget(struct kept *k, const char *why)
{
	struct supervisor *s = k->supervisor;
	struct kept **at = &s->all;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	s->count--;
	drop_keeper(k);
	/* What still lives there has lost its gate, and loses its network */
	if (k->held.uplink)
		wall_remove(s->plan->folder, k->held.session);
	clean(s->plan->folder, k->held.session);
	exported_drop(s->exported, k->held.session);
	tell(k, why);
	held_done(&k->held);
	free(k);
}

static void kill_keeper(const struct kept *k, int signo)
{
	if (k->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, k->pidfd, signo, NULL, 0);
}

/* It does not serve.  What has never served is not kept; else the namespace is closed until later. */
static void failed(struct kept *k)
{
	if (!k->has_served || !held_is_there(&k->held)) {
		forget(k, k->why[0] ? k->why : "the keeper has ended before it served");
		return;
	}
	kept_become(k, KEPT_WAITING);
	after(k, k->failures > 9 ? RETRY_MAX_MS : RETRY_FIRST_MS << k->failures);
	if (k->failures < 31)
		k->failures++;
}

/* It serves, or says why not; that it ends is told by its pidfd */
static void hear(struct kept *k)
{
	ssize_t n = read(k->ready, k->why, sizeof(k->why) - 1);

	k->why[n > 0 ? n : 0] = '\0';
	event_del(&k->ready_ev);
	DROP_FD(k->ready);
	if (k->why[0] != HOLD_READY)
		return;
	k->why[0] = '\0';
	if (k->state != KEPT_STARTING)
		return;
	event_del(&k->timer);
	kept_become(k, KEPT_SERVING);
	k->has_served = true;
	k->since_ms = clock_ms();
	tell(k, NULL);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	hear(arg);
}

/* The exit code of our own child; of another's it is unknown: -1 */
static int reap(const struct kept *k)
{
	int status;

	if (!k->is_child || waitpid(k->pid, &status, 0) != k->pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct kept *k = arg;
	int code = reap(k);

	(void)fd, (void)what;
	if (k->ready >= 0)
		hear(k);
	if (k->state == KEPT_SERVING && clock_ms() - k->since_ms > STEADY_MS)
		k->failures = 0;
	drop_keeper(k);
	if (k->state == KEPT_ENDING || (k->state == KEPT_SERVING && (code == 0 || code == HOLD_LIMIT))) {
		forget(k, NULL);
		return;
	}
	if (k->state == KEPT_SERVING) {
		k->restarts++;
		role_complain(k->held.session, "its keeper has died: closed until it is held again");
		if (k->held.uplink)
			uplink_close(k->held.session);
	}
	failed(k);
}

static void watch_keeper(struct kept *k)
{
	k->pidfd = (int)syscall(SYS_pidfd_open, k->pid, 0);
	if (k->pidfd < 0)
		return;
	event_assign(&k->ended_ev, k->supervisor->loop, k->pidfd, EV_READ, on_ended, k);
	event_add(&k->ended_ev, NULL);
}

/* Ports of this machine that no session's host_ports may lead to: those of our pages */
static struct control_ports own_ports(const struct supervisor *s)
{
	const struct page_at *pages[CONTROL_PORTS_MAX] = { s->plan->metrics.at, s->plan->dashboard };
	struct control_ports ret = { .count = 0 };

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i] && !pages[i]->path)
			ret.at[ret.count++] = pages[i]->listen.port;
	return ret;
}

/* A keeper of an earlier daemon's knows that one's.  @fd: to it, new: there is room */
static bool tell_ports(const struct supervisor *s, int fd)
{
	const struct control_request r = { .what = CONTROL_SPARE, .ports = own_ports(s) };
	struct buf line = buf_new(CONTROL_LINE_MAX);
	bool ok;

	control_request_write(&r, &line);
	ok = send(fd, line.at, line.len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)line.len;
	buf_done(&line);
	return ok;
}

/* Its keeper lives, an earlier daemon's: the socket tells who it is */
static bool adopt(struct kept *k)
{
	const char *folder = k->supervisor->plan->folder;
	AUTO_CLOSE int lock = held_lock(folder, k->held.session);
	AUTO_CLOSE int fd = lock == -EWOULDBLOCK ? control_connect(folder, k->held.session) : -1;
	socklen_t len = sizeof(struct ucred);
	struct ucred who;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) || who.pid <= 0 ||
	    !tell_ports(k->supervisor, fd))
		return false;
	k->pid = who.pid;
	watch_keeper(k);
	if (k->pidfd < 0)
		return false;
	kept_become(k, KEPT_SERVING);
	k->has_served = true;
	k->since_ms = clock_ms();
	return true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct kept *k = arg;

	(void)fd, (void)what;
	if (k->state != KEPT_WAITING && k->pid) {
		kill_keeper(k, SIGKILL);	/* too long to start, or to end */
	} else if (k->state == KEPT_WAITING && held_is_there(&k->held)) {
		if (!adopt(k))
			start(k);
	} else {
		forget(k, k->state == KEPT_WAITING ? "the namespace has gone" : NULL);
	}
}

/* ---- starting one ---- */

static _Noreturn void become_keeper(const struct kept *k, int ready, int lock)
{
	const struct supervisor *s = k->supervisor;
	const struct hold_facts facts = { s->plan->policies, k->place, k->has_served, own_ports(s) };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	static struct hold_args args;

	hold_args_make(&k->held, &facts, &args);
	/* Above both numbers first: one of them may be the other's */
	ready = fcntl(ready, F_DUPFD_CLOEXEC, LOCK_FD + 1);
	lock = fcntl(lock, F_DUPFD_CLOEXEC, LOCK_FD + 1);
	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(ready, HOLD_READY_FD) < 0 || dup2(lock, LOCK_FD) < 0 ||
	    close_range(LOCK_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(1);
	execv(s->plan->program, (char *const *)(uintptr_t)args.at);
	_exit(1);
}

static bool fork_keeper(struct kept *k, struct err *err)
{
	AUTO_CLOSE int lock = held_lock(k->supervisor->plan->folder, k->held.session);
	int ends[2];

	if (lock < 0)
		return err_sys(err, -lock, "session %s", k->held.session);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "session %s", k->held.session);
	k->pid = fork();
	if (k->pid == 0)
		become_keeper(k, ends[1], lock);
	close(ends[1]);
	k->ready = ends[0];
	k->is_child = true;
	event_assign(&k->ready_ev, k->supervisor->loop, k->ready, EV_READ, on_ready, k);
	event_add(&k->ready_ev, NULL);
	if (k->pid > 0)
		watch_keeper(k);
	return k->pid > 0 && k->pidfd >= 0 ? true : err_sys(err, errno, "session %s", k->held.session);
}

static void start(struct kept *k)
{
	struct err err = { "" };

	kept_become(k, KEPT_STARTING);
	k->place = exported_place(k->supervisor->exported, k->held.session);
	k->why[0] = '\0';
	if (fork_keeper(k, &err)) {
		after(k, START_LIMIT_S * 1000);
		return;
	}
	if (k->pid > 0)
		kill(k->pid, SIGKILL);
	drop_keeper(k);
	snprintf(k->why, sizeof(k->why), "%s", err.text);
	failed(k);
}

static void on_timer(evutil_socket_t fd, short what, void *arg);

/* Takes @held over */
static struct kept *keep(struct supervisor *s, const struct held *held)
{
	struct kept *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	*k = (struct kept){ .next = s->all, .supervisor = s, .held = *held, .pidfd = -1, .ready = -1 };
	event_assign(&k->timer, s->loop, -1, 0, on_timer, k);
	s->all = k;
	s->count++;
	return k;
}

/* ---- what is asked ---- */

static struct kept *find(const struct supervisor *s, const char *session)
{
	struct kept *k = s->all;

	while (k && strcmp(k->held.session, session) != 0)
		k = k->next;
	return k;
}

/* Its socket would be taken from it, and removed at the end */
static bool is_running(const struct supervisor *s, const char *session)
{
	AUTO_CLOSE int fd = control_connect(s->plan->folder, session);

	return fd >= 0;
}

static bool is_kept(void *arg, const char *session)
{
	return find(arg, session);
}

/* Two keepers of one namespace would take it from each other */
static const struct kept *find_same(const struct supervisor *s, const struct held *h)
{
	const struct kept *k = s->all;

	while (k && (k->held.inode != h->inode || k->held.device != h->device))
		k = k->next;
	return k;
}

/* Files are read as root: whoever is only of the group names policies of the daemon's own, and does
 * not say that none counts */
static bool check_policies(const struct control_request *r, bool privileged, struct err *err)
{
	enum mode mode;

	if (r->mode && !mode_from(span_str(r->mode), &mode))
		return err_set(err, "mode %s: accepted: " ACCEPTS_MODE, r->mode);
	if (r->mode && mode == MODE_MONITOR && !privileged)
		return err_set(err, "mode %s: only root attaches with it", r->mode);
	for (size_t i = 0; i < r->policies.count; i++) {
		const char *word = r->policies.at[i];

		if (word[0] == '/' ? !privileged : !control_name_is_valid(word))
			return err_set(err, "policy %s: %s", word,
				       word[0] == '/' ? "only root names a file (name a policy of policies.d)" :
				       "not a name");
	}
	return true;
}

/* A listener of root's: whoever is only of the group gets one on loopback, at a port that is anybody's */
static bool check_publish(const struct control_request *r, bool privileged, struct err *err)
{
	const struct net loopback4 = { addr_v4(127u << 24), 104 }, loopback6 = { { .b[15] = 1 }, 128 };

	for (size_t i = 0; i < r->publish.count; i++) {
		const char *word = r->publish.at[i];
		struct port_map map;

		if (!port_map_publish(span_str(word), &map))
			return err_set(err, "publish %s: accepted: " ACCEPTS_PUBLISH, word);
		if (!privileged && (map.outside < PORT_ANYBODY ||
				    (!net_has(&loopback4, &map.addr) && !net_has(&loopback6, &map.addr))))
			return err_set(err, "publish %s: only root publishes below port %d, or elsewhere "
				       "than on loopback", word, PORT_ANYBODY);
	}
	return true;
}

/* Whoever is only of the group has his own namespaces, in which root's policies cannot be taken away
 * from others.  A path of his may lead elsewhere by the time that it is opened. */
static bool check_owner(const struct held *h, const struct control_ticket *t, struct err *err)
{
	AUTO_CLOSE int net = t->privileged || h->netns[0] ? -1 : namespace_of(h->pid);

	if (!t->privileged && h->netns[0])
		return err_set(err, "session %s: only root names a namespace's path (--pid)", h->session);
	return t->privileged || (net >= 0 && namespace_is_of(net, t->uid)) ||
	       err_set(err, "session %s: the namespace is another user's (root may, and who made it)", h->session);
}

static bool attach(struct supervisor *s, const struct control_request *r,
		   const struct control_ticket *t, struct err *err)
{
	const struct kept *same;
	struct kept *k = NULL;
	struct held held;

	if (!check_policies(r, t->privileged, err) || !check_publish(r, t->privileged, err))
		return false;
	litter_sweep(s->plan->folder, is_kept, s);
	if (!held_find(r, &held, err) || !check_owner(&held, t, err)) {
		held_done(&held);
		return false;
	}
	same = find_same(s, &held);
	if (find(s, held.session))
		err_set(err, "a session of the name %s is there already (sluice detach %s ends it)", held.session,
			held.session);
	else if (is_running(s, held.session))
		err_set(err, "a session of the name %s runs, and is not the daemon's", held.session);
	else if (same)
		err_set(err, "the namespace is under session %s (sluice detach %s ends it)", same->held.session,
			same->held.session);
	else if (s->count >= SUPERVISOR_SESSIONS_MAX)
		err_set(err, "there are %zu sessions, as many as can be", s->count);
	else if (held_write(s->plan->folder, &held, err))
		k = keep(s, &held);
	if (!k) {
		if (!err->text[0])
			err_set(err, "out of memory");
		held_done(&held);
		return false;
	}
	k->ticket = *t;
	k->asked = true;
	after(k, 0);	/* not now: an answer can be given only once this one was said to come later */
	return true;
}

static bool detach(struct supervisor *s, const struct control_request *r,
		   const struct control_ticket *t, struct err *err)
{
	struct kept *k = find(s, r->session);

	if (!k || k->state == KEPT_ENDING)
		return err_set(err, "%s: no such session of the daemon's (see sluice sessions)", r->session);
	if (!check_owner(&k->held, t, err))
		return false;
	tell(k, "it was detached meanwhile");
	k->ticket = *t;
	k->asked = true;
	kept_become(k, KEPT_ENDING);
	/* No peer is reached while nobody records it any more */
	if (k->held.uplink)
		uplink_close(k->held.session);
	kill_keeper(k, SIGTERM);
	after(k, k->pid ? END_LIMIT_S * 1000 : 0);
	return true;
}

static void put_kept(struct buf *b, const struct kept *k)
{
	json_open(b, '{');
	json_field_str(b, "session", k->held.session);
	json_field_str(b, "state", states[k->state].name);
	json_field_str(b, "netns", k->held.netns[0] ? k->held.netns : NULL);
	json_field_uint(b, "init", (uint64_t)k->held.pid);
	json_field_uint(b, "device", k->held.device);
	json_field_uint(b, "inode", k->held.inode);
	json_field_uint(b, "keeper", (uint64_t)k->pid);
	json_field_uint(b, "restarts", k->restarts);
	json_field_str(b, "why", k->why[0] ? k->why : NULL);
	json_field_str(b, "mode", k->held.mode[0] ? k->held.mode : NULL);
	json_field_str(b, "guest", k->held.guest[0] ? k->held.guest : NULL);
	json_field_bool(b, "uplink", k->held.uplink);
	control_words_write(b, "policies", &k->held.policies);
	control_words_write(b, "labels", &k->held.labels);
	control_words_write(b, "publish", &k->held.publish);
	json_close(b, '}');
}

static void put_all(const struct supervisor *s, struct buf *b)
{
	json_open(b, '{');
	json_field_bool(b, "ok", true);
	json_field_str(b, "version", s->plan->version);
	json_field_uint(b, "pid", (uint64_t)getpid());
	json_key(b, "held");
	json_open(b, '[');
	for (const struct kept *k = s->all; k; k = k->next)
		put_kept(b, k);
	json_close(b, ']');
	json_close(b, '}');
}

static bool handle(void *arg, const struct control_request *r, const struct control_ticket *t,
		   struct buf *answer)
{
	struct supervisor *s = arg;
	struct err err = { "" };

	if (r->what == CONTROL_HELD)
		put_all(s, answer);
	else if (r->what == CONTROL_ATTACH ? attach(s, r, t, &err) :
		 r->what == CONTROL_DETACH ? detach(s, r, t, &err) :
		 err_set(&err, "that is a session's to do, not the daemon's"))
		return false;
	else
		control_refuse(answer, err.text);
	return true;
}

/* ---- what an earlier daemon left ---- */

static void take_over(struct supervisor *s, const char *session)
{
	struct err err = { "" };
	struct held held;
	struct kept *k;

	if (!held_read(s->plan->folder, session, &held, &err) || !(k = keep(s, &held))) {
		role_complain("daemon", err.text[0] ? err.text : "out of memory");
		held_done(&held);
		return;
	}
	k->has_served = true;
	after(k, 0);
}

static void take_over_all(struct supervisor *s)
{
	const struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/held", s->plan->folder);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		struct span name = span_str(entry->d_name), ending = SPAN(".json");
		char session[CONTROL_NAME_MAX + 1];

		if (span_ends(name, ending) &&
		    span_copy(span_head(name, name.len - ending.len), session, sizeof(session)))
			take_over(s, session);
	}
	if (dir)
		closedir(dir);
}

/* ---- the whole ---- */

static bool make_folder(const struct supervisor_plan *plan, struct err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/held", plan->folder);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "%s", path);
	/* The group's members go through, to the daemon's socket, and see nothing else */
	if (plan->group != CONTROL_GROUP_NONE &&
	    (chown(plan->folder, (uid_t)-1, plan->group) < 0 || chmod(plan->folder, 0710) < 0))
		return err_sys(err, errno, "%s", plan->folder);
	return true;
}

static bool listen_there(struct supervisor *s, struct err *err)
{
	int fd = control_listen(s->plan->folder, CONTROL_DAEMON, err);
	char path[PATH_MAX];

	if (fd < 0)
		return false;
	snprintf(path, sizeof(path), "%s/" CONTROL_DAEMON CONTROL_ENDING, s->plan->folder);
	if (s->plan->group != CONTROL_GROUP_NONE &&
	    (chown(path, (uid_t)-1, s->plan->group) < 0 || chmod(path, 0660) < 0)) {
		close(fd);
		return err_sys(err, errno, "%s", path);
	}
	s->server = control_server_new(s->loop, fd, s->plan->group, handle, s);
	return s->server || err_set(err, "out of memory");
}

struct supervisor *supervisor_new(struct event_base *loop, const struct supervisor_plan *plan,
				  struct err *err)
{
	struct supervisor *s = calloc(1, sizeof(*s));

	if (!s) {
		err_set(err, "out of memory");
		return NULL;
	}
	*s = (struct supervisor){ .plan = plan, .loop = loop };
	if (!make_folder(plan, err) || !listen_there(s, err) ||
	    !(s->exported = exported_new(loop, &plan->metrics, err))) {
		if (s->server)
			control_remove(plan->folder, CONTROL_DAEMON);
		control_server_free(s->server);
		free(s);
		return NULL;
	}
	take_over_all(s);
	exported_sweep(s->exported, is_kept, s);
	litter_sweep(plan->folder, is_kept, s);
	return s;
}

bool supervisor_holds(const struct supervisor *s, const char *session)
{
	return find(s, session);
}

size_t supervisor_free(struct supervisor *s)
{
	size_t count = s->count;

	control_server_free(s->server);
	exported_free(s->exported);
	control_remove(s->plan->folder, CONTROL_DAEMON);
	while (s->all) {
		struct kept *k = s->all;

		s->all = k->next;
		drop_keeper(k);
		held_done(&k->held);
		free(k);
	}
	free(s);
	return count;
}
