// SPDX-License-Identifier: GPL-2.0-only
// The .config of a kernel that is configured after a machine: its own configuration, what is loaded there built in, what
// is not left out (the tree's localyesconfig), our fragments on top.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { inPackage } from '../effects/dirs.ts';
import { readPlain, writeWhole } from '../effects/files.ts';
import { git } from '../effects/git.ts';
import { InfraError } from '../errors.ts';
import {
  type HostConfig,
  lostDrivers,
  lsmodText,
  moduleSymbols,
  modulesLeftOut,
  withoutModules,
} from '../model/host-config.ts';
import { parseKconfig } from '../model/kconfig.ts';
import { makeKconfig } from './kconfig-make.ts';

const LOADED = 'loaded-modules';

/** All that goes into such a configuration beside fragments and tree. */
export async function afterParts(host: HostConfig | undefined): Promise<string[]> {
  return host === undefined ? [] : [host.hash, await readTrim()];
}

/**
 * Leaves the .config in `objects`.
 * @param fragments each as text, with the names of older trees; the last one wins
 * @returns modules of the machine that this tree has nothing for
 */
export async function configureAfter(
  host: HostConfig,
  tree: string,
  objects: string,
  fragments: readonly string[],
  signal?: AbortSignal,
): Promise<string[]> {
  const file = path.join(objects, '.config');
  // Its own kernel may be years older: what has another type or name by now is settled before modules are looked for.
  await writeWhole(file, host.config);
  await makeKconfig(tree, objects, ['olddefconfig'], signal);
  await writeWhole(path.join(objects, LOADED), lsmodText(host.modules));
  const said =
    host.modules.length === 0
      ? ''
      : await makeKconfig(tree, objects, [`LSMOD=${LOADED}`, 'localyesconfig'], signal);
  const builtIn = withoutModules(await readPlain(objects, '.config'));
  const root = host.root === undefined ? '' : `CONFIG_${host.root}=y\n`;
  await writeWhole(file, [builtIn, await readTrim(), root, ...fragments].join('\n'));
  await makeKconfig(tree, objects, ['olddefconfig'], signal);
  return modulesLeftOut(said);
}

/** @throws InfraError `host-driver-lost`: no such kernel could be reached on that machine */
export async function mustReach(host: HostConfig, tree: string, config: string): Promise<void> {
  const lost = lostDrivers(host, parseKconfig(config), moduleSymbols(await makefileObjects(tree)));
  if (lost.length === 0) return;
  throw new InfraError({
    code: 'host-driver-lost',
    message: `configured after ${host.host}, this kernel would not be heard of again there: ${lost[0]}`,
    detail: lost.join('\n'),
    hint: 'a driver from outside of the tree is not built; for kconfig: fragments, metal.config has to name it',
  });
}

// --- internal ---

function readTrim(): Promise<string> {
  return readFile(inPackage('infra', 'kconfig', 'host-trim.config'), 'utf8');
}

// What streamline_config.pl looks at, without the few that name their objects through a variable.
async function makefileObjects(tree: string): Promise<string> {
  const all = await git(tree, [
    'grep',
    '-h',
    '-A12',
    '-E',
    '^obj-\\$[({]CONFIG_',
    '--',
    '*Makefile',
    '*Kbuild',
  ]);
  return all.stdout.replace(/\\\n/g, ' ');
}
