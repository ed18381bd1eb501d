/* SPDX-License-Identifier: Apache-2.0 */
/* inspected.h - the keeper's part in TLS that ends in the gate */
#ifndef SLUICE_DAEMON_INSPECTED_H
#define SLUICE_DAEMON_INSPECTED_H

#include "daemon/keeper.h"

/*
 * session_ca() - make the session's CA and hand it to the gate, before the first policy
 *
 * From then on the keeper lets the gate inspect.
 * Return: its certificate in PEM, owned; NULL and @err.
 */
char *session_ca(struct keeper *k, struct err *err);

#endif
