// SPDX-License-Identifier: GPL-2.0-only
// Which seeded bugs were seen: TAP with a test per mutant, and rows of a table of mutants against what killed them.
import type { MutantResult, MutationDocument, SuiteScore } from '../model/mutation.ts';
import { escaped, oneLine, yaml } from './tap.ts';

/** A survivor is not ok: a rule that no case checks. So is a mutant that says nothing: invalid, or an error. */
export function mutationTap(document: MutationDocument): string {
  const { mutants, base, summary } = document;
  const out = ['TAP version 14', `1..${mutants.length}`];
  const head = [
    `kvm-hil ${document.tool.version}, mutation run ${document.id}`,
    `base: ${base.name ?? base.spec}, kconfig ${document.kconfig}`,
    `seed: ${document.seed}`,
    `again: ${document.command}`,
  ];
  out.push(...head.map((line) => `# ${oneLine(line)}`));
  mutants.forEach((mutant, index) => {
    out.push(...testLines(mutant, index + 1));
  });
  out.push(...mutationSummary(document).map((line) => `# ${line}`));
  if (summary.survived > 0) {
    out.push('# rules that no case checks:');
    for (const { id, breaks } of mutants.filter((one) => one.outcome === 'survived'))
      out.push(`#   ${oneLine(`${breaks} (${id})`)}`);
  }
  return `${out.join('\n')}\n`;
}

/** Counts, speed, and the score of each suite; one line each. */
export function mutationSummary({ summary }: MutationDocument): string[] {
  const { killed, killedByBoot, survived, invalid, equivalent, error, left, medianMs, score } = summary;
  const lines = [
    `killed ${killed}, killed by boot ${killedByBoot}, survived ${survived}, equivalent ${equivalent}, ` +
      `invalid ${invalid}, error ${error}${left === 0 ? '' : `, not tried ${left}`}`,
  ];
  if (medianMs !== null && medianMs > 0)
    lines.push(`median ${seconds(medianMs)} s a mutant: ${(60_000 / medianMs).toFixed(1)} a minute`);
  if (score !== null) {
    const { ours, upstream } = score;
    const side = (name: string, one: typeof ours) =>
      `${name} killed ${one.killed} of ${one.of} in ${seconds(one.runMs)} s`;
    const share =
      upstream.runMs === 0 ? '' : ` (${((100 * ours.runMs) / upstream.runMs).toFixed(0)} % of it)`;
    lines.push(`${side('these cases', ours)}${share}; ${side("the kernel's selftests", upstream)}`);
  }
  return lines;
}

/** @returns the head and the rows: mutant, outcome, what killed it, seconds to build, boot and run */
export function mutationTable(document: MutationDocument): { head: string[]; rows: string[][] } {
  const against = document.against !== null;
  const more = against ? ['selftests', 'run'] : [];
  return {
    head: ['mutant', 'outcome', 'case', 'rule', 'build', 'boot', 'run', ...more],
    rows: document.mutants.map((one) => [
      one.id,
      one.outcome ?? 'not tried',
      one.ours?.kill?.case ?? '',
      rulesOf(one),
      seconds(one.buildMs),
      seconds(one.ours?.bootMs),
      seconds(one.ours?.runMs),
      ...(against ? [selftestOf(one.upstream), seconds(one.upstream?.runMs)] : []),
    ]),
  };
}

// --- internal ---

function testLines(mutant: MutantResult, number: number): string[] {
  const { outcome, equivalent } = mutant;
  const proven = equivalent !== null && outcome !== 'killed';
  const ok = proven || ((outcome === 'killed' || outcome === 'killed-by-boot') && equivalent === null);
  const skip = proven ? ` # SKIP equivalent: ${escaped(equivalent)}` : '';
  const line = `${ok ? 'ok' : 'not ok'} ${number} - ${escaped(`${mutant.id} ${mutant.title}`)}${skip}`;
  return [line, ...yaml(fieldsOf(mutant), '  ')];
}

function fieldsOf(mutant: MutantResult): Record<string, unknown> {
  const { outcome, text, breaks, detail, ours, upstream, equivalent, buildMs } = mutant;
  const kill = ours?.kill ?? undefined;
  return {
    outcome: outcome ?? 'not tried',
    breaks,
    ...(text === '' ? {} : { message: text }),
    ...(kill === undefined ? {} : { killed_by: kill.case }),
    ...(kill === undefined || kill.rules.length === 0
      ? {}
      : { rules: kill.rules.map(({ id, rule }) => `${id} ${rule}`) }),
    ...(equivalent !== null && outcome === 'killed' ? { disproves: equivalent } : {}),
    ...(buildMs === undefined ? {} : { build_ms: buildMs }),
    ...(ours === undefined ? {} : { boot_ms: Math.round(ours.bootMs), run_ms: Math.round(ours.runMs) }),
    ...(upstream === undefined
      ? {}
      : { selftests: selftestOf(upstream), selftests_ms: Math.round(upstream.runMs) }),
    ...(detail === undefined ? {} : { detail: detail.split('\n').slice(0, DETAIL_LINES_MAX) }),
  };
}

const DETAIL_LINES_MAX = 20;

function rulesOf({ ours, text, outcome }: MutantResult): string {
  const kill = ours?.kill ?? null;
  if (kill === null) return outcome === null || outcome === 'survived' ? '' : short(text);
  return kill.rules.length === 0 ? short(kill.reason.text) : kill.rules.map(({ id }) => id).join(' ');
}

function selftestOf(score: SuiteScore | undefined): string {
  if (score === undefined) return '';
  return score.kill === null ? 'survived' : score.kill.case;
}

/** Of a sentence in a column. */
const COLUMN_CHARS_MAX = 60;

function short(text: string): string {
  const line = oneLine(text);
  return line.length > COLUMN_CHARS_MAX ? `${line.slice(0, COLUMN_CHARS_MAX - 3)}...` : line;
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '' : (ms / 1000).toFixed(1);
}
