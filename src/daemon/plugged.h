/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugged.h - interfaces that a guest gets while it runs, beside the one that is held
 *
 * libvirt calls no hook for them.  The keeper hears of interfaces that come to be in the machine's
 * own network namespace; one that the same QEMU has open as ours is set down and taken off its
 * bridge, and stays so.  What is no tap (a device passed through) is not seen.
 *
 * The QEMU counts, once it was seen with our tap, and no more the tap: a guest whose interface is
 * taken off it and which gets another one is beside its gate with that as well.
 */
#ifndef SLUICE_DAEMON_PLUGGED_H
#define SLUICE_DAEMON_PLUGGED_H

#include <event2/event.h>

#include "base/err.h"
#include "base/span.h"

struct plugged;

/* @link: the guest's interface that is held; borrowed.  Return: NULL and @err */
struct plugged *plugged_watch(struct event_base *loop, const char *link, struct err *err);
void plugged_free(struct plugged *p);	/* or NULL */

/*
 * plugged_outlives() - our tap has gone; does its guest live on?
 * @ended:	called once it does not any more
 *
 * Return: true: it is watched until then.
 */
bool plugged_outlives(struct plugged *p, event_callback_fn ended, void *arg);

/*
 * plugged_tap() - the tap of one fdinfo(5) text, as the tun driver writes it: "iff:\tNAME"
 *
 * Pure.  Return: empty: it is none.
 */
struct span plugged_tap(struct span fdinfo);

#endif
