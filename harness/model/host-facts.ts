// SPDX-License-Identifier: GPL-2.0-only
// What infra/provision/host/{facts,install}.sh print, as values. The text comes from a machine that is not to be trusted:
// every part is bounded.
import type { LabHost } from './lab.ts';
import type { Survey } from './survey.ts';

export interface ModuleFacts {
  name: string;
  bytes: number;
  /** Modules that need it. */
  neededBy: string[];
}

/** results/schema/host-facts.schema.json: a machine of the inventory on its own kernel. */
export interface MachineFacts {
  schema: 'kvm-hil/host-facts/1';
  host: string;
  lab: string;
  /** When they were asked for. */
  taken: string;
  release: string;
  /** What survey.sh says, by name. */
  survey: Record<string, string>;
  firmware: Record<string, string>;
  modules: ModuleFacts[];
  network: { links: string[]; addresses: string[]; routes: string[]; resolver: string[] };
  /** How it boots, as its boot loader and firmware say it. */
  boot: string[];
  /** The running kernel's configuration, whole; empty when the machine does not have it. */
  config: string;
}

/** results/schema/installed.schema.json: what kvm-hil installed on a machine, ever. */
export interface InstalledRecord {
  schema: 'kvm-hil/installed/1';
  host: string;
  lab: string;
  packages: { name: string; version: string; installed: string }[];
}

const LINES_MAX = 2000;
const LINE_CHARS_MAX = 1000;
const CONFIG_CHARS_MAX = 2 * 1024 * 1024;

/** @returns undefined when the text is cut short */
export function readMachineFacts(
  text: string,
  survey: Survey,
  host: Pick<LabHost, 'name' | 'lab'>,
  taken: Date,
): MachineFacts | undefined {
  const parts = partsOf(text);
  if (!parts.has('end')) return undefined;
  const lines = (name: string) =>
    (parts.get(name) ?? []).slice(0, LINES_MAX).map((line) => printable(line).slice(0, LINE_CHARS_MAX));
  return {
    schema: 'kvm-hil/host-facts/1',
    host: host.name,
    lab: host.lab,
    taken: taken.toISOString(),
    release: survey.get('release') ?? '?',
    survey: Object.fromEntries([...survey].filter(([name]) => !OF_THE_MOMENT.has(name))),
    firmware: Object.fromEntries(lines('firmware').flatMap(pairOf)),
    modules: lines('modules').flatMap(moduleOf),
    network: {
      links: lines('links'),
      addresses: lines('addresses'),
      routes: lines('routes'),
      resolver: lines('resolver'),
    },
    boot: lines('boot'),
    config: (parts.get('config') ?? [])
      .map((line) => `${printable(line)}\n`)
      .join('')
      .slice(0, CONFIG_CHARS_MAX),
  };
}

/** Packages that install.sh says it brought. */
export function installedPackages(text: string): { name: string; version: string }[] {
  return text.split('\n').flatMap((line) => {
    const [, name, version] = /^installed=([A-Za-z0-9][A-Za-z0-9.+_-]{0,100}) (\S{1,100})$/.exec(line) ?? [];
    return name === undefined || version === undefined ? [] : [{ name, version }];
  });
}

/** The record with more packages in it; one that was installed again is there once, with its first date. */
export function withInstalled(
  before: InstalledRecord,
  packages: readonly { name: string; version: string }[],
  when: Date,
): InstalledRecord {
  const known = new Set(before.packages.map((one) => `${one.name} ${one.version}`));
  const more = packages.filter((one) => !known.has(`${one.name} ${one.version}`));
  const installed = when.toISOString();
  return { ...before, packages: [...before.packages, ...more.map((one) => ({ ...one, installed }))] };
}

// --- internal ---

const OF_THE_MOMENT = new Set(['seconds', 'complete', 'free_kib']);

function partsOf(text: string): Map<string, string[]> {
  const parts = new Map<string, string[]>();
  let part: string[] = [];
  for (const line of text.split('\n')) {
    const [, name] = /^== ([a-z]+)$/.exec(line) ?? [];
    if (name !== undefined) {
      part = [];
      parts.set(name, part);
    } else if (line !== '') part.push(line);
  }
  return parts;
}

function printable(line: string): string {
  return line.replace(/[^\x20-\x7e\t]+/g, '?');
}

function pairOf(line: string): [string, string][] {
  const at = line.indexOf('=');
  const value = line.slice(at + 1).trim();
  return at > 0 && value !== '' ? [[line.slice(0, at), value]] : [];
}

// `kvm_amd 245760 0 - Live 0x0000000000000000`, as /proc/modules has it.
function moduleOf(line: string): ModuleFacts[] {
  const [name = '', bytes = '', , needed = '-'] = line.split(' ');
  if (!/^\w{1,64}$/.test(name) || !/^\d{1,12}$/.test(bytes)) return [];
  return [{ name, bytes: Number(bytes), neededBy: needed.split(',').filter((one) => /^\w+$/.test(one)) }];
}
