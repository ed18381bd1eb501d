/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspected.c - the session's CA, and connections whose TLS ends in the gate
 *
 * The key is made in a process that ends when it has written it into a pipe, whose other end
 * goes to the gate: the keeper never has it, not even in memory that OpenSSL has freed.
 */
#include "daemon/inspected.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/conn.h"
#include "proxy/certs.h"

/* In a process of its own.  Return: its exit status */
static int ca_make(int secret_fd, int pem_fd)
{
	struct buf secret = buf_new(CERTS_SECRET_MAX), pem = buf_new(CERTS_PEM_MAX);
	bool ok = certs_make_ca(time(NULL), &secret, &pem) &&
		  write(secret_fd, secret.at, secret.len) == (ssize_t)secret.len &&
		  write(pem_fd, pem.at, pem.len) == (ssize_t)pem.len;

	return ok ? 0 : 1;
}

/* Run ca_make().  Return: PEM, owned, and in *ret_secret the read end with the secret; or NULL */
static char *ca_of_child(int *ret_secret)
{
	int secret[2] = { -1, -1 }, pem[2] = { -1, -1 }, status = 1;
	char *text = calloc(1, CERTS_PEM_MAX + 1);
	ssize_t n = 0;
	pid_t pid = -1;

	if (text && pipe2(secret, O_CLOEXEC) == 0 && pipe2(pem, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0)
		_exit(ca_make(secret[1], pem[1]));
	DROP_FD(secret[1]);
	DROP_FD(pem[1]);
	if (pid > 0) {
		n = read(pem[0], text, CERTS_PEM_MAX);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	DROP_FD(pem[0]);
	if (n > 0 && status == 0) {
		*ret_secret = secret[0];
		return text;
	}
	DROP_FD(secret[0]);
	free(text);
	return NULL;
}

char *session_ca(struct keeper *k, struct err *err)
{
	int secret = -1;
	char *pem = ca_of_child(&secret);

	if (!pem) {
		err_set(err, "cannot make a CA for this session");
		return NULL;
	}
	keeper_tell(k, KEEPER_CA, 0, NULL, 0, (struct span){ 0 }, secret);
	k->inspects = true;
	return pem;
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
