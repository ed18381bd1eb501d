/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret.h - what inject puts into requests: never part of a policy's image, which several
 * processes hold
 *
 * The keeper reads the values, and hands them packed to the gate, which alone keeps them.
 */
#ifndef SLUICE_POLICY_SECRET_H
#define SLUICE_POLICY_SECRET_H

#include "base/buf.h"

#define SECRETS_BYTES (16u << 20)	/* all values together */
#define SECRET_BYTES_MAX 8192		/* of one value, and of one part of it */
#define SECRETS_PACKED_MAX (4 * SECRETS_BYTES)

/* Where a part of a value comes from: ${env:NAME}, ${file:PATH}, ${cmd:COMMAND} */
enum secret_kind { SECRET_ENV, SECRET_FILE, SECRET_CMD, SECRET_KIND_NUM };

const char *secret_word(enum secret_kind kind);		/* "env" */

/* A part of a value that must not be seen, and what stands for it in the jail */
struct secret_part {
	uint32_t	 at, len;	/* in the value */
	char		*placeholder;	/* owned; "": none */
};

struct policy_secret {
	uint32_t	 rule;
	char		*value;		/* owned */
	struct secret_part *parts;	/* owned; none: all of the value was in the policy's file */
	size_t		 part_count;
};

struct policy_secrets {			/* begins as zeroes */
	struct policy_secret *list;	/* in the order of rules */
	size_t		 count;
};

void policy_secrets_done(struct policy_secrets *s);	/* wipes and frees */

/* Append them to @out, in a form for policy_secrets_unpack().  Return: false if it is full. */
bool policy_secrets_pack(const struct policy_secrets *s, struct buf *out);

/* @ret_secrets: zeroes before.  Return: false if @packed is no such form, or memory is out. */
bool policy_secrets_unpack(struct span packed, struct policy_secrets *ret_secrets);

#endif
