/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_start.h - a container that was made is to start: is its network still what was attached? */
#ifndef SLUICE_CLI_RUNTIME_START_H
#define SLUICE_CLI_RUNTIME_START_H

#include <jansson.h>

#include "base/err.h"

/* The daemon's session of the network namespace that @path stands for, as it tells of it; NULL: none, or
 * @err */
json_t *runtime_session_of(const char *path, struct err *err);

/*
 * runtime_check_start() - what an engine put into the namespace after the hook had attached it
 * @runc:	the true runtime; the first @count of @argv are its global options
 *
 * Some versions of Docker connect a container before the hooks run, others after.  An interface that came
 * later is a way out beside the gate; in mode internal, where it may be, what the hook put off is done now.
 * Return: false and @err: it must not start.
 */
bool runtime_check_start(const char *runc, int count, char *const *argv, const char *id, struct err *err);

#endif
