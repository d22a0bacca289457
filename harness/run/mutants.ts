// SPDX-License-Identifier: GPL-2.0-only
// The seeded bugs of the project: cases/mutants/<area>/<id>.yaml.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { inPackage } from '../effects/dirs.ts';
import { hashOf, readIfThere } from '../effects/files.ts';
import { checkDocument } from '../effects/schema.ts';
import { parseYaml } from '../effects/yaml.ts';
import { InfraError } from '../errors.ts';
import { type Mutant, type MutantFile, mutantOf } from '../model/mutant.ts';

export interface KeptMutant {
  mutant: Mutant;
  /** SHA-256 of its file. */
  hash: string;
}

/** @returns by id. @throws InfraError naming the file that is no mutant, or is in the wrong folder */
export async function readMutants(root: string = inPackage('cases', 'mutants')): Promise<KeptMutant[]> {
  const names = (await readdir(root, { recursive: true }).catch(() => []))
    .filter((name) => name.endsWith('.yaml'))
    .sort();
  if (names.length === 0) throw new InfraError({ code: 'no-mutants', message: `${root} holds no mutant` });
  return Promise.all(names.map((name) => readMutant(root, name)));
}

// --- internal ---

async function readMutant(root: string, name: string): Promise<KeptMutant> {
  const file = path.join(root, name);
  const text = (await readIfThere(file)) ?? '';
  const said = checkDocument<MutantFile>('mutant', parseYaml(text, file), file);
  const id = name.slice(0, -'.yaml'.length).replaceAll(path.sep, '/');
  if (!/^[a-z-]+\/[a-z0-9-]+$/.test(id) || path.dirname(id) !== said.area) {
    throw new InfraError({
      code: 'mutant-misplaced',
      message: `${file} is of the area ${said.area}`,
      hint: `it belongs at ${path.join(root, said.area)}/<id>.yaml, its id in small letters, digits and dashes`,
    });
  }
  return { mutant: mutantOf(id, said), hash: hashOf(text) };
}
