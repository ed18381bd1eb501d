#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0
# headers.sh - fail on a header that needs another one before it
cd "${1:-src}"
bad=0
for f in $(find . -name '*.h' | sed 's,^\./,,' | sort); do
	# twice: it must also guard itself
	if ! printf '#include "%s"\n#include "%s"\n' "$f" "$f" |
	     ${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -I. -fsyntax-only -x c -; then
		echo "$f: does not compile alone" >&2
		bad=1
	fi
done
exit $bad
