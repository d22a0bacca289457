// SPDX-License-Identifier: GPL-2.0-only
// Looking for programs as the shell does.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { findProgram, needPrograms } from '../../effects/tools.ts';
import { withTemp } from '../temp.ts';

t.test('the first on PATH that can be run', (t) =>
  withTemp(async (folder) => {
    const at = (...parts: string[]) => path.join(folder, ...parts);
    for (const place of ['a', 'b', 'c']) mkdirSync(at(place));
    mkdirSync(at('a', 'tool'));
    writeFileSync(at('b', 'tool'), '');
    writeFileSync(at('c', 'tool'), '');
    chmodSync(at('c', 'tool'), 0o755);
    const before = process.env['PATH'];
    process.env['PATH'] = ['', 'c', at('none'), at('a'), at('b'), at('c')].join(':');
    try {
      t.equal(findProgram('tool'), at('c', 'tool'));
      t.equal(findProgram('none'), undefined);
      needPrograms({ tool: 'a-package' });
      t.throws(() => needPrograms({ tool: 'a', one: 'b' }), {
        code: 'missing-tool',
        exitCode: 3,
        message: 'one is not installed',
        hint: 'apt-get install b',
      });
      t.throws(() => needPrograms({ one: 'b', two: 'b', three: 'c' }), {
        message: 'one, two, three are not installed',
        hint: 'apt-get install b c',
      });
    } finally {
      process.env['PATH'] = before;
    }
  }),
);
