// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil cases: what there is to run, or all of one case's rules.
import { matchesGlob } from '../effects/glob.ts';
import { table } from '../effects/table.ts';
import { UsageError } from '../errors.ts';
import { readContract } from '../model/contract.ts';
import type { CaseFiles } from '../model/manifest.ts';
import { readCases } from '../run/cases.ts';

export async function casesCommand(globs: readonly string[], o: { rules?: boolean }): Promise<number> {
  const all = await readCases();
  const cases =
    globs.length === 0 ? all : all.filter((file) => globs.some((glob) => matchesGlob(file.id, glob)));
  if (cases.length === 0) {
    throw new UsageError({
      code: 'unknown-case',
      message: `${globs.join(', ')} matches no case`,
      hint: 'kvm-hil cases',
    });
  }
  if (o.rules === true) process.stdout.write(`${cases.map(describeRules).join('\n\n')}\n`);
  else {
    const row = (file: CaseFiles) => [
      file.id,
      String(readContract(file.schema).invariants.length),
      [...file.manifest.requires, ...file.manifest.tags.map((tag) => `#${tag}`)].join(' '),
      file.manifest.title,
    ];
    process.stdout.write(table(['case', 'rules', 'requires, tags', ''], cases.map(row)));
  }
  return 0;
}

function describeRules(file: CaseFiles): string {
  const { manifest } = file;
  const lines = [`${file.id}: ${manifest.title}`];
  for (const guard of manifest.guards) lines.push(`  guards ${guard.what} (${guard.source})`);
  for (const invariant of readContract(file.schema).invariants) {
    lines.push(`  ${invariant.id.padEnd(5)} ${invariant.rule} [${invariant.key}]`);
  }
  return lines.join('\n');
}
