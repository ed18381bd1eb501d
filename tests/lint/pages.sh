#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0
# pages.sh - fail if a page of docs/ shows commands that no test runs
#
# Commands stand in blocks with a name, ```sh NAME, and some system test follows each by it: it has
# ("PAGE.md", "NAME" in it (tests/system/pages.py).  What else stands in a block says what it is.
cd "${1:-.}"
bad=0

complain() {
	[ -z "$1" ] && return
	printf '%s\n' "$1" >&2
	bad=1
}

complain "$(awk '
	FNR == 1 { inside = 0 }
	/^[ \t]*```/ {
		inside = !inside
		if (inside && !/^```(sh [a-z][a-z ]*|json|yaml|toml|xml)$/)
			print FILENAME ":" FNR ": a block without a name (```sh NAME) or a kind: " $0
		next
	}
	!inside && /^(    |\t)/ { print FILENAME ":" FNR ": commands belong in a block (```sh NAME): " $0 }
' docs/*.md)"

for page in docs/*.md; do
	of=$(basename "$page")
	complain "$(sed -n 's/^```sh \([a-z][a-z ]*\)$/\1/p' "$page" | while read -r name; do
		grep -qF "(\"$of\", \"$name\"" tests/system/*.py || echo "$page: no test follows: $name"
	done)"
done
exit $bad
