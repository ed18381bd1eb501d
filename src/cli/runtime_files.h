/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_files.h - what of the machine's files and descriptors a container of `sluice runtime` gets */
#ifndef SLUICE_CLI_RUNTIME_FILES_H
#define SLUICE_CLI_RUNTIME_FILES_H

#include <jansson.h>

#include "base/err.h"

/* Is @path @folder or in it, by their names alone? */
bool path_is_in(const char *folder, const char *path);

/* Refuse mounts that are a way out (attach/oci.h), seen with this machine's eyes; @allow up to NULL */
bool runtime_check_mounts(const json_t *config, const char *program, const char *const *allow, struct err *err);

/*
 * runtime_check_descriptors() - what was opened outside is none of a container's
 * @kept:	what an engine said of those above 2 that the container keeps (--preserve-fds); NULL: nothing
 *
 * That is a socket or a folder.  Its standard ones may be Unix sockets: a log's, say.
 */
bool runtime_check_descriptors(const char *kept, struct err *err);

#endif
