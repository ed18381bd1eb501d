/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git.h - what a request means to who serves git over HTTP
 *
 * A push begins with GET .../info/refs?service=git-receive-pack (gitprotocol-http), of which
 * nothing but the query says that it is one: by its method it reads.
 */
#ifndef SLUICE_POLICY_GIT_H
#define SLUICE_POLICY_GIT_H

#include "base/span.h"

/*
 * git_is_push() - could some server take the request for the first one of a push?
 * @target:	of the request, as sent: with its query
 *
 * In doubt yes: whether there are several services, in which case they are written, how
 * often they are escaped, and what the path is makes no difference.
 */
bool git_is_push(struct span target);

#endif
