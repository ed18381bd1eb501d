/* SPDX-License-Identifier: Apache-2.0 */
/* selftest_files.c - attempts on the files that decide and those that sluice writes */
#include "cli/selftest.h"

const struct attempt selftest_files[] = {
	{ NULL, NULL, CONTROL_NEVER, NULL, NULL },
};
