/* SPDX-License-Identifier: Apache-2.0 */
/*
 * java_store.h - what a Java machine trusts, and one certificate more; pure
 *
 * Its file, cacerts, has one of two forms, and every Java since 8 takes either whatever the
 * name says: JKS, whose entries stay as they are, byte for byte, and PKCS #12 (RFC 7292), which
 * is written anew as JKS.
 */
#ifndef SLUICE_JAIL_JAVA_STORE_H
#define SLUICE_JAIL_JAVA_STORE_H

#include "base/buf.h"

/*
 * java_store_add() - the store of a jail in place of the host's
 * @host:	the whole file
 * @bundle:	PEM; what is trusted instead of @host's own certificates if those are enciphered
 * @pem:	of the CA that is added
 * @ret_store:	with room for @host, @bundle and a KiB, or it is full then
 *
 * JKS is signed with a password, the one that all use ("changeit"): a store with another one
 * is not touched.
 *
 * Return: false if @host is no such store, or @pem no certificate; @ret_store is then empty.
 */
bool java_store_add(struct span host, struct span bundle, struct span pem,
		    struct buf *ret_store);

#endif
