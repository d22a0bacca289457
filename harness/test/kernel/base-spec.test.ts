// SPDX-License-Identifier: GPL-2.0-only
// What --base may say, and what is said about what it may not.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { parseBase } from '../../kernel/base-spec.ts';
import { versionOf } from '../../kernel/linux.ts';
import { caught, tempFolder } from '../temp.ts';
import { LINUX, sh, tarball, userRepository } from './fake-source.ts';

const made = tempFolder(t);
const user = userRepository(path.join(made, 'linux@home'));
const head = sh(user, 'git', 'rev-parse', 'HEAD');
const first = sh(user, 'git', 'rev-parse', 'HEAD^');
const other = path.join(made, 'other');
mkdirSync(other);
const git = (...args: string[]) => sh(other, 'git', '-c', 'user.name=x', '-c', 'user.email=x', ...args);
git('init', '--quiet');
git('commit', '--quiet', '--allow-empty', '--message=nothing');
const plain = tarball(made, 'linux.tar', LINUX, 'linux');
writeFileSync(path.join(made, 'notes.tar.xz'), 'not what its name says');
mkdirSync(path.join(made, 'empty'));

const repository = path.join(user, '.git');
const version = '7.3.4-rc1';

for (const [text, spec] of [
  ['debian:7.3', { kind: 'debian', series: '7.3', point: undefined }],
  ['debian:6.12.107', { kind: 'debian', series: '6.12', point: '6.12.107' }],
  [`${user}@HEAD`, { kind: 'git', repository, commit: head, version }],
  [`${user}@HEAD^`, { kind: 'git', commit: first }],
  [`${user}@mine@{0}`, { kind: 'git', commit: head }],
  [`${user}@@`, { kind: 'git', commit: head }],
  [`${user}@v7.3-rc1`, { kind: 'git', commit: first }],
  [`${user}@${first.slice(0, 10)}`, { kind: 'git', commit: first }],
  [`${user}@:/first`, { kind: 'git', commit: first }],
  [`${user}/virt/../@mine`, { kind: 'git', repository, commit: head }],
  [path.relative('.', plain), { kind: 'tarball', file: plain, compression: 'none' }],
  [tarball(made, 'l.tgz', LINUX, ''), { kind: 'tarball', compression: 'gzip' }],
  [tarball(made, 'l.tar.xz', LINUX, ''), { kind: 'tarball', compression: 'xz' }],
  [tarball(made, 'l.tar.zst', LINUX, ''), { kind: 'tarball', compression: 'zstd' }],
  [tarball(made, 'l.tar.bz2', LINUX, ''), { kind: 'tarball', compression: 'bzip2' }],
] as const) {
  t.test(`--base ${text.replace(made, '...')}`, async (t) => t.match(await parseBase(text), spec));
}

const KINDS =
  /^a base is debian:<version> \(debian:7\.3\), a git tree and revision \(.*\), or a tar ball \(.*\)$/;

for (const [text, message, hint] of [
  ['', /^--base {2}is not a base$/, KINDS],
  ['7.3', /^--base 7\.3 is not a base$/, KINDS],
  ['fedora:44', /is not a base$/, KINDS],
  ['debian:', /is not a base$/, /^a Debian base is debian:<version>/],
  ['debian:7', /is not a base$/, /e\.g\. debian:7\.3/],
  ['debian:7.3.4.5', /is not a base$/, /e\.g\. debian:7\.3/],
  ['debian:7.3; rm -rf', /is not a base$/, /e\.g\. debian:7\.3/],
  [`${made}/missing@HEAD`, /: there is no .*\/missing$/, KINDS],
  ['@HEAD', /is not a base/, KINDS],
  [`${made}/linux-9.tar.xz`, /: there is no .*linux-9\.tar\.xz$/, KINDS],
  [`${made}/empty`, /is a folder; a git tree needs a revision$/, /--base .*\/empty@HEAD$/],
  [`${made}/empty@HEAD`, /\/empty is no git repository$/, KINDS],
  [`${made}/notes.tar.xz`, /notes\.tar\.xz is not a tar ball$/, KINDS],
  [`${user}@v9`, /linux@home has no revision v9$/, /HEAD or a tag: v7\.3-rc1$/],
  [`${user}@`, /has no revision \(none is given\)$/, /HEAD/],
  [`${user}@--all`, /has no revision --all$/, /HEAD/],
  [`${user}@HEAD:Makefile`, /has no revision HEAD:Makefile$/, /HEAD/],
  [`${other}@v1`, /has no revision v1$/, /^name a branch or a commit/],
  [
    `${other}@HEAD`,
    /other@HEAD is not a Linux source tree: it has no Makefile, Kconfig/,
    /looked for at its top$/,
  ],
] as const) {
  t.test(`--base ${text.replace(made, '...')} is refused`, async (t) => {
    const error = (await caught(parseBase(text))) as { message: string; hint: string };
    t.match(error, { exitCode: 2, message, hint });
    t.notMatch(error.message, /\n/, 'one line');
  });
}

t.test('versions', async (t) => {
  t.equal(versionOf('VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n'), '7.3.4');
  t.equal(versionOf('# SPDX\nVERSION = 7\nPATCHLEVEL = 3\n'), '7.3.0');
  t.equal(versionOf('VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 0\nEXTRAVERSION = -rc2\n'), '7.3.0-rc2');
  for (const text of [
    '',
    'VERSION = 7\n',
    'VERSION = x\nPATCHLEVEL = y\n',
    '  VERSION = 7\n  PATCHLEVEL = 3\n',
  ])
    t.equal(versionOf(text), undefined, JSON.stringify(text));
});
