/* SPDX-License-Identifier: Apache-2.0 */
/* folders.h - where sluice's files are (contract section 5) */
#ifndef SLUICE_CLI_FOLDERS_H
#define SLUICE_CLI_FOLDERS_H

#include "base/err.h"

#define FOLDER_SYSTEM "/etc/sluice"
#define FOLDER_RUN_ROOT "/run/sluice"	/* folder_run() of root */

/*
 * folder_config() - $XDG_CONFIG_HOME/sluice, or .config/sluice at home; for root
 * without one /etc/sluice
 * @ret:	PATH_MAX bytes
 *
 * Variables that hold no absolute path are as if unset (XDG base directories).
 * Return: false and @err if nothing says where.  The folder need not exist.
 */
bool folder_config(char *ret, struct err *err);

/* $XDG_STATE_HOME/sluice, for root else /var/lib/sluice, or .local/state/sluice at home */
bool folder_state(char *ret, struct err *err);

/*
 * folder_run() - $XDG_RUNTIME_DIR/sluice, for root else /run/sluice, or run in the state folder
 *
 * A runtime directory counts only if it belongs to this user: sudo may leave the caller's.
 */
bool folder_run(char *ret, struct err *err);

/*
 * folder_data() - share/sluice of the installation, or data/ of the source tree of build/sluice
 *
 * The program that lies where it was to be installed never looks beside itself:
 * whoever can write there could add presets.
 */
bool folder_data(char *ret, struct err *err);

/* Where sluice's other programs are: beside this one in a build, else in libexec/sluice */
bool folder_programs(char *ret, struct err *err);

/* $HOME, or what the user database says */
bool folder_home(char *ret, struct err *err);

/* @folder "/" @name into PATH_MAX bytes; @ret may be @folder */
bool folder_join(char *ret, const char *folder, const char *name, struct err *err);

/* mkdir -p; each folder that is new is 0700 */
bool folder_make(const char *path, struct err *err);

/* Is @path @folder or below it?  Both in their true form. */
bool folder_holds(const char *folder, const char *path);

#endif
