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
for f in $(find . -name '*.[ch]' | sed 's,^\./,,' | sort); do
	case "$f" in
	*/*)	from=${f%%/*} ;;
	*)	from=cli ;;	# main.c, should it stand at the top
	esac
	if ! may=$(allowed "$from"); then
		echo "$f: layers.sh has no line for $from" >&2
		bad=1
		continue
	fi
	# "x.h" without a folder is a neighbour, and as such its own folder
	for to in $(sed -nE 's,^[ \t]*#[ \t]*include[ \t]+"([^"/]+)/.*,\1,p' "$f" | sort -u); do
		case " $may " in
		*" $to "*) ;;
		*)	echo "$f: $from may not include $to" >&2
			bad=1 ;;
		esac
	done
	case "$from" in
	policy|proto)
		if grep -nHE "^[ 	]*#[ 	]*include[ 	]+<($impure)\.h>" "$f" >&2; then
			bad=1
		fi ;;
	esac
done
exit $bad
