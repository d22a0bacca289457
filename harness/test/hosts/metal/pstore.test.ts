// SPDX-License-Identifier: GPL-2.0-only
// What dying kernels left: read, and taken away only once it is read whole.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { remoteResult } from '../../../effects/kept.ts';
import type { SshLink } from '../../../effects/ssh.ts';
import { sinceThen } from '../../../hosts/metal/pstore.ts';
import { parseSurvey } from '../../../model/survey.ts';
import { tempFolder } from '../../temp.ts';

const BEFORE = parseSurvey('pstore=/sys/fs/pstore/old\n');

/** A machine of which only this folder is there. */
function machine(t: Test): { link: SshLink; folder: string; has: (name: string) => boolean } {
  const root = tempFolder(t);
  const folder = path.join(root, 'sys/fs/pstore');
  mkdirSync(folder, { recursive: true });
  const link: SshLink = {
    closed: new Promise(() => {}),
    close: () => {},
    shell: async () => {},
    exec: async (command) => {
      const there = command.replaceAll('/sys/fs/pstore', folder).replaceAll('/var/lib', `${root}/var/lib`);
      const { stdout, stderr, status } = spawnSync('sh', ['-c', there], {
        encoding: 'latin1',
        maxBuffer: 64 * 1024 * 1024,
      });
      return remoteResult(command, { stdout: stdout.replaceAll(root, ''), stderr, exitCode: status });
    },
  };
  return { link, folder, has: (name) => existsSync(path.join(folder, name)) };
}

t.test('what is new', async (t) => {
  const m = machine(t);
  for (const name of ['old', 'new']) writeFileSync(path.join(m.folder, name), `${name} oops\n`);
  t.equal(await sinceThen(m.link, '', BEFORE), '== /sys/fs/pstore/new\nnew oops\n\n');
  t.notOk(m.has('new'), 'there is little room');
  t.ok(m.has('old'), 'not ours');
  t.equal(await sinceThen(m.link, '', BEFORE), '');
});

t.test('what could not be read whole stays', async (t) => {
  const m = machine(t);
  writeFileSync(path.join(m.folder, 'long'), 'x'.repeat(1024 * 1024 + 1));
  t.match(await sinceThen(m.link, '', BEFORE), /^== \/sys\/fs\/pstore\/long\nx/);
  t.ok(m.has('long'));
  rmSync(path.join(m.folder, 'long'));

  writeFileSync(path.join(m.folder, 'new'), 'oops\n');
  const { exec } = m.link;
  // It is gone between the two, or the firmware does not give it.
  m.link.exec = (command, o) => exec(command.replace('head -c', 'false head -c'), o);
  await sinceThen(m.link, '', BEFORE);
  t.ok(m.has('new'));
});

t.test('whose lease is lost takes nothing away', async (t) => {
  const m = machine(t);
  writeFileSync(path.join(m.folder, 'new'), 'oops\n');
  t.match(await sinceThen(m.link, 'exit 75; ', BEFORE), /oops/);
  t.ok(m.has('new'));
});
