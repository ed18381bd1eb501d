/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unix_peer.c - which Unix sockets with a path are the jail's own
 *
 * Theory
 *
 * A path socket may be connected to if its listener lives in the jail.  The
 * obvious test, connect and then look at SO_PEERPIDFD, comes too late: the
 * caller shares the socket and writes into it before we look, and a socket-
 * activated service has started.  SO_PEERPIDFD names the process that called
 * listen(2), which a daemon has long left, and the pid of SO_PEERCRED is
 * reused.  unix_diag knows before the connect, but only the sockets of one
 * network namespace (a sandbox inside the jail has its own), with 32 bits of the
 * inode and another device number than stat(2).
 *
 * So the jail's servers are learnt when they call listen(2), which the filter announces
 * as well.  SIOCUNIXFILE turns the socket into its file, whatever the caller's
 * root or namespaces; it needs CAP_NET_ADMIN over the socket's namespace, which the owner
 * of the jail's user namespace has for it and for all below.
 *
 * Why that is enough:
 *  1. bind(2) makes the inode, and an inode never gets a second socket.  So inode and
 *     socket are one, for ever: what was true at listen is true at connect.
 *  2. The number can't be reused while the file is held here, O_PATH.
 *  3. A process of the jail holds the socket that it listens on, so nothing can
 *     be learnt that is not the jail's.  The call itself may then simply go on
 *     (SECCOMP_USER_NOTIF_FLAG_CONTINUE): whatever the caller swaps meanwhile, what
 *     was learnt was a socket that it holds.
 *  4. Nobody outside hands sockets in: descriptors above 2 are closed, 0 to 2 are
 *     checked, and no connection to the outside exists that could carry SCM_RIGHTS,
 *     but for --allow-unix, whose servers are trusted by that flag.
 *
 * A connect of the wrong type tells a dead socket file (ECONNREFUSED) from a live one
 * (EPROTOTYPE) and the listener sees nothing.  It keeps the table small, and
 * it gives the right answer for files that a dead server left: programs remove
 * those on ECONNREFUSED and give up on EACCES.
 */
#include "jail/unix_peer.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/un.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/auto.h"

#define PEERS_MAX 512	/* live servers; each holds a descriptor.  Beyond it the one that was
			 * unused for longest is forgotten: connects to it fail */
#define SWEEP 2		/* entries looked at for each one added: the dead leave as fast as
			 * others come */

struct peer {
	struct unix_file	file;
	int			fd;	/* O_PATH, so that the inode stays */
	uint64_t		used;	/* clock of the last connect */
};

struct unix_peers {
	pthread_mutex_t	lock;
	uint64_t	clock;
	size_t		count, hand;
	int		probe;		/* datagram socket: the type that nobody listens with */
	struct peer	peer[PEERS_MAX];
};

struct unix_peers *unix_peers_new(void)
{
	struct unix_peers *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	p->probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->probe < 0) {
		unix_peers_free(p);
		return NULL;
	}
	return p;
}

void unix_peers_free(struct unix_peers *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++)
		close(p->peer[i].fd);
	DROP_FD(p->probe);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

bool unix_peers_dead(const struct unix_peers *p, int fd)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d", fd);
	return connect(p->probe, (struct sockaddr *)&name, sizeof(name)) && errno == ECONNREFUSED;
}

static struct peer *peers_find(struct unix_peers *p, const struct unix_file *f)
{
	for (size_t i = 0; i < p->count; i++)
		if (unix_file_same(&p->peer[i].file, f))
			return &p->peer[i];
	return NULL;
}

static void peers_drop(struct unix_peers *p, size_t i)
{
	close(p->peer[i].fd);
	p->peer[i] = p->peer[--p->count];
}

static void peers_sweep(struct unix_peers *p)
{
	for (int i = 0; i < SWEEP && p->count > 0; i++) {
		p->hand = (p->hand + 1) % p->count;
		if (unix_peers_dead(p, p->peer[p->hand].fd))
			peers_drop(p, p->hand);
	}
}

static void peers_drop_oldest(struct unix_peers *p)
{
	size_t oldest = 0;

	for (size_t i = 1; i < p->count; i++)
		if (p->peer[i].used < p->peer[oldest].used)
			oldest = i;
	peers_drop(p, oldest);
}

void unix_peers_learn(struct unix_peers *p, int sock)
{
	struct peer new = { .fd = ioctl(sock, SIOCUNIXFILE) };

	if (new.fd < 0)
		return;
	if (unix_file_of(new.fd, &new.file)) {
		close(new.fd);
		return;
	}
	pthread_mutex_lock(&p->lock);
	peers_sweep(p);
	if (peers_find(p, &new.file)) {
		close(new.fd);
	} else {
		if (p->count == PEERS_MAX)
			peers_drop_oldest(p);
		new.used = ++p->clock;
		p->peer[p->count++] = new;
	}
	pthread_mutex_unlock(&p->lock);
}

bool unix_peers_know(struct unix_peers *p, const struct unix_file *f)
{
	struct peer *found;

	pthread_mutex_lock(&p->lock);
	found = peers_find(p, f);
	if (found)
		found->used = ++p->clock;
	pthread_mutex_unlock(&p->lock);
	return found != NULL;
}
