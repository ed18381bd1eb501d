/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_start.h - what `sluice runtime` asks of the machine before a container is made, starts, runs one more */
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

/* Is the namespace at @path, of a @kind as in /proc/self/ns, the one that we are in?  True also if that can't be
 * told. */
bool runtime_is_ours(const char *path, const char *kind);

/* Every process in the pid namespace @path has the network that is joined too (NULL: none is), and with it the
 * same session: whoever shares one can act through another (ptrace(2)).  Return: false and @err: it has not. */
bool runtime_check_processes(const char *path, const char *network, struct err *err);

/*
 * runtime_check_exec() - one more process of a container gets no rights that its first one would not
 * @process:	the file that an engine has written of it
 */
bool runtime_check_exec(const char *runc, int count, char *const *argv, const char *process, const char *id,
			struct err *err);

#endif
