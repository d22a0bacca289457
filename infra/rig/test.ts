// SPDX-License-Identifier: GPL-2.0-only
// npm run test:rig: the story of a machine of metal, told on rigs by the command line alone. Prints TAP, with the time that each
// step took, and at its end the ways into a kernel beside each other. --short tells what continuous integration has time for.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inCache, inPackage } from '../../harness/effects/dirs.ts';
import { $, say } from '../provision/shell.ts';
import { RIG_HOST, type Rig, type RigOptions, startRig } from './rig.ts';

const CLI = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'harness', 'cli.js');
const UP_MS_MAX = 10 * 60 * 1000;
const LOOK_MS = 3000;
const BASE = process.env['KVM_HIL_RIG_BASE'] ?? 'debian:7.3';
const SERIES = process.env['KVM_HIL_RIG_SERIES'] ?? 'infra/series/gmem-fdinfo';
/**
 * What the machine has to have afterwards as before: what runs, its boot loader's files, wishes among them, and entries.
 * Not by grub-editenv, which makes the file that it is asked for.
 */
const STATE = [
  'uname -r',
  'cd /boot && find . -path ./efi -prune -o -type f -exec sha256sum {} + | sort',
  'find /boot/efi -type f | sort',
  'efibootmgr 2>/dev/null | grep -v BootCurrent | sort',
].join('; ');

/** In what kvm-hil says: how a kernel was reached, and how long that took. */
const WAYS = /(kexec|once through [\w-]+|modules) in ([\d.]+) s/g;

interface Ended {
  exitCode: number | null;
  stdout: string;
  stderr: string;
  ms: number;
}

let count = 0;
let failed = 0;
let said = '';
const times: [way: string, seconds: string][] = [];
const open = new Set<Rig>();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, async () => {
    await Promise.all([...open].map((rig) => rig.stop()));
    process.exit(130);
  });
}

/** One line of TAP, with what was said when it is not as it should be. */
function tell(ok: boolean, what: string, ended: Ended): void {
  count++;
  if (!ok) failed++;
  process.stdout.write(`${ok ? 'ok' : 'not ok'} ${count} - ${what} # ${(ended.ms / 1000).toFixed(1)} s\n`);
  if (!ok) process.stdout.write(`${ended.stdout}${ended.stderr}`.replace(/^/gm, '  # ').concat('\n'));
}

interface Machine {
  rig: Rig;
  folder: string;
  hil(...argv: string[]): Promise<Ended>;
  /** A command line of kvm-hil that gets a SIGINT once it has said `when`. */
  interrupted(when: RegExp, ...argv: string[]): Promise<Ended>;
  /** Until it is on its own kernel and nothing is lacking. */
  ready(): Promise<Ended>;
  state(): Promise<string>;
}

async function withRig(o: RigOptions, story: (m: Machine) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'kvm-hil-rig-'));
  const rig = await startRig(folder, o);
  open.add(rig);
  const run = (argv: readonly string[], when?: RegExp) =>
    new Promise<Ended>((resolve) => {
      const since = performance.now();
      const env = { ...process.env, ...rig.env, LC_ALL: 'C' };
      const child = spawn(process.execPath, [CLI, ...argv], { env, cwd: inPackage() });
      const ended: Ended = { exitCode: null, stdout: '', stderr: '', ms: 0 };
      let told = when === undefined;
      child.stdout.on('data', (piece: Buffer) => {
        ended.stdout += piece.toString();
      });
      child.stderr.on('data', (piece: Buffer) => {
        ended.stderr += piece.toString();
        if (told || when?.test(ended.stderr) !== true) return;
        told = true;
        child.kill('SIGINT');
      });
      child.on('close', (exitCode) => {
        said += ended.stdout + ended.stderr;
        for (const [, way = '', seconds = ''] of ended.stderr.matchAll(WAYS)) times.push([way, seconds]);
        resolve({ ...ended, exitCode, ms: performance.now() - since });
      });
    });
  const hil = (...argv: string[]) => run(argv);
  try {
    await story({
      rig,
      folder,
      hil,
      interrupted: (when, ...argv) => run(argv, when),
      ready: async () => {
        const since = performance.now();
        for (;;) {
          const checked = await hil('hosts', 'check', RIG_HOST);
          const ms = performance.now() - since;
          if (checked.exitCode === 0 || ms > UP_MS_MAX) return { ...checked, ms };
          await new Promise((done) => setTimeout(done, LOOK_MS));
        }
      },
      state: async () => (await $`${rig.ssh} ${STATE}`).stdout,
    });
  } finally {
    open.delete(rig);
    await rig.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const boot = (...options: string[]) => ['boot', '--base', BASE, '--host', RIG_HOST, ...options, '--'];
/** What isInRam() reads. */
const WHERE = 'uname -r; ls /dev/kvm; mount | grep -c /dev/vda';
const isInRam = ({ stdout }: Ended, mountsWanted = 0) => {
  const [release = '', kvm, mounts] = stdout.split('\n');
  return release.includes('-kvmhil-') && kvm === '/dev/kvm' && mounts === String(mountsWanted);
};
/** What the machine printed from the last boot of a kernel under test until it was home. */
function lastConsole(): string {
  const logs = readdirSync(inCache('logs')).sort().reverse();
  const files = logs.map((name) => path.join(inCache('logs'), name, 'boot-console.log'));
  return readFileSync(files.find(existsSync) ?? '/dev/null', 'latin1').replaceAll('\r', '');
}
/** Of the kernel that a machine runs as it is found. */
const ownRelease = ({ stdout }: Ended) => /Linux (\S+?),/.exec(stdout)?.[1] ?? '?';
const hasRun = ({ stdout }: Ended) =>
  stdout.includes('{"observe":') && stdout.includes('{"end":{"status":"done"');
const isFree = ({ exitCode, stdout }: Ended, known: string) =>
  exitCode === 0 && stdout.includes(`Linux ${known},`) && stdout.includes('\n    free\n');

/** With a BMC that switches it and hands out its console. */
async function attended({ rig, folder, hil, interrupted, ready, state }: Machine): Promise<void> {
  const cold = await ready();
  tell(cold.exitCode === 0, 'a cold start, and nothing is lacking', cold);
  times.push(['a cold power cycle, to its own kernel', (cold.ms / 1000).toFixed(1)]);
  const known = ownRelease(cold);
  const before = await state();

  const provisioned = await hil('hosts', 'provision', RIG_HOST);
  tell(provisioned.exitCode === 0, 'it is provisioned', provisioned);

  const first = await hil(
    ...boot('--series', SERIES),
    `${WHERE}; kvm-cases gmem/bind; kvm-cases self/oops; dmesg | grep Oops:`,
  );
  tell(isInRam(first), "through kexec into a series' kernel, in RAM, and back", first);
  tell(hasRun(first), 'a case runs there', first);
  const killed = /"observe":"oops\.provoked",.*"killed":true.*\n\{"end":.*\n.*\] Oops: /.test(first.stdout);
  tell(killed, 'it oopses, and goes on', first);
  const answered =
    /Linux version \S+-kvmhil-(?:.|\n)*\[kvm-hil 20\S+Z: the kernel under test answers, [\d.]+ s (?:.|\n)*\] Oops: /;
  const log = lastConsole();
  tell(answered.test(log), 'on its console from the first line, by both clocks', { ...first, stdout: log });
  const back = await hil('hosts', 'check', RIG_HOST);
  tell(isFree(back, known), 'it rests on its own kernel again, and its lease was given back', back);

  const none = ['--parameter', 'rdinit=/none', '--parameter', 'init=/none'];
  const dead = await hil(...boot('--boot', 'once', ...none), 'true');
  const blamed = dead.exitCode === 1 && dead.stderr.includes('the kernel does not boot');
  tell(blamed, 'once, a kernel that cannot boot: the kernel is blamed', dead);
  const again = await ready();
  tell(isFree(again, known), 'and the machine is back on its own kernel', again);
  const after = await state();
  const same = before !== '' && after === before;
  tell(same, 'what boots it is as it was found', { ...again, stdout: `${before}\n--\n${after}`, stderr: '' });

  const machine = rig.machine();
  // Told to end, the watchdogs' keepers switch them off, as far as the drivers let them.
  const leave = ['i6300esb', 'iTCO_wdt'].flatMap((name) => ['--parameter', `${name}.nowayout=0`]);
  const hang = await hil(...boot(...leave), 'killall watchdog; kvm-cases --timeout 600000 self/hang');
  tell(
    hang.exitCode === 3 && /is gone/.test(hang.stderr),
    'all processors hang, and no watchdog sees it',
    hang,
  );
  const cycled = await ready();
  tell(machine !== '' && rig.machine() !== machine, 'it was switched off and on', hang);
  const since = lastConsole().split(': switched off and on]')[1] ?? '';
  tell(since.includes('rig login:'), 'its console came back with it', {
    ...hang,
    stdout: since,
  });
  tell(isFree(cycled, known), 'and is back', cycled);

  if (!SHORT) {
    const once = await hil(...boot('--boot', 'once'), 'uname -r; ls /dev/watchdog0');
    tell(once.stdout.includes('-kvmhil-'), 'once, through GRUB', once);
    tell((await state()) === before, 'and nothing of that is left', once);

    const cut = await interrupted(/ up in /, ...boot(), 'sleep 600');
    tell(cut.exitCode === 130, 'Ctrl-C while it is used', cut);
    const home = await hil('hosts', 'check', RIG_HOST);
    tell(isFree(home, known), 'it was brought home, and given back', home);

    const ids = 'uname -r; kvm-modules ids; kvm-cases gmem/bind';
    const swapped = await hil(...boot('--series', SERIES, '--boot', 'modules'), ids);
    const ran = / modules in [\d.]+ s: those of ([^\s,]+), in ([^\s,]+)/.exec(swapped.stderr);
    const [release] = swapped.stdout.split('\n');
    const taken = ran !== null && release === ran[2] && ran[1] !== ran[2] && /^kvm 04/m.test(swapped.stdout);
    tell(
      taken && hasRun(swapped),
      'the modules of a series in the kernel of the base, and a case runs there',
      swapped,
    );

    const run = await hil(
      'run',
      '--base',
      BASE,
      '--series',
      SERIES,
      '--host',
      RIG_HOST,
      '--case',
      'gmem/bind',
      '--boot',
      'modules',
    );
    const sound = /^ok \d+ - \S+ rig host\/self-check$/m.test(run.stdout);
    tell(sound, 'an oops, a hang, and what else can happen to a kernel, each judged as what it is', run);
    tell(run.exitCode === 0, 'base and a series, judged there', run);
    const inBase = / runs the series kernel \(.* modules in [\d.]+ s: those of /.test(run.stderr);
    tell(inBase, 'the series by its modules alone', run);
  }
  const secret = rig.env['KVM_HIL_RIG_PASSWORD'] ?? '?';
  const lab = readFileSync(path.join(folder, 'labs', 'rig.yaml'), 'utf8');
  tell(!said.includes(secret) && !lab.includes(secret), 'the password is in no output', back);
}

/** Nobody can switch it: a watchdog, and a console that takes BREAK. */
async function alone({ hil, ready }: Machine): Promise<void> {
  const cold = await ready();
  tell(cold.exitCode === 0, 'nobody can switch it, but it has a watchdog', cold);
  const known = ownRelease(cold);
  const lock = 'echo HARDLOCKUP >/sys/kernel/debug/provoke-crash/DIRECT';
  // More than it has processors: none is left to keep the watchdog quiet.
  const hang = await hil(
    ...boot(),
    `echo 0 >/proc/sys/kernel/panic; for n in 1 2 3 4; do (sleep 1; ${lock}) & done; sleep 600`,
  );
  tell(hang.exitCode === 3 && /is gone/.test(hang.stderr), 'all processors hang with interrupts off', hang);
  tell(isFree(await ready(), known), 'the watchdog reset it', hang);
  const deaf = await hil(...boot(), '(sleep 1; ip link set dev eth0 down) & sleep 600');
  tell(deaf.exitCode === 3 && /is gone/.test(deaf.stderr), 'its link is cut for good', deaf);
  tell(isFree(await ready(), known), 'a key on its console reset it', deaf);
}

/** With EFI, and a GRUB that has nowhere to write. */
async function efi({ hil, ready, state }: Machine): Promise<void> {
  const cold = await ready();
  tell(cold.exitCode === 0, 'a machine with EFI', cold);
  const before = await state();
  const once = await hil(...boot('--boot', 'once'), 'uname -r');
  const byFirmware = once.stdout.includes('-kvmhil-') && / once through efi in /.test(once.stderr);
  tell(byFirmware, 'once, through BootNext', once);
  const after = await state();
  const same = before !== '' && after === before;
  tell(same, 'its boot order is as it was found', { ...once, stdout: `${before}\n--\n${after}` });
}

/** With a kernel that is configured after its own: a build of its own, so it is told by name only. */
async function hostConfig({ hil, ready, state }: Machine): Promise<void> {
  const cold = await ready();
  tell(cold.exitCode === 0, 'a machine whose kernels are to be configured after its own', cold);
  const known = ownRelease(cold);
  const before = await state();
  const plan = () => hil('run', '--base', BASE, '--host', RIG_HOST, '--case', 'gmem/bind', '--dry-run');
  const early = await plan();
  const refused = early.exitCode === 2 && early.stderr.includes(`kvm-hil hosts provision ${RIG_HOST}`);
  tell(refused, 'nothing is known of that one yet', early);
  const provisioned = await hil('hosts', 'provision', RIG_HOST);
  tell(provisioned.exitCode === 0, 'it is provisioned', provisioned);
  const planned = await plan();
  tell(planned.stdout.includes(`kconfig host:${RIG_HOST} (after ${known}, `), 'the plan says which', planned);

  const ask = `ls -d /sys/module/virtio_blk; grep ' /host ' /proc/mounts; chroot /host sed -n s/^ID=//p /etc/os-release`;
  const first = await hil(...boot(), `${WHERE}; ${ask}; kvm-cases gmem/bind`);
  const [, , , driver, mounted = '', system] = first.stdout.split('\n');
  tell(isInRam(first, 1), 'it is built, and booted through kexec', first);
  tell(driver === '/sys/module/virtio_blk', 'with a driver that no fragment names', first);
  const below = / \/host ext4 ro,/.test(mounted) && system === 'debian';
  tell(below, "and the machine's own system below its own, read-only", first);
  tell(hasRun(first), 'a case runs there', first);
  const back = await hil('hosts', 'check', RIG_HOST);
  tell(isFree(back, known), 'it rests on its own kernel again, and its lease was given back', back);
  tell((await state()) === before, 'what boots it is as it was found', back);
}

const SHORT = process.argv.includes('--short');
const only = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const stories: [name: string, o: RigOptions, story: (m: Machine) => Promise<void>][] = [
  ['attended', {}, attended],
  ['alone', { power: false, console: 'telnet' }, alone],
  ['efi', { firmware: 'efi' }, efi],
  ['host-config', { kconfig: 'host' }, hostConfig],
];
const BY_NAME = ['host-config'];
for (const [name, o, story] of stories) {
  if (only.length === 0 ? (SHORT && name !== 'attended') || BY_NAME.includes(name) : !only.includes(name))
    continue;
  await withRig(o, story);
}
process.stdout.write(`1..${count}\n`);
for (const [way, seconds] of times) process.stdout.write(`# ${way}: ${seconds} s\n`);
say(`test:rig: ${failed === 0 ? 'ok' : `${failed} FAILED`}`);
process.exitCode = failed === 0 ? 0 : 1;
