// SPDX-License-Identifier: GPL-2.0-only
// What a Debian-like machine needs to build and boot kernels, installed when it is missing, and said.
import { existsSync } from 'node:fs';
import { $, say } from './shell.ts';

interface Need {
  /** Debian's package. */
  name: string;
  /** Its files or programs, any missing one means that it is not installed. */
  has: string[];
  why: string;
}

const NEEDS: readonly Need[] = [
  { name: 'git', has: ['git'], why: 'applies patches' },
  { name: 'gcc', has: ['gcc'], why: 'compiles kernels and cases' },
  { name: 'libc6-dev', has: ['/usr/lib/x86_64-linux-gnu/libc.a'], why: 'links the case program' },
  { name: 'make', has: ['make'], why: 'builds kernels' },
  { name: 'flex', has: ['flex'], why: 'builds Kconfig' },
  { name: 'bison', has: ['bison'], why: 'builds Kconfig' },
  { name: 'bc', has: ['bc'], why: 'builds kernels' },
  { name: 'perl', has: ['perl'], why: 'builds kernels' },
  { name: 'libelf-dev', has: ['/usr/include/libelf.h'], why: 'builds objtool' },
  { name: 'xz-utils', has: ['xz'], why: 'unpacks kernel source' },
  { name: 'bubblewrap', has: ['bwrap'], why: 'keeps what patches make the build do away from this machine' },
  { name: 'ccache', has: ['ccache'], why: 'keeps builds short' },
  { name: 'util-linux', has: ['setpriv', 'flock'], why: 'ties processes and locks to the runner' },
  {
    name: 'debian-archive-keyring',
    has: ['/usr/share/keyrings/debian-archive-keyring.gpg'],
    why: 'verifies kernel source',
  },
  { name: 'qemu-system-x86', has: ['qemu-system-x86_64'], why: 'is the embedded host' },
  {
    name: 'busybox-static',
    has: ['/usr/share/doc/busybox-static'],
    why: 'is the embedded host’s user space',
  },
  { name: 'dropbear-bin', has: ['/usr/sbin/dropbear'], why: 'is the embedded host’s SSH server' },
];

/** What the simulated machine of infra/rig needs on top. */
const RIG_NEEDS: readonly Need[] = [
  { name: 'mmdebstrap', has: ['mmdebstrap'], why: 'makes the disk of the rig' },
  { name: 'fdisk', has: ['sfdisk'], why: 'makes the disk of the rig' },
  { name: 'e2fsprogs', has: ['mkfs.ext4'], why: 'makes the disk of the rig' },
  { name: 'mtools', has: ['mformat', 'mcopy'], why: 'makes the disk of the rig' },
  { name: 'ovmf', has: ['/usr/share/OVMF/OVMF_CODE_4M.fd'], why: 'is the firmware of the rig, of one kind' },
  { name: 'grub-common', has: ['grub-mkimage'], why: 'makes the rig boot' },
  { name: 'openssh-client', has: ['ssh-keygen'], why: 'makes the key of the rig' },
  { name: 'openipmi', has: ['ipmi_sim'], why: 'is the BMC of the rig' },
  { name: 'ipmitool', has: ['ipmitool'], why: 'speaks with BMCs' },
];

const missing: Need[] = [];
const wanted = process.argv.includes('--rig') ? RIG_NEEDS : NEEDS;
for (const need of wanted) {
  for (const thing of need.has) {
    const there = thing.startsWith('/') ? existsSync(thing) : (await $`command -v ${thing}`).exitCode === 0;
    if (!there) {
      missing.push(need);
      break;
    }
  }
}
if (missing.length > 0) process.exitCode = await install(missing);

async function install(needs: readonly Need[]): Promise<number> {
  const names = needs.map((need) => need.name);
  say(`installing ${names.length} Debian package${names.length === 1 ? '' : 's'}:`);
  for (const need of needs) say(`  ${need.name}: ${need.why}`);
  const root = process.getuid?.() === 0;
  if ((await $`command -v apt-get`).exitCode !== 0) return giveUp('this machine has no apt-get', names);
  if (!root && (await $`sudo -n true`).exitCode !== 0)
    return giveUp('that needs root, or sudo without a password', names);
  const sudo = root ? [] : ['sudo', '-n'];
  const apt = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q'];
  const update = await $`${apt} update`;
  if (update.exitCode !== 0) say('apt-get update failed; going on with the package lists that are there');
  const installed = await $`${apt} install --yes --no-install-recommends ${names}`;
  if (installed.exitCode === 0) return 0;
  process.stderr.write(`${installed.stderr.trim().split('\n').slice(-5).join('\n')}\n`);
  return giveUp('apt-get failed', names);
}

function giveUp(why: string, names: readonly string[]): number {
  say(`${why}; install by hand: ${names.join(' ')}`);
  return 3;
}
