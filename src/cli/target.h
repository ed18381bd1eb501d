/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h - what `check` is asked about
 *
 *	https://host[:port]/path	a GET over TLS
 *	http://host[:port]/path		a GET in clear
 *	METHOD URL			the same with another method
 *	HOST:PORT[/udp]			any connection
 *	ADDRESS:PORT[/udp]		IPv6 in brackets
 *	dns:NAME[/TYPE]			a look-up; A if no type is named
 */
#ifndef SLUICE_CLI_TARGET_H
#define SLUICE_CLI_TARGET_H

#include "policy/policy.h"

#define METHOD_MAX 32		/* bytes; no registered method has more than 17 */

enum target_kind { TARGET_TLS, TARGET_HTTP, TARGET_CONN, TARGET_DNS };

struct target {
	enum target_kind kind;
	char		 host[HOST_MAX + 1];	/* normal form; "": @addr */
	struct addr	 addr;
	uint16_t	 port;
	enum transport	 transport;
	struct span	 method;	/* borrowed; GET if none was named */
	struct span	 path;		/* borrowed, without query */
	bool		 pushes;	/* git_is_push() */
	bool		 malformed;	/* a URL that is read in two ways: userinfo */
	uint16_t	 dns_type;	/* TARGET_DNS: of the records */
};

/*
 * target_parse() - read one target
 * @ret_why:	what is wrong, in words; untouched on success
 *
 * Return: false if it is none.
 */
bool target_parse(struct span text, struct target *ret_target, const char **ret_why);

/* Is it a method's name, which the URL follows as the next argument? */
bool target_is_method(struct span word);

/* Does it begin with http:// or https://? */
bool target_is_url(struct span text);

/*
 * target_question() - what the target says as a question
 * @seen:	SEEN_NOT_YET, or what the client is taken to say: it agrees with the target
 *
 * Borrows from @t.
 */
struct question target_question(const struct target *t, enum seen seen, int64_t now_s);

#endif
