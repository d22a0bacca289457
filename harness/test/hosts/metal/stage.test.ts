// SPDX-License-Identifier: GPL-2.0-only
// Images on a machine: streamed once, checked by hash, renamed into place.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { realClock } from '../../../effects/clock.ts';

import type { HilError } from '../../../errors.ts';
import type { BootRequest } from '../../../hosts/host.ts';
import { runningImage } from '../../../hosts/local.ts';
import { takeLease } from '../../../hosts/metal/lease.ts';
import { reach } from '../../../hosts/metal/reach.ts';
import { stage } from '../../../hosts/metal/stage.ts';
import { parseSurvey } from '../../../model/survey.ts';
import { caught, tempFolder } from '../../temp.ts';
import { startShellHost } from './shell-host.ts';

const SURVEY = parseSurvey('net_mac=02:00:00:00:00:01\nnet_address=192.0.2.7/24\n');

t.test('an image on its way', async (t) => {
  const folder = tempFolder(t);
  process.env['XDG_STATE_HOME'] = path.join(folder, 'state');
  mkdirSync(path.join(folder, 'kvm-hil'));
  let carried = 0;
  let damage = '';
  const there = await startShellHost(folder, ({ command, channel }) => {
    // What is the machine's own is a matter of the machine: this one has neither its keys nor cpio.
    if (/^sh -s -- \S*\.own/.test(command)) {
      carried++;
      writeFileSync(path.join(folder, 'kvm-hil', 'images', '.own'), 'own');
      channel.resume();
      channel.exit(0);
      channel.end();
      return true;
    }
    if (damage !== '' && command.includes('.part') && command.includes('cat >')) {
      channel.resume();
      channel.stderr.write(damage);
      channel.exit(1);
      channel.end();
      return true;
    }
    return false;
  });
  const link = await reach(there.host);
  const bzImage = path.join(folder, 'bzImage');
  const content = Buffer.alloc(300_000, 'kernel');
  writeFileSync(bzImage, content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const request = (image: object): BootRequest => ({
    image: { ...runningImage(), ...image },
    parameters: [],
    consoleFile: path.join(folder, 'console'),
    program: { file: process.execPath, hash: '' },
    signal: new AbortController().signal,
  });
  // Any file does for a case program; Node itself would be a large one.
  const small = { ...request({ bzImage }), program: { file: bzImage, hash: '' } };
  const signal = new AbortController().signal;
  const lease = await takeLease(there.host, link, {
    clock: realClock,
    purpose: 'a test',
    force: false,
    waitMs: 0,
    signal,
  });
  const images = path.join(there.state, 'images');
  const code = (error: unknown) => (error as HilError | undefined)?.code;

  t.equal(code(await caught(stage(link, lease, SURVEY, request({})))), 'no-bzimage');

  const staged = await stage(link, lease, SURVEY, small);
  const file = path.join(images, sha256);
  t.ok(readFileSync(file).equals(content), 'it is there, byte for byte');
  t.equal(path.basename(staged.kernel), sha256);
  t.ok(readFileSync(path.join(images, '.initrd')).subarray(-3).equals(Buffer.from('own')));
  t.equal(statSync(path.join(images, '.initrd')).mode & 0o077, 0, 'it holds a private key');
  t.same(
    readdirSync(images).filter((name) => name.endsWith('.part')),
    [],
  );

  const before = there.commands.filter((command) => command.includes('cat >')).length;
  await stage(link, lease, SURVEY, small);
  const sent = () => there.commands.filter((command) => command.includes('.part')).length;
  t.equal(
    there.commands.filter((command) => command.includes('.part')).length,
    before,
    'nothing is sent twice',
  );

  writeFileSync(file, 'damaged');
  const count = sent();
  await stage(link, lease, SURVEY, small);
  t.equal(sent(), count + 1, 'what is damaged is sent again');
  t.ok(readFileSync(file).equals(content));

  writeFileSync(file, 'damaged');
  damage = 'cat: write error: No space left on device';
  t.equal(code(await caught(stage(link, lease, SURVEY, small))), 'no-space');
  damage = 'x';
  t.equal(code(await caught(stage(link, lease, SURVEY, small))), 'stage-failed');
  damage = '';

  await takeLease(there.host, link, { clock: realClock, purpose: 'x', force: true, waitMs: 0, signal });
  t.equal(code(await caught(stage(link, lease, SURVEY, small))), 'lease-lost', 'nothing is written any more');
  t.equal(readFileSync(file, 'utf8'), 'damaged');
  t.equal(carried, 3);
  link.close();
  await there.server.close();
});
