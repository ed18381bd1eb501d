/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci.h - make a container's configuration one that sluice can hold
 *
 * What an engine hands to its runtime is config.json (OCI runtime specification 1.0, config.md,
 * config-linux.md).  Two things are put in: a createRuntime hook, which attaches the container's
 * network namespace before its first process starts and whose failure stops the container; and into
 * the seccomp profile what a network namespace does not keep in (socket families, io_uring).  What
 * would leave a way out is refused.  Pure: JSON in, JSON out.
 */
#ifndef SLUICE_ATTACH_OCI_H
#define SLUICE_ATTACH_OCI_H

#include <jansson.h>
#include <limits.h>

#include "base/err.h"
#include "base/span.h"

#define OCI_POLICIES_MAX 16
#define OCI_POLICY_VARIABLE "SLUICE_POLICY"	/* names, with commas between them */
#define OCI_MODE_VARIABLE "SLUICE_MODE"
#define OCI_DEFER "--defer"	/* a word of the hook's, as `sluice attach` has it */
#define OCI_HOOK_LIMIT_S 40

/* Where a container's network is */
enum oci_network {
	OCI_NETWORK_OWN,	/* a new namespace */
	OCI_NETWORK_JOINED,	/* one that is there: another container's */
	OCI_NETWORK_HOST,
};

/* @ret_path: of the joined one, in @config; else NULL */
enum oci_network oci_network(const json_t *config, const char **ret_path);

/* The value of OCI_POLICY_VARIABLE in the process's environment, or NULL.  Of the command line or of
 * the image: engines do not tell. */
const char *oci_policy(const json_t *config);

/* The same of OCI_MODE_VARIABLE */
const char *oci_mode(const json_t *config);

/* A container's name as a session is called: of 64 hexadecimal digits the first 12, as engines show it */
void oci_session(const char *id, char ret[65]);

/* A capability of its process with which the machine could be had; NULL: none.  Where it has a user namespace
 * of its own it is none over the machine. */
const char *oci_rights(const json_t *config);

/* Refuse what can leave its namespaces, load code into the kernel or reach our own processes:
 * capabilities over more than a user namespace of its own in which nobody is the machine's root; the machine's
 * processes, their shared memory, its files, settings, disks */
bool oci_check(const json_t *config, struct err *err);

/* Has it a namespace of a @kind of its own, or joins it one?  The caller sees that that is not the machine's. */
bool oci_has(const json_t *config, const char *kind);

/* The path of a namespace that it joins, of a @kind as config.json has it; NULL: it has its own, or none */
const char *oci_joined(const json_t *config, const char *kind);

/* Refuse whoever could change the rules in its network namespace: for one on an engine's network */
bool oci_check_uplink(const json_t *config, struct err *err);

/* Does it show a file of the machine's?  So it is of that type, or has that option, whatever its type is. */
bool oci_is_bind(const json_t *mount);

/* @at is a name of the path that was asked for (@itself), or of a mount in it, and @kind the name of its file
 * system.  Return: go on */
typedef bool oci_see(void *arg, const char *at, const char *kind, bool itself);

/* What is seen of the machine's files */
struct oci_eyes {
	bool	(*is_socket)(const char *path);
	/* A socket's path that is @path or lies in it, that a process of the machine has bound; none of @allow.
	 * NULL: none */
	const char *(*bound)(const char *path, const char *const *allow);
	/* Is @path @folder itself or in it, whatever the two are called? */
	bool	(*holds)(const char *folder, const char *path);
	/* Tell @see of @path and of every mount in it, by each name that they have.  Return: it was content with
	 * all of them */
	bool	(*each)(const char *path, oci_see *see, void *arg);
	const char *program;	/* of sluice */
};

/*
 * oci_check_mounts() - refuse mounts that are a way out, and such a root
 * @allow:	paths of sockets that may be mounted, up to NULL
 *
 * That is a Unix socket; a folder in which somebody of the machine has one; the machine's processes and the
 * kernel's own file systems; and what sluice, the engines and the machine write, run or go by: theirs to change
 * would be what holds the container.  What sockets a folder will hold later is not known.
 */
bool oci_check_mounts(const json_t *config, const struct oci_eyes *eyes, const char *const *allow,
		      struct err *err);

/* Put the families that a network namespace does not keep in, io_uring, the kernel's keys and the machine's
 * console out of reach */
bool oci_confine(json_t *config, struct err *err);

/*
 * oci_lessen() - take a capability away that the containers of others have
 *
 * That is CAP_AUDIT_WRITE, which is of no use in there.  Whoever lacks one that another process has may not
 * trace it, nor reach its files by /proc (ptrace(2), "Ptrace access mode checking"): so what is started without
 * sluice among its processes is out of its root's reach, as far as it is root too.
 */
void oci_lessen(json_t *config);

/* A file of the machine's, read-only in the container */
bool oci_add_file(json_t *config, const char *path, const char *inside, struct err *err);

/* A variable of its process, in the place of one of that name */
bool oci_set_variable(json_t *config, const char *name, const char *value, struct err *err);

struct oci_hook {
	const char	*program;	/* sluice, absolute */
	const char	*session;
	const char	*id;		/* becomes a label */
	const char	*policies[OCI_POLICIES_MAX];
	size_t		 policy_count;
	bool		 uplink;	/* it may stay on its engine's network */
	bool		 defer;		/* and its engine may connect it only after the hook */
	const char	*mode;		/* NULL: what the policy says */
	const char	*ca;		/* a file that it fills with the session's CA; NULL: the keeper does */
};

/* Attach it before its first process starts */
bool oci_add_hook(json_t *config, const struct oci_hook *hook, struct err *err);

/* The arguments of the hook that was added, or NULL */
const json_t *oci_find_hook(const json_t *config, const char *program);

#endif
