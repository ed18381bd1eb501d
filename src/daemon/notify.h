/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - tell who started us that we serve: systemd's protocol, sd_notify(3) "Standalone Implementations" */
#ifndef SLUICE_DAEMON_NOTIFY_H
#define SLUICE_DAEMON_NOTIFY_H

/*
 * notify_ready() - READY=1, once
 *
 * To the socket in $NOTIFY_SOCKET, a path or an abstract name (@...), which is gone from the environment then: what
 * we start is not to speak for us.  Return: 0, also if nobody waits; or negative errno.
 */
int notify_ready(void);

#endif
