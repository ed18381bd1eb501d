#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0
# units.sh - fail on a pure source file that has no unit test
#
# src/X/y.c is tested by tests/unit/X/test_y.c.  A file that holds nothing but
# data, or is tested through a neighbour, is named with the reason in
# tests/unit/X/no-unit.txt: "y.c why".  A name there without a file,
# or with a test after all, is an error too: the list must not rot.
cd "${1:-.}"
bad=0

listed() {
	[ -f "$1" ] && grep -q "^$2[[:space:]]" "$1"
}

for f in $(find src -name '*.c' | grep -E '^src/(base|policy|proto|audit|watch|export)/' | sort); do
	folder=$(dirname "${f#src/}")
	name=$(basename "$f")
	list=tests/unit/$folder/no-unit.txt
	test=tests/unit/$folder/test_$name
	if [ -f "$test" ] && listed "$list" "$name"; then
		echo "$list: $name has a test" >&2
		bad=1
	elif [ ! -f "$test" ] && ! listed "$list" "$name"; then
		echo "$f: no $test" >&2
		bad=1
	fi
done
for list in $(find tests/unit -name no-unit.txt); do
	folder=$(dirname "${list#tests/unit/}")
	while read -r name why; do
		if [ ! -f "src/$folder/$name" ] || [ -z "$why" ]; then
			echo "$list: $name: no such file, or no reason" >&2
			bad=1
		fi
	done < "$list"
done
exit $bad
