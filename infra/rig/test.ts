// SPDX-License-Identifier: GPL-2.0-only
// npm run test:rig: the story of a machine of metal, told on the rig by the command line alone: looked at, leased, booted into
// a kernel under test through kexec, a case run there, given back on its own kernel; refused to a second runner; power cycled
// when it hangs. Prints TAP, with the time that each step took.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inPackage } from '../../harness/effects/dirs.ts';
import { $, say } from '../provision/shell.ts';
import { RIG_HOST, startRig } from './rig.ts';

const CLI = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'harness', 'cli.js');
const UP_MS_MAX = 10 * 60 * 1000;
const LOOK_MS = 5000;
const BASE = process.env['KVM_HIL_RIG_BASE'] ?? 'debian:7.3';

interface Ended {
  exitCode: number | null;
  stdout: string;
  stderr: string;
  ms: number;
}

let count = 0;
let failed = 0;

/** One line of TAP, with what was said when it is not as it should be. */
function tell(ok: boolean, what: string, ended: Ended): void {
  count++;
  if (!ok) failed++;
  process.stdout.write(`${ok ? 'ok' : 'not ok'} ${count} - ${what} # ${(ended.ms / 1000).toFixed(1)} s\n`);
  if (!ok) process.stdout.write(`${ended.stdout}${ended.stderr}`.replace(/^/gm, '  # ').concat('\n'));
}

const folder = mkdtempSync(path.join(tmpdir(), 'kvm-hil-rig-'));
const rig = await startRig(folder);
const stop = () => void rig.stop();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, stop);

async function hil(...argv: string[]): Promise<Ended> {
  const started = performance.now();
  const env = { ...process.env, ...rig.env, LC_ALL: 'C' };
  const ran = await $({ env, cwd: inPackage() })`${process.execPath} ${CLI} ${argv}`;
  const { exitCode, stdout, stderr } = ran;
  return { exitCode, stdout, stderr, ms: performance.now() - started };
}

async function untilReady(): Promise<Ended> {
  const started = performance.now();
  for (;;) {
    const ended = await hil('hosts', 'check', RIG_HOST);
    const ms = performance.now() - started;
    if (ended.exitCode === 0 || ms > UP_MS_MAX) return { ...ended, ms };
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
}

try {
  const cold = await untilReady();
  tell(cold.exitCode === 0, 'a cold start, and nothing is lacking', cold);
  const known = /Linux (\S+?),/.exec(cold.stdout)?.[1] ?? '?';

  const boot = ['boot', '--base', BASE, '--host', RIG_HOST, '--'];
  const first = await hil(...boot, 'uname -r; ls /dev/kvm; mount | grep -c /dev/vda');
  const under = first.stdout.split('\n');
  const ours = under[0]?.includes('-kvmhil-') === true && under[1] === '/dev/kvm' && under[2] === '0';
  tell(ours, 'through kexec into a kernel of ours, in RAM, and back', first);

  const one = await hil(...boot, 'kvm-cases gmem/bind');
  const observed = one.stdout.includes('{"observe":') && one.stdout.includes('{"end":{"status":"done"');
  tell(one.exitCode === 0 && observed, 'a case runs there; the images were there', one);

  const back = await hil('hosts', 'check', RIG_HOST);
  tell(
    back.exitCode === 0 && back.stdout.includes(`Linux ${known}`),
    'it rests on its own kernel again',
    back,
  );
  tell(back.stdout.includes('\n    free\n'), 'its lease was given back', back);

  const hang = await hil(
    ...boot,
    'echo 0 >/proc/sys/kernel/panic; (sleep 1; echo c >/proc/sysrq-trigger) & sleep 600',
  );
  tell(hang.exitCode !== 0, 'a kernel that dies and stays dead', hang);
  const cycled = await untilReady();
  tell(cycled.exitCode === 0, 'it was switched off and on, and is back', cycled);

  const secret = rig.env['KVM_HIL_RIG_PASSWORD'] ?? '?';
  const said = [cold, first, one, back, hang, cycled].map((ended) => ended.stdout + ended.stderr).join('');
  const lab = readFileSync(path.join(folder, 'labs', 'rig.yaml'), 'utf8');
  tell(!said.includes(secret) && !lab.includes(secret), 'the password is in no output', back);
} finally {
  await rig.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`1..${count}\n`);
say(`test:rig: ${failed === 0 ? 'ok' : `${failed} FAILED`}`);
process.exitCode = failed === 0 ? 0 : 1;
