// SPDX-License-Identifier: GPL-2.0-only
// Bases from Debian, against an archive that is a folder: apt is played by small scripts, the package is a real one.
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { parseBase } from '../../kernel/base-spec.ts';
import { ensureBase } from '../../kernel/source.ts';
import type { Event } from '../../model/events.ts';
import { caught, tempFolder, withCache, withTemp } from '../temp.ts';
import { killedAt, LINUX, sh, stoppers, tarball, writeFiles } from './fake-source.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const skip =
  ['dpkg', 'dpkg-deb', 'xz'].every((name) => existsSync(path.join('/usr/bin', name))) && existsSync(KEYRING)
    ? false
    : 'this is no Debian';

/** apt-cache answers from the lists that the last update copied from the archive; the archive may be away. */
const APT_CACHE = `#!/bin/sh
here=$(dirname "$0"); echo "apt-cache $*" >>"$here/calls"
case "$1" in
madison) grep "^$2 " "$here/lists" | while read -r name version; do echo "$name | $version | http://archive sid/main"; done;;
search) sort -u -k1,1 "$here/lists" | while read -r name version; do echo "$name - Linux kernel source"; done;;
esac
`;
const APT_GET = `#!/bin/sh
here=$(dirname "$0"); echo "apt-get $*" >>"$here/calls"
if [ -e "$here/away" ]; then echo "E: Failed to fetch http://archive: no route" >&2; exit 100; fi
if [ -e "$here/full" ]; then echo "E: You don't have enough free space in /cache/." >&2; exit 100; fi
if [ -e "$XDG_CACHE_HOME/kvm-hil/apt/lists/damaged" ]; then echo "E: LZ4F: lists Unexpected end of file" >&2; exit 100; fi
case "$1" in
update) cp "$here/archive" "$here/lists";;
download)
  if ! grep -qx "$(echo "$2" | tr = ' ')" "$here/archive"; then echo "E: Failed to fetch $2: 404" >&2; exit 100; fi
  echo "dlstatus:1:42.0000:Retrieving file 1 of 1"
  head -c 500 "$here/package.deb" >half.deb
  case "apt-get $*" in "$(cat "$here/stop")"*) echo >"$here/stopped"; exec sleep 1000;; esac
  cp "$here/package.deb" half.deb;;
esac
`;

const made = tempFolder(t);
if (skip === false) {
  const control =
    'Package: linux-source-7.3\nVersion: 1\nArchitecture: all\nMaintainer: none\nDescription: none\n';
  writeFiles(path.join(made, 'deb'), { 'DEBIAN/control': control, 'usr/src/none': '' });
  sh(made, 'mv', tarball(made, 'linux-source-7.3.tar.xz', LINUX, 'linux-source-7.3'), 'deb/usr/src/');
  sh(made, 'dpkg-deb', '--build', '-Znone', 'deb', 'package.deb');
}

const ARCHIVE = [
  'linux-source-6.1 6.1.192-2',
  'linux-source-6.12 6.12.9-1',
  'linux-source-7.3 7.3.4-1~bpo13+1',
  'linux-source-7.3 7.3.10-1',
  'linux-source-7.3 7.3.4-1',
  'linux-source-7.3-rt 7.3.99-1',
];

interface Bench {
  cache: string;
  bin: string;
  notes: string[];
  /** What apt was asked, and no more. */
  calls(): string[];
  archive(...packages: readonly string[]): void;
  /** The lists were read so many hours ago. */
  age(hours: number): void;
  ensure(text: string): ReturnType<typeof ensureBase>;
}

const withArchive = <T>(use: (bench: Bench) => Promise<T>) =>
  withTemp((folder) => {
    const cache = path.join(folder, 'cache');
    return withCache(cache, async () => {
      const bin = stoppers(path.join(folder, 'bin'), []);
      const at = (name: string) => path.join(bin, name);
      for (const [name, script] of [
        ['apt-cache', APT_CACHE],
        ['apt-get', APT_GET],
      ] as const) {
        writeFileSync(at(name), script);
        chmodSync(at(name), 0o755);
      }
      writeFileSync(at('package.deb'), readFileSync(path.join(made, 'package.deb')));
      const archive = (...packages: readonly string[]) =>
        writeFileSync(at('archive'), `${packages.join('\n')}\n`);
      archive(...ARCHIVE);
      const notes: string[] = [];
      const sink = (event: Event) => {
        if (event.type === 'note') notes.push(event.text);
      };
      const before = process.env['PATH'];
      process.env['PATH'] = `${bin}:${before}`;
      try {
        return await use({
          cache,
          bin,
          notes,
          archive,
          calls: () => {
            const text = existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim().split('\n') : [];
            rmSync(at('calls'), { force: true });
            return text.map((line) => line.split(' ').slice(0, 2).join(' '));
          },
          age: (hours) => {
            const then = new Date(Date.now() - hours * 60 * 60 * 1000);
            utimesSync(path.join(cache, 'kvm-hil', 'apt', 'updated'), then, then);
          },
          ensure: async (text) => ensureBase(await parseBase(text), sink),
        });
      } finally {
        process.env['PATH'] = before;
      }
    });
  });

t.test('the newest point release, asked for once a day', { skip }, (t) =>
  withArchive(async ({ archive, age, calls, ensure }) => {
    const base = await ensure('debian:7.3');
    t.match(base, { id: 'debian-7.3.10-1', name: 'Debian linux-source-7.3 7.3.10-1' });
    t.same(calls(), ['apt-get update', 'apt-cache madison', 'apt-get download']);
    t.same(await ensure('debian:7.3'), base);
    t.same(calls(), [], 'nobody is asked');
    archive(...ARCHIVE, 'linux-source-7.3 7.3.11-1');
    t.same(await ensure('debian:7.3'), base);
    age(24);
    t.match(await ensure('debian:7.3'), { id: 'debian-7.3.11-1' });
    t.same(calls(), ['apt-get update', 'apt-cache madison', 'apt-get download']);
  }),
);

t.test('one point release', { skip }, (t) =>
  withArchive(async ({ ensure }) => {
    t.match(await ensure('debian:7.3.4'), { id: 'debian-7.3.4-1' });
    t.match(await caught(ensure('debian:7.3.5')), {
      code: 'no-such-version',
      exitCode: 2,
      message: "Debian's archive has no 7.3.5 of linux-source-7.3",
      hint: 'it has 7.3.4-1~bpo13+1, 7.3.10-1, 7.3.4-1',
    });
  }),
);

t.test('a version that is not there: what there is; looked up anew before that is said', { skip }, (t) =>
  withArchive(async ({ archive, calls, ensure }) => {
    t.match(await caught(ensure('debian:9.9')), {
      code: 'no-such-version',
      exitCode: 2,
      message: "Debian's archive has no linux-source-9.9",
      hint: 'it has debian:6.1, debian:6.12, debian:7.3',
    });
    t.same(calls(), ['apt-get update', 'apt-cache madison', 'apt-cache search']);
    archive(...ARCHIVE, 'linux-source-9.9 9.9.1-1');
    t.match(await caught(ensure('debian:9.9')), {
      code: 'download-failed',
      message: /has no linux-source-9\.9\.tar\.xz in it$/,
    });
    t.same(calls().slice(0, 4), [
      'apt-cache madison',
      'apt-get update',
      'apt-cache madison',
      'apt-get download',
    ]);
  }),
);

t.test('a version that the archive has replaced since the lists were read', { skip }, (t) =>
  withArchive(async ({ cache, archive, ensure }) => {
    await caught(ensure('debian:9.9'));
    archive('linux-source-7.3 7.3.12-1');
    t.match(await ensure('debian:7.3'), { id: 'debian-7.3.12-1' });
    const left = readdirSync(path.join(cache, 'kvm-hil', 'bases')).filter((name) => !name.endsWith('.lock'));
    t.same(left, ['debian-7.3.12-1']);
  }),
);

t.test('the archive is away: what is cached is used, and that is said', { skip }, (t) =>
  withArchive(async ({ cache, bin, archive, notes, age, ensure }) => {
    writeFileSync(path.join(bin, 'away'), '');
    t.match(await caught(ensure('debian:7.3')), {
      code: 'lists-failed',
      exitCode: 3,
      message: "Debian's package lists cannot be read",
      detail: /^E: Failed to fetch/,
      hint: /reachable/,
    });
    rmSync(path.join(bin, 'away'));
    const base = await ensure('debian:7.3');
    writeFileSync(path.join(bin, 'away'), '');
    age(24);
    t.same(await ensure('debian:7.3'), base);
    t.same(notes.splice(0), [
      "Debian's archive is not reachable; the package lists of the last time are used",
    ]);
    rmSync(path.join(cache, 'kvm-hil', 'apt'), { recursive: true });
    t.same(await ensure('debian:7.3'), base);
    t.same(await ensure('debian:7.3.10'), base);
    t.match(
      notes.splice(0)[0],
      "Debian's package lists cannot be read; the cached Debian linux-source-7.3 7.3.10-1 is used",
    );
    t.match(await caught(ensure('debian:7.3.4')), { code: 'lists-failed' });
    rmSync(path.join(bin, 'away'));
    archive('linux-source-9.9 9.9-1');
    t.same(await ensure('debian:7.3'), base, 'it is gone from the archive');
    t.match(notes, [
      "Debian's archive has no linux-source-7.3; the cached Debian linux-source-7.3 7.3.10-1 is used",
    ]);
    age(24);
    writeFileSync(path.join(cache, 'kvm-hil', 'apt', 'lists', 'damaged'), '');
    t.match(await caught(ensure('debian:8.8')), { code: 'no-such-version', hint: /it has debian:9\.9/ });
    t.match(notes.at(-1), 'the cached package lists are damaged; they are fetched again');
  }),
);

t.test('no room for the package', { skip }, (t) =>
  withArchive(async ({ bin, ensure }) => {
    await caught(ensure('debian:9.9'));
    writeFileSync(path.join(bin, 'full'), '');
    t.match(await caught(ensure('debian:7.3')), { code: 'no-space', exitCode: 3, hint: /cache trim/ });
  }),
);

t.test('an answer of last time that was cut short', { skip }, (t) =>
  withArchive(async ({ cache, ensure }) => {
    const { id } = await ensure('debian:7.3');
    writeFileSync(path.join(cache, 'kvm-hil', 'apt', 'resolved', '7.3'), '');
    t.match(await ensure('debian:7.3'), { id });
  }),
);

t.test('killed with half a package on disk', { skip }, (t) =>
  withArchive(async ({ cache, bin, ensure }) => {
    await killedAt('apt-get download', { base: 'debian:7.3', bin, cache });
    const bases = path.join(cache, 'kvm-hil', 'bases');
    t.ok(readdirSync(bases, { recursive: true }).some((name) => String(name).endsWith('half.deb')));
    writeFileSync(path.join(bin, 'stop'), 'nowhere');
    const base = await ensure('debian:7.3');
    t.same(readdirSync(bases).sort(), [base.id, `${base.id}.lock`]);
  }),
);
