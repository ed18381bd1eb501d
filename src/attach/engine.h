/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - what a container engine on this machine knows of its containers */
#ifndef SLUICE_ATTACH_ENGINE_H
#define SLUICE_ATTACH_ENGINE_H

#include <sys/types.h>

#include "base/err.h"

/*
 * engine_init_of() - the first process of a container that runs
 * @container:	its name or ID
 *
 * Asks Docker, then Podman, whichever is installed; their programs are found by absolute path.
 * Blocks for them.  Return: 0 and @err: none of them has such a container, or it does not run.
 */
pid_t engine_init_of(const char *container, struct err *err);

#endif
