#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0
# cppcheck.sh - static analysis
#
# What is suppressed is so in place, with a reason; what cppcheck gets wrong
# everywhere, or in one file again and again, is in cppcheck.txt.
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}"
exec cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability \
	--std=c11 --inline-suppr --suppressions-list="$here/cppcheck.txt" \
	-D_GNU_SOURCE '-D_Noreturn=__attribute__((noreturn))' -I src src
