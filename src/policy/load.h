/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h - from YAML text and flags to a compiled policy, or one precise error
 *
 * Reading files is the caller's work (cli/judge).  Everything wrong is refused
 * whole: unknown or duplicate keys and ids, bad values or types, with
 * FILE:LINE:COLUMN, what was found and what is accepted.
 */
#ifndef SLUICE_POLICY_LOAD_H
#define SLUICE_POLICY_LOAD_H

#include "base/err.h"
#include "policy/policy.h"
#include "policy/secret.h"

#define LIST_BYTES_MAX (256u << 20)	/* of one list file */

struct policy_file {
	enum layer	 layer;
	const char	*path;		/* as messages and rule ids name it */
	struct span	 text;
	bool		 untrusted;	/* its allows and presets are read and left out: only what
					 * it denies holds */
	bool		 widest;	/* what it denies by a list, an address or a path, or for a
					 * time, is left out: for telling what it opens, never for holding it */
	const char	*project;	/* not NULL: a file of approvals (approved.yaml), of which those
					 * for the project with this root folder hold */
};

/* Hosts that use_configured adds to a preset (contract section 2) */
struct extra_host {
	const char	*host;		/* normal form */
	uint16_t	 port;
	bool		 own;		/* the user's word: no rule of a stronger layer than his */
};

/* What policy_input.secret tells */
struct secret_found {
	struct span	 value;		/* lives as long as @arg */
	const char	*placeholder;	/* what stands for it in the jail; "": nothing */
	const char	*why;		/* it is not there: "is not set" */
};

struct policy_input {
	const struct policy_file *files;	/* strongest layer first */
	size_t			 file_count;
	bool			 lasting;	/* allow rules of other files than a project's that
						 * hold for a time, or bound requests or bytes, are
						 * left out: for telling what else opens */
	/* flags, as typed; NULL-terminated arrays or NULL */
	char *const		*presets;
	char *const		*allows;
	char *const		*denies;
	char *const		*private_networks;
	char *const		*host_ports;
	char *const		*publishes;
	const char		*mode;		/* NULL: not given */
	enum inspect		 inspect;	/* of all TLS */
	bool			 ask;		/* --ask: a person is asked about what no rule matches */
	/* The host's own proxy, used if no file says upstream_proxy: the variable and its value,
	 * and the value of no_proxy; NULL: none */
	const char		*proxy_variable, *proxy_value, *no_proxy;
	char			**proxy_credentials;	/* set on success: "USER:PASSWORD" to wipe and
							 * free, or NULL; or NULL if nobody wants it */
	char			**webhook;		/* set on success: alerts.webhook, to free, or NULL;
							 * or NULL if nobody wants it */
	/*
	 * Text of a preset file by its file's name, or an empty span; the
	 * caller reads data/presets and presets.d.  Lives as long as @arg.
	 */
	struct span		(*preset_text)(void *arg, const char *name);
	/* What the machine's own configuration of a package manager ("npm",
	 * "apt") names; count returned, array lives as long as @arg */
	size_t			(*configured)(void *arg, const char *manager,
					      const struct extra_host **ret_hosts);
	/*
	 * A value that inject names in policy file @file.  Return: false if there is none: an
	 * error, unless @secret_optional.  NULL instead of a function: nobody wants the
	 * values, and they are not looked up.
	 */
	bool			(*secret)(void *arg, enum secret_kind kind, const char *text,
					  const char *file, struct secret_found *ret_found);
	bool			 secret_optional;
	struct policy_secrets	*secrets;	/* filled on success; or NULL */
	/* Text of a category's file by its name, or an empty span; lives as long as @arg */
	struct span		(*category_text)(void *arg, const char *name);
	/* Names of the categories that there are, for messages; NULL behind the last one */
	const char		*(*category_name)(void *arg, size_t i);
	/*
	 * The bytes of a list file (host_list, ip_list) from @at on, at most
	 * @room; asked for in order.  @path: as the policy has it, behind the
	 * folder of the policy file unless it is absolute.  Return: 0 at the
	 * end, -1 if it cannot be read.
	 */
	ptrdiff_t		(*list_read)(void *arg, const char *path, enum layer layer,
					     uint64_t at, void *ret_bytes, size_t room);
	void			*arg;
};

/* Return: a policy to free with policy_free(), or NULL and @err */
struct policy *policy_load(const struct policy_input *in, struct err *err);
void policy_free(struct policy *p);

#endif
