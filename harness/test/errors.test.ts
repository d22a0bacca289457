// SPDX-License-Identifier: GPL-2.0-only
// Whose fault an error is: what the file system refuses is no bug of ours.
import { readFile, writeFile } from 'node:fs/promises';
import t from 'tap';
import { systemError } from '../errors.ts';
import { caught } from './temp.ts';

t.test('refusals of the file system', async (t) => {
  const refused = await caught(writeFile('/proc/version/x', ''));
  t.match(systemError(refused), {
    code: 'system',
    exitCode: 3,
    message: /ENOTDIR: not a directory, open '\/proc\/version\/x'/,
    hint: /XDG_CACHE_HOME/,
  });
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
    syscall: 'write',
  });
  t.match(systemError(full), { exitCode: 3, hint: /free some space/ });
});

t.test('anything else is a bug, or has a name already', async (t) => {
  t.equal(
    systemError(await caught(readFile('/no/such/file'))),
    undefined,
    'a file that we thought was there',
  );
  t.equal(systemError(new TypeError('x is not a function')), undefined);
  t.equal(systemError(Object.assign(new Error('x'), { code: 'ENOSPC' })), undefined, 'not from the system');
  t.equal(systemError(Object.assign(new Error('x'), { code: 'toString', syscall: 'x' })), undefined);
  t.equal(systemError('text'), undefined);
});
