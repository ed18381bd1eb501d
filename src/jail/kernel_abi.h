/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_abi.h - constants of kernels newer than the headers we build with
 */
#ifndef SLUICE_JAIL_KERNEL_ABI_H
#define SLUICE_JAIL_KERNEL_ABI_H

#include <fcntl.h>
#include <linux/seccomp.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL				/* Linux 6.9 */
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)	/* Linux 5.19 */
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS			/* Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#endif
