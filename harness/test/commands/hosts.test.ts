// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil hosts on the command line: which machines are meant, one error each, and the exit status of the worst.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type CommandResult, exec } from '../../effects/exec.ts';
import { markBad } from '../../hosts/metal/bad.ts';
import { checkMachine, type LabMachine } from '../run/lab-machine.ts';

const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));

/** One that answers, one that does not, and one that nothing switches. */
function inventory(m: LabMachine): (...argv: string[]) => Promise<CommandResult> {
  const { address, port, host_key, key, lab } = m.host;
  const log = path.join(m.folder, 'power');
  const say = (word: string) => ['sh', '-c', `echo ${word} >>${log}; echo on`];
  const power = { type: 'command', on: say('on'), off: say('off'), status: say('status') };
  const one = { driver: 'metal', address, host_key, key, power };
  const hosts = [
    { ...one, name: 'shell', port, tags: ['amd'] },
    { ...one, name: 'silent', port: 1, tags: ['amd', 'far'] },
    { ...one, name: 'plain', port, power: { type: 'none' } },
  ];
  writeFileSync(path.join(m.folder, 'lab.yaml'), JSON.stringify({ lab, hosts }));
  const env = { KVM_HIL_LABS: m.folder };
  return (...argv) => exec(process.execPath, [CLI, 'hosts', ...argv], { env });
}

void checkMachine(t, 'all, some, none', async (t, m) => {
  const hosts = inventory(m);
  const all = await hosts('list');
  t.match(all, { exitCode: 0, stdout: /^shell .*amd(?:.|\n)*^silent .*amd, far(?:.|\n)*^plain .*none/m });
  t.notMatch(all.stdout, /marked bad/);
  await markBad({ ...m.host, name: 'silent' }, 'it burns');
  const far = await hosts('list', 'tag:far');
  t.match(far, { exitCode: 0, stdout: /^silent .*marked bad/m });
  t.notMatch(far.stdout, /^shell/m);
  t.match(await hosts('list', 'none*'), { exitCode: 2, stderr: /there is no host none\*/ });

  const checked = await hosts('check', 'tag:amd');
  t.equal(checked.exitCode, 3, 'one of them cannot be used');
  t.match(checked.stdout, /^shell: ready\n(?:.*\n)*? {4}free\n/m);
  t.match(checked.stdout, /^silent: cannot be looked at: ssh to (?:.*\n)*? {4}marked bad: it burns\n/m);
  t.match(await hosts('check', 'shell'), { exitCode: 0 });
  t.match(await hosts('check', 'plain'), { exitCode: 0, stdout: /plain: ready/ }, 'it has a watchdog');
});

void checkMachine(t, 'power, console, release', async (t, m) => {
  const hosts = inventory(m);
  const log = () => readFileSync(path.join(m.folder, 'power'), 'utf8');
  t.match(await hosts('power', 'status', 'tag:amd'), {
    exitCode: 0,
    stdout: /^shell: on\n(?:.|\n)*silent: on/m,
  });
  const none = await hosts('power', 'status', 'shell', 'plain');
  t.match(none, { exitCode: 2, stdout: /^shell: on/m, stderr: /nothing switches plain/ });
  t.match(await hosts('power', 'off', 'silent'), { exitCode: 3, stderr: /nobody here knows who has it/ });
  t.notMatch(log(), /off/);
  t.match(await hosts('power', 'cycle', 'shell'), { exitCode: 0, stdout: /shell: on, and it answers/ });
  t.match(log(), /off\non\n$/);
  t.match(await hosts('release', 'shell'), { exitCode: 0, stdout: /shell: nobody has it/ });
  t.match(await hosts('console', 'tag:amd'), { exitCode: 2, stderr: /means 2 hosts/ });
  t.match(await hosts('console', 'shell'), { exitCode: 2, stderr: /no console that the inventory knows/ });
  t.match(await hosts('check', 'shell'), { exitCode: 0, stdout: /^ {4}free$/m }, 'nothing stays leased');
});
