#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Has the boot loader start another kernel, just once, and takes away all that this left: sh -s -- FOLDER VERB ... . What
# was found is kept in FOLDER before anything is changed, so that whoever finds FOLDER can put it back.
#
#   arm LOADER KERNEL INITRD PARAMETERS    LOADER: grub, systemd-boot or efi. Prints entry=NAME
#   tidy                                   fails when something is not as it was found
#   consumed LOADER ENTRY                  on the kernel that was started: is the wish forgotten?
set -u
PATH=$PATH:/usr/sbin:/sbin
state=$1
verb=$2
shift 2
env=/boot/grub/grubenv
custom=/boot/grub/custom.cfg
images=/boot/kvm-hil
vars=/sys/firmware/efi/efivars
begin='# kvm-hil: begin'
end='# kvm-hil: end'

fail() { echo "$*" >&2; exit 1; }

# A copy that is on the disk, or none.
copy() { cp -- "$1" "$2" && sync "$2" && cmp -s -- "$1" "$2" || fail "cannot copy to $2"; }

find_esp() {
	for esp in /boot/efi /efi /boot; do
		[ "$(findmnt -n -o FSTYPE -M "$esp" 2>/dev/null)" = vfat ] && return
	done
	fail 'the EFI system partition is not mounted'
}

# GRUB's own variables, in an order that does not matter.
grub_vars() { grub-editenv "$env" list | sort; }

# What an EFI machine is asked to start, and in which order.
efi_vars() { efibootmgr | grep -E '^(BootNext|BootOrder|Boot[0-9A-F]{4})' | sort; }

# Four bytes of attributes, then a name of ASCII as UTF-16. There is no seeking in efivarfs.
oneshot() { cat "$vars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" 2>/dev/null | tail -c +5 | tr -d '\000'; }

# As one word of GRUB's language.
word() { printf "'%s' " "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }

without_ours() { sed "/^$begin\$/,/^$end\$/d" "$custom"; }

arm_grub() { # KERNEL INITRD PARAMETERS
	if [ -e "$custom" ]; then cp -p -- "$custom" "$state/custom.cfg" || fail "cannot keep $custom"; fi
	# The last that is kept: with it, there is something to put back.
	[ ! -L "$env" ] && grub_vars >"$state/grubenv" && sync "$state/grubenv" || fail "cannot read $env"
	mkdir -p "$images" || fail "cannot make $images"
	uuid=$(findmnt -n -o UUID -T "$images")
	copy "$1" "$images/kernel"
	copy "$2" "$images/initrd"
	# Seen from the root of its file system.
	root=$(findmnt -n -o TARGET -T "$images")
	path=${images#"${root%/}"}
	{
		[ ! -e "$custom" ] || without_ours
		echo "$begin"
		# Whatever keeps the entry from starting, the machine goes on to its own kernel.
		echo 'if [ "${default}" = kvm-hil ]; then set fallback=0; fi'
		echo "menuentry 'kvm-hil' --id kvm-hil --unrestricted {"
		[ -z "$uuid" ] || echo "  search --no-floppy --fs-uuid --set=root $uuid"
		# Read again from the disk: what the next boot will find. Our kernel is only started when that is nothing.
		echo "  load_env --file \$prefix/grubenv next_entry"
		echo '  if [ -z "${next_entry}" ]; then'
		printf '    linux %s/kernel ' "$path"
		for parameter in $3; do word "$parameter"; done
		echo 'kvm_hil.once=consumed'
		echo "    initrd $path/initrd"
		echo '  fi'
		echo '}'
		echo "$end"
	} >"$custom.kvm-hil" && sync "$custom.kvm-hil" && mv -f "$custom.kvm-hil" "$custom" || fail "cannot write $custom"
	grub-reboot kvm-hil >/dev/null || fail 'grub-reboot failed'
	grub_vars | grep -qx 'next_entry=kvm-hil' || fail "next_entry is not in $env"
	echo entry=kvm-hil
}

tidy_grub() {
	# Each variable that we or the boot changed.
	grub_vars | while IFS='=' read -r name value; do
		grep -q "^$name=" "$state/grubenv" || grub-editenv "$env" unset "$name"
	done
	while IFS='=' read -r name value; do
		grub_vars | grep -qxF -- "$name=$value" || grub-editenv "$env" set "$name=$value"
	done <"$state/grubenv"
	if [ -e "$state/custom.cfg" ]; then
		cp -p -- "$state/custom.cfg" "$custom.kvm-hil" && mv -f "$custom.kvm-hil" "$custom"
		cmp -s -- "$state/custom.cfg" "$custom" || fail "$custom is not as it was"
	else
		rm -f -- "$custom"
	fi
	rm -rf -- "$images"
	[ "$(grub_vars)" = "$(cat "$state/grubenv")" ] || fail "$env is not as it was"
}

arm_efi() { # KERNEL INITRD PARAMETERS
	find_esp
	efi_vars >"$state/efi" || fail 'efibootmgr failed'
	on=$(findmnt -n -o SOURCE -M "$esp")
	part=${on##*[!0-9]}
	disk=/dev/$(basename "$(readlink -f "/sys/class/block/${on#/dev/}/..")")
	mkdir -p "$esp/EFI/kvm-hil" || fail "cannot make $esp/EFI/kvm-hil"
	copy "$1" "$esp/EFI/kvm-hil/linux.efi"
	copy "$2" "$esp/EFI/kvm-hil/initrd"
	# Created beside the boot order, not in it.
	efibootmgr -q -C -d "$disk" -p "$part" -L kvm-hil -l '\EFI\kvm-hil\linux.efi' \
		-u "initrd=\\EFI\\kvm-hil\\initrd $3" || fail 'efibootmgr made no entry'
	entry=$(efibootmgr | sed -n 's/^Boot\([0-9A-F]*\)[* ] *kvm-hil\b.*/\1/p' | head -n 1)
	[ -n "$entry" ] || fail 'the entry is not there'
	efibootmgr -q -n "$entry" || fail 'BootNext cannot be set'
	efibootmgr | grep -qx "BootNext: $entry" || fail 'BootNext was not kept'
	sync
	echo "entry=$entry"
}

tidy_efi() {
	find_esp
	for entry in $(efibootmgr | sed -n 's/^Boot\([0-9A-F]*\)[* ] *kvm-hil\b.*/\1/p'); do
		efibootmgr -q -b "$entry" -B
	done
	next=$(sed -n 's/^BootNext: //p' "$state/efi")
	if [ -n "$next" ]; then
		efibootmgr -q -n "$next"
	elif efibootmgr | grep -q '^BootNext'; then
		efibootmgr -q -N
	fi
	order=$(sed -n 's/^BootOrder: //p' "$state/efi")
	[ -z "$order" ] || efibootmgr | grep -qx "BootOrder: $order" || efibootmgr -q -o "$order"
	rm -rf -- "$esp/EFI/kvm-hil"
	[ "$(efi_vars)" = "$(cat "$state/efi")" ] || fail "the boot entries are not as they were: $(efi_vars | tr '\n' ';')"
}

arm_systemd_boot() { # KERNEL INITRD PARAMETERS
	find_esp
	oneshot >"$state/oneshot"
	mkdir -p "$esp/kvm-hil" "$esp/loader/entries" || fail "cannot make $esp/kvm-hil"
	copy "$1" "$esp/kvm-hil/linux"
	copy "$2" "$esp/kvm-hil/initrd"
	printf 'title kvm-hil\nlinux /kvm-hil/linux\ninitrd /kvm-hil/initrd\noptions %s\n' "$3" \
		>"$esp/loader/entries/kvm-hil.conf" || fail 'the entry cannot be written'
	bootctl set-oneshot kvm-hil.conf >/dev/null || fail 'bootctl set-oneshot failed'
	[ -n "$(oneshot)" ] || fail 'the wish was not kept'
	sync
	echo entry=kvm-hil.conf
}

tidy_systemd_boot() {
	find_esp
	was=$(cat "$state/oneshot")
	[ "$(oneshot)" = "$was" ] || bootctl set-oneshot "$was" >/dev/null
	rm -rf -- "$esp/kvm-hil" "$esp/loader/entries/kvm-hil.conf"
	[ "$(oneshot)" = "$was" ] || fail "the wish for one boot is not as it was: $was"
}

case $verb in
arm)
	loader=$1
	shift
	[ ! -e "$state" ] || fail "$state is left from before"
	mkdir -p "$state.part" && echo "$loader" >"$state.part/loader" && sync "$state.part/loader" &&
		mv "$state.part" "$state" || fail "cannot write $state"
	"arm_$(echo "$loader" | tr - _)" "$@"
	;;
tidy)
	[ -e "$state" ] || exit 0
	loader=$(cat "$state/loader")
	case $loader in
	grub) [ ! -e "$state/grubenv" ] || tidy_grub ;;
	efi) [ ! -e "$state/efi" ] || tidy_efi ;;
	systemd-boot) [ ! -e "$state/oneshot" ] || tidy_systemd_boot ;;
	*) fail "$state is damaged" ;;
	esac
	sync
	rm -rf -- "$state"
	;;
consumed)
	if [ "$1" = grub ]; then
		tr ' ' '\n' </proc/cmdline | grep -qx 'kvm_hil.once=consumed' || fail 'GRUB did not say that it forgot the entry'
		exit 0
	fi
	mount -t efivarfs -o ro efivarfs "$vars" 2>/dev/null
	[ -n "$(ls "$vars" 2>/dev/null)" ] || fail 'the variables of EFI cannot be read'
	if [ "$1" = efi ]; then
		# Two words of attributes first. In efivarfs nobody can seek, and busybox's od -j does not notice.
		current=$(od -An -tx2 "$vars/BootCurrent-8be4df61-93ca-11d2-aa0d-00e098032b8c" | tr -s ' ' | cut -d ' ' -f 4 | tr a-f A-F)
		[ "$current" = "$2" ] || fail "the firmware started entry $current and not $2"
		[ ! -e "$vars/BootNext-8be4df61-93ca-11d2-aa0d-00e098032b8c" ] || fail 'BootNext is still set'
	else
		[ -z "$(oneshot)" ] || fail 'the wish for one boot is still there'
	fi
	umount "$vars" 2>/dev/null
	exit 0
	;;
*)
	exit 64
	;;
esac
