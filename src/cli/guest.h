/* SPDX-License-Identifier: Apache-2.0 */
/* guest.h - a guest of libvirt's, and the room that its interface is moved into */
#ifndef SLUICE_CLI_GUEST_H
#define SLUICE_CLI_GUEST_H

#include <sys/types.h>

#include "attach/libvirt.h"

/*
 * guest_find() - what libvirt says of a domain
 * @hook:	we are one of libvirt's: it is on standard input, and asking would wait for ever
 *
 * Else virsh is asked.  Return: false and @err.
 */
bool guest_find(const char *domain, bool hook, struct libvirt_guest *ret, struct err *err);

/*
 * guest_room() - a network namespace with the guest's interface in it, down, and nothing else
 * @ret_pid:	a process of no rights that has it open; it ends when the interface goes, as it
 *		does when the guest ends, and with it the namespace
 *
 * One that was made before is taken again: nobody serves it, so the guest has no network there.
 * Whatever fails: the guest has no network.
 */
bool guest_room(const struct libvirt_guest *g, pid_t *ret_pid, struct err *err);

#endif
