// SPDX-License-Identifier: GPL-2.0-only
// Which programs this machine has.
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { InfraError } from '../errors.ts';

/** The file that a name stands for on PATH; undefined when there is none. */
export function findProgram(name: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    if (!path.isAbsolute(folder)) continue;
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/**
 * Looks for programs before something begins that would fail without them, half-way and with many words.
 * @param needs program to Debian package
 * @throws InfraError `missing-tool`, naming all that are missing
 */
export function needPrograms(needs: Readonly<Record<string, string>>): void {
  const missing = Object.keys(needs).filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((name) => needs[name]))];
  throw new InfraError({
    code: 'missing-tool',
    message: `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed`,
    hint: `apt-get install ${packages.join(' ')}`,
  });
}
