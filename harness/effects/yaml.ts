// SPDX-License-Identifier: GPL-2.0-only
// YAML 1.2, for files that people write by hand: the one door to yaml.
import { parseDocument } from 'yaml';
import { InfraError } from '../errors.ts';

/**
 * A file of one YAML document as a plain value. Keys that come twice, anchors and tags of its own are errors.
 * @throws InfraError `invalid-yaml`, naming the file, line and column
 */
export function parseYaml(text: string, file: string): unknown {
  const document = parseDocument(text, { version: '1.2', schema: 'core', strict: true, uniqueKeys: true });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) throw invalid(file, problem.message, problem);
  try {
    // No aliases: nothing here is worth writing once and reading a million times.
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw invalid(file, (cause as Error).message, cause);
  }
}

// --- internal ---

function invalid(file: string, why: string, cause: unknown): InfraError {
  const [line = ''] = why.split('\n', 1);
  return new InfraError({
    code: 'invalid-yaml',
    message: `${file} is not YAML: ${line.replace(/:$/, '')}`,
    cause,
  });
}
