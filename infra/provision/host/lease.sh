#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The lease of a machine, kept on the machine: sh -s -- FOLDER VERB ... . Every lease has a number, one more than the one
# before: the fencing token. It is taken by link(2), which fails when somebody else was faster; a file belongs to one
# holder and is only ever replaced whole. No lock is needed, so none can be left behind.
#
#   N         whose lease N is, two lines: owner, purpose
#   N.count   how often its holder has refreshed it
#   N.over    it was given back
#
# Exit status 75: the lease is somebody else's.
set -u
folder=$1
verb=$2
shift 2

newest() {
	last=0
	for file in "$folder"/*; do
		name=${file##*/}
		case $name in *[!0-9]* | '') continue ;; esac
		[ "$name" -gt "$last" ] && last=$name
	done
	echo "$last"
}

# Prints what there is; a holder that has not refreshed yet has counted to 0.
show() {
	token=${1:-$(newest)}
	state=free
	[ "$token" -gt 0 ] && [ ! -e "$folder/$token.over" ] && state=held
	count=$(cat "$folder/$token.count" 2>/dev/null)
	printf 'token=%s\nstate=%s\ncount=%s\n' "$token" "$state" "${count:-0}"
	if [ "$token" -gt 0 ]; then
		{ read -r owner; read -r purpose; } <"$folder/$token"
		printf 'owner=%s\npurpose=%s\n' "${owner:-}" "${purpose:-}"
	fi
}

lost() {
	show
	exit 75
}

# What is not whole on the disk when the power goes must not be believed afterwards.
put() {
	cat >"$folder/.$1.$$" && sync "$folder/.$1.$$" 2>/dev/null
	[ -s "$folder/.$1.$$" ]
}

case $verb in
read)
	[ -d "$folder" ] || { printf 'token=0\nstate=free\ncount=0\n'; exit 0; }
	show
	;;
take) # SEEN_TOKEN SEEN_COUNT OWNER PURPOSE: the lease that was seen is free, or its holder is gone
	mkdir -p "$folder" && chmod 755 "$folder" || exit 1
	token=$(newest)
	[ "$token" = "$1" ] || lost
	count=$(cat "$folder/$token.count" 2>/dev/null)
	[ -e "$folder/$token.over" ] || [ "${count:-0}" = "$2" ] || lost
	mine=$((token + 1))
	printf '%s\n%s\n' "$3" "$4" | put "$mine" || { rm -f "$folder/.$mine.$$"; exit 1; }
	ln "$folder/.$mine.$$" "$folder/$mine" 2>/dev/null || { rm -f "$folder/.$mine.$$"; lost; }
	rm -f "$folder/.$mine.$$"
	# The number was free because it is long past: others took it, and those after it, since we looked.
	[ "$(newest)" = "$mine" ] || { rm -f "$folder/$mine"; lost; }
	# Of those before, only the number is still worth something, and that is smaller. The oldest goes first: who holds one
	# looks for it, and for the next.
	for file in $(cd "$folder" && ls -A | sed 's/^\.//' | sort -n | uniq); do
		name=${file%%.*}
		case $name in *[!0-9]* | '') continue ;; esac
		[ "$name" -lt "$mine" ] && rm -f "$folder/$file" "$folder/.$file"
	done
	show "$mine"
	;;
refresh) # TOKEN COUNT
	[ "$(newest)" = "$1" ] && [ ! -e "$folder/$1.over" ] || lost
	echo "$2" | put "$1.count" && mv -f "$folder/.$1.count.$$" "$folder/$1.count" || exit 1
	;;
drop) # TOKEN
	[ "$(newest)" = "$1" ] || lost
	echo over | put "$1.over" && mv -f "$folder/.$1.over.$$" "$folder/$1.over" || exit 1
	;;
*)
	exit 64
	;;
esac
