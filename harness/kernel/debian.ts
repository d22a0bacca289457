// SPDX-License-Identifier: GPL-2.0-only
// Debian's linux-source packages, through an apt of our own: own sources, lists and state, so that the system's apt
// stays as it is. apt checks the archive's signature and every hash.
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { inCache } from '../effects/dirs.ts';
import { type CommandResult, type ExecOptions, exec, ranOut, run } from '../effects/exec.ts';
import { exists, needSpace, readIfThere, writeWhole } from '../effects/files.ts';
import { withLock } from '../effects/lock.ts';
import { InfraError, UsageError } from '../errors.ts';
import type { EventSink } from '../model/events.ts';

export interface DebianSource {
  /** `linux-source-7.3` */
  package: string;
  /** `7.3.4-1~bpo13+1` */
  version: string;
}

export interface DebianWanted {
  /** `7.3` */
  series: string;
  /** `7.3.4`; the newest when undefined. */
  point: string | undefined;
}

/** Suites that carry linux-source packages; the newest version of all of them is taken. */
const SUITES: readonly (readonly [archive: string, suite: string])[] = [
  ['http://deb.debian.org/debian', 'sid'],
  ['http://deb.debian.org/debian', 'trixie-backports'],
  ['http://deb.debian.org/debian', 'trixie'],
  ['http://deb.debian.org/debian-security', 'trixie-security'],
  ['http://deb.debian.org/debian', 'bookworm'],
  ['http://deb.debian.org/debian-security', 'bookworm-security'],
];
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Point releases appear about weekly: lists of the same day are good enough and cost no network. */
const LISTS_AGE_MS_MAX = 20 * 60 * 60 * 1000;
/** All lists, packed and on the way: about 70 MiB. apt takes minutes to notice that they do not fit. */
const LISTS_BYTES = 200 * 1024 ** 2;
const UPDATE_TIMEOUT_MS = 5 * 60 * 1000;
const DOWNLOAD_TIMEOUT_MS = 30 * 60 * 1000;

/**
 * Finds the newest linux-source package of a kernel series, or of one point release of it.
 * @param again read the package lists anew, however fresh they are
 * @throws UsageError `no-such-version`, listing what the archive has; InfraError when the archive cannot be read
 */
export function resolveDebian(
  { series, point }: DebianWanted,
  sink: EventSink,
  signal?: AbortSignal,
  again = false,
): Promise<DebianSource> {
  return withLock(inCache('apt', 'lock'), { signal }, async () => {
    const name = `linux-source-${series}`;
    const answer = inCache('apt', 'resolved', point ?? series);
    if (!again && (await listsAreFresh())) {
      // Asking apt takes a second; the answer holds as long as the lists do.
      const known = await readIfThere(answer);
      if (known?.startsWith(`${point ?? series}`)) return { package: name, version: known };
    }
    await prepareApt();
    const look = async () => {
      const versions = await versionsOf(name, signal);
      return newest(
        point === undefined ? versions : versions.filter((one) => one.startsWith(`${point}-`)),
        signal,
      );
    };
    let areNew = await refreshLists(sink, again, signal);
    let version = await look();
    if (version === undefined && !areNew) {
      // It may have appeared since, or the lists are damaged.
      areNew = await refreshLists(sink, true, signal);
      version = await look();
    }
    if (version === undefined) throw await noSuchVersion(name, point, signal);
    await writeWhole(answer, version);
    return { package: name, version };
  });
}

/**
 * Downloads the package, verified by apt, and unpacks the source tar ball in it.
 * @returns the path of linux-source-<series>.tar.xz inside `folder`
 */
export async function fetchDebian(
  source: DebianSource,
  folder: string,
  sink: EventSink,
  signal?: AbortSignal,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const step = `downloading ${source.package} ${source.version}`;
  await withLock(inCache('apt', 'lock'), { signal }, async () => {
    await prepareApt();
    const result = await apt('apt-get', ['download', `${source.package}=${source.version}`], {
      cwd: folder,
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
      signal,
      // "dlstatus:1:42.0000:Retrieving file 1 of 1 (3s remaining)" on the status descriptor
      onLine: (line) => {
        const percent = /^dlstatus:\d+:([\d.]+):/.exec(line)?.[1];
        if (percent !== undefined) {
          sink({ type: 'progress', step, done: Math.round(Number(percent)), total: 100, detail: '%' });
        }
      },
    });
    if (result.failed)
      throw aptFailure('download-failed', `apt could not download ${source.package}`, result);
  });
  const deb = (await readdir(folder)).find((name) => name.endsWith('.deb'));
  if (deb === undefined) {
    throw new InfraError({ code: 'download-failed', message: `apt downloaded no package into ${folder}` });
  }
  await run('dpkg-deb', ['-x', deb, 'deb'], { cwd: folder, signal });
  await rm(path.join(folder, deb));
  const tarball = path.join(folder, 'deb', 'usr', 'src', `${source.package}.tar.xz`);
  if (await exists(tarball)) return tarball;
  throw new InfraError({
    code: 'download-failed',
    message: `${deb} has no ${path.basename(tarball)} in it`,
    hint: 'is the package made in another way now? Give a git tree or a tar ball instead',
  });
}

// --- internal ---

/** What apt says of lists that were cut short: packed or not, and of the cache that it makes of them. */
const LISTS_DAMAGED =
  /^E: .*(?:Read error|Unexpected end of file|cache file is corrupted|parse package file|could not be parsed)/m;

async function versionsOf(name: string, signal?: AbortSignal): Promise<string[]> {
  const table = await apt('apt-cache', ['madison', name], { signal });
  // "linux-source-7.3 | 7.3.4-1~bpo13+1 | http://... trixie-backports/main amd64 Packages"
  const versions = table.stdout.split('\n').map((line) => line.split('|')[1]?.trim() ?? '');
  return [...new Set(versions)].filter((version) => version !== '');
}

async function noSuchVersion(
  name: string,
  point: string | undefined,
  signal?: AbortSignal,
): Promise<UsageError> {
  const versions = point === undefined ? [] : await versionsOf(name, signal);
  if (versions.length > 0) {
    return new UsageError({
      code: 'no-such-version',
      message: `Debian's archive has no ${point} of ${name}`,
      hint: `it has ${versions.join(', ')}`,
    });
  }
  const found = await apt('apt-cache', ['search', '--names-only', '^linux-source-[0-9]'], { signal });
  const names = [...found.stdout.matchAll(/^linux-source-(\d+\.\d+) /gm)].map((match) => match[1] ?? '');
  names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return new UsageError({
    code: 'no-such-version',
    message: `Debian's archive has no ${name}`,
    hint:
      names.length === 0
        ? 'is the archive reachable?'
        : `it has ${names.map((one) => `debian:${one}`).join(', ')}`,
  });
}

function aptConfig(): string {
  return inCache('apt', 'apt.conf');
}

async function prepareApt(): Promise<void> {
  if (!(await exists(KEYRING))) {
    throw new InfraError({
      code: 'no-keyring',
      message: `${KEYRING} is not there, so the archive's signature cannot be checked`,
      hint: 'apt-get install debian-archive-keyring',
    });
  }
  const root = inCache('apt');
  for (const folder of ['lists/partial', 'cache/archives/partial', 'etc']) {
    await mkdir(path.join(root, folder), { recursive: true });
  }
  const sources = SUITES.map(([archive, suite]) => `deb [signed-by=${KEYRING}] ${archive} ${suite} main`);
  const config = [
    ['Dir::Etc::SourceList', path.join(root, 'etc', 'sources.list')],
    ['Dir::Etc::SourceParts', '/dev/null'],
    ['Dir::Etc::PreferencesParts', '/dev/null'],
    ['Dir::Etc::Preferences', '/dev/null'],
    ['Dir::State', root],
    ['Dir::State::Lists', path.join(root, 'lists')],
    ['Dir::State::Status', path.join(root, 'status')],
    ['Dir::Cache', path.join(root, 'cache')],
    ['Acquire::Languages', 'none'],
    ['Acquire::Retries', '3'],
    ['Acquire::http::Timeout', '30'],
    // The lists and the package are ours; the _apt user may not reach a home folder.
    ['APT::Sandbox::User', 'root'],
    ['APT::Status-Fd', '1'],
  ];
  await writeWhole(path.join(root, 'etc', 'sources.list'), `${sources.join('\n')}\n`);
  await writeWhole(path.join(root, 'status'), '');
  await writeWhole(aptConfig(), config.map(([name, value]) => `${name} "${value}";\n`).join(''));
}

function apt(program: string, args: readonly string[], o: ExecOptions): Promise<CommandResult> {
  return exec(program, args, {
    ...o,
    env: { APT_CONFIG: aptConfig(), DEBIAN_FRONTEND: 'noninteractive' },
    missingHint: 'debian: bases need apt; give a git tree or a tar ball instead',
  });
}

/** Milliseconds since the lists were read; infinite when they never were. */
function listsAge(): Promise<number> {
  return stat(inCache('apt', 'updated')).then(
    (info) => Date.now() - info.mtimeMs,
    () => Number.POSITIVE_INFINITY,
  );
}

async function listsAreFresh(): Promise<boolean> {
  const age = await listsAge();
  return age >= 0 && age < LISTS_AGE_MS_MAX;
}

/** @returns whether they are as new as can be: they were read now, or cannot be */
async function refreshLists(sink: EventSink, always: boolean, signal?: AbortSignal): Promise<boolean> {
  if (!always && (await listsAreFresh())) return false;
  const age = await listsAge();
  await needSpace(inCache('apt'), LISTS_BYTES, "reading Debian's package lists");
  sink({ type: 'progress', step: "reading Debian's package lists", done: 0, total: null, detail: '' });
  const update = () =>
    apt('apt-get', ['update', '-q', '--error-on=any'], { timeoutMs: UPDATE_TIMEOUT_MS, signal });
  let result = await update();
  if (result.failed && LISTS_DAMAGED.test(`${result.stderr}\n${result.stdout}`)) {
    // apt asks the archive what has changed since, gets nothing, and stumbles over the same lists for ever.
    sink({ type: 'note', text: 'the cached package lists are damaged; they are fetched again' });
    for (const name of ['lists', 'cache']) await rm(inCache('apt', name), { recursive: true, force: true });
    await prepareApt();
    result = await update();
  }
  if (result.failed && age === Number.POSITIVE_INFINITY) {
    throw aptFailure('lists-failed', "Debian's package lists cannot be read", result);
  }
  if (result.failed) {
    sink({
      type: 'note',
      text: "Debian's archive is not reachable; the package lists of the last time are used",
    });
    return true;
  }
  await rm(inCache('apt', 'resolved'), { recursive: true, force: true });
  await writeWhole(inCache('apt', 'updated'), '');
  return true;
}

function aptFailure(code: string, message: string, result: CommandResult): InfraError {
  const full = ranOut(result);
  if (full !== undefined) return full;
  const errors = `${result.stderr}\n${result.stdout}`.match(/^E: .*$/gm) ?? [];
  return new InfraError({
    code,
    message: result.timedOut ? `${message}: apt timed out` : message,
    ...(errors.length === 0 ? {} : { detail: errors.slice(0, 5).join('\n') }),
    hint: 'is http://deb.debian.org reachable from here?',
  });
}

async function newest(versions: readonly string[], signal?: AbortSignal): Promise<string | undefined> {
  let best: string | undefined;
  for (const version of versions) {
    const newer =
      best === undefined ||
      !(await exec('dpkg', ['--compare-versions', version, 'gt', best], { signal })).failed;
    if (newer) best = version;
  }
  return best;
}
