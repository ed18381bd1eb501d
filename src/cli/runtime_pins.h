/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime_pins.h - what was looked at is what is mounted
 *
 * A folder in which another container may write can be a link by the time that the true runtime mounts what lies
 * in it.  So what is looked at is noted, and compared with what there is before the first process starts.
 */
#ifndef SLUICE_CLI_RUNTIME_PINS_H
#define SLUICE_CLI_RUNTIME_PINS_H

#include <jansson.h>
#include <sys/types.h>

#include "base/err.h"

/* Name each of the machine's files that is mounted by its true path, and note in @config which it is.  To be
 * called before they are looked at. */
bool runtime_pin(json_t *config, struct err *err);

/* Return: false and @err: in the container whose first process is @pid something else is mounted */
bool runtime_check_pins(const json_t *config, pid_t pid, struct err *err);

#endif
