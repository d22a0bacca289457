// SPDX-License-Identifier: GPL-2.0-only
// Power and console of a machine, with programs and servers of the test in the place of a BMC.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import t from 'tap';
import { type Clock, realClock } from '../../../effects/clock.ts';
import { ipmiArgv, powerOf } from '../../../hosts/metal/power.ts';
import { openSerial } from '../../../hosts/metal/serial.ts';
import { type LabHost, labHosts } from '../../../model/lab.ts';
import { caught, tempFolder } from '../../temp.ts';

const QUICK: Clock = { ...realClock, sleep: async () => {} };
const BMC = { address: 'bmc.lab', user: 'operator', password_env: 'KVM_HIL_TEST_BMC' };

function hostWith(more: Pick<Partial<LabHost>, 'power' | 'console'>): LabHost {
  const [host] = labHosts(
    { lab: 'test', hosts: [{ name: 'a', driver: 'metal', address: 'a', host_key: '', ...more }] },
    'test.yaml',
  );
  if (host === undefined) throw new Error('a lab has hosts');
  return host;
}

t.test('no power at all', async (t) => t.equal(powerOf(QUICK, hostWith({})), undefined));

t.test('commands', async (t) => {
  const log = path.join(tempFolder(t), 'log');
  const say = (word: string) => ['sh', '-c', 'echo "$1" >>"$2"; echo on', 'sh', word, log];
  const power = powerOf(
    QUICK,
    hostWith({ power: { type: 'command', on: say('on'), off: say('off'), status: say('status') } }),
  );
  await power?.cycle();
  t.equal(readFileSync(log, 'utf8'), 'off\non\n', 'without a command of its own it is off and on');
  t.equal(await power?.status(), 'on');
});

t.test('a command that fails is tried again, and then said', async (t) => {
  const log = path.join(tempFolder(t), 'log');
  const off = ['sh', '-c', 'echo x >>"$1"; echo no such outlet >&2; exit 4', 'sh', log];
  const power = powerOf(QUICK, hostWith({ power: { type: 'command', on: ['true'], off } }));
  t.match(await caught(power?.off() ?? Promise.resolve()), {
    code: 'power-failed',
    message: /^the power of a cannot be switched/,
    detail: 'no such outlet',
  });
  t.equal(readFileSync(log, 'utf8'), 'x\nx\nx\n');
});

t.test('a BMC: the password is in the environment and nowhere else', async (t) => {
  delete process.env[BMC.password_env];
  t.throws(() => ipmiArgv(BMC, ['chassis', 'power', 'on']), { code: 'no-password' });
  process.env[BMC.password_env] = 'hunter2';
  t.notMatch(ipmiArgv(BMC, ['chassis', 'power', 'on']).join(' '), /hunter2/);
  const folder = tempFolder(t);
  const log = path.join(folder, 'log');
  // Off after it was told so, as the real one says it.
  const played = `#!/bin/sh
echo "$IPMITOOL_PASSWORD $*" >>${log}
case "$*" in *status) [ -e ${folder}/off ] && echo "Chassis Power is off" || echo "Chassis Power is on" ;;
*off) touch ${folder}/off ;; *on) rm ${folder}/off ;; esac
`;
  writeFileSync(path.join(folder, 'ipmitool'), played);
  chmodSync(path.join(folder, 'ipmitool'), 0o755);
  process.env['PATH'] = `${folder}:${process.env['PATH']}`;
  await powerOf(QUICK, hostWith({ power: { type: 'ipmi', ...BMC } }))?.cycle();
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  t.same(
    lines.map((line) => line.replace(/.*chassis power /, '')),
    ['status', 'off', 'status', 'on'],
  );
  t.ok(lines.every((line) => line.startsWith('hunter2 -I lanplus -H bmc.lab -p 623 -U operator -E ')));
});

t.test('a console that is cut off comes back, and the gap is marked', async (t) => {
  let connections = 0;
  const server = createServer((socket) => {
    socket.end(`part ${++connections}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  let seen = '';
  const twice = new Promise<void>((resolve) => {
    const host = hostWith({ console: { type: 'tcp', address: '127.0.0.1', port } });
    const clock: Clock = { ...realClock, sleep: (_, signal) => realClock.sleep(10, signal) };
    const serial = openSerial(clock, host, (piece) => {
      seen += piece.toString();
      if (!seen.includes('part 2')) return;
      serial?.close();
      resolve();
    });
  });
  await twice;
  t.match(seen, /^part 1\n\[kvm-hil 20\S+Z: the console was cut off here\]\npart 2$/);
  await new Promise((resolve) => server.close(resolve));
});
