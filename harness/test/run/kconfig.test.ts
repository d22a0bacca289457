// SPDX-License-Identifier: GPL-2.0-only
// Which configuration the kernels for some hosts have, and what a machine's facts have to be for one after its own kernel.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { newSshKey } from '../../effects/ssh.ts';
import { HilError } from '../../errors.ts';
import type { MachineFacts } from '../../model/host-facts.ts';
import type { LabHost } from '../../model/lab.ts';
import { afterRecord, chooseKconfig, factsFile, recordedKconfig } from '../../run/kconfig.ts';
import { caught, fixture, withTemp } from '../temp.ts';
import { checkMachine } from './lab-machine.ts';

const RIG = JSON.parse(fixture('model', 'fixtures', 'host', 'rig.facts.json')) as MachineFacts;
const KEY = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'A'.repeat(43)}`;
const code = async (promise: Promise<unknown>) => {
  const error = await caught(promise);
  return error instanceof HilError ? error.code : String(error);
};

/** Writes down what `hosts provision` would. */
function provisioned(host: Pick<LabHost, 'name' | 'lab'>, change: Partial<MachineFacts> = {}): string {
  const file = factsFile(host);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify({ ...RIG, host: host.name, lab: host.lab, ...change }));
  return file;
}

// Machines at an address that nobody answers at.
const withLab = (
  hosts: Record<string, 'host' | 'fragments'>,
  use: (provide: (name: string, change?: Partial<MachineFacts>) => string) => Promise<unknown>,
) =>
  withTemp(async (folder) => {
    process.env['KVM_HIL_LABS'] = folder;
    process.env['XDG_STATE_HOME'] = path.join(folder, 'state');
    writeFileSync(path.join(folder, 'key'), newSshKey().privateKey, { mode: 0o600 });
    const lines = Object.entries(hosts).map(
      ([name, kconfig]) =>
        `  - { name: ${name}, driver: metal, address: 127.0.0.1, port: 1, host_key: ${KEY}, key: key, kconfig: ${kconfig} }\n`,
    );
    writeFileSync(path.join(folder, 'lab.yaml'), `lab: here\nhosts:\n${lines.join('')}`);
    await use((name, change) => provisioned({ name, lab: 'here' }, change));
  });

t.test('fragments are the default, as they were', (t) =>
  withLab({ a: 'fragments' }, async () => {
    t.match(await chooseKconfig({ name: 'base' }, ['qemu']), { name: 'base', text: 'base' });
    t.match(await chooseKconfig({ name: 'base' }, ['qemu', 'a']), { name: 'metal', text: 'metal' });
    t.match(await chooseKconfig({ name: 'debug' }, ['a']), { name: 'metal-debug' });
    t.match(await chooseKconfig({ name: 'metal' }, []), { name: 'metal' });
    t.same(afterRecord(await chooseKconfig({ name: 'base' }, ['a'])), {});
  }),
);

t.test('after a machine, because the inventory or the user says so', (t) =>
  withLab({ a: 'host', b: 'fragments' }, async (provide) => {
    provide('a');
    const chosen = await chooseKconfig({ name: 'base' }, ['a', 'qemu']);
    t.match(chosen, { name: 'host', text: 'host:a', after: { host: 'a', release: '6.1.0-50-amd64' } });
    t.match(chosen.notes, [/^a does not answer now: its kernel is taken for 6\.1\.0-50-amd64/]);
    t.match(chosen.after?.hash, /^[0-9a-f]{64}$/);
    t.match(await chooseKconfig({ name: 'debug' }, ['a']), { name: 'host-debug', text: 'host-debug:a' });
    t.match(await chooseKconfig({ name: 'metal' }, ['a']), { name: 'metal' }, 'an exception for once');
    t.match(await chooseKconfig({ name: 'host', of: 'a' }, ['b']), { text: 'host:a' }, 'elsewhere');
    t.match(await chooseKconfig({ name: 'host', of: 'a' }, []), { text: 'host:a' }, 'only built');
    t.equal(await code(chooseKconfig({ name: 'host' }, ['b'])), 'not-provisioned');
    t.equal(await code(chooseKconfig({ name: 'host' }, ['qemu'])), 'no-machine');
    t.equal(await code(chooseKconfig({ name: 'host', of: 'mars' }, [])), 'unknown-host');
    t.equal(await code(chooseKconfig({ name: 'base' }, ['a', 'b'])), 'kconfig-differs');
    const error = await caught(chooseKconfig({ name: 'base' }, ['a', 'b']));
    t.match(error, { message: 'a want a kernel after their own, b one of fragments: a run builds one' });
    t.equal((error as HilError).exitCode, 2);
  }),
);

t.test('several machines share a kernel only if they are the same', (t) =>
  withLab({ a: 'host', b: 'host', c: 'host' }, async (provide) => {
    provide('a');
    provide('b', { modules: [...RIG.modules].reverse() });
    provide('c', { modules: RIG.modules.slice(1) });
    t.match(await chooseKconfig({ name: 'base' }, ['a', 'b']), { text: 'host:a' });
    const error = await caught(chooseKconfig({ name: 'base' }, ['a', 'c']));
    t.match(error, { code: 'kconfig-differs', message: /^a, c want kernels after their own/ });
    t.match((error as HilError).detail, /^a: 6\.1\.0-50-amd64, \d+ modules, [0-9a-f]{12}\nc: /);
    t.match(await chooseKconfig({ name: 'host', of: 'c' }, ['a', 'c']), { text: 'host:c' });
  }),
);

t.test('facts that are missing, damaged, or of no use', (t) =>
  withLab({ a: 'host' }, async (provide) => {
    const choose = () => caught(chooseKconfig({ name: 'base' }, ['a']));
    t.match(await choose(), { code: 'not-provisioned', exitCode: 2, hint: /kvm-hil hosts provision a/ });
    const check = async (change: Partial<MachineFacts>, message: RegExp) => {
      provide('a', change);
      t.match(await choose(), { code: 'no-host-config', exitCode: 3, message });
    };
    await check({ config: '' }, /after a: a does not say how its kernel/);
    await check({ config: 'garbage' }, /is no configuration/);
    await check({ modules: [] }, /names no loaded module/);
    await check({ config: '# Linux/arm64 6.1.170 Kernel Configuration\n' }, /another architecture: arm64/);
    const file = provide('a');
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, 500));
    t.equal(((await choose()) as HilError).exitCode, 3, 'cut short');
    writeFileSync(file, '{}');
    t.equal(((await choose()) as HilError).exitCode, 3, 'something else');
  }),
);

t.test('a run that goes on has the configuration that it was begun with', (t) =>
  withLab({ a: 'host' }, async (provide) => {
    provide('a');
    const { after } = afterRecord(await chooseKconfig({ name: 'base' }, ['a']));
    t.match(await recordedKconfig({ name: 'host', of: 'a' }, after), { text: 'host:a', notes: [] });
    t.match(await recordedKconfig({ name: 'metal' }, undefined), { name: 'metal' });
    provide('a', { modules: RIG.modules.slice(1) });
    const error = await caught(recordedKconfig({ name: 'host', of: 'a' }, after));
    t.match(error, { code: 'run-changed', detail: new RegExp(`then 6\\.1\\.0-50-amd64, ${after?.hash}`) });
    t.equal(await code(recordedKconfig({ name: 'host', of: 'a' }, undefined)), 'run-changed');
  }),
);

// It answers: what it runs now is compared with what is known of it.
void checkMachine(t, 'facts of another kernel than runs there now', async (t, m) => {
  process.env['KVM_HIL_LABS'] = m.folder;
  const { address, port, host_key, key, name, lab } = m.host;
  const described = { name, driver: 'metal', address, port, host_key, key, kconfig: 'host' };
  writeFileSync(path.join(m.folder, 'lab.yaml'), JSON.stringify({ lab, hosts: [described] }));
  provisioned(m.host);
  const choose = () => chooseKconfig({ name: 'base' }, [name]);
  t.same((await choose()).notes, [], 'the same');
  m.says.set('release', '6.1.0-51-amd64');
  const error = await caught(choose());
  t.match(error, { code: 'stale-facts', exitCode: 3, hint: `kvm-hil hosts provision ${name}` });
  t.equal(
    (error as HilError).message,
    `${name} runs 6.1.0-51-amd64, and what is known of it is of 6.1.0-50-amd64`,
  );
  m.says.set('release', '7.3.4-kvmhil-0123456789');
  t.same((await choose()).notes, [], 'a kernel of ours is about to go');
});
