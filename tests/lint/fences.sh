#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0
# fences.sh - fail if one of the other scripts lets a fault pass
#
# Each case is a tree with one fault in it.  The same tree without the fault
# must pass, or the case would show nothing.
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
bad=0
spdx='/* SPDX-License-Identifier: Apache-2.0 */'

tree_make() {
	rm -rf "${tree:?}"/*
	mkdir -p "$tree/src/base" "$tree/src/proto" "$tree/src/net" "$tree/tests/unit/proto" "$tree/docs" \
		"$tree/tests/system"
	printf '# X\n\n```sh one\nx\n```\n\n```json\n{}\n```\n' > "$tree/docs/x.md"
	printf 'follow("x.md", "one")\nfollow("y.md", "two")\n' > "$tree/tests/system/test_x.py"
	printf '%s\nint x;\n' "$spdx" > "$tree/src/proto/x.c"
	printf '%s\nextern int x;\n' "$spdx" > "$tree/src/proto/x.h"
	printf '%s\nint t;\n' "$spdx" > "$tree/tests/unit/proto/test_x.c"
}

# fault SCRIPT FILE TEXT: the text, added to the file, is a fault
fault() {
	tree_make
	case "$1" in
	layers|headers)	dirs="$tree/src" ;;
	size)		dirs="$tree/src $tree/tests" ;;
	*)		dirs=$tree ;;
	esac
	# shellcheck disable=SC2086
	if ! sh "$here/$1.sh" $dirs; then
		echo "$1.sh: complains about a good tree" >&2
		bad=1
	fi
	printf '%b' "$3" >> "$tree/$2"
	# shellcheck disable=SC2086
	if sh "$here/$1.sh" $dirs 2>/dev/null; then
		echo "$1.sh: lets pass in $2: $3" | head -n 3 >&2
		bad=1
	fi
}

lines() {
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "\\tx = 1;\\n" }'
}

fault layers src/proto/x.c '#include "net/msg.h"\n'
fault layers src/proto/x.c '# include <unistd.h>\n'
fault layers src/base/y.c "$spdx\n#include \"proto/x.h\"\n"
fault size src/proto/x.c "void f(void)\n{\n$(lines 58)}\n"
fault size tests/unit/proto/test_x.c "$(lines 801)"
fault words src/proto/x.c 'void f(void)\n{\n\tstrcpy(a, b);\n}\n'
fault words src/proto/x.c 'void f(void)\n{\n\tif (system("x"))\n\t\tx = 1;\n}\n'
fault words src/proto/x.c 'void f(void)\n{\n\tf->state = 1;\n}\n'
fault words src/proto/x.c 'void f(void)\n{\nagain:\n\tif (x)\n\t\tgoto again;\n}\n'
fault words tests/unit/proto/test_x.c '/* FIX''ME */\n'
fault words src/net/y.c 'int y;\n'
fault words src/proto/x.c 'void f(void)\n{\n\tepoll_ctl(1);\n}\n'
fault headers src/proto/x.h 'extern struct unknown y[2];\n'
fault headers src/proto/x.h 'struct x { int y; };\n'
fault units src/proto/y.c "$spdx\n"
fault units tests/unit/proto/no-unit.txt 'x.c it has one\n'
fault units tests/unit/proto/no-unit.txt 'gone.c was here\n'
fault pages docs/x.md '\n```sh\nx\n```\n'
fault pages docs/x.md '\n```\nx\n```\n'
fault pages docs/x.md '\n```console\n$ x\n```\n'
fault pages docs/x.md '\n    sluice x\n'
fault pages docs/x.md '\n```sh two\nx\n```\n'
exit $bad
