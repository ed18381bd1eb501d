/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/watched.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "daemon/clock.h"
#include "daemon/conn.h"
#include "jail/jail.h"
#include "watch/anomaly.h"
#include "watch/board.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

struct watched {
	struct counters		 counters;
	struct anomaly		 anomaly;
	struct shared_counters	*shared;	/* NULL: nobody reads */
	int			 shared_fd;
	union board_place	*place;		/* that it lies in; NULL: alone */
};

static void see(void *arg, const struct audit_seen *e)
{
	struct watched *w = arg;

	counters_see(&w->counters, e);
	anomaly_see(&w->anomaly, e, clock_ms() / 1000);
}

bool watched_start(struct keeper *k, struct err *err)
{
	k->watched = calloc(1, sizeof(*k->watched));
	if (!k->watched)
		return err_set(err, "out of memory");
	k->watched->shared_fd = -1;
	if (getrandom(&k->watched->anomaly.seed, sizeof(struct seed), 0) != sizeof(struct seed))
		return err_sys(err, errno, "no random numbers");
	audit_watch(k->audit, see, k->watched);
	return true;
}

void watched_free(struct keeper *k)
{
	struct watched *w = k->watched;

	if (!w)
		return;
	if (k->audit)
		audit_watch(k->audit, NULL, NULL);
	if (w->place)
		munmap(w->place, sizeof(*w->place));
	else if (w->shared)
		munmap(w->shared, sizeof(*w->shared));
	DROP_FD(w->shared_fd);
	free(w);
	k->watched = NULL;
}

int watched_share(struct keeper *k, struct err *err)
{
	static const int seals = F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	AUTO_CLOSE int fd = memfd_create("counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct watched *w = k->watched;
	void *at = MAP_FAILED;

	/* our own mapping comes before the seal: it alone can be written through */
	if (fd >= 0 && ftruncate(fd, sizeof(*w->shared)) == 0)
		at = mmap(NULL, sizeof(*w->shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED || fcntl(fd, F_ADD_SEALS, seals) < 0) {
		err_sys(err, errno, "cannot share the counters");
		if (at != MAP_FAILED)
			munmap(at, sizeof(*w->shared));
		return -1;
	}
	w->shared = at;
	w->shared_fd = TAKE_FD(fd);
	return w->shared_fd;
}

bool watched_share_there(struct keeper *k, int fd, size_t offset, struct err *err)
{
	union board_place *at = mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	if (at == MAP_FAILED)
		return err_sys(err, errno, "cannot share the counters");
	k->watched->place = at;
	k->watched->shared = &at->shared;
	return true;
}

void watched_raise(struct keeper *k)
{
	struct anomaly_alert a;

	while (k->watched && anomaly_take(&k->watched->anomaly, &a))
		keeper_alert(k, &(struct talk_alert){ a.value, a.threshold, (uint8_t)a.kind, 0, { 0 } },
			     (struct span){ 0 });
}

void watched_publish(struct keeper *k)
{
	struct watched *w = k->watched;
	struct audit_size size;

	if (!w || !w->shared)
		return;
	size = audit_size(k->audit);
	w->counters.gauge[GAUGE_RECORDS] = size.lines;
	w->counters.gauge[GAUGE_LOG_BYTES] = size.bytes;
	w->counters.gauge[GAUGE_LOG_MAX] = size.max_bytes;
	w->counters.gauge[GAUGE_QUEUE_BYTES] = k->closed ? 0 : k->gate.waiting;
	w->counters.gauge[GAUGE_NAMES] = binding_end(k->bindings) - RESERVED_FIRST;
	w->counters.gauge[GAUGE_NAMES_MAX] = BINDING_MAX;
	w->counters.gauge[GAUGE_CONNS] = k->conn_held;
	w->counters.gauge[GAUGE_CONNS_MAX] = CONNS_MAX;
	shared_write(w->shared, &w->counters);
}

static void count_fds(struct counters *c)
{
	struct rlimit limit = { 0, 0 };
	DIR *folder = opendir("/proc/self/fd");

	getrlimit(RLIMIT_NOFILE, &limit);
	c->gauge[GAUGE_FDS_MAX] = limit.rlim_cur;
	if (!folder)
		return;
	c->gauge[GAUGE_FDS] = 0;
	for (const struct dirent *e = readdir(folder); e; e = readdir(folder))
		c->gauge[GAUGE_FDS] += e->d_name[0] != '.';
	c->gauge[GAUGE_FDS]--;		/* the folder itself */
	closedir(folder);
}

static void count_packets(const struct keeper *k, struct counters *c)
{
	struct link_packets packets;
	struct link_traffic t;

	if (k->nft_fd < 0 || link_count(k->nft_fd, k->guest, &packets) < 0)
		return;
	c->gauge[GAUGE_HAS_PACKETS] = 1;
	c->gauge[GAUGE_PACKETS_IN] = packets.in;
	c->gauge[GAUGE_PACKETS_OUT] = packets.out;
	if (!k->guest || link_traffic(k->stats_fd, k->guest, &t) < 0)
		return;
	c->gauge[GAUGE_HAS_LINK] = 1;
	c->gauge[GAUGE_LINK_BYTES_IN] = t.bytes_in;
	c->gauge[GAUGE_LINK_BYTES_OUT] = t.bytes_out;
	c->gauge[GAUGE_LINK_PACKETS_IN] = t.packets_in;
	c->gauge[GAUGE_LINK_PACKETS_OUT] = t.packets_out;
	c->gauge[GAUGE_DROPPED_FORGED] = packets.forged;
	c->gauge[GAUGE_DROPPED_REFUSED] = packets.refused;
	c->gauge[GAUGE_DROPPED_BEYOND] = packets.beyond;
	c->gauge[GAUGE_DROPPED_LOST] = t.lost_in + t.lost_out;
}

void watched_tick(struct keeper *k)
{
	struct watched *w = k->watched;

	if (!w || !w->shared)
		return;
	count_packets(k, &w->counters);
	count_fds(&w->counters);
	watched_publish(k);
}

uint64_t watched_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void watched_decided(struct keeper *k, uint64_t since_us)
{
	if (k->watched)
		histogram_add(&k->watched->counters.decision, watched_now_us() - since_us);
}

void watched_connected(struct keeper *k, uint64_t since_us)
{
	if (k->watched)
		histogram_add(&k->watched->counters.connect, watched_now_us() - since_us);
}

void watched_failed(struct keeper *k)
{
	if (!k->watched)
		return;
	k->watched->counters.gauge[GAUGE_FAIL_CLOSED]++;
	watched_publish(k);
}

void watched_webhook(struct keeper *k, uint64_t sent, uint64_t lost)
{
	if (!k->watched)
		return;
	k->watched->counters.gauge[GAUGE_WEBHOOK_SENT] = sent;
	k->watched->counters.gauge[GAUGE_WEBHOOK_LOST] = lost;
	watched_publish(k);
}
