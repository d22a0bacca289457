// SPDX-License-Identifier: GPL-2.0-only
// What is no series: each ends with one error that says what, why, and what to do; soon: the runner has a deadline.
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { UsageError } from '../../errors.ts';
import { readSeries } from '../../kernel/series.ts';
import { caught, tempFolder, withCache } from '../temp.ts';

const made = tempFolder(t);

const DIFF = 'diff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n';
const mail = (subject: string, body = DIFF) =>
  `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: ${subject}\n\n${body}\n`;
const NEW = (name: string, mode = '100644') =>
  `diff --git a/${name} b/${name}\nnew file mode ${mode}\n--- /dev/null\n+++ b/${name}\n@@ -0,0 +1 @@\n+x\n`;

function refused(what: string, spec: string, code: string, message: RegExp, hint = /./): void {
  t.test(what, async (t) => {
    const error = await caught(withCache(path.join(made, 'cache'), () => readSeries(spec)));
    t.ok(error instanceof UsageError, String(error));
    t.match(error, { code, message, hint, exitCode: 2 });
    t.notMatch(String(error), /\n/, 'one line');
  });
}

let count = 0;

/** A file with this content; or of this size, without content. */
function file(content: string | Buffer | number, name = `${++count}.mbox`): string {
  const place = path.join(made, name);
  mkdirSync(path.dirname(place), { recursive: true });
  writeFileSync(place, typeof content === 'number' ? mail('[PATCH] x') : content, 'latin1');
  // Sparse: it only looks that large.
  if (typeof content === 'number') truncateSync(place, content);
  return place;
}

const MIB = 1024 * 1024;

// --- what was cut off ---

for (const [what, body] of [
  ['behind its header', DIFF.replace(/ -1 \+1 @@\n-a\n\+b\n$/, ' -1,3 +1,3 @@\n')],
  ['in the middle', DIFF.replace('+b\n', '')],
  ['before the signature', DIFF.replace('+b\n', '-- \n2.39.5\n')],
  ['by a mail program that wraps lines', DIFF.replace('-a', '-a and\nmore')],
] as const)
  refused(
    `a hunk that was cut off ${what}`,
    file(mail('[PATCH 1/2] KVM: One') + mail('[PATCH 2/2] KVM: Two', body)),
    'corrupt-patch',
    /^patch 2\/2 "KVM: Two" is damaged: x\.c, hunk "@@ -.* @@" has not the lines that it says$/,
    /cut off/,
  );

// --- what is not there ---

refused(
  'nothing of that name',
  'no/such',
  'no-series',
  /--series no\/such: there is no such file/,
  /an mbox/,
);
refused('no name', '', 'no-series', /there is no such file/);
refused(
  'an address',
  'https://lore.example.org/kvm/1@x/',
  'no-series',
  /no such file/,
  /nothing is fetched: b4/,
);
refused('a message-id', '20260101.1@example.org', 'no-series', /no such file/, /b4 mbox/);
refused('a device', '/dev/zero', 'unreadable', /is neither a file nor a folder/);
spawnSync('mkfifo', [path.join(made, 'pipe')]);
refused('a pipe', path.join(made, 'pipe'), 'unreadable', /neither a file nor a folder/, /into a file/);
symlinkSync('loop', path.join(made, 'loop'));
refused('a link to itself', path.join(made, 'loop'), 'no-series', /no such file/);
refused(
  'what the system does not let be read',
  '/proc/self/mem',
  'unreadable',
  /cannot read \/proc\/self\/mem: E/,
);

// --- what is too large ---

refused('a GiB', file(1024 * MIB), 'series-too-large', /has 1024 MiB: .*at most 64 MiB/, /of a whole list/);
refused('a little too large', file(64 * MIB + 1), 'series-too-large', /has 65 MiB/);
const bomb = Buffer.concat(Array.from({ length: 65 }, () => gzipSync(Buffer.alloc(MIB, 'x\n'))));
refused(
  'small until it is unpacked',
  file(bomb, 'bomb.mbox.gz'),
  'series-too-large',
  /more when it is unpacked/,
);
refused(
  'a mail a line',
  file('From x Thu Jan  1 00:00:00 1970\n'.repeat(20_002)),
  'series-too-large',
  /20000 mails/,
);
refused(
  'more patches than a series has',
  file(mail('[PATCH] x', '-').repeat(2001)),
  'series-too-large',
  /2000 patches/,
);
file(mail('[PATCH] x'), 'large/0001-a.patch');
file(64 * MIB, 'large/0002-b.patch');
refused('a folder of as much', path.join(made, 'large'), 'series-too-large', /0002-b\.patch has 64 MiB/);
mkdirSync(path.join(made, 'wide', 'x'), { recursive: true });
for (let index = 0; index < 10_000; index++) symlinkSync('x', path.join(made, 'wide', 'x', String(index)));
refused('a folder of a source tree', path.join(made, 'wide'), 'series-too-large', /holds over 10000 files/);

// --- what is no text, or another one ---

refused('empty', file(''), 'empty-series', /has no patch in it: it is empty/);
refused('bytes', file(Buffer.from('\x7fELF\x02\x01\x01\0\0')), 'not-text', /is not text: it has NUL bytes/);
refused(
  'xz',
  file(Buffer.from('fd377a585a000004', 'hex')),
  'not-text',
  /compressed with xz/,
  /xz --decompress/,
);
refused('bzip2', file('BZh91AY&SY'), 'not-text', /compressed with bzip2/);
refused('zstd', file(Buffer.from('28b52ffd', 'hex')), 'not-text', /compressed with zstd/);
refused('zip', file('PK\x03\x04'), 'not-text', /a zip archive/, /folder of patches/);
refused('a packed tar', file(gzipSync(`${'x'.repeat(257)}ustar\0`)), 'not-text', /a tar archive/);
refused('UTF-16', file(Buffer.from('\ufeffFrom: x', 'utf16le')), 'not-text', /text in UTF-16/, /as UTF-8/);
refused('the web page of a mail', file('\n<!DOCTYPE html>\n'), 'not-text', /a web page/, /t\.mbox\.gz/);
const packed = gzipSync(mail('[PATCH] x').repeat(100));
refused(
  'gzip, cut off',
  file(packed.subarray(0, packed.length / 2)),
  'not-text',
  /cannot be unpacked: /,
  /fetch it again/,
);
refused('gzip, damaged', file(Buffer.from('1f8b0800ffffffff', 'hex')), 'not-text', /cannot be unpacked: /);
file(Buffer.from('\0\x01'), 'binary/0001-a.patch');
refused('a patch that is not text', path.join(made, 'binary'), 'not-text', /0001-a\.patch is not text/);

// --- what is no whole series ---

refused(
  'cut off between two mails',
  file(mail('[PATCH 1/3] a') + mail('[PATCH 2/3] b')),
  'not-whole',
  /3\/3 is missing/,
);
refused(
  'cut off in a message',
  file(mail('[PATCH 1/2] a') + mail('[PATCH 2/2] b', 'Message')),
  'not-whole',
  /patch 2\/2 \("b"\) has no diff/,
);
refused(
  'only a cover letter',
  file(mail('[PATCH 0/2] it', 'It')),
  'empty-series',
  /only the cover letter "it"/,
);
refused(
  'two series',
  file(mail('[PATCH 1/1] a') + mail('[PATCH v2 1/1] b').replace('a@b', 'c@d')),
  'several-series',
  /two series in it: "b" \(v2, 1\) and "a" \(v1, 1\)/,
  /goes into a folder/,
);
refused(
  'MIME that git cannot follow',
  file(mail('[PATCH] x').replace('Subject', 'Content-Type: multipart/mixed; boundary="x"\nSubject')),
  'not-a-patch',
  /has no diff/,
);

// --- folders ---

mkdirSync(path.join(made, 'nothing'));
refused(
  'an empty folder',
  path.join(made, 'nothing'),
  'empty-series',
  /nothing has no patch in it/,
  /\*\.patch/,
);
file('x', 'other/README');
file(mail('[PATCH] x'), 'other/my.mbox');
refused(
  'a folder with an mbox',
  path.join(made, 'other'),
  'empty-series',
  /no patch/,
  /give the file itself: .*my\.mbox/,
);
mkdirSync(path.join(made, 'tree', '.git'), { recursive: true });
refused('a git repository', path.join(made, 'tree'), 'empty-series', /no patch/, /tree@<base>\.\.<tip>/);
file(mail('[PATCH 0/1] it', 'It'), 'cover/0000-cover-letter.patch');
refused('a folder with a cover letter', path.join(made, 'cover'), 'empty-series', /only a cover letter/);
file('gone.patch\n', 'quilt/series');
refused(
  'quilt, one is gone',
  path.join(made, 'quilt'),
  'bad-series-file',
  /series:1 names gone\.patch, which is not there/,
);
file('# x\n../1.mbox\n', 'quilt-out/series');
refused(
  'quilt, from elsewhere',
  path.join(made, 'quilt-out'),
  'bad-series-file',
  /series:2 names .*not in the folder/,
);
file('a.patch -p0\n', 'quilt-p0/series');
refused('quilt, of another depth', path.join(made, 'quilt-p0'), 'bad-series-file', /series:1 asks for -p0/);

// --- paths that leave the tree ---

const unsafe = (what: string, mails: string, message: RegExp) =>
  refused(what, file(mails), 'unsafe-path', message, /where it comes from/);
const encoded = (text: string) =>
  mail('[PATCH] x', Buffer.from(text, 'latin1').toString('base64')).replace(
    'Subject',
    'Content-Transfer-Encoding: base64\nSubject',
  );

unsafe(
  'out of the tree',
  mail('[PATCH] x', NEW('../../etc/passwd')),
  /patch 1\/1 "x" names a path outside of the tree/,
);
unsafe(
  'out of the tree, encoded',
  encoded(NEW('../../etc/passwd')),
  /outside of the tree: "a\/\.\.\/\.\.\/etc\/passwd"/,
);
unsafe(
  'absolute',
  mail('[PATCH] x', '--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-a\n+b\n'),
  /names an absolute path: "\/etc\/x"/,
);
unsafe("git's own", mail('[PATCH] x', NEW('.git/hooks/post-checkout')), /names a file of git's own/);
unsafe(
  'through a link of its own',
  mail('[PATCH 1/2] x', NEW('l', '120000')) + mail('[PATCH 2/2] y', NEW('l/passwd')),
  /patch 2\/2 "y" goes through a symbolic link that patch 1 makes: "a\/l\/passwd"/,
);

// --- ranges ---

const git = (...args: string[]) =>
  spawnSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: path.join(made, 'r@po') });
mkdirSync(path.join(made, 'r@po'));
git('init', '--quiet', '--initial-branch=main');
git('commit', '--quiet', '--allow-empty', '-m', 'one');
git('commit', '--quiet', '--allow-empty', '-m', 'two');
const repository = path.join(made, 'r@po');

refused('a range of nowhere', 'no/such@A..B', 'no-series', /there is no folder no\/such/, /PATH@A\.\.B/);
refused(
  'a range of no repository',
  `${made}@A..B`,
  'no-repository',
  /is not a git repository that can be read: /,
);
refused('a range without its start', `${repository}@v1..main`, 'unknown-revision', /r@po has no commit v1$/);
refused('a range without its end', `${repository}@main..--all`, 'unknown-revision', /has no commit --all$/);
refused('a range of three dots', `${repository}@main...main~1`, 'bad-range', /three dots/, /two dots/);
refused(
  'a range of nothing',
  `${repository}@main..main`,
  'empty-series',
  /main has no change that main lacks/,
  /e\.g\./,
);
refused(
  'a range the wrong way',
  `${repository}@main..main~1`,
  'empty-series',
  /no patch/,
  /mean .*@main~1\.\.main\?/,
);
refused('a range of empty commits', `${repository}@main~1..main`, 'empty-series', /main has no change that/);
