// SPDX-License-Identifier: GPL-2.0-only
// Who is gone for sure: what is taken from somebody must not be taken from one who goes on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { identityLine, isProvablyGone, parseIdentity, thisProcess } from '../../effects/identity.ts';

const here = thisProcess();

t.test('one that runs', async (t) => {
  t.notOk(isProvablyGone(here));
  t.same(parseIdentity(identityLine(here)), here);
  t.ok(isProvablyGone({ ...here, start: here.start + 1 }), 'its number came back');
  t.ok(isProvablyGone({ ...here, boot: 'another' }), 'its machine restarted');
});

t.test('one that ended', async (t) => {
  const child = spawn('true');
  await once(child, 'exit');
  t.ok(isProvablyGone({ ...here, pid: child.pid ?? 0 }));
});

t.test('one of which nothing is known here', async (t) => {
  for (const other of [{ machine: 'another@one' }, { space: 'pid:[1]' }, { space: '' }])
    t.notOk(isProvablyGone({ ...here, pid: 1, ...other }), JSON.stringify(other));
  const [id = ''] = here.machine.split('@');
  t.notOk(isProvablyGone({ ...here, machine: `${id}@another`, boot: 'another' }), 'a copy of this machine');
});

t.test('what is no identity', async (t) => {
  for (const line of ['', 'a b c', 'a b c 1 2 3', 'a b c x 2', ` b c 1 2`])
    t.equal(parseIdentity(line), undefined);
});
