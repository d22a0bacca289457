// SPDX-License-Identifier: GPL-2.0-only
// The cases of a folder: cases/<topic>/<name>/ in the project, contract/<topic>.<name>/ in a run folder.
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { inPackage } from '../effects/dirs.ts';
import { exists } from '../effects/files.ts';
import { type RunDir, readJson } from '../effects/run-dir.ts';
import { checkDocument } from '../effects/schema.ts';
import { InfraError } from '../errors.ts';
import type { CaseFiles, CaseManifest } from '../model/manifest.ts';

const MANIFEST = 'case.json';
const CONTRACT = 'expect.schema.json';

/** @throws InfraError naming the file when a manifest or a contract is damaged, or the folder when it has no cases */
export async function readCases(root: string = inPackage('cases')): Promise<CaseFiles[]> {
  const found: CaseFiles[] = [];
  const folders = await caseFolders(root);
  if (folders.length === 0)
    throw new InfraError({ code: 'no-cases-there', message: `${root} holds no case` });
  for (const folder of folders) {
    const file = path.join(root, folder, MANIFEST);
    const manifest = checkDocument<CaseManifest>('case', await readJson(file), file);
    const schema = (await readJson(await contractFile(root, folder))) as Record<string, unknown>;
    // `gmem/bind` in the project, `gmem.bind` in a run folder.
    found.push({ id: folder.includes('/') ? folder : folder.replace('.', '/'), manifest, schema });
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Whether there is a case in the folder, or a folder at all. */
export async function hasCases(root: string): Promise<boolean> {
  return (await caseFolders(root)).length > 0;
}

/** Keeps the contracts of a run as they were when it was run. */
export async function keepContracts(run: RunDir, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const folder = run.contract(id);
    await mkdir(folder, { recursive: true });
    await copyFile(inPackage('cases', id, MANIFEST), path.join(folder, MANIFEST));
    await copyFile(await contractFile(inPackage('cases'), id), path.join(folder, CONTRACT));
  }
}

// --- internal ---

// Cases of one topic may share a contract: it stands in the topic's folder then.
async function contractFile(root: string, folder: string): Promise<string> {
  const own = path.join(root, folder, CONTRACT);
  const shared = path.join(root, path.dirname(folder), CONTRACT);
  return !(await exists(own)) && folder.includes('/') && (await exists(shared)) ? shared : own;
}

async function caseFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  const isFolder = await stat(root).then(
    (one) => one.isDirectory(),
    () => false,
  );
  if (!isFolder) return [];
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    if (await exists(path.join(root, entry.name, MANIFEST))) folders.push(entry.name);
    for (const inner of await readdir(path.join(root, entry.name), { withFileTypes: true })) {
      const folder = `${entry.name}/${inner.name}`;
      if (inner.isDirectory() && (await exists(path.join(root, folder, MANIFEST)))) folders.push(folder);
    }
  }
  return folders;
}
