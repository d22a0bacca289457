// SPDX-License-Identifier: GPL-2.0-only
// The inventory on disk: `infra/labs/*.yaml` of the project and `kvm-hil/labs/*.yaml` of the user's configuration, or
// the folders that KVM_HIL_LABS names instead.
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { inConfig, inPackage } from '../effects/dirs.ts';
import { matchesGlob } from '../effects/glob.ts';
import { documentProblems } from '../effects/schema.ts';
import { parseYaml } from '../effects/yaml.ts';
import { UsageError } from '../errors.ts';
import { inventoryProblems, type LabDocument, type LabHost, labHosts, selectHosts } from '../model/lab.ts';

/** Hosts that need no inventory. */
export const BUILT_IN = ['qemu', 'local'] as const;

export function isBuiltIn(name: string): boolean {
  return (BUILT_IN as readonly string[]).includes(name);
}

const FILE_CHARS_MAX = 1024 * 1024;

/** @throws UsageError `bad-inventory`, naming file and host, or InfraError `invalid-yaml` */
export async function readLabs(folders: readonly string[] = labFolders()): Promise<LabHost[]> {
  const hosts: LabHost[] = [];
  for (const file of (await Promise.all(folders.map(yamlFiles))).flat()) {
    const document = parseYaml((await readFile(file, 'utf8')).slice(0, FILE_CHARS_MAX), file);
    const problems = documentProblems('lab', document);
    if (problems.length > 0) throw badInventory(problems.map((one) => `${file}: ${named(one, document)}`));
    for (const host of labHosts(document as LabDocument, file)) {
      hosts.push(host.key === undefined ? host : { ...host, key: absolute(host.key, file) });
    }
  }
  const problems = inventoryProblems(hosts, BUILT_IN);
  if (problems.length > 0) throw badInventory(problems);
  return hosts;
}

/** For once: though nothing could bring them back. */
export function letThemHang(hosts: readonly LabHost[]): void {
  for (const host of hosts) host.unattended_ok = true;
}

/** The hosts that names, tags (`tag:amd`) or globs mean; all without any. @throws UsageError `unknown-host` */
export function chooseHosts(all: readonly LabHost[], selectors: readonly string[]): LabHost[] {
  if (selectors.length === 0) return [...all];
  const { hosts, unmatched } = selectHosts(all, selectors, matchesGlob);
  if (unmatched.length > 0) throw unknownHost(unmatched, all);
  return hosts;
}

export function unknownHost(names: readonly string[], all: readonly LabHost[]): UsageError {
  return new UsageError({
    code: 'unknown-host',
    message: `there is no host ${names.join(', ')}`,
    hint: `hosts: ${[...BUILT_IN, ...all.map((host) => host.name)].join(', ')}; more are described in ${labFolders().join(', ')}`,
  });
}

/** Where labs are described. */
export function labFolders(): string[] {
  const set = process.env['KVM_HIL_LABS'];
  if (set === undefined || set === '') return [inPackage('infra', 'labs'), inConfig('labs')];
  return set.split(path.delimiter).filter((folder) => folder !== '');
}

// --- internal ---

async function yamlFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .filter((name) => /^[^.].*\.ya?ml$/.test(name))
    .sort()
    .map((name) => path.join(folder, name));
}

// `/hosts/3/driver must be ...` says little to a reader of YAML.
function named(problem: string, document: unknown): string {
  const { hosts } = (document ?? {}) as { hosts?: { name?: unknown }[] };
  return problem.replace(/^\/hosts\/(\d+)\/? */, (_, index: string) => {
    const name = hosts?.[Number(index)]?.name;
    return `${typeof name === 'string' ? name : `host ${Number(index) + 1}`}: `;
  });
}

// As a shell would, and relative to the file that says it.
function absolute(key: string, file: string): string {
  if (key.startsWith('~/')) return path.join(homedir(), key.slice(2));
  return path.resolve(path.dirname(file), key);
}

function badInventory(problems: readonly string[]): UsageError {
  const [first = '', ...others] = problems;
  return new UsageError({
    code: 'bad-inventory',
    message: `the inventory is wrong: ${first}`,
    ...(others.length === 0 ? {} : { detail: others.slice(0, 20).join('\n') }),
    hint: 'infra/labs/README.md says what a host needs',
  });
}
