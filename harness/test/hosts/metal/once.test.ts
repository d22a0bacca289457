// SPDX-License-Identifier: GPL-2.0-only
// infra/provision/host/once.sh by itself: a machine in a folder, with a boot loader of each kind.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { inPackage } from '../../../effects/dirs.ts';
import { tempFolder } from '../../temp.ts';

// What there is on the machine, each a few lines of shell. ROOT is its root.
const TOOLS: Readonly<Record<string, string>> = {
  findmnt: `case "$*" in
    *TARGET*) echo / ;;
    *FSTYPE*"-M ROOT/boot/efi") echo vfat ;;
    *FSTYPE*-M*) exit 1 ;;
    *UUID*) echo 1234-abcd ;;
    *SOURCE*) echo /dev/vda2 ;;
    esac`,
  'grub-editenv': `env=$1; verb=$2; shift 2
    case $verb in
    list) grep = "$env" || true ;;
    set) name=\${1%%=*}; grep -v "^$name=" "$env" >"$env.new"; echo "$1" >>"$env.new"; mv "$env.new" "$env" ;;
    unset) grep -v "^$1=" "$env" >"$env.new"; mv "$env.new" "$env" ;;
    esac`,
  'grub-reboot': '[ ! -e ROOT/refuses ] || exit 1; grub-editenv ROOT/boot/grub/grubenv set "next_entry=$1"',
  efibootmgr: `state=ROOT/efi-state
    case "$*" in
    '') cat "$state" ;;
    *-C*) echo 'Boot0003  kvm-hil' >>"$state"; echo "$*" >ROOT/created ;;
    *-B) grep -v '^Boot0003' "$state" >"$state.new"; mv "$state.new" "$state" ;;
    *-N) grep -v '^BootNext' "$state" >"$state.new"; mv "$state.new" "$state" ;;
    *-n*) [ ! -e ROOT/refuses ] || exit 1; echo "BootNext: $3" >>"$state" ;;
    *-o*) grep -v '^BootOrder' "$state" >"$state.new"; echo "BootOrder: $3" >>"$state.new"; mv "$state.new" "$state" ;;
    esac`,
  // In efivarfs there is no seeking.
  tail: `case "$2$3" in *ROOT*) exit 1 ;; esac; exec /usr/bin/tail "$@"`,
  bootctl: `wish=ROOT/vars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
    case "$2" in
    '') rm -f "$wish" ;;
    *) { printf '\\006\\000\\000\\000'; printf %s "$2" | sed 's/./&\\x00/g'; } >"$wish" ;;
    esac`,
};

interface Machine {
  root: string;
  run(...args: string[]): { status: number | null; stdout: string; stderr: string };
  /** All that is on it, files by their content. */
  all(): Record<string, string>;
  read(file: string): string;
}

function machine(t: Test): Machine {
  const root = tempFolder(t);
  const put = (file: string, text: string) => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  };
  for (const [name, script] of Object.entries(TOOLS)) {
    put(`tools/${name}`, `#!/bin/sh\n${script.replaceAll('ROOT', root)}\n`);
    chmodSync(path.join(root, 'tools', name), 0o755);
  }
  put('boot/grub/grubenv', 'saved_entry=debian\n');
  put('boot/efi/EFI/debian/grubx64.efi', 'grub');
  put('efi-state', 'BootCurrent: 0001\nBootOrder: 0001,0002\nBoot0001* debian\nBoot0002* network\n');
  put('vars/keep', '');
  put('cmdline', 'quiet\n');
  put('kernel', 'a kernel');
  put('initrd', 'an initramfs');
  const script = readFileSync(inPackage('infra', 'provision', 'host', 'once.sh'), 'utf8')
    .replaceAll(/(?<![\w/$}])\/boot\b/g, `${root}/boot`)
    .replaceAll('/sys/firmware/efi/efivars', `${root}/vars`)
    .replaceAll('/proc/cmdline', `${root}/cmdline`);
  const env = { ...process.env, PATH: `${root}/tools:${process.env['PATH'] ?? ''}`, LC_ALL: 'C' };
  return {
    root,
    run: (...args) =>
      spawnSync('sh', ['-s', '--', `${root}/once`, ...args], { input: script, env, encoding: 'utf8' }),
    all: () => {
      const found: Record<string, string> = {};
      for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
        const file = path.join(entry.parentPath, entry.name);
        const name = path.relative(root, file);
        if (/^(?:tools|created)/.test(name)) continue;
        found[name] = entry.isFile() ? readFileSync(file, 'utf8').split('\n').sort().join('\n') : '';
      }
      return found;
    },
    read: (file) => readFileSync(path.join(root, file), 'utf8'),
  };
}

const armed = (m: Machine, loader: string) =>
  m.run('arm', loader, `${m.root}/kernel`, `${m.root}/initrd`, "console=ttyS0 panic=5 a='b'");

t.test('GRUB: asked, forgotten by its own account, and as it was found', async (t) => {
  for (const custom of [undefined, "menuentry 'mine' {\n}\n"]) {
    const m = machine(t);
    if (custom !== undefined) writeFileSync(path.join(m.root, 'boot/grub/custom.cfg'), custom);
    const before = m.all();
    const first = armed(m, 'grub');
    t.match(first, { status: 0, stdout: 'entry=kvm-hil\n' }, first.stderr);
    const config = m.read('boot/grub/custom.cfg');
    t.ok(config.startsWith(custom ?? '# kvm-hil: begin'), 'what was there stays in front');
    t.match(config, /search --no-floppy --fs-uuid --set=root 1234-abcd/);
    t.match(
      config,
      /linux \S+\/boot\/kvm-hil\/kernel 'console=ttyS0' 'panic=5' 'a='\\''b'\\''' kvm_hil\.once=consumed/,
    );
    t.match(m.read('boot/grub/grubenv'), /^next_entry=kvm-hil$/m);
    t.equal(m.read('boot/kvm-hil/kernel'), 'a kernel');
    t.not(armed(m, 'grub').status, 0, 'not twice: what was found would be lost');

    t.match(m.run('consumed', 'grub', 'kvm-hil'), { status: 1, stderr: /did not say/ });
    writeFileSync(path.join(m.root, 'cmdline'), 'panic=5 kvm_hil.once=consumed\n');
    t.equal(m.run('consumed', 'grub', 'kvm-hil').status, 0);
    writeFileSync(path.join(m.root, 'cmdline'), 'quiet\n');

    // As GRUB leaves it.
    writeFileSync(path.join(m.root, 'boot/grub/grubenv'), 'saved_entry=debian\nnext_entry=\n');
    t.equal(m.run('tidy').status, 0);
    t.same(m.all(), before);
    t.equal(m.run('tidy').status, 0, 'nothing to do is no error');
  }
});

t.test('GRUB: a wish of somebody else comes back', async (t) => {
  const m = machine(t);
  writeFileSync(path.join(m.root, 'boot/grub/grubenv'), 'next_entry=memtest\n');
  const before = m.all();
  armed(m, 'grub');
  t.match(m.read('boot/grub/grubenv'), /^next_entry=kvm-hil$/m);
  t.equal(m.run('tidy').status, 0);
  t.same(m.all(), before);
});

t.test('EFI: an entry beside the boot order', async (t) => {
  const m = machine(t);
  const before = m.all();
  const first = armed(m, 'efi');
  t.match(first, { status: 0, stdout: 'entry=0003\n' }, first.stderr);
  t.match(
    m.read('created'),
    /-p 2 -L kvm-hil -l \\EFI\\kvm-hil\\linux\.efi -u initrd=\\EFI\\kvm-hil\\initrd console=ttyS0/,
  );
  t.match(m.read('efi-state'), /^BootNext: 0003$/m);
  t.match(m.read('efi-state'), /^BootOrder: 0001,0002$/m);
  t.equal(m.read('boot/efi/EFI/kvm-hil/initrd'), 'an initramfs');

  const guid = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
  const vars = path.join(m.root, 'vars');
  const current = (entry: number) =>
    writeFileSync(path.join(vars, `BootCurrent-${guid}`), Buffer.from([6, 0, 0, 0, entry, 0]));
  t.match(m.run('consumed', 'efi', '0003'), { status: 1 }, 'what cannot be read proves nothing');
  current(1);
  t.match(m.run('consumed', 'efi', '0003'), { status: 1, stderr: /started entry 0001 and not 0003/ });
  current(3);
  t.equal(m.run('consumed', 'efi', '0003').status, 0);
  writeFileSync(path.join(vars, `BootNext-${guid}`), Buffer.from([7, 0, 0, 0, 3, 0]));
  t.match(m.run('consumed', 'efi', '0003'), { status: 1, stderr: /BootNext is still set/ });
  for (const name of ['BootCurrent', 'BootNext']) rmSync(path.join(vars, `${name}-${guid}`));

  t.equal(m.run('tidy').status, 0);
  t.same(m.all(), before);
});

t.test('EFI: firmware that put the entry into its order', async (t) => {
  const m = machine(t);
  const before = m.all();
  armed(m, 'efi');
  writeFileSync(
    path.join(m.root, 'efi-state'),
    'BootCurrent: 0003\nBootOrder: 0003,0001,0002\nBoot0001* debian\nBoot0002* network\nBoot0003  kvm-hil\n',
  );
  t.equal(m.run('tidy').status, 0);
  const { 'efi-state': state, ...others } = m.all();
  t.match(state, /BootOrder: 0001,0002/);
  t.notMatch(state, /0003\b.*kvm-hil/);
  delete before['efi-state'];
  t.same(others, before);
});

t.test('systemd-boot: asked once', async (t) => {
  const m = machine(t);
  mkdirSync(path.join(m.root, 'boot/efi/loader/entries'), { recursive: true });
  const before = m.all();
  const first = armed(m, 'systemd-boot');
  t.match(first, { status: 0, stdout: 'entry=kvm-hil.conf\n' }, first.stderr);
  t.match(m.read('boot/efi/loader/entries/kvm-hil.conf'), /^options console=ttyS0 panic=5/m);
  t.match(m.run('consumed', 'systemd-boot', 'kvm-hil.conf'), { status: 1, stderr: /still there/ });
  for (const name of readdirSync(path.join(m.root, 'vars')))
    if (name.startsWith('Loader')) rmSync(path.join(m.root, 'vars', name));
  t.equal(m.run('consumed', 'systemd-boot', 'kvm-hil.conf').status, 0);
  t.equal(m.run('tidy').status, 0);
  t.same(m.all(), before);
});

t.test('systemd-boot: somebody else wants to start something once', async (t) => {
  const m = machine(t);
  mkdirSync(path.join(m.root, 'boot/efi/loader/entries'), { recursive: true });
  spawnSync(path.join(m.root, 'tools/bootctl'), ['set-oneshot', 'memtest.conf']);
  const before = m.all();
  t.equal(armed(m, 'systemd-boot').status, 0);
  for (const name of readdirSync(path.join(m.root, 'vars')))
    if (name.startsWith('Loader')) rmSync(path.join(m.root, 'vars', name));
  t.equal(m.run('tidy').status, 0);
  t.same(m.all(), before, 'it is still to be');
});

t.test('a loader that refuses, or a disk that is full, half-way', async (t) => {
  for (const loader of ['grub', 'efi']) {
    const m = machine(t);
    const before = m.all();
    writeFileSync(path.join(m.root, 'refuses'), '');
    const refused = armed(m, loader);
    t.equal(refused.status, 1);
    t.match(refused.stderr, /grub-reboot failed|BootNext cannot be set/);
    t.ok(existsSync(path.join(m.root, 'once')), 'what was found is remembered');
    t.equal(m.run('tidy').status, 0);
    rmSync(path.join(m.root, 'refuses'));
    t.same(m.all(), before);
  }
  const m = machine(t);
  const before = m.all();
  const gone = m.run('arm', 'grub', `${m.root}/not-there`, `${m.root}/initrd`, '');
  t.match(gone, { status: 1, stderr: /cannot copy/ });
  t.equal(m.run('tidy').status, 0);
  t.same(m.all(), before);
});

t.test('what is not as it was found is said', async (t) => {
  const m = machine(t);
  armed(m, 'grub');
  // An environment that cannot be written any more.
  writeFileSync(path.join(m.root, 'tools/grub-editenv'), '#!/bin/sh\n[ "$2" != list ] || cat "$1"\n');
  t.match(m.run('tidy'), { status: 1, stderr: /is not as it was/ });
  t.ok(existsSync(path.join(m.root, 'once')), 'and stays known');
});
