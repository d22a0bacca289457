// SPDX-License-Identifier: GPL-2.0-only
// Which kvm-hil this is: by name, and by content.
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { inPackage, packageRoot } from './dirs.ts';
import { hashOf } from './files.ts';

/** Version of this kvm-hil, from package.json. */
export function version(): string {
  return (JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as { version: string }).version;
}

/**
 * SHA-256 over what decides how a case is run and judged: the compiled harness without its tests, and the first process
 * of an embedded host. The version is the same from one commit to the next, this is not.
 * @param root folder of the package
 */
export async function harnessHash(root: string = packageRoot()): Promise<string> {
  const dist = path.join(root, 'dist', 'harness');
  const names = (await readdir(dist, { recursive: true }))
    .filter((name) => name.endsWith('.js') && !name.startsWith(`test${path.sep}`))
    .map((name) => path.join('dist', 'harness', name));
  const parts: (string | Buffer)[] = [];
  for (const name of [...names.sort(), path.join('infra', 'initramfs', 'init')])
    parts.push(name, await readFile(path.join(root, name)));
  return hashOf(...parts);
}
