/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trusted_ca.h - how programs in the jail come to trust the session's CA
 *
 * Where the host has a bundle of certificates, the jail has the same one with the session's
 * CA at its end; variables make those read it that bring a list of their own.  Nothing on
 * the host changes.  A host without any bundle has none in the jail either.
 */
#ifndef SLUICE_JAIL_TRUSTED_CA_H
#define SLUICE_JAIL_TRUSTED_CA_H

#include <stddef.h>

/* The bundles that distributions have, in the order in which they are looked for; NULL behind
 * the last */
const char *trusted_ca_bundle(size_t i);

/* The first of them that exists, or NULL */
const char *trusted_ca_path(void);

/* A variable that names a bundle; NULL behind the last */
const char *trusted_ca_variable(size_t i);

/*
 * trusted_ca_text() - the jail's bundle in place of the host's at @path
 * @pem:	of the session's CA
 * @envp:	the command's: what its variables trusted before, it trusts still
 *
 * Return: owned; NULL if memory is out or there is too much.
 */
char *trusted_ca_text(const char *path, const char *pem, char *const *envp);

#endif
