/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_filter.h - the one filter that every process of the jail carries
 *
 * See the table in seccomp_filter.c for what it refuses and with which error.
 */
#ifndef SLUICE_JAIL_SECCOMP_FILTER_H
#define SLUICE_JAIL_SECCOMP_FILTER_H

#include <stddef.h>
#include <linux/filter.h>

#define SECCOMP_FILTER_MAX 128	/* instructions; 75 on x86_64 */

/*
 * seccomp_filter_build() - write the program for this machine
 *
 * Pure; for the tests and for runtimes that want it as bytes.
 * Return: its length in instructions.
 */
size_t seccomp_filter_build(struct sock_filter ret_insn[static SECCOMP_FILTER_MAX]);

/*
 * seccomp_filter_install() - put the calling thread, and all it starts, under it
 *
 * no_new_privs must stand.
 * Return: the descriptor on which connect(2) and listen(2) are announced
 *         (close-on-exec, owned by the caller), or negative errno.
 */
int seccomp_filter_install(void);

#endif
