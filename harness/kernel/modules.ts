// SPDX-License-Identifier: GPL-2.0-only
// The modules of a kernel: taken out of the object folder, kept with its image, known by what they say of themselves.
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { hashFile, plainFile, readPlain } from '../effects/files.ts';
import { KernelError } from '../errors.ts';
import type { KernelModule } from '../model/image.ts';
import { sectionNamed } from './elf.ts';

/** As image.json has it: results/schema/image.schema.json. */
export type ModuleRecord = Omit<KernelModule, 'file'>;

/** More than any of our configurations has. */
const MODULES_MAX = 64;
const FOLDER = 'modules';

/**
 * Copies what make listed as modules into the folder of an image.
 * @returns in the order in which they can be loaded
 * @throws KernelError `bad-module`
 */
export async function storeModules(objects: string, image: string): Promise<ModuleRecord[]> {
  const list = (await readPlain(objects, 'modules.order')).split('\n').filter((line) => line !== '');
  if (list.length > MODULES_MAX)
    throw badModule(`${list.length} of them, and ${MODULES_MAX} are expected at most`);
  const found: ModuleParts[] = [];
  await mkdir(path.join(image, FOLDER), { recursive: true });
  for (const line of list) {
    // Until 6.2 modules, objects since then.
    const name = line.replace(/\.k?o$/, '.ko');
    const module = readModule(await readFile(await plainFile(objects, name)), name);
    if (!/^\w{1,55}$/.test(module.name)) throw badModule(`${name} has no name`);
    await copyFile(await plainFile(objects, name), fileOf(image, module.name));
    found.push(module);
  }
  return loadOrder(found).map(({ needs, ...record }) => record);
}

/** @returns undefined when any of them is damaged */
export async function openModules(
  image: string,
  records: readonly ModuleRecord[],
): Promise<KernelModule[] | undefined> {
  const modules = records.map((record) => ({ ...record, file: fileOf(image, record.name) }));
  const hashes = await Promise.all(modules.map(({ file }) => hashFile(file).catch(() => '')));
  return modules.every(({ hash }, index) => hash === hashes[index]) ? modules : undefined;
}

export interface ModuleParts extends ModuleRecord {
  /** Names of the modules that have to be there before. */
  needs: string[];
}

/**
 * What a module says of itself.
 * @param file for people
 * @throws KernelError `bad-module`, InfraError `not-elf`
 */
export function readModule(bytes: Buffer, file: string): ModuleParts {
  const said = sectionNamed(bytes, file, '.modinfo')?.toString('latin1').split('\0') ?? [];
  const of = (name: string) => said.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
  const buildId = buildIdOf(sectionNamed(bytes, file, '.note.gnu.build-id'));
  const [name, vermagic] = [of('name'), of('vermagic')];
  if (name === undefined || vermagic === undefined || buildId === undefined)
    throw badModule(`${file} does not say which module it is`);
  const needs = (of('depends') ?? '').split(',').filter((one) => one !== '');
  return {
    name: named(name),
    hash: createHash('sha256').update(bytes).digest('hex'),
    vermagic: vermagic.trim(),
    buildId,
    needs: needs.map(named),
  };
}

/** Each behind those that it needs; else as they were. */
export function loadOrder<M extends Pick<ModuleParts, 'name' | 'needs'>>(modules: readonly M[]): M[] {
  const sorted: M[] = [];
  const visit = (module: M, above: readonly string[]) => {
    if (sorted.includes(module)) return;
    if (above.includes(module.name)) throw badModule(`${module.name} needs itself`);
    for (const other of modules) if (module.needs.includes(other.name)) visit(other, [...above, module.name]);
    sorted.push(module);
  };
  for (const module of modules) visit(module, []);
  return sorted;
}

// --- internal ---

const GNU_NOTE = 16;

function fileOf(image: string, name: string): string {
  return path.join(image, FOLDER, `${name}.ko`);
}

// As the kernel does: `kvm-amd.ko` is kvm_amd.
function named(name: string): string {
  return name.replaceAll('-', '_');
}

// Lengths of name and content, type, `GNU`, content.
function buildIdOf(note: Buffer | undefined): string | undefined {
  if (note === undefined || note.length <= GNU_NOTE) return undefined;
  return note.subarray(GNU_NOTE, GNU_NOTE + note.readUInt32LE(4)).toString('hex');
}

function badModule(what: string): KernelError {
  return new KernelError({
    code: 'bad-module',
    message: `the kernel's modules are not as they should be: ${what}`,
  });
}
