// SPDX-License-Identifier: GPL-2.0-only
// The run for people: what the series broke first, everything else below. Also reads well as plain text in a mail.
import { kconfigTitle } from '../model/host-config.ts';
import type { InvariantResult, ResultDocument, TestResult } from '../model/result.ts';
import { revisionName } from '../model/series.ts';
import { excuseOf, testName } from './tap.ts';

const OBSERVED_CHARS_MAX = 300;

export function markdown(result: ResultDocument): string {
  const { run, summary } = result;
  const counted = result.tests.filter((test) => test.counts);
  const revision = (run.series?.revision ?? 1) === 1 ? '' : `, ${revisionName(run.series?.revision ?? 1)}`;
  const parts = [
    `# ${inline(headline(result))}`,
    table(
      ['', ''],
      [
        ['run', run.id],
        ['base', run.base.name],
        ['series', run.series === null ? 'none' : `${run.series.title}${revision} (${run.series.spec})`],
        ...originRows(result),
        ...result.kernels.map((kernel) => [`${kernel.role} kernel`, kernel.release ?? 'none']),
        ['kconfig', kconfigTitle(run)],
        ...result.hosts.map((host) => [`host ${host.name}`, host.how.join(', ') || 'never booted']),
        ['seed', run.seed],
        ['again', `\`${run.command}\``],
      ],
    ),
    `pass ${summary.pass}, fail ${summary.fail}, error ${summary.error}, miss ${summary.miss}, skip ${summary.skip}`,
  ];
  if (counted.length > 0) parts.push('## Counts against the run', ...counted.map(describeTest));
  const excused = result.tests.filter(
    (test) => !test.counts && ['fail', 'error', 'miss'].includes(test.verdict),
  );
  if (excused.length > 0) {
    parts.push(
      '## Fails, but does not count',
      bullets(excused.map((test) => `${testName(test)}: ${test.reason.text} (${whyNot(test, result)})`)),
    );
  }
  const fixed = result.tests.filter((test) => test.comparison === 'fixed');
  if (fixed.length > 0) parts.push('## Fixed by the series', bullets(fixed.map(testName)));
  parts.push('## All tests', table(['test', 'verdict', 'against base', 'reason'], result.tests.map(row)));
  const notShown = result.hosts.flatMap((host) =>
    host.notShown.map((one) => `${host.name}: ${one.what}: ${one.why}`),
  );
  if (notShown.length > 0) parts.push('## Could not be shown', bullets(notShown));
  return `${parts.join('\n\n')}\n`;
}

/** One sentence: the answer to the question that the run was started for. */
export function headline(result: ResultDocument): string {
  const { tests, summary, run } = result;
  const failed = tests.filter((test) => test.counts && test.verdict === 'fail').length;
  const unknown = tests.filter((test) => test.counts && test.verdict !== 'fail').length;
  const subject = run.series === null ? run.base.name : run.series.title;
  const plural = (count: number) => `${count} test${count === 1 ? '' : 's'}`;
  if (summary.exitCode === 1) {
    return run.series === null
      ? `${plural(failed)} fail${failed === 1 ? 's' : ''} on ${subject}`
      : `"${subject}" breaks ${plural(failed)}`;
  }
  if (summary.exitCode === 3)
    return `"${subject}": nothing known to break, but ${plural(unknown)} could not be judged`;
  return run.series === null ? `${subject} passes` : `"${subject}" breaks nothing that was tested`;
}

// --- internal ---

function originRows({ run }: ResultDocument): string[][] {
  const { baseCommit, changeId } = run.series ?? {};
  const isOther = baseCommit !== undefined && run.base.commit?.startsWith(baseCommit) !== true;
  return [
    ...(baseCommit === undefined
      ? []
      : [['made for', `base-commit ${baseCommit}${isOther ? ', which is not this base' : ''}`]]),
    ...(changeId === undefined ? [] : [['change-id', changeId]]),
  ];
}

function whyNot(test: TestResult, result: ResultDocument): string {
  return excuseOf(test, result.run.series !== null) ?? test.comparison ?? test.reason.code;
}

function describeTest(test: TestResult): string {
  const lines = [
    `### ${testName(test)}: ${test.verdict}${test.comparison === undefined ? '' : `, ${test.comparison}`}`,
    '',
    inline(test.reason.text),
  ];
  for (const splat of test.splats) lines.push('', inline(`splat: ${splat.title} (${splat.fingerprint})`));
  const broken = test.invariants.filter((one) => one.counts || (test.counts && one.verdict === 'error'));
  for (const invariant of broken) lines.push('', describeInvariant(invariant));
  if (test.detail !== undefined) lines.push('', fenced(test.detail));
  return lines.join('\n');
}

function describeInvariant(invariant: InvariantResult): string {
  return [
    `- **${invariant.id}** ${inline(invariant.rule)}`,
    `  - observed ${code(invariant.observe)}: \`${short(invariant.observed)}\``,
    `  - expected: \`${short(invariant.expected)}\``,
  ].join('\n');
}

// Longer than any fence inside: a log may hold anything.
function fenced(text: string): string {
  const longest = Math.max(2, ...(text.match(/`{3,}/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return [fence, text, fence].join('\n');
}

function row(test: TestResult): string[] {
  return [testName(test), test.verdict, test.comparison ?? '', test.reason.text];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- ').join('|')}|`, ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return inline(text).replaceAll('|', '\\|');
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${inline(line)}`).join('\n');
}

// One line that begins no heading, list, quotation or tag: subjects of patches and kernel logs are written by others.
function inline(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/<(?=[A-Za-z/!?])/g, '\\<')
    .replace(/^(?=[#>+*=-])/, '\\')
    .replace(/^(\d+)(?=[.)] )/, '$1\\');
}

function code(text: string): string {
  return `\`${text.replace(/\s+/g, ' ').replaceAll('`', "'")}\``;
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return (text.length > OBSERVED_CHARS_MAX ? `${text.slice(0, OBSERVED_CHARS_MAX)}...` : text).replaceAll(
    '`',
    "'",
  );
}
