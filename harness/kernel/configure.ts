// SPDX-License-Identifier: GPL-2.0-only
// The .config of a build: the kernel's own tiny configuration, or that of a machine, with our fragments on top, and proof
// that each symbol that a fragment asks for is really set.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { inPackage } from '../effects/dirs.ts';
import { hashOf, readIfThere, readPlain, writeWhole } from '../effects/files.ts';
import { git, gitOut } from '../effects/git.ts';
import { KernelError } from '../errors.ts';
import type { HostConfig } from '../model/host-config.ts';
import { checkKconfig, mergeFragments, parseKconfig, withFormerNames } from '../model/kconfig.ts';
import { afterParts, configureAfter, mustReach } from './after-host.ts';
import { makeKconfig } from './kconfig-make.ts';

/** What --kconfig names: fragments of infra/kconfig, in order. */
export const KCONFIGS = {
  base: ['base', 'kvm'],
  debug: ['base', 'kvm', 'debug'],
  metal: ['base', 'kvm', 'metal'],
  'metal-debug': ['base', 'kvm', 'metal', 'debug'],
  // On top of the configuration of a machine's own kernel, which goes with the name; host-trim is in that already.
  host: ['base', 'kvm', 'metal', 'host'],
  'host-debug': ['base', 'kvm', 'metal', 'debug', 'host'],
} as const;
export type KconfigName = keyof typeof KCONFIGS;

/** The configuration that runs on metal too. */
export function forMetal(name: KconfigName): KconfigName {
  return name === 'base' ? 'metal' : name === 'debug' ? 'metal-debug' : name;
}

/** The same after a machine's own kernel. */
export function forHost(name: KconfigName): KconfigName {
  return name.endsWith('debug') ? 'host-debug' : 'host';
}

export function isAfterHost(name: KconfigName): boolean {
  return name.startsWith('host');
}

/** Whether what boots is made for boot loaders: a bzImage beside vmlinux. */
export function hasBzImage(name: KconfigName): boolean {
  return name.startsWith('metal') || isAfterHost(name);
}

export function isKconfigName(name: string): name is KconfigName {
  return Object.hasOwn(KCONFIGS, name);
}

/** The fragments' texts, in order. */
export function readFragments(name: KconfigName): Promise<string[]> {
  return Promise.all(
    KCONFIGS[name].map((fragment) => readFile(inPackage('infra', 'kconfig', `${fragment}.config`), 'utf8')),
  );
}

export interface Configured {
  /** The final .config. */
  config: string;
  /** Symbols that were asked for and that this tree does not know. */
  unknown: string[];
  /** Modules of the machine that it was configured after, and that this tree has nothing for. */
  leftOut: string[];
}

const STAMP = '.kvm-hil-config';
/** What `make tinyconfig` merges, in this order (scripts/kconfig/Makefile, scripts/kconfig/configs). */
const TINY = [
  'kernel/configs/tiny-base.config',
  'kernel/configs/tiny.config',
  'arch/x86/configs/tiny.config',
];

/**
 * Configures `objects` for the tree's checked-out commit. Costs nothing when neither the fragments nor any Kconfig
 * file changed since the last time.
 * @param compiler symbols depend on what it can do
 * @param host the machine that it is configured after, instead of the tiniest kernel
 * @throws KernelError `config-failed`, or `kconfig-lost` when a symbol that the tree knows did not survive; InfraError
 *   `host-driver-lost` when that machine's network card or console would have no driver
 */
export async function configure(
  tree: string,
  objects: string,
  fragments: readonly string[],
  compiler: string,
  signal?: AbortSignal,
  host?: HostConfig,
): Promise<Configured> {
  const key = hashOf(await kconfigState(tree, host), compiler, ...fragments, ...(await afterParts(host)));
  const stampFile = path.join(objects, STAMP);
  const before = await readPlain(objects, STAMP).catch(() => undefined);
  const current = await readPlain(objects, '.config').catch(() => undefined);
  if (before !== undefined && current !== undefined) {
    const stamp = readStamp(before);
    if (stamp?.key === key && stamp.config === hashOf(current))
      return { config: current, unknown: stamp.unknown, leftOut: [] };
  }
  const named = fragments.map(withFormerNames);
  const leftOut =
    host === undefined
      ? await configureTiny(tree, objects, named, signal)
      : await configureAfter(host, tree, objects, named, signal);
  const config = await readPlain(objects, '.config');
  const known = await definedSymbols(tree);
  const check = checkKconfig(parseKconfig(mergeFragments(fragments)), parseKconfig(config), (name) =>
    known.has(name),
  );
  if (check.lost.length > 0) {
    throw new KernelError({
      code: 'kconfig-lost',
      message: `${check.lost.length} Kconfig symbols did not survive: ${check.lost.map((one) => one.symbol).join(', ')}`,
      detail: check.lost
        .map((one) => `CONFIG_${one.symbol}: asked for ${one.asked}, got ${one.got}`)
        .join('\n'),
      hint: 'a dependency is not met: see the symbol in `make menuconfig`, then extend infra/kconfig',
    });
  }
  if (host !== undefined) await mustReach(host, tree, config);
  await writeWhole(stampFile, JSON.stringify({ key, config: hashOf(config), unknown: check.unknown }));
  return { config, unknown: check.unknown, leftOut };
}

// --- internal ---

async function configureTiny(
  tree: string,
  objects: string,
  fragments: readonly string[],
  signal?: AbortSignal,
): Promise<string[]> {
  const tiny = await Promise.all(TINY.map((file) => readIfThere(path.join(tree, file))));
  // tinyconfig is allnoconfig plus the tiny fragments; asking for all of it in one go also turns off what becomes
  // visible only through our own symbols and would be `default y`.
  const wanted = path.join(objects, 'wanted.config');
  await writeWhole(wanted, mergeFragments([...tiny.map((text) => text ?? ''), ...fragments]));
  await makeKconfig(tree, objects, [`KCONFIG_ALLCONFIG=${wanted}`, 'allnoconfig'], signal);
  return [];
}

interface Stamp {
  key: string;
  config: string;
  unknown: string[];
}

// One that was cut short, or that something in the build wrote, is no stamp.
function readStamp(text: string): Stamp | undefined {
  try {
    const { key, config, unknown } = JSON.parse(text) as Partial<Stamp>;
    if (typeof key !== 'string' || typeof config !== 'string' || !Array.isArray(unknown)) return undefined;
    return { key, config, unknown: unknown.map(String) };
  } catch {
    return undefined;
  }
}

// Names and blob ids of all Kconfig files: changes exactly when the meaning of a fragment can change. Which modules a symbol
// stands for is in the Makefiles.
async function kconfigState(tree: string, host: HostConfig | undefined): Promise<string> {
  const files = await gitOut(tree, [
    'ls-files',
    '--stage',
    '--',
    '*Kconfig*',
    'scripts/kconfig',
    'scripts/*.include',
    'kernel/configs',
    'arch/x86/configs',
    ...(host === undefined ? [] : ['*Makefile', '*Kbuild']),
  ]);
  return hashOf(files);
}

async function definedSymbols(tree: string): Promise<Set<string>> {
  const found = await git(tree, [
    'grep',
    '-hoE',
    '^[[:space:]]*(menu)?config[[:space:]]+[A-Za-z0-9_]+',
    '--',
    '*Kconfig*',
  ]);
  return new Set(found.stdout.split('\n').map((line) => line.trim().split(/\s+/)[1] ?? ''));
}
