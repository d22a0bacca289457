// SPDX-License-Identifier: GPL-2.0-only
// What commands that begin a run share: the name of its folder, and the command line that does the same again.
import path from 'node:path';
import { inPackage } from '../effects/dirs.ts';
import { exists } from '../effects/files.ts';
import { RunDir } from '../effects/run-dir.ts';
import { UsageError } from '../errors.ts';

/** The folder of a new run, made. @throws UsageError `output-exists`; InfraError `no-folder` */
export async function newRun(output: string | undefined, created: Date, slug: string): Promise<RunDir> {
  if (output !== undefined) {
    if (await exists(output)) {
      throw new UsageError({
        code: 'output-exists',
        message: `--output ${output} is there already`,
        hint: 'name a new folder',
      });
    }
    return RunDir.create(path.resolve(output));
  }
  const stamp = created.toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
  const name = `${stamp}-${slug.replace(/[^\w.+-]/g, '_').slice(0, 60)}`;
  for (let copy = 1; ; copy++) {
    try {
      return await RunDir.create(inPackage('results', 'runs', copy === 1 ? name : `${name}.${copy}`));
    } catch (error) {
      // Another run of the same second has it.
      if (!(error instanceof UsageError)) throw error;
    }
  }
}

/** Words as a shell takes them. */
export function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./*-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
