// SPDX-License-Identifier: GPL-2.0-only
// What a build is missing: named when it is really not here and a kernel may want it, and not believed otherwise.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { missingInBuild } from '../../kernel/missing.ts';
import { withTemp } from '../temp.ts';

/** As on a machine with nothing but the programs named. */
async function onBareMachine(use: () => void): Promise<void> {
  await withTemp(async (folder) => {
    const before = process.env['PATH'];
    mkdirSync(path.join(folder, 'bin'));
    process.env['PATH'] = path.join(folder, 'bin');
    try {
      use();
    } finally {
      process.env['PATH'] = before;
    }
  });
}

t.test('a program, in the words of shells, make and env', (t) =>
  onBareMachine(() => {
    for (const [line, message, hint] of [
      ['/bin/sh: 1: bc: not found', 'bc is not installed', 'apt-get install bc'],
      ['sh: line 3: flex: command not found', 'flex is not installed', 'apt-get install flex'],
      ['/b/tree/scripts/x.sh: 12: exec: cpio: not found', 'cpio is not installed', 'apt-get install cpio'],
      ['bash: line 1: zstd: command not found', 'zstd is not installed', 'apt-get install zstd'],
      ['make[3]: pahole: No such file or directory', 'pahole is not installed', 'apt-get install dwarves'],
      [
        "/usr/bin/env: 'python3': No such file or directory",
        'python3 is not installed',
        'apt-get install python3',
      ],
      ['env: ‘perl’: No such file or directory', 'perl is not installed', 'apt-get install perl'],
    ] as const) {
      const log = `  CC      a.o\n${line}\nmake: *** [Makefile:1: x] Error 127\n`;
      t.match(missingInBuild(log), { code: 'missing-tool', message, hint, exitCode: 3 }, line);
    }
  }),
);

t.test('what no kernel wants, or what is said of something else', (t) =>
  onBareMachine(() => {
    for (const line of [
      '/bin/sh: 1: frobnicate: not found',
      '/bin/sh: 1: constructor: not found',
      'make[1]: kernel/x.c: No such file or directory',
      'a.c:3: error: bc: not found in this function',
      'a.c:1:10: fatal error: missing.h: No such file or directory',
      '',
    ])
      t.equal(missingInBuild(`${line}\n`), undefined, line);
  }),
);

t.test('what is here is not missing, whatever a patch prints', async (t) => {
  t.equal(missingInBuild('/bin/sh: 1: gzip: not found\n'), undefined);
  t.equal(missingInBuild('a.c:1:10: fatal error: stdio.h: No such file or directory\n'), undefined);
});
