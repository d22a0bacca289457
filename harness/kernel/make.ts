// SPDX-License-Identifier: GPL-2.0-only
// How kernel-side make is called: out of tree, through ccache, with nothing of time, user or machine in the output.
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { inCache } from '../effects/dirs.ts';
import type { ExecOptions } from '../effects/exec.ts';
import { makeFolder } from '../effects/files.ts';
import { confined } from '../effects/sandbox.ts';
import { needPrograms } from '../effects/tools.ts';

/** Changes when the recipe changes in a way that makes older images differ; part of every image's hash. */
export const RECIPE = '2';

const CCACHE_SIZE_MAX = '3G';

export function makeArguments(tree: string, objects: string): string[] {
  return [
    '-C',
    tree,
    `O=${objects}`,
    `-j${availableParallelism()}`,
    'ARCH=x86_64',
    'CC=ccache gcc',
    'KBUILD_BUILD_TIMESTAMP=1970-01-01',
    'KBUILD_BUILD_USER=kvm-hil',
    'KBUILD_BUILD_HOST=kvm-hil',
    'KBUILD_BUILD_VERSION=1',
  ];
}

/** What a kernel's Makefiles start, and Debian's package of it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  make: 'make',
  gcc: 'gcc',
  ld: 'binutils',
  ccache: 'ccache',
  flex: 'flex',
  bison: 'bison',
  bc: 'bc',
  perl: 'perl',
};

/** @throws InfraError `missing-tool`: without it, their absence would look like a mistake of the kernel's */
export function needCompiler(): void {
  needPrograms(PROGRAMS);
}

/**
 * What make is to be started with: it sees the source, and writes to the objects and the compiler cache only.
 * @param ccache `read` where somebody else's program runs: what it puts into the cache every later build would believe
 */
export async function makeConfined(
  tree: string,
  objects: string,
  ccache: 'read' | 'write' = 'read',
): Promise<Pick<ExecOptions, 'wrapper' | 'env' | 'cleanEnv'>> {
  const cache = inCache('ccache');
  await makeFolder(cache);
  const isWritten = ccache === 'write';
  const { env, ...confinement } = await confined({
    writable: [objects, ...(isWritten ? [cache] : [])],
    readable: [tree, ...(isWritten ? [] : [cache])],
    tools: Object.keys(PROGRAMS),
  });
  const readOnly = isWritten ? {} : { CCACHE_READONLY: 'true', CCACHE_TEMPDIR: '/tmp' };
  return { ...confinement, env: { ...env, ...makeEnvironment(path.dirname(tree)), ...readOnly } };
}

/** @param folder below which absolute paths mean the same to ccache, wherever the cache is */
export function makeEnvironment(folder: string): Record<string, string> {
  return {
    CCACHE_DIR: inCache('ccache'),
    CCACHE_MAXSIZE: CCACHE_SIZE_MAX,
    CCACHE_BASEDIR: folder,
    CCACHE_NOHASHDIR: 'true',
    // The compiler by its content: a reinstalled package of the same version keeps the cache.
    CCACHE_COMPILERCHECK: 'content',
    KBUILD_VERBOSE: '0',
    MAKEFLAGS: '',
  };
}
