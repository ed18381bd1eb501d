/* SPDX-License-Identifier: Apache-2.0 */
/* ask_daemon.h - what commands ask the daemon */
#ifndef SLUICE_CLI_ASK_DAEMON_H
#define SLUICE_CLI_ASK_DAEMON_H

#include "control/client.h"

/* Return: its answer, to json_decref(); NULL and @err */
json_t *ask_daemon(const struct control_request *r, struct err *err);

#endif
