// SPDX-License-Identifier: GPL-2.0-only
// The disk of the rig: Debian 12 as an administrator would install it, GRUB in its boot sector and, for firmware of the other
// kind, in an EFI system partition, made without a loop device. Kept below the cache.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { inCache } from '../../harness/effects/dirs.ts';
import { hashOf } from '../../harness/effects/files.ts';
import { $, must, say } from '../provision/shell.ts';

export interface RigImage {
  disk: string;
  /** Private key of root's on it. */
  key: string;
  /** `ssh-ed25519 AAAA...` of the machine. */
  hostKey: string;
}

/** Changes when what this file makes of the packages does. */
const RECIPE = '2';
const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
const PACKAGES = [
  'systemd-sysv',
  'udev',
  'kmod',
  'iproute2',
  'linux-image-amd64',
  'initramfs-tools',
  'grub-pc-bin',
  'grub-efi-amd64-bin',
  'efibootmgr',
  'grub2-common',
  'openssh-server',
  'kexec-tools',
  'cpio',
];
/** Modules that udev would load for the machine that QEMU plays. */
const UNUSED = [
  ...['aesni_intel', 'crct10dif_pclmul', 'crc32_pclmul', 'ghash_clmulni_intel', 'polyval_clmulni'],
  ...['sha1_ssse3', 'sha256_ssse3', 'sha512_ssse3', 'ahci', 'i2c_i801', 'lpc_ich', 'iTCO_wdt', 'sg'],
  ...['evdev', 'joydev', 'psmouse', 'serio_raw', 'button', 'qemu_fw_cfg', 'cfg80211'],
];
const MASKED = [
  ...['systemd-networkd-wait-online.service', 'getty@tty1.service', 'getty-static.service'],
  ...[
    'apt-daily.timer',
    'apt-daily-upgrade.timer',
    'dpkg-db-backup.timer',
    'fstrim.timer',
    'e2scrub_all.timer',
  ],
  ...['e2scrub_reap.service', 'modprobe@drm.service'],
];
const LABEL = 'rig-root';
const SERIAL = 'ttyS0,115200';
const SIZE_MIB = 1536;
const ESP_LABEL = 'RIG-ESP';
const ESP_MIB = 64;
/** Where the first partition begins. */
const GAP_MIB = 1;

/** @returns the image, built if it is not there yet */
export async function ensureRigImage(): Promise<RigImage> {
  const folder = inCache('rig', hashOf(RECIPE, SUITE, ...PACKAGES).slice(0, 20));
  const image = {
    disk: path.join(folder, 'disk.img'),
    key: path.join(folder, 'id'),
    hostKey: path.join(folder, 'host_key.pub'),
  };
  if (!existsSync(image.disk)) {
    say('building the disk of the rig (Debian 12); a few minutes');
    const fresh = `${folder}.${process.pid}.new`;
    mkdirSync(fresh, { recursive: true });
    try {
      await build(fresh);
      renameSync(fresh, folder);
    } finally {
      await remove(fresh);
    }
  }
  const hostKey = readFileSync(image.hostKey, 'utf8').split(' ').slice(0, 2).join(' ').trim();
  return { ...image, hostKey };
}

async function build(folder: string): Promise<void> {
  const root = path.join(folder, 'root');
  const key = path.join(folder, 'id');
  await must($`ssh-keygen -q -t ed25519 -N ${''} -C kvm-hil-rig -f ${key}`);
  const options = ['--mode=root', '--variant=minbase', '--aptopt=Apt::Install-Recommends "false"'];
  const docs = ['man', 'locale', 'doc'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
  // The initramfs holds what the rig needs and no more: it is read through an emulated BIOS.
  const small = [
    '--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d"',
    '--essential-hook=echo MODULES=list >"$1/etc/initramfs-tools/conf.d/rig"',
    '--essential-hook=printf "virtio_pci\\nvirtio_blk\\next4\\n" >"$1/etc/initramfs-tools/modules"',
  ];
  await must(
    $`nice mmdebstrap ${options} ${docs} ${small} --include=${PACKAGES.join(',')} ${SUITE} ${root} ${MIRROR}`,
  );
  await settle(root, readFileSync(`${key}.pub`, 'utf8'));
  await must($`cp ${root}/etc/ssh/ssh_host_ed25519_key.pub ${folder}/host_key.pub`);
  await assemble(folder, root);
  await remove(root);
}

// Not into what mmdebstrap mounted there, if it was killed: that is this machine's own /proc and /sys.
async function remove(folder: string): Promise<void> {
  await $`rm -rf --one-file-system ${folder}`;
}

async function settle(root: string, authorized: string): Promise<void> {
  const put = (file: string, text: string, mode = 0o644) => {
    const name = path.join(root, file);
    mkdirSync(path.dirname(name), { recursive: true, mode: 0o755 });
    writeFileSync(name, text, { mode });
  };
  const esp = `LABEL=${ESP_LABEL} /boot/efi vfat umask=0077,nofail 0 2`;
  put('etc/fstab', `LABEL=${LABEL} / ext4 errors=remount-ro 0 1\n${esp}\n`);
  mkdirSync(path.join(root, 'boot', 'efi'), { recursive: true });
  put('etc/hostname', 'rig\n');
  put('etc/systemd/network/10-wired.network', '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n');
  put('root/.ssh/authorized_keys', authorized, 0o600);
  // Debian loads no driver of a watchdog unless it is told to.
  put('etc/modules-load.d/rig.conf', 'kvm_amd\ni6300esb\n');
  await must($`chroot ${root} systemctl enable systemd-networkd`);
  // What a rig in software has no use for, and would spend a minute of its boot on.
  put('etc/modprobe.d/rig.conf', UNUSED.map((name) => `blacklist ${name}\n`).join(''));
  await must($`chroot ${root} systemctl mask ${MASKED}`);
  const version = (await must($`ls ${root}/lib/modules`)).trim();
  put('boot/grub/grub.cfg', grubConfig(version));
  await must($`chroot ${root} grub-editenv /boot/grub/grubenv create`);
  await must($`cp -r ${root}/usr/lib/grub/i386-pc ${root}/usr/lib/grub/x86_64-efi ${root}/boot/grub/`);
}

// As grub-mkconfig writes it, as far as one boot of another entry goes; grub-mkconfig itself wants a mounted disk.
function grubConfig(version: string): string {
  return `serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
search --no-floppy --label ${LABEL} --set=root
if [ -s $prefix/grubenv ]; then
  load_env
fi
set default=0
if [ "\${next_entry}" ]; then
  set default="\${next_entry}"
  set next_entry=
  save_env next_entry
  set boot_once=true
fi
set timeout=0
menuentry 'Debian' --id debian {
  linux /boot/vmlinuz-${version} root=LABEL=${LABEL} ro console=${SERIAL}
  initrd /boot/initrd.img-${version}
}
if [ -f $prefix/custom.cfg ]; then
  source $prefix/custom.cfg
fi
`;
}

// A partition behind a gap, and one for EFI; in the gap is GRUB's core, where its first sector looks for it.
async function assemble(folder: string, root: string): Promise<void> {
  const part = path.join(folder, 'part.img');
  const disk = path.join(folder, 'disk.part');
  const core = path.join(folder, 'core.img');
  await must($`mkfs.ext4 -q -F -L ${LABEL} -d ${root} ${part} ${SIZE_MIB}M`);
  await must($`truncate -s ${GAP_MIB}M ${disk}`);
  await must($`dd if=${part} of=${disk} bs=1M seek=${GAP_MIB} conv=sparse,notrunc status=none`);
  await must($`truncate -s ${GAP_MIB + SIZE_MIB + ESP_MIB}M ${disk}`);
  await must($({ input: `2048,${SIZE_MIB}M,L,*\n,${ESP_MIB}M,U\n` })`sfdisk -q ${disk}`);
  const grub = `${root}/usr/lib/grub`;
  const prefix = '(hd0,msdos1)/boot/grub';
  await must($`grub-mkimage -d ${grub}/i386-pc -O i386-pc -p ${prefix} -o ${core} biosdisk part_msdos ext2`);
  await must($`dd if=${grub}/i386-pc/boot.img of=${disk} bs=446 count=1 conv=notrunc status=none`);
  await must($`dd if=${core} of=${disk} bs=512 seek=1 conv=notrunc status=none`);
  const loader = path.join(folder, 'BOOTX64.EFI');
  await must($`grub-mkimage -d ${grub}/x86_64-efi -O x86_64-efi -p ${prefix} -o ${loader} part_msdos ext2`);
  await system(`${disk}@@${GAP_MIB + SIZE_MIB}M`, loader);
  for (const file of [part, core, loader]) rmSync(file);
  renameSync(disk, path.join(folder, 'disk.img'));
}

// Where firmware looks that knows nothing of the disk.
async function system(esp: string, loader: string): Promise<void> {
  const sectors = ESP_MIB * 2048;
  await must($`mformat -i ${esp} -T ${sectors} -h 64 -s 32 -v ${ESP_LABEL} ::`);
  await must($`mmd -i ${esp} ::EFI ::EFI/BOOT`);
  await must($`mcopy -i ${esp} ${loader} ::EFI/BOOT/BOOTX64.EFI`);
}
