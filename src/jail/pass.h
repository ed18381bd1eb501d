/* SPDX-License-Identifier: Apache-2.0 */
/* pass.h - one message with descriptors over a SEQPACKET socket */
#ifndef SLUICE_JAIL_PASS_H
#define SLUICE_JAIL_PASS_H

#include <stddef.h>
#include <sys/types.h>

#define PASS_FDS_MAX 200	/* in one message; the kernel's limit is 253 */

/* Return: 0 or negative errno.  The descriptors stay the caller's. */
int pass_send(int sock, const void *bytes, size_t len, const int *fds, size_t count);

/*
 * pass_receive() - read one message into @p->bytes
 *
 * Return: bytes read, 0 at the end of the stream, or negative errno; then no
 *         descriptor was handed out.
 */
struct pass {
	void	*bytes;
	size_t	 size;			/* room at @bytes; a longer message is -EMSGSIZE */
	int	 fds[PASS_FDS_MAX];	/* CLOEXEC, the caller's */
	size_t	 fd_count;
	pid_t	 pid;			/* the sender, if the socket has SO_PASSCRED; else 0 */
};
ssize_t pass_receive(int sock, struct pass *p);

#endif
