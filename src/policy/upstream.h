/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream.h - one entry of dns.upstream
 *
 *	system				what resolv.conf of the host names
 *	ADDRESS, ADDRESS:PORT, [V6]:PORT	a name server, asked over UDP and TCP
 *	tls://ADDRESS[:PORT]#NAME	a name server, asked over TLS only (RFC 7858), which
 *					must have a certificate for NAME (RFC 8310 8.1)
 */
#ifndef SLUICE_POLICY_UPSTREAM_H
#define SLUICE_POLICY_UPSTREAM_H

#include "policy/policy.h"

#define UPSTREAMS_MAX 3		/* as many as libc takes notice of in resolv.conf */
#define UPSTREAM_TEXT_MAX 320	/* bytes of a canonical text with NUL */

enum upstream_kind { UPSTREAM_SYSTEM, UPSTREAM_PLAIN, UPSTREAM_TLS };

struct upstream {
	enum upstream_kind kind;
	struct addr	 addr;
	uint16_t	 port;		/* 53 or 853 if none is written */
	char		 name[HOST_MAX + 1];	/* UPSTREAM_TLS: normal form */
};

/* Return: false if it is none; *ret_why, if it was set, says more than "is none" */
bool upstream_parse(struct span text, struct upstream *ret_upstream, const char **ret_why);

/* One text for each upstream: always with port and, for IPv6, brackets.  Return: @dst */
const char *upstream_text(const struct upstream *u, char dst[UPSTREAM_TEXT_MAX]);

#endif
