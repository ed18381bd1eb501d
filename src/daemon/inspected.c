/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspected.c - the session's CA, and connections whose TLS ends in the gate
 *
 * The key is made here, goes to the gate through a pipe of its own, and is wiped before
 * anything else is started: it is in no message buffer and in no child.
 */
#include "daemon/inspected.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/conn.h"
#include "proxy/certs.h"

/* Return: the read end of a pipe with the bytes in it, or -1 */
static int pipe_with(struct span bytes)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	if (write(ends[1], bytes.at, bytes.len) != (ssize_t)bytes.len)
		DROP_FD(ends[0]);
	close(ends[1]);
	return ends[0];
}

char *session_ca(struct keeper *k, struct err *err)
{
	struct buf secret = buf_new(CERTS_SECRET_MAX), pem = buf_new(CERTS_PEM_MAX);
	int fd = -1;

	/* one piece of memory, which is wiped whole */
	if (buf_reserve(&secret, CERTS_SECRET_MAX) && certs_make_ca(time(NULL), &secret, &pem))
		fd = pipe_with(buf_span(&secret));
	if (secret.at)
		explicit_bzero(secret.at, secret.size);
	buf_done(&secret);
	if (fd < 0 || !buf_add(&pem, "", 1)) {
		buf_done(&pem);
		DROP_FD(fd);
		err_set(err, "cannot make a CA for this session");
		return NULL;
	}
	keeper_tell(k, KEEPER_CA, 0, NULL, 0, (struct span){ 0 }, fd);
	k->inspects = true;
	return (char *)pem.at;
}

void conn_untrusted(struct keeper *k, uint32_t ref, struct span words)
{
	struct conn *c = conn_find(k, ref);

	if (!c || !c->has_ip || !c->inspect) {
		keeper_close(k, "the gate tells of TLS on no connection with it");
		return;
	}
	/* for the record and the page, which conn_abandon() makes now */
	c->words = words;
	conn_abandon(c, "error", REASON_UPSTREAM_FAILED);
}
