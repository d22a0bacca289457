// SPDX-License-Identifier: GPL-2.0-only
// The disk of the rig: Debian 12 as an administrator would install it, GRUB in its boot sector, made without a loop
// device. Kept below the cache.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { inCache } from '../../harness/effects/dirs.ts';
import { hashOf } from '../../harness/effects/files.ts';
import { $, say } from '../provision/shell.ts';

export interface RigImage {
  disk: string;
  /** Private key of root's on it. */
  key: string;
  /** `ssh-ed25519 AAAA...` of the machine. */
  hostKey: string;
}

/** Changes when what this file makes of the packages does. */
const RECIPE = '1';
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
  'grub2-common',
  'openssh-server',
  'kexec-tools',
  'cpio',
];
const LABEL = 'rig-root';
const SERIAL = 'ttyS0,115200';
const SIZE_MIB = 1536;
/** Of mmdebstrap's steps, what fails prints last. */
const SHOWN_LINES = 20;

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
  put('etc/fstab', `LABEL=${LABEL} / ext4 errors=remount-ro 0 1\n`);
  put('etc/hostname', 'rig\n');
  put('etc/systemd/network/10-wired.network', '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n');
  put('root/.ssh/authorized_keys', authorized, 0o600);
  put('etc/modules-load.d/kvm.conf', 'kvm_amd\n');
  await must($`chroot ${root} systemctl enable systemd-networkd`);
  await must(
    $`chroot ${root} systemctl mask systemd-networkd-wait-online getty@tty1 e2scrub_reap apt-daily.timer`,
  );
  const version = (await must($`ls ${root}/lib/modules`)).trim();
  put('boot/grub/grub.cfg', grubConfig(version));
  await must($`chroot ${root} grub-editenv /boot/grub/grubenv create`);
  await must($`cp -r ${root}/usr/lib/grub/i386-pc ${root}/boot/grub/`);
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

// One partition behind a gap; in the gap is GRUB's core, where its first sector looks for it.
async function assemble(folder: string, root: string): Promise<void> {
  const part = path.join(folder, 'part.img');
  const disk = path.join(folder, 'disk.part');
  const core = path.join(folder, 'core.img');
  await must($`mkfs.ext4 -q -F -L ${LABEL} -d ${root} ${part} ${SIZE_MIB}M`);
  await must($`truncate -s 1M ${disk}`);
  await must($`dd if=${part} of=${disk} bs=1M seek=1 conv=sparse,notrunc status=none`);
  await must($`truncate -s ${SIZE_MIB + 1}M ${disk}`);
  await must($({ input: '2048,,L,*\n' })`sfdisk -q ${disk}`);
  const grub = `${root}/usr/lib/grub/i386-pc`;
  await must(
    $`grub-mkimage -d ${grub} -O i386-pc -p ${'(hd0,msdos1)/boot/grub'} -o ${core} biosdisk part_msdos ext2`,
  );
  await must($`dd if=${grub}/boot.img of=${disk} bs=446 count=1 conv=notrunc status=none`);
  await must($`dd if=${core} of=${disk} bs=512 seek=1 conv=notrunc status=none`);
  rmSync(part);
  renameSync(disk, path.join(folder, 'disk.img'));
}

interface Ran {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

async function must(command: PromiseLike<Ran>): Promise<string> {
  const ran = await command;
  if (ran.exitCode === 0) return ran.stdout;
  throw new Error(ran.stderr.trim().split('\n').slice(-SHOWN_LINES).join('\n') || `status ${ran.exitCode}`);
}
