// SPDX-License-Identifier: GPL-2.0-only
// A kernel that is configured after the machine it runs on: what that takes of the machine's facts, what of its
// configuration stays, and whether its network card and its console did.
import type { MachineFacts } from './host-facts.ts';
import type { KernelImage } from './image.ts';
import { type Kconfig, parseKconfig } from './kconfig.ts';
import type { LabHost } from './lab.ts';
import { type RootFs, rootOf } from './survey.ts';

/** What a machine's own kernel has, as far as a kernel is built after it. */
export interface HostConfig {
  host: string;
  /** Of the kernel that its configuration is of. */
  release: string;
  /** SHA-256 of all below: two machines with the same have one kernel. */
  hash: string;
  /** The .config of that kernel, whole. */
  config: string;
  /** Modules that were loaded, by name, sorted. */
  modules: string[];
  /** Those of the network card and of what it is plugged into; they may be built in there. */
  network: string[];
  /** Symbol of the file system that its own system is on; absent when kernels have none of that. */
  root?: string;
  /** Symbol of the driver that its console needs; absent when the inventory names no console, or one that is not known. */
  console?: string;
}

/** What a document keeps of it. */
export type KernelAfter = Pick<HostConfig, 'host' | 'release' | 'hash'>;

/** What it is without its hash, or why a kernel cannot be built after it. */
export type HostConfigRead = { read: Omit<HostConfig, 'hash'> } | { problem: string; hint: string };

/** Kernel drivers of consoles, by what their devices are called. */
const CONSOLES: readonly (readonly [device: RegExp, symbol: string])[] = [
  [/^ttyS\d/, 'SERIAL_8250_CONSOLE'],
  [/^ttyUSB\d/, 'USB_SERIAL_CONSOLE'],
  [/^tty\d/, 'VT_CONSOLE'],
];
const ROOT_SYMBOLS: Readonly<Record<RootFs, string>> = { ext4: 'EXT4_FS', xfs: 'XFS_FS' };
/** Fewer symbols than this has no kernel that boots anything; what is cut off in front of it is none. */
const SYMBOLS_MIN = 200;

/** Takes what is needed out of a machine's facts. */
export function readHostConfig(
  facts: MachineFacts,
  host: Pick<LabHost, 'name' | 'console_parameter' | 'root'>,
): HostConfigRead {
  const { release, config, survey } = facts;
  if (config.trim() === '') {
    return {
      problem: `${host.name} does not say how its kernel ${release} was configured`,
      hint: `it has neither /boot/config-${release} nor /proc/config.gz (modprobe configs): then provision it again`,
    };
  }
  const symbols = parseKconfig(config);
  const problem = configProblem(config, symbols);
  if (problem !== undefined) {
    return {
      problem: `what ${host.name} says its kernel ${release} was configured with ${problem}`,
      hint: `look at /boot/config-${release} there`,
    };
  }
  const modules = [...new Set(facts.modules.map((one) => one.name))].sort();
  if (modules.length === 0 && symbols.get('MODULES') === 'y') {
    return {
      problem: `${host.name} names no loaded module, though its kernel ${release} has modules`,
      hint: 'nothing tells which drivers it needs: is /proc/modules empty there?',
    };
  }
  const network = networkModules(survey);
  if (network.length === 0) {
    return {
      problem: `${host.name} does not say which driver its network card has`,
      hint: 'without it, a kernel could not be reached: provision it again, over the card that leads back here',
    };
  }
  const console = CONSOLES.find(([device]) => device.test(host.console_parameter ?? ''))?.[1];
  const root = host.root === 'host' ? rootOf(new Map(Object.entries(survey))) : undefined;
  if (host.root === 'host' && root === undefined) {
    return {
      problem: `${host.name} does not say what its own system is on`,
      hint: 'root: host wants ext4 or XFS on a plain partition: provision it again, or root: ram',
    };
  }
  return {
    read: {
      host: host.name,
      release,
      config,
      modules,
      network,
      ...(console === undefined ? {} : { console }),
      ...(root === undefined ? {} : { root: ROOT_SYMBOLS[root.fs] }),
    },
  };
}

/**
 * Whether a kernel is to have the machine's own system below its own: not one of another configuration, which has no driver
 * for that.
 */
export function wantsRoot({ root }: Pick<LabHost, 'root'>, { config }: Pick<KernelImage, 'config'>): boolean {
  if (root === 'ram') return false;
  const symbols = parseKconfig(config);
  return Object.values(ROOT_SYMBOLS).some((symbol) => symbols.get(symbol) === 'y');
}

/** Which configuration a run has, for people. */
export function kconfigTitle(run: { kconfig: string; after?: KernelAfter }): string {
  if (run.after === undefined) return run.kconfig;
  return `${run.kconfig} (after ${run.after.release}, ${run.after.hash.slice(0, 12)})`;
}

/** As scripts/kconfig/streamline_config.pl reads it: what lsmod prints. */
export function lsmodText(modules: readonly string[]): string {
  return `Module Size Used by\n${modules.map((name) => `${name} 1 0\n`).join('')}`;
}

/** The configuration without what is left as a module: what is loaded there was made built in before. */
export function withoutModules(config: string): string {
  return config.replace(/^CONFIG_(\w+)=m$/gm, '# CONFIG_$1 is not set');
}

/** Loaded modules that streamline_config.pl found no symbol for in the tree, or none that is set. */
export function modulesLeftOut(said: string): string[] {
  const names = [...said.matchAll(/^(?:(\w+) config not found!|module (\w+) did not have configs .*)$/gm)];
  return [...new Set(names.map(([, unknown, unset]) => unknown ?? unset ?? ''))].sort();
}

/**
 * Symbols that build a module, by the module's name as the kernel shows it.
 * @param makefiles lines `obj-$(CONFIG_X) += a.o b.o` of the tree's Makefiles, continued ones joined
 */
export function moduleSymbols(makefiles: string): Map<string, string[]> {
  const symbols = new Map<string, string[]>();
  for (const [, symbol = '', objects = ''] of makefiles.matchAll(
    /obj-\$[({]CONFIG_(\w+)[)}]\s*[+:]?=(.*)/g,
  )) {
    for (const [, object = ''] of objects.matchAll(/(\S+)\.o(?=\s|$)/g)) {
      const name = (object.split('/').at(-1) ?? '').replaceAll('-', '_');
      symbols.set(name, [...new Set([...(symbols.get(name) ?? []), symbol])]);
    }
  }
  return symbols;
}

/** Why a kernel with this configuration could not be reached or heard on that machine; one sentence each. */
export function lostDrivers(
  host: Pick<HostConfig, 'network' | 'modules' | 'console' | 'root'>,
  final: Kconfig,
  symbolsOf: ReadonlyMap<string, readonly string[]>,
): string[] {
  const lost: string[] = [];
  for (const name of host.network) {
    const symbols = symbolsOf.get(name) ?? [];
    if (symbols.some((symbol) => final.get(symbol) === 'y')) continue;
    const got = symbols.map((symbol) => `CONFIG_${symbol} is ${final.get(symbol) ?? 'n'}`).join(', ');
    if (symbols.length > 0) lost.push(`network: ${name} is not built in: ${got}`);
    // What is part of that kernel itself may have another name here; a module has not.
    else if (host.modules.includes(name)) lost.push(`network: this kernel has no ${name}`);
  }
  if (host.console !== undefined && final.get(host.console) !== 'y')
    lost.push(`console: CONFIG_${host.console} is ${final.get(host.console) ?? 'n'}`);
  if (host.root !== undefined && final.get(host.root) !== 'y')
    lost.push(`root: CONFIG_${host.root} is ${final.get(host.root) ?? 'n'}`);
  return lost;
}

// --- internal ---

function configProblem(text: string, symbols: Kconfig): string | undefined {
  const [, arch] = /^# Linux\/(\S+) \S+ Kernel Configuration$/m.exec(text) ?? [];
  if (arch !== undefined && !/^(?:x86|x86_64)$/.test(arch)) return `is of another architecture: ${arch}`;
  if (symbols.size < SYMBOLS_MIN)
    return `is no configuration: it sets ${symbols.size} symbol${symbols.size === 1 ? '' : 's'}`;
  if (symbols.get('X86_64') !== 'y') return 'is of another architecture: CONFIG_X86_64 is not set';
  return undefined;
}

// Facts that an older kvm-hil wrote have the card's own driver alone.
function networkModules(survey: Readonly<Record<string, string>>): string[] {
  const said = survey['net_modules'] ?? survey['net_driver'] ?? '';
  return said
    .split(' ')
    .map((name) => name.replaceAll('-', '_'))
    .filter((name) => /^\w{1,64}$/.test(name));
}
