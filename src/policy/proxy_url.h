/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_url.h - upstream_proxy, and what does not go through it
 *
 *	http://[USER[:PASSWORD]@]HOST:PORT[/]
 *
 * The port must be written: tools do not agree on what it is without.
 */
#ifndef SLUICE_POLICY_PROXY_URL_H
#define SLUICE_POLICY_PROXY_URL_H

#include "policy/policy.h"

#define PROXY_CREDENTIALS_MAX 512	/* bytes of USER:PASSWORD, decoded, with NUL */
#define PROXY_TEXT_MAX 280		/* bytes of proxy_url_text(), with NUL */
#define NO_PROXY_MAX 65536		/* bytes of a list that is looked at */

struct proxy_url {
	char		host[HOST_MAX + 1];	/* normal form; "": @addr */
	struct addr	addr;
	uint16_t	port;
	bool		has_credentials;
	char		credentials[PROXY_CREDENTIALS_MAX];	/* "USER:PASSWORD", escapes undone */
};

/*
 * proxy_url_parse() - read one
 *
 * localhost is 127.0.0.1.  Return: false, and *ret_why says what it is ("of another kind ...");
 * that never repeats a byte of @text, which may hold a password.
 */
bool proxy_url_parse(struct span text, struct proxy_url *ret_url, const char **ret_why);

/* The same for the value of a variable: without a scheme it is http:// */
bool host_proxy_parse(struct span text, struct proxy_url *ret_url, const char **ret_why);

/* "http://HOST:PORT": one text for each proxy, without credentials.  Return: @dst */
const char *proxy_url_text(const struct proxy_url *u, char dst[PROXY_TEXT_MAX]);

/*
 * no_proxy_has() - is the destination in a list as in the variable no_proxy?
 * @host:	normal form; empty: @addr is a literal
 * @port:	0: not known; then an entry with a port does not count
 *
 * Entries stand between commas or blanks: "*"; a NAME, .NAME or *.NAME, each for the name
 * and all below it; an address or a network, for literals; each with :PORT or without.
 * What is none of these is passed over.
 */
bool no_proxy_has(struct span list, struct span host, const struct addr *addr, uint16_t port);

#endif
