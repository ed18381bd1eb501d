#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0
# size.sh - fail on a file over 800 lines or a function over 60
#
# Functions open and close with a brace in column 0, so no parser is needed.
# An initialiser closes with "};" and is no function.
find "$@" -name '*.[ch]' | sort | xargs awk '
	FNR == 1	{ if (NR > 1) file_end(); name = FILENAME; open = 0 }
			{ last = FNR }
	/^[a-zA-Z_].*\(/ && !open { head = $0; start = FNR }
	/^\{/		{ open = 1 }
	/^\}$/ && open	{
		open = 0
		if (FNR - start + 1 > 60) {
			printf "%s:%d: %d lines: %s\n", name, start, FNR - start + 1, head
			bad = 1
		}
	}
	function file_end() {
		if (last > 800) { printf "%s: %d lines\n", name, last; bad = 1 }
	}
	END { file_end(); exit bad }' >&2
