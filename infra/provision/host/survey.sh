#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What a machine is and can do, one `name=value` a line. Changes nothing; a value that cannot be found out is left out.
set -u
PATH=$PATH:/usr/sbin:/sbin
say() { [ -n "${2:-}" ] && printf '%s=%s\n' "$1" "$2"; }
first() { for file; do [ -e "$file" ] && echo "$file" && return; done; }

say system "$(uname -s)"
say release "$(uname -r)"
say arch "$(uname -m)"
say boot_id "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
say uid "$(id -u)"
say distribution "$(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release 2>/dev/null)"
say cmdline "$(cat /proc/cmdline 2>/dev/null)"
say seconds "$(date +%s)"

say vendor "$(sed -n 's/^vendor_id[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)"
say model "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)"
say cpus "$(grep -c '^processor' /proc/cpuinfo 2>/dev/null)"
say virtualization "$(grep -m 1 -o -w -e svm -e vmx /proc/cpuinfo 2>/dev/null | head -n 1)"
say hypervisor "$(grep -m 1 -o -w hypervisor /proc/cpuinfo 2>/dev/null | head -n 1)"
say memory_kib "$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null)"
[ -c /dev/kvm ] && say kvm yes
say nested "$(cat /sys/module/kvm_amd/parameters/nested /sys/module/kvm_intel/parameters/nested 2>/dev/null | head -n 1)"

# Where images go, and whether anything can be written there.
probe=/var/lib
[ -d /var/lib/kvm-hil ] && probe=/var/lib/kvm-hil
say free_kib "$(df -Pk "$probe" 2>/dev/null | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\).*/\1/p')"
if [ -w "$probe" ] && touch "$probe/.kvm-hil-probe" 2>/dev/null; then
	rm -f "$probe/.kvm-hil-probe"
	say writable yes
fi

for tool in kexec systemctl sha256sum cpio gzip ip grub-reboot grub-editenv efibootmgr bootctl; do
	command -v "$tool" >/dev/null 2>&1 && say "tool_$tool" yes
done
[ -e /sys/kernel/kexec_loaded ] && say kexec yes
say kexec_disabled "$(cat /proc/sys/kernel/kexec_load_disabled 2>/dev/null)"
say lockdown "$(sed -n 's/.*\[\(.*\)\].*/\1/p' /sys/kernel/security/lockdown 2>/dev/null)"
say firmware "$([ -d /sys/firmware/efi ] && echo efi || echo bios)"

# For who wants its own system below a kernel under test.
say root_on "$(findmnt -n -o SOURCE / 2>/dev/null)"
say root_fs "$(findmnt -n -o FSTYPE / 2>/dev/null)"
say root_uuid "$(findmnt -n -o UUID / 2>/dev/null)"

# What starts kernels there. GRUB has to write its environment at boot, without the drivers that the kernel has: what its
# file lies on matters.
say grub "$(first /boot/grub/grub.cfg)"
say grubenv "$(first /boot/grub/grubenv)"
if [ -r /boot/grub/grub.cfg ]; then
	say grub_on "$(findmnt -n -o SOURCE -T /boot/grub 2>/dev/null)"
	say grub_fs "$(findmnt -n -o FSTYPE -T /boot/grub 2>/dev/null)"
	say grub_uuid "$(findmnt -n -o UUID -T /boot/grub 2>/dev/null)"
	grep -q 'save_env.* next_entry' /boot/grub/grub.cfg && grep -q 'source.*/custom.cfg' /boot/grub/grub.cfg && say grub_once yes
fi
if [ -d /sys/firmware/efi/efivars ]; then
	for esp in /boot/efi /efi /boot; do
		[ "$(findmnt -n -o FSTYPE -M "$esp" 2>/dev/null)" = vfat ] || continue
		say esp "$esp"
		say esp_on "$(findmnt -n -o SOURCE -M "$esp")"
		break
	done
	# Four bytes of attributes, then what it is: a byte, UTF-16. There is no seeking there.
	is_secure=$(cat /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c 2>/dev/null | tail -c +5 | od -An -tu1)
	[ "$((${is_secure:-0}))" = 1 ] && say secure_boot yes
	say loader "$(cat /sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f 2>/dev/null | tail -c +5 | tr -d '\000')"
fi
[ -e /var/lib/kvm-hil/once ] && say once_left yes

# What kernels that died before left behind, and what systemd has moved of it.
say pstore "$(find /sys/fs/pstore /var/lib/systemd/pstore -type f 2>/dev/null | sort | tail -n 200 | tr '\n' ' ')"

# One that nobody but the hardware keeps going.
say watchdog "$(first /dev/watchdog)"
say watchdog_is "$(cat /sys/class/watchdog/watchdog0/identity 2>/dev/null)"
say config "$(first "/boot/config-$(uname -r)" /proc/config.gz)"
say modules "$(sed 's/ .*//' /proc/modules 2>/dev/null | sort | tr '\n' ' ')"
say host_key "$(first /etc/ssh/ssh_host_ed25519_key)"

# The card that the way back to us goes over, and what it needs to be set up without help.
if command -v ip >/dev/null 2>&1; then
	us=${SSH_CONNECTION:-}
	us=${us%% *}
	route=$(ip route get "${us:-192.0.2.1}" 2>/dev/null | head -n 1)
	device=$(echo "$route" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
	say net_device "$device"
	say net_mac "$(cat "/sys/class/net/$device/address" 2>/dev/null)"
	say net_address "$(ip -4 -o addr show dev "$device" scope global 2>/dev/null | sed -n 's/.* inet \([0-9./]*\).*/\1/p' | head -n 1)"
	say net_gateway "$(ip -4 route show default dev "$device" 2>/dev/null | sed -n 's/^default via \([0-9.]*\).*/\1/p' | head -n 1)"
	say net_driver "$(basename "$(readlink "/sys/class/net/$device/device/driver" 2>/dev/null)" 2>/dev/null)"
	# The modules of the card, and of what it is plugged into up to the processor; below a bridge or a bond, of theirs.
	modules=
	for card in "/sys/class/net/$device" "/sys/class/net/$device"/lower_*; do
		at=$(readlink -f "$card/device" 2>/dev/null)
		while [ "${at#/sys/devices/}" != "$at" ]; do
			[ -e "$at/driver/module" ] && modules="$modules $(basename "$(readlink "$at/driver/module")")"
			at=${at%/*}
		done
	done
	say net_modules "${modules# }"
fi

# What was cut off before is not to be believed.
say complete yes
