#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs what a machine lacks, and says what came with it: sh -s -- PACKAGE... (by their Debian names). Prints
# `installed=NAME VERSION` for each package that was not there before. Exit status 69: no package manager that it knows.
set -u
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

if command -v apt-get >/dev/null 2>&1; then
	packages=$*
	list() { dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' | sed -n 's/^installed //p' | sort -u; }
	# Left to itself, it would have every reboot of the machine go through kexec from now on.
	case " $* " in *' kexec-tools '*)
		if command -v debconf-set-selections >/dev/null 2>&1; then
			echo 'kexec-tools kexec-tools/load_kexec boolean false' | debconf-set-selections
		fi
		;;
	esac
	get() { apt-get -q -y -o DPkg::Lock::Timeout=120 --no-install-recommends install "$@"; }
	refresh() { apt-get -q update; }
elif command -v dnf >/dev/null 2>&1; then
	packages=
	for name; do
		case $name in iproute2) name=iproute ;; grub2-common) name=grub2-tools ;; esac
		packages="$packages $name"
	done
	list() { rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\n' | sort -u; }
	get() { dnf -q -y --setopt=install_weak_deps=False install "$@"; }
	refresh() { :; }
else
	exit 69
fi

list >"$work/before"
# Lists of packages may be as old as the machine; with fresh ones it is tried once more.
# shellcheck disable=SC2086
get $packages >&2 || { refresh >&2; get $packages >&2; }
status=$?
list >"$work/after"
comm -13 "$work/before" "$work/after" | sed 's/^/installed=/'
echo complete=yes
exit $status
