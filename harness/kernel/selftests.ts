// SPDX-License-Identifier: GPL-2.0-only
// The KVM selftests of a source tree, built against that tree's own headers as static programs that run on any host.
// Cached by what they are made of, so a series that touches none of it runs the base's very programs.
import { mkdir, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { inCache } from '../effects/dirs.ts';
import { exec, run } from '../effects/exec.ts';
import { exists, hashOf, plainFile } from '../effects/files.ts';
import { git, gitOut } from '../effects/git.ts';
import { withLock } from '../effects/lock.ts';
import { confined } from '../effects/sandbox.ts';
import { HilError, InterruptedError } from '../errors.ts';
import { firstBuildError } from '../model/build-log.ts';
import type { EventSink } from '../model/events.ts';
import type { SelftestBuild } from '../model/image.ts';
import { selftestCapability } from '../model/manifest.ts';
import { touchCache } from './cache.ts';
import { makeConfined } from './make.ts';
import { strangersProgram, withObjects } from './objects.ts';
import { type Base, baseLock, waiting } from './source.ts';
import { checkOut, treeOf } from './tree.ts';

export interface SelftestRequest {
  base: Base;
  commit: string;
  /** Below tools/testing/selftests/kvm, without `.c`. */
  names: readonly string[];
  /** What make prints goes here. */
  logFile: string;
  nice: boolean;
}

const FOLDER = 'tools/testing/selftests/kvm';
/** Changes when the recipe changes in a way that makes older programs differ. */
const RECIPE = '1';
/** What the programs are made of: their sources, the tools' headers, and all that `make headers` reads. */
const SOURCES = ['tools', 'include', 'arch/x86/include', 'arch/x86/entry/syscalls', 'scripts', 'Makefile'];
const BUILD_TIMEOUT_MS = 20 * 60 * 1000;

/** Builds what is not in the cache. Never throws but when it is interrupted: what cannot be built is `broken`. */
export async function ensureSelftests(
  request: SelftestRequest,
  sink: EventSink,
  signal?: AbortSignal,
): Promise<SelftestBuild> {
  const { base } = request;
  const there = await presentOf(request);
  const can = Object.fromEntries(
    request.names.map((name) => [selftestCapability(name), there.includes(name)]),
  );
  try {
    const folder = inCache('selftests', (await keyOf(request)).slice(0, 20));
    const built = await openBuild(folder, there);
    if (built !== undefined) return { can, files: built, broken: [], cached: true };
    return await withLock(baseLock(base), { signal, onWait: waiting(sink, base.name) }, async () => {
      const { files, broken } = await build(request, there, folder, signal);
      return { can, files, broken, cached: false };
    });
  } catch (error) {
    if (error instanceof InterruptedError || !(error instanceof HilError)) throw error;
    return { can, files: [], broken: there.map((name) => ({ name, why: error.message })), cached: false };
  }
}

// --- internal ---

type Files = SelftestBuild['files'];

async function presentOf({ base, commit, names }: SelftestRequest): Promise<string[]> {
  const found = await Promise.all(
    names.map(
      async (name) => !(await git(treeOf(base), ['cat-file', '-e', `${commit}:${FOLDER}/${name}.c`])).failed,
    ),
  );
  return names.filter((_, at) => found[at]);
}

async function keyOf({ base, commit, names }: SelftestRequest): Promise<string> {
  const compiler = await run('gcc', ['--version'], { missingHint: 'apt-get install gcc make libc6-dev' });
  const listed = await gitOut(treeOf(base), ['ls-tree', commit, ...SOURCES]);
  return hashOf('selftests', RECIPE, compiler.stdout, listed, ...names);
}

async function openBuild(folder: string, there: readonly string[]): Promise<Files | undefined> {
  if (!(await exists(folder))) return undefined;
  await touchCache(folder);
  return there.map((name) => fileIn(folder, name));
}

function fileIn(folder: string, name: string): Files[number] {
  const program = path.basename(name);
  return { name: program, file: path.join(folder, program) };
}

/** What is built beside the kernel, and what make may write there. */
interface Place {
  objects: string;
  ccache: 'read' | 'write';
}

async function build(
  request: SelftestRequest,
  there: readonly string[],
  folder: string,
  signal?: AbortSignal,
): Promise<Pick<SelftestBuild, 'files' | 'broken'>> {
  const { base, commit } = request;
  const objects = path.join(base.folder, 'objects', 'selftests');
  const isCopy = (await strangersProgram(base, commit, 'selftests')) !== undefined;
  const place: Place = { objects, ccache: isCopy ? 'read' : 'write' };
  return withObjects(objects, isCopy, () => buildIn(request, there, folder, place, signal));
}

async function buildIn(
  request: SelftestRequest,
  there: readonly string[],
  folder: string,
  { objects, ccache }: Place,
  signal?: AbortSignal,
): Promise<Pick<SelftestBuild, 'files' | 'broken'>> {
  const { base, commit, logFile, nice } = request;
  const tree = treeOf(base);
  const headers = path.join(objects, 'headers');
  const output = path.join(objects, 'kvm');
  await mkdir(headers, { recursive: true });
  await mkdir(output, { recursive: true });
  await checkOut(base, commit, signal);
  const options = {
    ...(await makeConfined(tree, objects, ccache)),
    timeoutMs: BUILD_TIMEOUT_MS,
    signal,
    nice,
    logFile,
    missingHint: 'apt-get install make gcc libc6-dev',
  };
  await run('make', ['-C', tree, `O=${headers}`, 'ARCH=x86_64', 'headers'], options);
  const targets = there.map((name) => path.join(output, name));
  // One that does not compile any more must not be taken for what another commit left.
  await Promise.all(targets.map((target) => rm(target, { force: true })));
  const include = path.join(headers, 'usr', 'include');
  const made = await exec(
    'make',
    [
      ...['-k', `-j${availableParallelism()}`, '-C', path.join(tree, FOLDER), 'ARCH=x86', 'CC=ccache gcc'],
      ...[`OUTPUT=${output}`, `KHDR_INCLUDES=-isystem ${include}`, `LINUX_HDR_PATH=${include}/`],
      // Static, so that a host needs no library; the two libraries that only VFIO and cgroup tests use are left out.
      ...['LDFLAGS=-static -pthread -no-pie', 'LDLIBS=-ldl', 'LIBVFIO_O=', 'LIBCGROUP_O='],
      ...targets,
    ],
    options,
  );
  const fresh = `${folder}.${process.pid}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  const files: Files = [];
  const broken: SelftestBuild['broken'] = [];
  for (const name of there) {
    const target = path.join(output, name);
    const { name: program, file } = fileIn(fresh, name);
    if (await exists(target)) {
      const made = await plainFile(output, name);
      const view = await confined({ writable: [fresh], readable: [made], tools: ['strip'] });
      await run('strip', ['-o', file, made], { ...view, signal });
      files.push({ name: program, file });
    } else broken.push({ name, why: whyBroken(name, tree, `${made.stdout}\n${made.stderr}`) });
  }
  // Kept for this run only when something is missing: the reason may be this machine.
  const place = broken.length === 0 ? folder : `${folder}.partial`;
  await rm(place, { recursive: true, force: true });
  await rename(fresh, place);
  return { files: files.map(({ name }) => fileIn(place, name)), broken };
}

// make says which target failed; the errors above are of its file or of one that all share.
function whyBroken(name: string, tree: string, log: string): string {
  const lines = log.split('\n');
  const own = lines.filter((line) => line.includes(`${name}.c:`)).join('\n');
  const error = firstBuildError(own, tree) ?? firstBuildError(log, tree);
  return error?.message ?? 'it was not made';
}
