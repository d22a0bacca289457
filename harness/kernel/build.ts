// SPDX-License-Identifier: GPL-2.0-only
// Source commit plus configuration -> BuiltImage. The image is cached by the content of all that goes into it; the
// object folder stays warm per base and configuration.
import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { inCache } from '../effects/dirs.ts';
import { exec, howItEnded, lastLines, ranOut, run } from '../effects/exec.ts';
import { exists, hashFile, hashOf, plainFile, readIfThere, readPlain, writeWhole } from '../effects/files.ts';
import { git, gitOut } from '../effects/git.ts';
import { withLock } from '../effects/lock.ts';
import { parseJson } from '../effects/run-dir.ts';
import { checkDocument } from '../effects/schema.ts';
import { InfraError, KernelError } from '../errors.ts';
import { buildErrorText, firstBuildError } from '../model/build-log.ts';
import type { EventSink } from '../model/events.ts';
import type { HostConfig } from '../model/host-config.ts';
import type { BuiltImage } from '../model/image.ts';
import type { KernelRole } from '../model/result.ts';
import { afterParts } from './after-host.ts';
import { touchCache } from './cache.ts';
import { configure, hasBzImage, type KconfigName, readFragments } from './configure.ts';
import { makeArguments, makeConfined, needCompiler, RECIPE } from './make.ts';
import { missingInBuild } from './missing.ts';
import { type ModuleRecord, openModules, storeModules } from './modules.ts';
import { codeOf } from './object-code.ts';
import { forgetMachines, strangersProgram, withObjects } from './objects.ts';
import { type Base, baseLock, waiting } from './source.ts';
import { checkOut, treeOf } from './tree.ts';

export interface BuildRequest {
  base: Base;
  commit: string;
  kconfig: KconfigName;
  /** What `host` and `host-debug` are configured after. */
  after?: HostConfig | undefined;
  role: KernelRole;
  /** What make prints goes here; also when the build fails. */
  logFile: string;
  /** Leave the processors to a host that runs at the same time. */
  nice?: boolean;
}

const BUILD_TIMEOUT_MS = 2 * 60 * 60 * 1000;

/** What an image folder says of itself: results/schema/image.schema.json. */
interface ImageRecord {
  hash: string;
  release: string;
  commit: string;
  compiler: string;
  unknownSymbols: string[];
  /** SHA-256 of vmlinux: one that was cut short is noticed. */
  vmlinux: string;
  /** Of bzImage, where there is one. */
  bzImage?: string;
  modules?: ModuleRecord[];
  /** What the kernel does without them: codeOf() vmlinux. */
  core?: string;
  /** Of the configuration; images of an older kvm-hil have none. */
  config?: string;
}

const BZIMAGE = path.join('arch', 'x86', 'boot', 'bzImage');

type ImageFacts = Omit<ImageRecord, 'vmlinux' | 'bzImage' | 'modules' | 'core' | 'config'>;

/**
 * The image of a commit: from the cache, or built.
 * @throws KernelError `build-failed` with the first error and the patch that touched that line, or `kconfig-lost`
 */
export async function ensureImage(
  request: BuildRequest,
  sink: EventSink,
  signal?: AbortSignal,
): Promise<BuiltImage> {
  const { base, commit } = request;
  const tree = treeOf(base);
  needCompiler();
  const compiler = await compilerVersion();
  const fragments = await readFragments(request.kconfig);
  const source = await gitOut(tree, ['rev-parse', `${commit}^{tree}`]);
  const hash = hashOf('image', RECIPE, source, compiler, ...fragments, ...(await afterParts(request.after)));
  const folder = folderOf(hash);
  const cached = await openImage(folder, hash, true);
  if (cached !== undefined) {
    await copyFile(path.join(folder, 'build.log'), request.logFile);
    await touchCache(folder);
    return cached;
  }
  return withLock(baseLock(base), { signal, onWait: waiting(sink, base.name) }, async () => {
    // Somebody else may have built it while we waited.
    const now = await openImage(folder, hash, true);
    if (now !== undefined) return now;
    return build(request, fragments, { folder, hash, compiler }, sink, signal);
  });
}

/** Takes an image out of the cache. A machine that has the file open goes on with it. */
export async function dropImage(hash: string): Promise<void> {
  await rm(folderOf(hash), { recursive: true, force: true });
}

/** The object folder of a base and configuration. */
export function objectsOf(base: Base, kconfig: KconfigName, after?: HostConfig): string {
  const name = after === undefined ? kconfig : `${kconfig}-${after.hash.slice(0, 12)}`;
  return path.join(base.folder, 'objects', name);
}

// --- internal ---

function folderOf(hash: string): string {
  return inCache('images', hash.slice(0, 20));
}

interface Target {
  folder: string;
  hash: string;
  compiler: string;
}

async function build(
  request: BuildRequest,
  fragments: readonly string[],
  target: Target,
  sink: EventSink,
  signal?: AbortSignal,
): Promise<BuiltImage> {
  const program = await strangersProgram(request.base, request.commit, 'kernel');
  if (program !== undefined) {
    const text = `the series may change what a build runs (${program}): it is built beside the warm objects`;
    sink({ type: 'note', text });
  }
  const isCopy = program !== undefined;
  const objects = objectsOf(request.base, request.kconfig, request.after);
  if (request.after !== undefined) await forgetMachines(objects);
  return withObjects(objects, isCopy, () => buildIn(request, fragments, target, isCopy, sink, signal));
}

async function buildIn(
  request: BuildRequest,
  fragments: readonly string[],
  target: Target,
  isCopy: boolean,
  sink: EventSink,
  signal?: AbortSignal,
): Promise<BuiltImage> {
  const { base, commit } = request;
  const tree = treeOf(base);
  const { after } = request;
  const objects = objectsOf(base, request.kconfig, after);
  await checkOut(base, commit, signal);
  const configured = await configure(tree, objects, fragments, target.compiler, signal, after);
  const { config, unknown, leftOut } = configured;
  if (leftOut.length > 0)
    sink({ type: 'note', text: `modules of ${after?.host} that this kernel has not: ${leftOut.join(', ')}` });
  const localversion = `-kvmhil-${target.hash.slice(0, 10)}`;
  const stamp = path.join(objects, '.kvm-hil-building');
  await dropTornObjects(objects, stamp);
  await writeWhole(stamp, '');
  const counter = await stepCounter(objects, request.role, sink);
  const args = [...makeArguments(tree, objects), `LOCALVERSION=${localversion}`, 'vmlinux'];
  const forMetal = hasBzImage(request.kconfig);
  if (forMetal) args.push('bzImage', 'modules');
  const made = await exec('make', args, {
    ...(await makeConfined(tree, objects, isCopy ? 'read' : 'write')),
    timeoutMs: BUILD_TIMEOUT_MS,
    signal,
    nice: request.nice === true,
    logFile: request.logFile,
    onLine: counter.line,
  });
  if (made.timedOut || made.signal !== null) {
    throw new InfraError({
      code: 'build-stopped',
      message: howItEnded(made),
      hint: `see ${request.logFile}`,
    });
  }
  await rm(stamp, { force: true });
  if (made.failed) {
    const log = `${made.stdout}\n${made.stderr}`;
    throw ranOut(made) ?? missingInBuild(log) ?? (await explainFailure(request, tree, log));
  }
  await counter.save();

  const release = (await readPlain(objects, 'include', 'config', 'kernel.release')).trim();
  const record: ImageFacts = {
    hash: target.hash,
    release,
    commit,
    compiler: target.compiler,
    unknownSymbols: unknown,
  };
  await storeImage(target.folder, record, objects, { config, forMetal }, request.logFile);
  const image = await openImage(target.folder, target.hash, false);
  if (image === undefined) throw new InfraError({ code: 'image-lost', message: `${target.folder} vanished` });
  return image;
}

async function storeImage(
  folder: string,
  rest: ImageFacts,
  objects: string,
  { config, forMetal }: { config: string; forMetal: boolean },
  logFile: string,
): Promise<void> {
  const fresh = `${folder}.${process.pid}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  const vmlinux = path.join(fresh, 'vmlinux');
  await copyFile(await plainFile(objects, 'vmlinux'), vmlinux);
  if (forMetal) await copyFile(await plainFile(objects, BZIMAGE), path.join(fresh, 'bzImage'));
  const modules = forMetal ? await storeModules(objects, fresh) : [];
  await writeWhole(path.join(fresh, 'config'), config);
  const record: ImageRecord = {
    ...rest,
    vmlinux: await hashFile(vmlinux),
    ...(forMetal ? { bzImage: await hashFile(path.join(fresh, 'bzImage')) } : {}),
    ...(modules.length > 0 ? { modules, core: await codeOf(vmlinux, rest.release) } : {}),
    config: await hashFile(path.join(fresh, 'config')),
  };
  await copyFile(logFile, path.join(fresh, 'build.log'));
  checkDocument('image', record, 'image.json');
  await writeWhole(path.join(fresh, 'image.json'), `${JSON.stringify(record, null, 2)}\n`);
  await rm(folder, { recursive: true, force: true });
  await rename(fresh, folder);
}

// An image that is damaged in any way is no image: it is made again.
async function openImage(folder: string, hash: string, cached: boolean): Promise<BuiltImage | undefined> {
  const text = await readIfThere(path.join(folder, 'image.json'));
  const record = text === undefined ? undefined : readRecord(text);
  if (record?.hash !== hash) return undefined;
  const vmlinux = path.join(folder, 'vmlinux');
  const config = await readIfThere(path.join(folder, 'config'));
  if (
    record.config !== undefined &&
    record.config !== (await hashFile(path.join(folder, 'config')).catch(() => ''))
  )
    return undefined;
  const bzImage = path.join(folder, 'bzImage');
  const isWhole =
    (await hashFile(vmlinux).catch(() => '')) === record.vmlinux &&
    (record.bzImage === undefined || (await hashFile(bzImage).catch(() => '')) === record.bzImage);
  if (!isWhole || config === undefined || !(await exists(path.join(folder, 'build.log')))) return undefined;
  const modules = await openModules(folder, record.modules ?? []);
  if (modules === undefined) return undefined;
  const { release, commit, compiler, unknownSymbols, core } = record;
  const forLoaders = record.bzImage === undefined ? {} : { bzImage };
  const inParts = core === undefined ? {} : { modules, core };
  return {
    hash,
    release,
    vmlinux,
    ...forLoaders,
    ...inParts,
    config,
    commit,
    compiler,
    unknownSymbols,
    cached,
  };
}

function readRecord(text: string): ImageRecord | undefined {
  try {
    return checkDocument<ImageRecord>('image', parseJson(text, 'image.json'), 'image.json');
  } catch {
    return undefined;
  }
}

async function compilerVersion(): Promise<string> {
  const gcc = await run('gcc', ['--version']);
  const ld = await run('ld', ['--version']);
  return [gcc, ld].map((result) => result.stdout.split('\n', 1)[0]).join(', ');
}

// A build that was killed may leave an object that make would take for whole: all that is newer than its start goes.
async function dropTornObjects(objects: string, stamp: string): Promise<void> {
  if (!(await exists(stamp))) return;
  const torn = [
    '-name',
    '*.o',
    '-o',
    '-name',
    '*.a',
    '-o',
    '-name',
    '.*.cmd',
    '-o',
    '-name',
    'vmlinux*',
    '-o',
    '-name',
    '*.tmp',
    '-o',
    '-name',
    '*.ko',
    '-o',
    '-name',
    '*.mod*',
  ];
  await run('find', [objects, '-type', 'f', '-newer', stamp, '(', ...torn, ')', '-delete']);
}

async function explainFailure(request: BuildRequest, tree: string, log: string): Promise<KernelError> {
  const error = firstBuildError(log, tree);
  if (error === undefined) {
    return new KernelError({
      code: 'build-failed',
      message: 'the kernel does not build',
      detail: lastLines(log, 15),
      hint: `the whole output is in ${request.logFile}`,
    });
  }
  const blame =
    error.file === undefined ? undefined : await patchOfLine(request, tree, error.file, error.line ?? 0);
  return new KernelError({
    code: 'build-failed',
    message: `the kernel does not build: ${buildErrorText(error)}`,
    ...(blame === undefined ? {} : { detail: blame }),
    hint: `the whole output is in ${request.logFile}`,
  });
}

async function patchOfLine(
  request: BuildRequest,
  tree: string,
  file: string,
  line: number,
): Promise<string | undefined> {
  const { base, commit } = request;
  if (commit === base.commit) return undefined;
  const range = `${base.commit}..${commit}`;
  const blame = await git(tree, ['blame', '--porcelain', `-L${line},${line}`, range, '--', file]);
  const boundary = /^boundary$/m.test(blame.stdout);
  const subject = /^summary (.*)$/m.exec(blame.stdout)?.[1];
  if (!blame.failed && !boundary && subject !== undefined)
    return `the line was last touched by the patch "${subject}"`;
  const touching = await git(tree, ['log', '--reverse', '--format=%s', range, '--', file]);
  const subjects = touching.stdout.split('\n').filter((one) => one !== '');
  if (subjects.length > 0) return `the file is touched by ${subjects.map((one) => `"${one}"`).join(', ')}`;
  return `no patch of the series touches ${file}; what it uses was changed elsewhere`;
}

interface StepCounter {
  line(line: string): void;
  save(): Promise<void>;
}

// make does not know how much it has to do; the last build of the same folder does, roughly.
async function stepCounter(objects: string, role: KernelRole, sink: EventSink): Promise<StepCounter> {
  const file = path.join(objects, '.kvm-hil-steps');
  const cold = (await readdir(objects)).every((name) => name !== 'vmlinux');
  const before = cold ? Number(await readPlain(objects, '.kvm-hil-steps').catch(() => '1400')) : Number.NaN;
  const total = Number.isFinite(before) ? before : null;
  let done = 0;
  return {
    line(line) {
      const step = /^ {2}(\w+) +(.*)$/.exec(line);
      if (step === null) return;
      done++;
      sink({ type: 'progress', step: `building the ${role} kernel`, done, total, detail: step[2] ?? '' });
    },
    async save() {
      if (cold) await writeWhole(file, String(done));
    },
  };
}
