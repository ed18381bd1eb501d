#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0
# words.sh - fail on calls, marks and habits that we do not have
#
# Calls and habits are looked for in src/, with comments and strings taken out
# first, so that a word may be written about; marks in the tests too.  Call it
# with the top of the source tree.
cd "${1:-.}"
bad=0
sources=$(find src -name '*.[ch]' | sort)
tests=$(find tests -name '*.[ch]' | sort)

complain() {
	[ -z "$1" ] && return
	printf '%s\n' "$1" >&2
	bad=1
}

# FILE:LINE:text of what is compiled
code=$(awk '
	FNR == 1 { inside = 0 }
	{
		line = $0; out = ""
		while (line != "") {
			if (inside) {
				if (!(at = index(line, "*/"))) break
				line = substr(line, at + 2); inside = 0
			} else if (match(line, /"(\\.|[^"\\])*"|\/\*|\/\//)) {
				out = out substr(line, 1, RSTART - 1)
				what = substr(line, RSTART, RLENGTH)
				line = substr(line, RSTART + RLENGTH)
				if (what == "//") break
				if (what == "/*") inside = 1
				else out = out "\"\""
			} else {
				out = out line; break
			}
		}
		if (out ~ /[^ \t]/) print FILENAME ":" FNR ":" out
	}' $sources)

find_code() {
	printf '%s\n' "$code" | grep -E "$1" || true
}

# No bounds, no errors told, or a shell
banned='strcpy|strcat|stpcpy|sprintf|vsprintf|gets|atoi|atol|atoll|strtok|system|popen'
banned="$banned|gethostbyname|gethostbyaddr|inet_addr|inet_aton|inet_ntoa|tmpnam|mktemp|alloca"
complain "$(find_code ":.*(^|[^A-Za-z0-9_>.])($banned) *\(" |
	grep -vE ':[0-9]+:[[:space:]]*#' | sed 's/^/banned call: /')"

# A state is written by its setter alone: a function named *_become
complain "$(printf '%s\n' "$code" | awk -F: '
	{ text = $0; sub(/^[^:]*:[^:]*:/, "", text) }
	text ~ /^[a-zA-Z_].*\(/ { head = text }
	text ~ /->state *=[^=]/ && head !~ /_become *\(/ {
		print "state written outside a *_become(): " $0
	}')"

# A goto leads forward: its label stands below it in the same function
complain "$(printf '%s\n' "$code" | awk -F: '
	{ text = $0; sub(/^[^:]*:[^:]*:/, "", text) }
	text ~ /^}/ { split("", seen) }
	match(text, /^[ \t]*[a-z_][a-z0-9_]*:[ \t]*$/) && text !~ /default:/ {
		label = text; gsub(/[ \t:]/, "", label); seen[label] = 1
	}
	match(text, /goto +[a-z_][a-z0-9_]*/) {
		label = substr(text, RSTART, RLENGTH); sub(/goto +/, "", label)
		if (label in seen) print "goto backwards: " $0
	}')"

# Open questions are settled or filed
complain "$(grep -nHwE 'TODO|FIXME|XXX' $sources $tests | sed 's/^/open question: /')"

# The event loop is in one place
complain "$(find_code ':.*\<epoll_ctl *\(' | grep -v '^src/net/loop\.c:' |
	sed 's/^/epoll_ctl outside net\/loop.c: /')"

for f in $sources $tests; do
	case "$(head -n 1 "$f")" in
	'/* SPDX-License-Identifier: Apache-2.0 */') ;;
	*)	complain "$f: the first line is no SPDX line" ;;
	esac
done
exit $bad
