/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key.h - the Ed25519 key that signs checkpoints
 *
 * FILE holds the private key (PEM, PKCS #8, 0600) and never leaves the keeper;
 * FILE.pub beside it the public half (PEM), for log verify --key.  A signature
 * is made over the 64 ASCII characters of a checkpoint's prev, so that
 *
 *	openssl pkeyutl -verify -rawin -pubin -inkey FILE.pub -in PREV -sigfile SIG
 *
 * needs nothing but what stands in the line.
 */
#ifndef SLUICE_AUDIT_KEY_H
#define SLUICE_AUDIT_KEY_H

#include "audit/record.h"

#define KEYS_MAX 8	/* public keys in one --key file: years of rotation */

struct public_key {
	uint8_t	 raw[32];
	char	 id[KEY_ID_HEX + 1];
	char	 hex[HASH_HEX + 1];
};

struct key {
	EVP_PKEY *pair;
	struct public_key public;
};

/*
 * key_open() - load the key, making it and its public half if there is none
 *
 * A new key is written whole to a file of its own, then linked to its name:
 * of two first runs one wins and both use the winner's.  A key that others may
 * read, or that is not Ed25519, is refused.
 */
bool key_open(struct key *k, const char *path, struct err *err);
void key_done(struct key *k);

bool key_sign(const struct key *k, const char prev[HASH_HEX], char ret_sig[SIG_HEX]) MUST_CHECK;

/* The public key of these raw bytes in hex.  Return: false if it is none */
bool public_key_set(struct public_key *p, struct span hex);

/* Is @sig (hex, as written) the signature of @prev by @p? */
bool public_key_verify(const struct public_key *p, struct span prev, struct span sig);

/*
 * public_key_read() - the public keys of a PEM file, as FILE.pub or several joined
 *
 * Return: how many, at most KEYS_MAX; 0 and @err if there is none.
 */
size_t public_key_read(struct public_key ret_keys[KEYS_MAX], const char *path, struct err *err);

/*
 * secret_open() - the text of a file that nobody else may read, made if there is none
 *
 * A new one has 32 random bytes in hex.  A newline at the end is no part of it.
 * @ret: empty; its maximum is more than a key may have
 */
bool secret_open(const char *path, struct buf *ret, struct err *err);

/* Make the folders that @path lies in, 0700 those that are new */
bool make_parents(const char *path, struct err *err);

#endif
