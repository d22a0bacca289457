#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What a kernel under test needs of the machine it runs on, as an archive for its initramfs: address, host key, who may log
# in, lease. It is made here, so the machine's private key never leaves it:
# sh -s -- ARCHIVE MAC ADDRESS/BITS GATEWAY [UUID FS] of its own system, where that is wanted below the kernel's
set -eu
umask 077
archive=$1
work=$(mktemp -d "$archive.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p etc/kvm-hil etc/dropbear root/.ssh var/lib/kvm-hil
printf 'MAC=%s\nADDRESS=%s\nGATEWAY=%s\n' "$2" "$3" "${4:-}" >etc/kvm-hil/network
[ -z "${5:-}" ] || printf 'ROOT=%s\nROOT_FS=%s\n' "$5" "$6" >etc/kvm-hil/root
cp /etc/ssh/ssh_host_ed25519_key etc/kvm-hil/host_key
cp "$HOME/.ssh/authorized_keys" root/.ssh/authorized_keys
cp -R /var/lib/kvm-hil/lease var/lib/kvm-hil/
find . | cpio --quiet -o -H newc >"$archive"
