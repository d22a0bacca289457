// SPDX-License-Identifier: GPL-2.0-only
// Kconfig's own make targets, confined: what a tree does with a configuration that it is given.
import { exec, howItEnded, lastLines, ranOut } from '../effects/exec.ts';
import { InfraError, KernelError } from '../errors.ts';
import { makeArguments, makeConfined } from './make.ts';
import { missingInBuild } from './missing.ts';

const CONFIG_TIMEOUT_MS = 5 * 60 * 1000;

/**
 * @param targets a target of scripts/kconfig and its variables; questions are answered by their defaults
 * @returns what it said
 * @throws KernelError `config-failed`
 */
export async function makeKconfig(
  tree: string,
  objects: string,
  targets: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const made = await exec('make', [...makeArguments(tree, objects), ...targets], {
    ...(await makeConfined(tree, objects, 'read')),
    timeoutMs: CONFIG_TIMEOUT_MS,
    signal,
  });
  const said = `${made.stdout}\n${made.stderr}`;
  if (made.timedOut || made.signal !== null) {
    throw new InfraError({
      code: 'config-stopped',
      message: `${howItEnded(made)} while configuring the kernel`,
    });
  }
  if (!made.failed) return said;
  const short = ranOut(made) ?? missingInBuild(said);
  if (short !== undefined) throw short;
  throw new KernelError({
    code: 'config-failed',
    message: 'the kernel does not configure',
    detail: lastLines(made.stderr.trim() === '' ? made.stdout : made.stderr, 15),
    hint: 'a Kconfig file or a Makefile of the tree is broken',
  });
}
