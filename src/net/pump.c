/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pump.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#define PIPE_BYTES (1 << 20)	/* unprivileged maximum (fs.pipe-max-size) */
#define POOL_MAX 16		/* pipes kept for reuse; 16 MiB at most */
#define PIPES_MAX 48		/* pipes in use at once; beyond it copying goes on */
#define BULK_READS 4		/* full scratch buffers in a row that make a direction bulk */
#define IDLE_READS 8		/* small reads in a row that end it */
#define SMALL_READ 16384	/* bytes: less is small */
#define SHARE_ROUNDS 16		/* reads of one pump_move(): fairness between flows */

static struct {
	int	fds[POOL_MAX][2];
	size_t	count;		/* free ones */
	size_t	in_use;
} pool;

uint8_t *pump_scratch(void)
{
	static uint8_t scratch[PUMP_SCRATCH];

	return scratch;
}

/* A pipe of full size or none: smaller ones cost more than copying */
static bool pool_take(int ret[2])
{
	if (pool.in_use == PIPES_MAX)
		return false;
	if (pool.count) {
		pool.count--;
		ret[0] = pool.fds[pool.count][0];
		ret[1] = pool.fds[pool.count][1];
		pool.in_use++;
		return true;
	}
	if (pipe2(ret, O_NONBLOCK | O_CLOEXEC) < 0)
		return false;
	if (fcntl(ret[1], F_SETPIPE_SZ, PIPE_BYTES) < PIPE_BYTES) {
		close(ret[0]);
		close(ret[1]);
		return false;
	}
	pool.in_use++;
	return true;
}

/* Only empty pipes go back */
static void pool_give(const int p[2], bool empty)
{
	pool.in_use--;
	if (empty && pool.count < POOL_MAX) {
		pool.fds[pool.count][0] = p[0];
		pool.fds[pool.count][1] = p[1];
		pool.count++;
		return;
	}
	close(p[0]);
	close(p[1]);
}

void pump_init(struct pump *p)
{
	*p = (struct pump){ .pipe = { -1, -1 }, .room = UINT64_MAX };
}

void pump_through(struct pump *p, const struct pump_way *way, void *sides, bool outward)
{
	assert(!p->held_len && p->pipe[0] < 0);
	p->way = way;
	p->sides = sides;
	p->outward = outward;
}

static ssize_t source_recv(struct pump *p, int from, void *to, size_t len, int flags)
{
	return p->way ? p->way->recv(p->sides, p->outward, to, len, flags) :
			recv(from, to, len, flags);
}

static ssize_t target_send(struct pump *p, int to, const void *bytes, size_t len)
{
	return p->way ? p->way->send(p->sides, !p->outward, bytes, len) :
			send(to, bytes, len, MSG_NOSIGNAL);
}

static int target_shut(struct pump *p, int to)
{
	return p->way ? p->way->shut(p->sides, !p->outward) : shutdown(to, SHUT_WR);
}

static void stop_splicing(struct pump *p)
{
	if (p->pipe[0] >= 0)
		pool_give(p->pipe, !p->in_pipe);
	p->pipe[0] = p->pipe[1] = -1;
	p->in_pipe = 0;
	p->full_reads = p->idle_reads = 0;
}

static void drop_held(struct pump *p)
{
	free(p->held);
	p->held = NULL;
	p->held_at = p->held_len = 0;
}

void pump_done(struct pump *p)
{
	stop_splicing(p);
	drop_held(p);
}

void pump_rest(struct pump *p)
{
	if (p->pipe[0] >= 0 && !p->in_pipe && p->bytes == p->bytes_rested)
		stop_splicing(p);
	p->bytes_rested = p->bytes;
}

bool pump_push(struct pump *p, int to, struct span bytes)
{
	ssize_t sent = 0;

	assert(!p->held_len);
	if (!bytes.len)
		return true;
	do
		sent = target_send(p, to, bytes.at, bytes.len);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN)
		return false;
	if (sent < 0)
		sent = 0;
	p->bytes += (uint64_t)sent;
	bytes = span_skip(bytes, (size_t)sent);
	if (!bytes.len)
		return true;
	p->held = malloc(bytes.len);
	if (!p->held)
		return false;
	memcpy(p->held, bytes.at, bytes.len);
	p->held_at = 0;
	p->held_len = (uint32_t)bytes.len;
	return true;
}

enum pumped pump_drain(struct pump *p, int to)
{
	while (p->held_len || p->in_pipe) {
		ssize_t n;

		if (p->held_len)
			n = target_send(p, to, p->held + p->held_at, p->held_len);
		else
			n = splice(p->pipe[0], NULL, to, NULL, p->in_pipe,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);	/* no MORE: it corks tails */
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return PUMPED_WRITE;
		if (n <= 0)
			return PUMPED_TARGET_FAILED;
		p->bytes += (uint64_t)n;
		if (!p->held_len) {
			p->in_pipe -= (uint32_t)n;
			continue;
		}
		p->held_at += (uint32_t)n;
		p->held_len -= (uint32_t)n;
		if (!p->held_len)
			drop_held(p);
	}
	return PUMPED_READ;
}

static void note_size(struct pump *p, size_t len)
{
	if (p->way)
		return;
	if (p->pipe[0] < 0) {
		p->full_reads = len == PUMP_SCRATCH ? (uint8_t)(p->full_reads + 1) : 0;
		if (p->full_reads >= BULK_READS && !pool_take(p->pipe))
			p->full_reads = 0;
		return;
	}
	p->idle_reads = len < SMALL_READ ? (uint8_t)(p->idle_reads + 1) : 0;
}

/* No room: is there more?  An end is no more */
static enum pumped look(struct pump *p, int from)
{
	uint8_t byte;
	ssize_t n;

	do
		n = source_recv(p, from, &byte, 1, MSG_PEEK);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? PUMPED_READ : PUMPED_SOURCE_FAILED;
	if (n > 0)
		return PUMPED_FULL;
	p->eof = true;
	return PUMPED_AGAIN;
}

/* One read.  READ: the source is (probably) empty for now. */
static enum pumped fill(struct pump *p, int from, int to)
{
	bool splicing = p->pipe[0] >= 0;
	size_t want = splicing ? PIPE_BYTES : PUMP_SCRATCH;
	ssize_t n;

	if (want > p->room)
		want = (size_t)p->room;
	if (!want)
		return look(p, from);
	do
		n = splicing ? splice(from, NULL, p->pipe[1], NULL, want,
				      SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
			     : source_recv(p, from, pump_scratch(), want, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? PUMPED_READ : PUMPED_SOURCE_FAILED;
	if (n == 0) {
		p->eof = true;
		return PUMPED_AGAIN;
	}
	if (p->room != UINT64_MAX)
		p->room -= (uint64_t)n;
	if (splicing)
		p->in_pipe += (uint32_t)n;
	else if (!pump_push(p, to, span_of(pump_scratch(), (size_t)n)))
		return PUMPED_TARGET_FAILED;
	note_size(p, (size_t)n);
	/* A short copy means that the source is empty: spare the read that says so */
	return !splicing && (size_t)n < want && !p->held_len ? PUMPED_READ : PUMPED_AGAIN;
}

enum pumped pump_move(struct pump *p, int from, int to)
{
	for (int round = 0; round < SHARE_ROUNDS; round++) {
		enum pumped r = pump_drain(p, to);

		if (r != PUMPED_READ)
			return r;
		if (p->idle_reads >= IDLE_READS)
			stop_splicing(p);
		if (p->eof) {
			stop_splicing(p);
			if (!p->shut && !p->last && target_shut(p, to) < 0 &&
			    errno != ENOTCONN)
				return PUMPED_TARGET_FAILED;
			p->shut = true;
			return PUMPED_OVER;
		}
		r = fill(p, from, to);
		if (r != PUMPED_AGAIN)
			return r;
	}
	/* What the last round read must not wait until the source speaks again */
	if (pump_drain(p, to) == PUMPED_TARGET_FAILED)
		return PUMPED_TARGET_FAILED;
	return p->held_len || p->in_pipe ? PUMPED_WRITE : PUMPED_AGAIN;
}
