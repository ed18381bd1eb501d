/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/pass.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"

union control {
	struct cmsghdr	align;
	char		bytes[CMSG_SPACE(PASS_FDS_MAX * sizeof(int)) +
			      CMSG_SPACE(sizeof(struct ucred))];
};

int pass_send(int sock, const void *bytes, size_t len, const int *fds, size_t count)
{
	union control control = { 0 };
	char *data = NULL;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	assert(count <= PASS_FDS_MAX);
	memcpy(&data, &bytes, sizeof(data));	/* iovec has no const */
	iov = (struct iovec){ data, len };
	if (count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static void pass_take(struct pass *p, struct msghdr *msg)
{
	struct ucred from;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS && len <= sizeof(p->fds)) {
			memcpy(p->fds, CMSG_DATA(c), len);
			p->fd_count = len / sizeof(int);
		}
		if (c->cmsg_type == SCM_CREDENTIALS && len == sizeof(from)) {
			memcpy(&from, CMSG_DATA(c), sizeof(from));
			p->pid = from.pid;
		}
	}
}

ssize_t pass_receive(int sock, struct pass *p)
{
	union control control = { 0 };
	struct iovec iov = { p->bytes, p->size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	p->fd_count = 0;
	p->pid = 0;
	pass_take(p, &msg);
	if (n > 0 && !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	for (size_t i = 0; i < p->fd_count; i++)
		close(p->fds[i]);
	p->fd_count = 0;
	return n ? -EMSGSIZE : 0;
}
