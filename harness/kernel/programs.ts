// SPDX-License-Identifier: GPL-2.0-only
// kvm-cases, the one program that runs on a host: built from cases/ and guest/, cached by their content.
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { inCache, inPackage } from '../effects/dirs.ts';
import { exec, lastLines, ranOut, run } from '../effects/exec.ts';
import { exists, hashFile, hashOf, makeFolder, readIfThere, writeWhole } from '../effects/files.ts';
import { needPrograms } from '../effects/tools.ts';
import { InfraError } from '../errors.ts';
import { touchCache } from './cache.ts';

export interface Program {
  /** The static binary on this machine. */
  file: string;
  /** SHA-256 of the binary. */
  hash: string;
  cached: boolean;
}

const BUILD_TIMEOUT_MS = 5 * 60 * 1000;

/** @throws InfraError `cases-build` when it does not compile */
export async function ensureProgram(signal?: AbortSignal): Promise<Program> {
  const compiler = (await run('gcc', ['--version'], { missingHint: 'apt-get install gcc make libc6-dev' }))
    .stdout;
  const key = hashOf('program 2', compiler, await hashSources(['cases', 'guest']));
  const folder = inCache('programs', key.slice(0, 20));
  const file = path.join(folder, 'kvm-cases');
  const sum = path.join(folder, 'sha256');
  const known = await readIfThere(sum);
  // One that was cut short is made again.
  if (known !== undefined && (await exists(file)) && (await hashFile(file)) === known) {
    await touchCache(folder);
    return { file, hash: known, cached: true };
  }
  needPrograms({ make: 'make', gcc: 'gcc', ld: 'binutils' });
  const fresh = `${folder}.${process.pid}.new`;
  await makeFolder(fresh);
  try {
    const args = ['-C', inPackage('cases'), `O=${fresh}`, `-j${availableParallelism()}`];
    const made = await exec('make', args, { timeoutMs: BUILD_TIMEOUT_MS, signal, env: { MAKEFLAGS: '' } });
    if (made.failed) {
      const short = ranOut(made);
      if (short !== undefined) throw short;
      throw new InfraError({
        code: 'cases-build',
        message: 'cases/ does not compile',
        detail: lastLines(made.stderr, 15),
        hint: 'run `make -C cases` to see all of it',
      });
    }
    const hash = await hashFile(path.join(fresh, 'kvm-cases'));
    await writeWhole(path.join(fresh, 'sha256'), hash);
    await rm(folder, { recursive: true, force: true });
    await rename(fresh, folder);
    return { file, hash, cached: false };
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

// --- internal ---

async function hashSources(roots: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const root of roots) {
    const names = (await readdir(inPackage(root), { recursive: true })).sort();
    for (const name of names) {
      if (!/\.(?:c|h|S|lds)$|(?:^|\/)Makefile$/.test(name)) continue;
      parts.push(`${root}/${name}`, await readFile(inPackage(root, name), 'utf8'));
    }
  }
  return hashOf(...parts);
}
