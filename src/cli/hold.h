/* SPDX-License-Identifier: Apache-2.0 */
/* hold.h - what `sluice hold` says to the daemon that started it */
#ifndef SLUICE_CLI_HOLD_H
#define SLUICE_CLI_HOLD_H

#define HOLD_READY "+"		/* on --ready-fd: the walls stand, and it serves */

#endif
