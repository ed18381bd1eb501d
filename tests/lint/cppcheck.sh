#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0
# cppcheck.sh - static analysis; what is suppressed is so in place, with its reason
#
# Without the system's headers: cppcheck knows the C library by itself.
cd "${1:-.}"
exec cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability \
	--std=c11 --inline-suppr --suppress=missingIncludeSystem -D_GNU_SOURCE -I src src
