#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0
# layers.sh - fail on an #include that climbs
#
# One line per folder of src/: the folders it may include from.  Adding a word
# here is an architecture change and is reviewed as one.
allowed() {
	case "$1" in
	base)	 echo "base" ;;
	policy)	 echo "base policy" ;;
	proto)	 echo "base proto" ;;
	net)	 echo "base net" ;;
	audit)	 echo "base policy audit" ;;
	dns)	 echo "base policy proto net audit dns" ;;
	proxy)	 echo "base policy proto net audit proxy" ;;
	watch)	 echo "base policy audit watch" ;;
	jail)	 echo "base policy jail" ;;
	attach)	 echo "base policy attach" ;;
	control) echo "base policy net audit watch control" ;;
	export)	 echo "base policy export" ;;
	daemon)	 echo "base policy proto net audit dns proxy watch jail attach control export" \
		      "daemon" ;;
	roles)	 echo "jail daemon roles" ;;
	cli)	 echo "base policy audit watch jail attach control export daemon cli" ;;
	*)	 return 1 ;;
	esac
}

# Headers that would let a pure folder do I/O or read the clock
impure='sys/socket|sys/epoll|unistd|fcntl|stdio|time|sys/time|signal|netdb'
bad=0

cd "${1:-src}"
# "x.h" without a folder is a neighbour, and as such its own folder
climbs() {	# FILES-OF MAY FILE...
	from=$1 may=$2
	shift 2
	grep -HE '^[ 	]*#[ 	]*include[ 	]+"[^"/]+/' "$@" |
		sed -E 's,^([^:]*):[^"]*"([^"/]+)/.*,\1 \2,' |
		awk -v from="$from" -v may=" $may " '
			!index(may, " " $2 " ") { print $1 ": " from " may not include " $2; bad = 1 }
			END { exit bad }' >&2
}

for folder in $(find . -name '*.[ch]' | sed 's,^\./,,; s,/.*,,; s,^[^/]*\.[ch]$,.,' | sort -u); do
	from=$folder files="$(find "$folder" -name '*.[ch]' | sort)"
	[ "$folder" != . ] || from=cli files=$(ls ./*.[ch])	# main.c, should it stand at the top
	if ! may=$(allowed "$from"); then
		echo "$folder: layers.sh has no line for $from" >&2
		bad=1
		continue
	fi
	# shellcheck disable=SC2086
	climbs "$from" "$may" $files || bad=1
	case "$from" in
	policy|proto|export)
		# shellcheck disable=SC2086
		if grep -nHE "^[ 	]*#[ 	]*include[ 	]+<($impure)\.h>" $files >&2; then
			bad=1
		fi ;;
	esac
done
exit $bad
