// SPDX-License-Identifier: GPL-2.0-only
// Kernels that do not come up, each in its own way, on real machines: said whose fault, where it stands, and in time.
// Kernel parameters make the base one of them, so nothing is built.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { realClock } from '../../effects/clock.ts';
import { HilError } from '../../errors.ts';
import type { Host, Machine } from '../../hosts/host.ts';
import { qemuHost } from '../../hosts/qemu.ts';
import { parseBase } from '../../kernel/base-spec.ts';
import { ensureProgram } from '../../kernel/programs.ts';
import { tscFrequency } from '../../run/hosts.ts';
import { openWorkshop } from '../../run/workshop.ts';

const { signal } = new AbortController();
const folder = await mkdtemp(path.join(tmpdir(), 'kvm-hil-e2e-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const program = await ensureProgram(signal);
const base = await parseBase('debian:7.3');
const workshop = openWorkshop({ base, series: undefined, kconfig: 'base', sink: () => {}, signal });
const log = path.join(folder, 'build.log');
const image = await workshop.image('base', (await workshop.base()).commit, log, false);
const tscKhz = await tscFrequency(program.file);

const host = (bootTimeoutMs?: number): Host =>
  qemuHost({
    name: 'qemu',
    clock: realClock,
    nestedKvm: false,
    tscKhz,
    ...(bootTimeoutMs === undefined ? {} : { bootTimeoutMs }),
  });
const consoleFile = path.join(folder, 'console');
const boot = (one: Host, ...parameters: string[]) =>
  one.boot({ image, parameters, consoleFile, program, signal });

/** The error of a boot; one that the machine was starved in is tried again, as a run does. */
async function failure(one: Host, ...parameters: string[]): Promise<HilError> {
  for (let tries = 1; ; tries++) {
    const error = await boot(one, ...parameters).then(
      (machine: Machine) => machine.close().then(() => undefined),
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof HilError)) throw error ?? new Error('it came up');
    if (error.code !== 'starved' || tries === 3) return error;
  }
}

t.test('without network: said at once', async (t) => {
  const started = performance.now();
  const error = await failure(host(), 'initcall_blacklist=virtio_net_driver_init');
  t.match(error, { code: 'boot-failed', exitCode: 1, message: /without network: it has no eth0/ });
  t.match(error.detail, /SIOCSIFADDR|host has no network/, 'the last of the console');
  t.ok(performance.now() - started < 30_000, 'not after the time for an answer');
});

t.test('a first process that never comes up', async (t) => {
  // Five seconds, for a host that is slower by four.
  const error = await failure(host(1250), 'rdinit=/bin/cat');
  t.match(error, { code: 'boot-failed', message: /did not come up in 5 s/ });
  t.match(error.detail, /^kvm-hil: CPU 0 stands at \S+\+0x/m, 'where it stands');
  t.match(await readFile(consoleFile, 'utf8'), /Linux version/, 'the console is kept');
});

t.test('a machine that resets, and one that switches itself off', async (t) => {
  const ends: [command: string, detail: RegExp][] = [
    ['echo b >/proc/sysrq-trigger', /^the machine reset itself$/],
    ['poweroff -f', /^the machine switched itself off$/],
  ];
  for (const [command, detail] of ends) {
    const machine = await boot(host());
    void machine.exec(command, { timeoutMs: 10_000 });
    t.match(await machine.died, { kind: 'rebooted', detail }, command);
    await machine.close();
  }
});
