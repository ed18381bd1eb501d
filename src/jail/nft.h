/* SPDX-License-Identifier: Apache-2.0 */
/* nft.h - run the nft program on a ruleset, in the network namespace of the caller */
#ifndef SLUICE_JAIL_NFT_H
#define SLUICE_JAIL_NFT_H

#include <sys/types.h>

#include "base/err.h"

struct nft {
	pid_t	pid;
	int	says;		/* memfd that is its output */
};

/* The program's path, first of the usual places, or NULL */
const char *nft_find(void);

/*
 * nft_start() - begin to load what is in the file @ruleset, from its offset on
 * @unmapped: the users of our user namespace are yet to be mapped; nft runs once they are
 *
 * The caller has CAP_NET_ADMIN here.  Every success needs one nft_wait().
 */
bool nft_start(const char *nft, int ruleset, bool unmapped, struct nft *ret_nft, struct err *err);

/* Return: true if the ruleset stands; else the first line that nft said is in @err */
bool nft_wait(struct nft *n, struct err *err);

#endif
