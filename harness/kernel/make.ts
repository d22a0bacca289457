// SPDX-License-Identifier: GPL-2.0-only
// How kernel-side make is called: out of tree, through ccache, with nothing of time, user or machine in the output.
import { availableParallelism } from 'node:os';
import { inCache } from '../effects/dirs.ts';

/** Changes when the recipe changes in a way that makes older images differ; part of every image's hash. */
export const RECIPE = '1';

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
