/* SPDX-License-Identifier: Apache-2.0 */
/* check_log.h - `sluice check --log`: what another policy would have said of a log */
#ifndef SLUICE_CLI_CHECK_LOG_H
#define SLUICE_CLI_CHECK_LOG_H

#include "base/err.h"
#include "policy/policy.h"

struct check_log {
	const char	*path;		/* "-": standard input */
	bool		 json;
	bool		 all;		/* what stays as it was, too */
};

/*
 * check_log() - replay, and print
 *
 * Return: false and @err if it can't be read.  *ret_denied, *ret_asks: something that was
 * allowed would be denied, would be asked about.
 */
bool check_log(const struct check_log *c, const struct policy *p, bool *ret_denied, bool *ret_asks,
	       struct err *err);

#endif
