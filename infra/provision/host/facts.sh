#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What a machine is on its own kernel, at length: sh -s -- facts. Parts begin with a line `== NAME`. Changes nothing.
set -u
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
part() { printf '== %s\n' "$1"; }
value() { [ -r "$2" ] && printf '%s=%s\n' "$1" "$(tr -d '\000' <"$2" 2>/dev/null | head -n 1)"; }

part firmware
[ -d /sys/firmware/efi ] && echo type=efi || echo type=bios
for name in sys_vendor product_name bios_vendor bios_version bios_date board_name; do
	value "$name" "/sys/class/dmi/id/$name"
done
printf 'microcode=%s\n' "$(sed -n 's/^microcode[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)"
# Four bytes of attributes, then the value.
secure=$(cat /sys/firmware/efi/efivars/SecureBoot-* 2>/dev/null | od -An -tu1 | awk '{ print $5 }')
[ -n "$secure" ] && echo "secure_boot=$secure"

part modules
cat /proc/modules 2>/dev/null
part links
ip -o link 2>/dev/null
part addresses
ip -o addr 2>/dev/null
part routes
{ ip -4 route; ip -6 route; } 2>/dev/null
part resolver
grep -v '^[[:space:]]*\(#\|$\)' /etc/resolv.conf 2>/dev/null
part boot
grub-editenv list 2>/dev/null || grub2-editenv list 2>/dev/null
efibootmgr 2>/dev/null
part config
if [ -r "/boot/config-$(uname -r)" ]; then
	cat "/boot/config-$(uname -r)"
elif [ -r /proc/config.gz ]; then
	gzip -dc </proc/config.gz
fi
part end
