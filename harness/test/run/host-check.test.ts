// SPDX-License-Identifier: GPL-2.0-only
// Who may use a machine: one that is marked bad is left alone until somebody asks how it is, and one that refuses a login,
// or whose password is missing, is never switched.
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { realClock } from '../../effects/clock.ts';
import { newSshKey } from '../../effects/ssh.ts';
import { HilError } from '../../errors.ts';
import { markBad, whyBad } from '../../hosts/metal/bad.ts';
import { takeLease } from '../../hosts/metal/lease.ts';
import { reach } from '../../hosts/metal/reach.ts';
import { checkHosts, isReady, lookAtHosts } from '../../run/host-check.ts';
import { openConsole } from '../../run/host-console.ts';
import { withMachine } from '../../run/host-lease.ts';
import { switchPower } from '../../run/host-power.ts';
import { releaseHost } from '../../run/host-release.ts';
import { letThemHang } from '../../run/labs.ts';
import { likelyHosts, pickHosts } from '../../run/pick.ts';
import { caught } from '../temp.ts';
import { checkMachine, type LabMachine } from './lab-machine.ts';
import { holderDies } from './lease-left.ts';

const signal = new AbortController().signal;
const clock = realClock;
const code = (error: unknown) => (error instanceof HilError ? error.code : String(error));
const anyOf = (m: LabMachine) => [{ selector: 'tag:any', candidates: [m.host] }];
const pick = (m: LabMachine) => pickHosts(anyOf(m), { clock, take: false, signal });
const use = (m: LabMachine) =>
  withMachine(m.host, { clock, purpose: 'a look', take: false, msMax: 60_000, signal }, async () => 'used');

void checkMachine(t, 'marked bad', async (t, m) => {
  await markBad(m.host, 'it came up with another kernel');
  const [seen] = await lookAtHosts(clock, [m.host]);
  t.match(seen, { bad: 'it came up with another kernel', lacks: [] });
  t.notOk(seen !== undefined && isReady(seen));
  const why = /marked bad: it came up with another kernel/;
  t.match(await caught(pick(m)), { code: 'no-free-host', detail: why });
  t.match(await caught(likelyHosts(anyOf(m), clock)), { code: 'no-free-host', detail: why });
  await releaseHost(m.host, { clock, take: false, onWait: () => {}, signal });
  t.match(await whyBad(m.host), /another kernel/, 'who did not ask takes no mark away');

  m.tools.delete('kexec');
  const [lacking] = await checkHosts(clock, [m.host]);
  t.match(lacking, { bad: /another kernel/, cleared: undefined }, 'it is not as it should be');
  m.tools.add('kexec');
  const [well] = await checkHosts(clock, [m.host]);
  t.match(well, { bad: undefined, cleared: /another kernel/ });
  t.equal(await whyBad(m.host), undefined);
  await (await pick(m)).release();
});

void checkMachine(t, 'one that answers, and lets nobody in', async (t, m) => {
  t.equal(await use(m), 'used', 'that nobody has it is known here');
  const switched = path.join(m.folder, 'switched');
  const touch = ['touch', switched];
  Object.assign(m.host, { power: { type: 'command', on: touch, off: touch, cycle: touch } });
  writeFileSync(m.host.key ?? '', newSshKey().privateKey);
  t.match((await lookAtHosts(clock, [m.host]))[0], { error: { code: 'ssh-refused' } });
  t.equal(code(await caught(switchPower(m.host, 'cycle', { clock, take: false, signal }))), 'ssh-refused');
  const given = releaseHost(m.host, { clock, take: false, onWait: () => {}, signal });
  t.equal(code(await caught(given)), 'ssh-refused');
  writeFileSync(m.host.key ?? '', 'no key at all');
  t.match(await caught(use(m)), { code: 'no-key', exitCode: 2 });
  t.notOk(existsSync(switched), 'it was never switched');
});

void checkMachine(t, 'somebody had it who is gone', async (t, m) => {
  const left = async (purpose: string, run?: string) => {
    const link = await reach(m.host);
    await takeLease(m.host, link, { clock, purpose, run, force: true, waitMs: 0, signal });
    link.close();
    await holderDies('shell');
  };
  await left('kvm-hil boot');
  t.match((await lookAtHosts(clock, [m.host]))[0], { abandoned: true, lease: { held: true } });
  t.same(await likelyHosts(anyOf(m), clock), ['shell']);
  await (await pick(m)).release();
  const taken = { code: 'no-free-host', detail: /leased to/ };
  await left('kvm-hil run', 'run-1');
  t.match(await caught(pick(m)), taken, 'somebody may go on with it');
  await left('kvm-hil hosts provision');
  t.match(await caught(pick(m)), taken, 'a package manager may be at work');
  t.equal(await use(m), 'used', 'that is for who works on hosts');
});

void checkMachine(t, 'the password of its BMC is missing', async (t, m) => {
  delete process.env['KVM_HIL_TEST_BMC'];
  const bmc = { type: 'ipmi', address: '192.0.2.1', user: 'nobody', password_env: 'KVM_HIL_TEST_BMC' };
  Object.assign(m.host, { power: bmc, console: { type: 'ipmi' } });
  const missing = /KVM_HIL_TEST_BMC is not set/;
  t.match((await checkHosts(clock, [m.host]))[0], { lacks: [{ what: missing, hint: /^export / }] });
  t.match(await caught(pick(m)), { code: 'no-free-host', detail: missing });
  t.match(await caught(openConsole(clock, m.host, () => {})), { code: 'no-password', message: missing });
  process.env['KVM_HIL_TEST_BMC'] = 'secret';
  t.match((await checkHosts(clock, [m.host]))[0], { lacks: [] });
  delete process.env['KVM_HIL_TEST_BMC'];
});

void checkMachine(t, 'one that nothing could bring back', async (t, m) => {
  for (const name of ['watchdog', 'watchdog_is']) m.says.delete(name);
  t.match(await caught(pick(m)), { code: 'no-free-host', detail: /neither power nor a watchdog/ });
  letThemHang([m.host]);
  await (await pick(m)).release();
});
