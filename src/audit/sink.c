/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold: the file is at any time a chain that verifies, and no verdict
 * takes effect whose line is not in it.
 *
 * A batch that fails half way would leave lines of verdicts that never took
 * effect, and half a line that the next session could not go on from.  So the
 * file is cut back to the last flush and the chain set back with it; then the
 * audit stays broken, but session.end and the last checkpoint can still be
 * tried: on a full disk the room that the cut gave back is enough for them.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/rand.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "audit/fold.h"
#include "audit/key.h"
#include "audit/pieces.h"
#include "audit/record.h"
#include "audit/verify.h"

#define MAX_BYTES_DEFAULT 1000000000	/* log.max: 1 GB */
#define END_ROOM 4096		/* bytes kept free for session.end and its checkpoint; both have
				 * less than 2,500 with the longest session name */
#define CHECKPOINT_EVENTS 1000	/* contract section 4 */
#define CHECKPOINT_US 10000000

struct audit {
	int		 fd;
	int		 broken;	/* negative errno, for ever; 0: well */
	bool		 dead;		/* broken, and not even the end can be written */
	bool		 started, ended;
	bool		 in_file;	/* session.start is in the file */
	bool		 outside;	/* an event came before the start or after the end */
	bool		 sync;
	bool		 hides_names;	/* those that are allowed */
	char		*path;		/* owned; of the file */
	uint64_t	 bytes;		/* of the file */
	uint64_t	 before;	/* of the pieces before it */
	uint64_t	 max_bytes, rotate_bytes;
	struct record	 record;
	struct chain	 flushed;	/* the chain as it is in the file */
	uint64_t	 unsigned_events, flushed_unsigned;
	int64_t		 unsigned_us;	/* when the first of them came */
	int64_t		 tick_us;	/* the last tick; both of the monotonic clock */
	struct key	 key;
	struct audit_totals totals;
	struct fold	 fold;
	uint64_t	 first_seq;	/* of this session */
	struct copy	 copy[COPY_NUM];	/* fd -1: not wanted */
	char		*session;	/* owned */
	void		(*see)(void *arg, const struct audit_seen *e);
	void		*see_arg;
};

static int64_t clock_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* The file and its lock.  Return: -1 and @err */
static int open_file(const char *path, struct stat *ret_st, struct err *err)
{
	AUTO_CLOSE int fd = -1;

	if (!make_parents(path, err))
		return -1;
	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ELOOP)
		err_set(err, "log %s: is a symbolic link (name the file itself)", path);
	else if (fd < 0 || fstat(fd, ret_st))
		err_sys(err, errno, "cannot open the log %s", path);
	else if (!S_ISREG(ret_st->st_mode) && !S_ISCHR(ret_st->st_mode))
		err_set(err, "log %s: not a regular file", path);
	else if (S_ISREG(ret_st->st_mode) && flock(fd, LOCK_EX | LOCK_NB))
		err_set(err, "log %s: another session writes to it (use another --log)", path);
	else if (fstat(fd, ret_st))	/* again: the size as of the lock */
		err_sys(err, errno, "cannot open the log %s", path);
	else
		return TAKE_FD(fd);
	return -1;
}

/* Go on where an existing log ends; what a crash tore off its end goes */
static bool continue_log(struct audit *a, const char *path, uint64_t size, struct err *err)
{
	struct verify_options o = { .keys = &a->key.public, .key_count = 1 };
	struct verify_result r;
	struct pieces pieces;
	bool good;
	int error = pieces_open(&pieces, path, false);

	if (error)
		return err_sys(err, -error, "log %s", path);
	good = verify_pieces(&pieces, &o, &r);
	pieces_close(&pieces);
	if (good && r.end < pieces.before)
		good = err_set(err, "log %s: torn before its last piece (not continued; use another "
			       "--log)", path);
	else if (!good)
		return r.bad_line
			? err_set(err, "log %s: line %llu: %s (not continued; use another --log)",
				  path, (unsigned long long)r.bad_line, r.why)
			: err_set(err, "log %s: %s (not continued; use another --log)", path,
				  r.why);
	if (!good)
		return false;
	a->before = pieces.before;
	a->bytes = r.end - pieces.before;
	if (a->bytes < size && ftruncate(a->fd, (off_t)a->bytes))
		return err_sys(err, errno, "log %s: cannot cut its torn last line", path);
	record_resume(&a->record, &r.chain);
	a->unsigned_events = r.lines - r.signed_lines;
	return true;
}

/* With log.sync the name must last as the lines do */
static bool sync_folder(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	AUTO_CLOSE int fd = -1;

	if (slash == path)
		memcpy(folder, "/", 2);
	else if (slash && !span_copy(span_of(path, (size_t)(slash - path)), folder,
				     sizeof(folder)))
		return err_sys(err, ENAMETOOLONG, "%s", path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		return err_sys(err, errno, "cannot sync %s", folder);
	return true;
}

static bool open_all(struct audit *a, const struct audit_options *o, struct err *err)
{
	struct seed seed;
	struct stat st;

	if (RAND_bytes((uint8_t *)&seed, sizeof(seed)) != 1 ||
	    !record_init(&a->record, o->session))
		return err_set(err, "log %s: OpenSSL or memory failed", o->path);
	fold_init(&a->fold, &seed);
	a->fd = open_file(o->path, &st, err);
	if (a->fd < 0 || !key_open(&a->key, o->key_path, err))
		return false;
	a->path = strdup(o->path);
	a->session = strdup(o->session);
	if (!a->path || !a->session)
		return err_sys(err, ENOMEM, "log %s", o->path);
	if (!S_ISREG(st.st_mode))
		a->rotate_bytes = 0;
	if (S_ISREG(st.st_mode) && (st.st_size || pieces_next(o->path) > 1) &&
	    !continue_log(a, o->path, (uint64_t)st.st_size, err))
		return false;
	a->flushed = a->record.chain;
	a->first_seq = a->flushed.seq;
	a->flushed_unsigned = a->unsigned_events;
	for (size_t i = 0; i < COPY_NUM; i++)
		if (o->copies[i] &&
		    !copy_open(&a->copy[i], (enum copy_to)i, NULL, a->session, err))
			return false;
	return !o->sync || !S_ISREG(st.st_mode) || sync_folder(o->path, err);
}

static void release(struct audit *a)
{
	DROP_FD(a->fd);
	key_done(&a->key);
	record_done(&a->record);
	for (size_t i = 0; i < COPY_NUM; i++)
		copy_close(&a->copy[i]);
	free(a->path);
	free(a->session);
	free(a);
}

struct audit *audit_open(const struct audit_options *o, struct err *err)
{
	struct audit *a = calloc(1, sizeof(*a));

	if (!a) {
		err_sys(err, ENOMEM, "log %s", o->path);
		return NULL;
	}
	a->fd = -1;
	for (size_t i = 0; i < COPY_NUM; i++)
		a->copy[i].fd = -1;
	a->sync = o->sync;
	a->max_bytes = o->max_bytes ? o->max_bytes : MAX_BYTES_DEFAULT;
	a->rotate_bytes = o->rotate_bytes;
	a->tick_us = a->unsigned_us = clock_us(CLOCK_MONOTONIC);
	if (open_all(a, o, err))
		return a;
	release(a);
	return NULL;
}

/* Broken from now on; the file goes back to the last flush if it can */
static int fail(struct audit *a, int error)
{
	a->broken = error;
	a->dead = !a->in_file || ftruncate(a->fd, (off_t)a->bytes);
	record_resume(&a->record, &a->flushed);
	a->unsigned_events = a->flushed_unsigned;
	return error;
}

static int write_out(int fd, struct span s)
{
	while (s.len) {
		ssize_t put = write(fd, s.at, s.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? -errno : -EIO;
		s = span_skip(s, (size_t)put);
	}
	return 0;
}

/* What was appended, with one write */
static int write_lines(struct audit *a)
{
	struct span lines = buf_span(&a->record.out);
	uint64_t room = a->ended ? 0 : END_ROOM;
	int error;

	if (a->record.out.full)
		return fail(a, -ENOBUFS);
	if (!lines.len)
		return 0;
	if (a->before + a->bytes + lines.len + room > a->max_bytes)
		return fail(a, -EFBIG);
	error = write_out(a->fd, lines);
	if (!error && a->sync && fdatasync(a->fd) && errno != EINVAL)
		error = -errno;
	if (error)
		return fail(a, error);
	a->bytes += lines.len;
	a->in_file = true;
	a->flushed = a->record.chain;
	a->flushed_unsigned = a->unsigned_events;
	for (size_t i = 0; i < COPY_NUM; i++)
		if (a->copy[i].session)
			copy_lines(&a->copy[i], lines);
	buf_clear(&a->record.out);
	return 0;
}

static void add_checkpoint(struct audit *a)
{
	char sig[SIG_HEX];

	if (!key_sign(&a->key, a->record.chain.prev, sig)) {
		a->record.out.full = true;	/* the chain ends here: broken at the flush */
		return;
	}
	record_checkpoint(&a->record, a->key.public.id, sig);
	a->unsigned_events = 0;
}

/* The file gets the name of a piece, and another one its name.  Return: the new file, or -errno */
static int turn_over(struct audit *a)
{
	char piece[PATH_MAX];
	AUTO_CLOSE int fd = -1;
	struct err err;

	if (!piece_path(a->path, pieces_next(a->path), piece))
		return -ENAMETOOLONG;
	if (renameat2(AT_FDCWD, a->path, AT_FDCWD, piece, RENAME_NOREPLACE))
		return -errno;
	fd = open(a->path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		return -errno;
	if (a->sync && !sync_folder(a->path, &err))
		return -EIO;
	return TAKE_FD(fd);
}

/* A piece ends signed, so that it can be trusted without the next */
static int rotate(struct audit *a)
{
	int error, fd;

	if (a->unsigned_events)
		add_checkpoint(a);
	error = write_lines(a);
	if (error)
		return error;
	fd = turn_over(a);
	if (fd < 0)
		return fail(a, fd);
	close(a->fd);
	a->fd = fd;
	a->before += a->bytes;
	a->bytes = 0;
	return 0;
}

int audit_flush(struct audit *a)
{
	int error;

	if (a->broken)
		return a->broken;
	if (a->outside)
		return -ESHUTDOWN;
	error = write_lines(a);
	if (!error && a->rotate_bytes && a->bytes >= a->rotate_bytes && !a->ended)
		error = rotate(a);
	return error;
}

/* After each event but checkpoints */
static void count_event(struct audit *a)
{
	if (!a->unsigned_events++)
		a->unsigned_us = clock_us(CLOCK_MONOTONIC);
	if (a->unsigned_events >= CHECKPOINT_EVENTS)
		add_checkpoint(a);
}

static void tell_folded(struct audit *a, int64_t now_us)
{
	const struct fold_row *row;
	enum reason reason;

	while ((row = fold_take(&a->fold, &reason))) {
		record_denials(&a->record, now_us, &(struct record_denials){
			.reason = reason, .count = row->folded, .distinct = row->distinct,
			.sample = row->sample, .sample_count = row->sample_count });
		fold_clear(&a->fold, reason);
		count_event(a);
	}
}

/*
 * Before each event: the time, and what is due before it.
 * Return: false if the event goes nowhere: the audit is broken, or there is no
 *         session, as when what still waits is answered at the end.
 */
static bool begin_event(struct audit *a, int64_t *ret_now_us)
{
	a->outside = a->outside || !a->started || a->ended;
	if (a->broken || a->outside)
		return false;
	*ret_now_us = clock_us(CLOCK_REALTIME);
	if (fold_due(&a->fold, *ret_now_us / 1000000))
		tell_folded(a, *ret_now_us);
	return true;
}

/* The same for an event with a verdict.  Return: false also if it was folded */
static bool begin_verdict(struct audit *a, enum answer verdict, enum reason reason,
			  struct span host, int64_t *ret_now_us)
{
	a->totals.denied += verdict == ANSWER_DENY;
	return begin_event(a, ret_now_us) &&
	       (verdict != ANSWER_DENY ||
		fold_denial(&a->fold, *ret_now_us / 1000000, reason, host));
}

void audit_watch(struct audit *a, void (*see)(void *arg, const struct audit_seen *e), void *arg)
{
	a->see = see;
	a->see_arg = arg;
}

static void show(const struct audit *a, const struct audit_seen *e)
{
	if (a->see)
		a->see(a->see_arg, e);
}

struct audit_size audit_size(const struct audit *a)
{
	return (struct audit_size){ a->flushed.seq - a->first_seq, a->before + a->bytes,
				     a->max_bytes };
}

void audit_keep(struct audit *a, const struct policy_log *log)
{
	a->hides_names = !log->dns;
	a->record.paths = (enum detail)log->paths;
}

void audit_session_start(struct audit *a, const struct audit_start *e)
{
	assert(!a->started);
	a->started = true;
	record_session_start(&a->record, clock_us(CLOCK_REALTIME), &(struct record_start){
		.start = e, .key_id = a->key.public.id, .key = a->key.public.hex });
	count_event(a);
}

void audit_dns_query(struct audit *a, const struct audit_dns *e)
{
	int64_t now_us;

	a->totals.dns++;
	show(a, &(struct audit_seen){ AUDIT_NAME, e->verdict, e->reason, .text = e->name });
	if (!begin_verdict(a, e->verdict, e->reason, e->name, &now_us) ||
	    (a->hides_names && e->verdict == ANSWER_ALLOW))
		return;
	record_dns_query(&a->record, now_us, e);
	count_event(a);
}

void audit_conn_open(struct audit *a, const struct audit_conn *e)
{
	struct span host = e->host;
	char text[ADDR_TEXT_MAX];
	int64_t now_us;

	if (!host.len && e->verdict == ANSWER_DENY)
		host = span_str(addr_text(&e->literal, text));
	a->totals.connections++;
	show(a, &(struct audit_seen){ AUDIT_OPEN, e->verdict, e->reason });
	if (!begin_verdict(a, e->verdict, e->reason, host, &now_us))
		return;
	record_conn_open(&a->record, now_us, e);
	count_event(a);
}

bool audit_folds(const struct audit *a, enum reason reason)
{
	return fold_is_full(&a->fold, clock_us(CLOCK_REALTIME) / 1000000, reason);
}

/* Counts come from the gate, which may be taken over: a sum must not wrap to little */
static void add_bytes(uint64_t *sum, uint64_t bytes)
{
	if (__builtin_add_overflow(*sum, bytes, sum))
		*sum = UINT64_MAX;
}

void audit_conn_close(struct audit *a, const struct audit_close *e)
{
	int64_t now_us;

	add_bytes(&a->totals.bytes_out, e->bytes_out);
	add_bytes(&a->totals.bytes_in, e->bytes_in);
	show(a, &(struct audit_seen){ .kind = AUDIT_CLOSE, .bytes_out = e->bytes_out,
				      .bytes_in = e->bytes_in });
	if (!begin_event(a, &now_us))
		return;
	record_conn_close(&a->record, now_us, e);
	count_event(a);
}

void audit_http_done(struct audit *a, const struct audit_http *e)
{
	int64_t now_us;

	show(a, &(struct audit_seen){ AUDIT_REQUEST, e->verdict, e->reason, .text = e->method });
	if (!begin_verdict(a, e->verdict, e->reason, e->host, &now_us))
		return;
	record_http(&a->record, now_us, e);
	count_event(a);
}

void audit_packet_drop(struct audit *a, const struct audit_drop *e)
{
	int64_t now_us;

	show(a, &(struct audit_seen){ .kind = AUDIT_DROP, .count = e->count });
	if (!begin_event(a, &now_us))
		return;
	record_packet_drop(&a->record, now_us, e);
	count_event(a);
}

void audit_alert(struct audit *a, const struct audit_alert *e)
{
	int64_t now_us;

	if (!begin_event(a, &now_us))
		return;
	a->totals.alerts++;
	show(a, &(struct audit_seen){ .kind = AUDIT_ALERT, .text = span_str(e->kind) });
	record_alert(&a->record, now_us, e);
	count_event(a);
}

void audit_approval(struct audit *a, const struct audit_approval *e)
{
	int64_t now_us;

	if (!begin_event(a, &now_us))
		return;
	record_approval(&a->record, now_us, e);
	count_event(a);
}

void audit_policy_reload(struct audit *a, const char *sha256, bool changed, const char *why)
{
	int64_t now_us;

	show(a, &(struct audit_seen){ .kind = AUDIT_RELOAD });
	if (!begin_event(a, &now_us))
		return;
	record_policy_reload(&a->record, now_us, sha256, changed, why);
	count_event(a);
}

void audit_session_end(struct audit *a, int exit_code)
{
	int64_t now_us = clock_us(CLOCK_REALTIME);

	assert(a->started && !a->ended);
	if (!a->broken)
		tell_folded(a, now_us);
	/* Whether or not this works: session.end follows what is in the file then */
	if (audit_flush(a) && a->dead)
		return;
	a->ended = true;
	record_session_end(&a->record, now_us, exit_code, &a->totals);
	count_event(a);
}

int audit_tick(struct audit *a)
{
	int64_t now_us = clock_us(CLOCK_REALTIME), mono_us = clock_us(CLOCK_MONOTONIC);
	int64_t next_us = mono_us + (mono_us - a->tick_us);

	if (a->broken)
		return a->broken;
	if (!a->ended && fold_due(&a->fold, now_us / 1000000))
		tell_folded(a, now_us);
	/* By the next tick, if it takes as long as this one, it would be too late */
	if (a->started && a->unsigned_events && next_us - a->unsigned_us > CHECKPOINT_US)
		add_checkpoint(a);
	a->tick_us = mono_us;
	return audit_flush(a);
}

uint64_t audit_lost(const struct audit *a, enum copy_to to)
{
	return a->copy[to].lost;
}

bool audit_pending(const struct audit *a)
{
	return a->record.out.len || a->record.out.full;
}

int audit_fd(const struct audit *a)
{
	return a->fd;
}

const struct audit_totals *audit_totals(const struct audit *a)
{
	return &a->totals;
}

int audit_close(struct audit *a)
{
	int broken = a->broken, error = 0;

	if (!a->dead) {
		if (a->unsigned_events)
			add_checkpoint(a);
		a->broken = 0;	/* the end is tried even so */
		a->outside = false;
		error = audit_flush(a);
	}
	release(a);
	return broken ? broken : error;
}
