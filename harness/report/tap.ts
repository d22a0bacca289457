// SPDX-License-Identifier: GPL-2.0-only
// TAP 14 (testanything.org/tap-version-14-specification): one test per kernel, host and case; its invariants as a
// subtest. A "not ok" that does not count against the run carries a TODO with the reason.
import { kconfigTitle } from '../model/host-config.ts';
import {
  type InvariantResult,
  nothingJudged,
  type ResultDocument,
  type TestResult,
} from '../model/result.ts';

const DETAIL_LINES_MAX = 40;
/** Commits that an excuse names; a directive is one line. */
const COMMITS_MAX = 5;

export function tap(result: ResultDocument): string {
  const out: string[] = ['TAP version 14', `1..${result.tests.length}`];
  for (const line of headLines(result)) out.push(`# ${line}`);
  result.tests.forEach((test, index) => {
    out.push(...subtest(test, result), ...testLines(test, index + 1, result));
  });
  if (nothingJudged(result.tests)) out.push('# nothing was judged: every case was skipped');
  const { pass, fail, error, miss, skip, counted } = result.summary;
  out.push(
    `# pass ${pass}, fail ${fail}, error ${error}, miss ${miss}, skip ${skip}; ${counted} count against the run`,
  );
  return `${out.join('\n')}\n`;
}

/** How a test is called in reports: `series qemu gmem/bind`. */
export function testName(test: TestResult): string {
  const variant = test.variant === null ? '' : `@${test.variant}`;
  const round = test.round === 1 ? '' : ` (round ${test.round})`;
  return [test.kernel, test.host, `${test.case}${variant}${round}`].filter((part) => part !== null).join(' ');
}

/** Why a test that is not ok does not count against the run; undefined when it does. */
export function excuseOf(test: TestResult, hasSeries: boolean): string | undefined {
  if (test.counts) return undefined;
  const failed = test.invariants.filter((one) => one.verdict === 'fail');
  const known = [...failed, ...test.splats];
  const commits = [...new Set(known.flatMap((one) => one.known?.commit ?? []))];
  const releases = [...new Set(known.flatMap((one) => one.known?.seen ?? []))];
  if (test.reason.code === 'known' && commits.length + releases.length > 0) return knownBy(commits, releases);
  if (test.comparison === 'same-failure') return 'also on base';
  return hasSeries && test.kernel === 'base' ? 'on base, not of the series' : undefined;
}

// --- internal ---

function knownBy(commits: readonly string[], releases: readonly string[]): string {
  return [
    ...(commits.length === 0 ? [] : [`fixed by ${named(commits)}`]),
    ...(releases.length === 0 ? [] : [`also in ${named(releases)}, not fixed`]),
  ].join('; ');
}

function named(commits: readonly string[]): string {
  const more = commits.length - COMMITS_MAX;
  const shown = commits.slice(0, COMMITS_MAX).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function headLines(result: ResultDocument): string[] {
  const { run, kernels, hosts } = result;
  const lines = [`kvm-hil ${result.tool.version}, run ${run.id}`, `base: ${run.base.name}`];
  if (run.series !== null) {
    const provides = run.series.provides.length === 0 ? '' : `, promises ${run.series.provides.join(', ')}`;
    lines.push(`series: ${run.series.title} (${run.series.spec})${provides}`);
  }
  for (const kernel of kernels)
    lines.push(`${kernel.role} kernel: ${kernel.release ?? 'none'}, kconfig ${kconfigTitle(run)}`);
  for (const host of hosts) lines.push(`host ${host.name}: ${host.how.join(', ') || 'never booted'}`);
  lines.push(`seed: ${run.seed}`, `again: ${run.command}`);
  return lines.map(oneLine);
}

function testLines(test: TestResult, number: number, result: ResultDocument): string[] {
  const ok = test.verdict === 'pass' || test.verdict === 'skip';
  const directive = directiveOf(test, result);
  const line = `${ok ? 'ok' : 'not ok'} ${number} - ${escaped(testName(test))}${directive}`;
  if (ok) return [line];
  return [line, ...yaml(testFields(test), '  ')];
}

function directiveOf(test: TestResult, result: ResultDocument): string {
  if (test.verdict === 'skip') return ` # SKIP ${escaped(test.reason.text)}`;
  if (test.verdict === 'pass') return '';
  const excuse = excuseOf(test, result.run.series !== null);
  return excuse === undefined ? '' : ` # TODO ${escaped(excuse)}`;
}

function testFields(test: TestResult): Record<string, unknown> {
  return {
    verdict: test.verdict,
    reason: test.reason.code,
    message: test.reason.text,
    ...(test.comparison === undefined ? {} : { comparison: test.comparison }),
    ...(test.trouble === undefined ? {} : { also: `${test.trouble.code}: ${test.trouble.text}` }),
    ...(test.title === '' ? {} : { title: test.title }),
    ...(test.splats.length === 0
      ? {}
      : {
          splats: test.splats.map(
            (splat) => `${splat.title} [${splat.fingerprint}]${splat.discounted ? ' (discounted)' : ''}`,
          ),
        }),
    ...(test.detail === undefined ? {} : { detail: test.detail.split('\n').slice(0, DETAIL_LINES_MAX) }),
  };
}

function subtest(test: TestResult, result: ResultDocument): string[] {
  if (test.invariants.length === 0) return [];
  const lines = [`# Subtest: ${escaped(testName(test))}`];
  test.invariants.forEach((invariant, index) => {
    lines.push(...invariantLines(test, invariant, index + 1, result).map((line) => `    ${line}`));
  });
  lines.push(`    1..${test.invariants.length}`);
  return lines;
}

function invariantLines(
  test: TestResult,
  invariant: InvariantResult,
  number: number,
  result: ResultDocument,
): string[] {
  const ok = invariant.verdict === 'pass' || invariant.verdict === 'skip';
  const name = `${test.case} ${invariant.id} ${invariant.rule}`;
  const weak = invariant.evidence === undefined ? '' : ' [weak evidence]';
  const excuse = ok ? undefined : excuseOfInvariant(test, invariant, result.run.series !== null);
  const skip = invariant.verdict === 'skip' ? ' # SKIP does not apply to this kernel' : '';
  const directive = excuse === undefined ? skip : ` # TODO ${escaped(excuse)}`;
  const line = `${ok ? 'ok' : 'not ok'} ${number} - ${escaped(`${name}${weak}`)}${directive}`;
  if (ok) return [line];
  return [
    line,
    ...yaml(
      {
        rule: `${invariant.id} ${invariant.rule}`,
        observe: invariant.observe,
        verdict: invariant.verdict,
        ...(invariant.control ? { control: true } : {}),
        ...(invariant.comparison === undefined ? {} : { comparison: invariant.comparison }),
        ...(invariant.known === undefined
          ? {}
          : { known: `${invariant.known.commit ?? invariant.known.seen}: ${invariant.known.why}` }),
        ...(invariant.expected === undefined ? {} : { expected: invariant.expected }),
        ...(invariant.observed === undefined ? {} : { observed: invariant.observed }),
        ...(invariant.violations === undefined ? {} : { violations: invariant.violations }),
      },
      '  ',
    ),
  ];
}

function excuseOfInvariant(
  test: TestResult,
  invariant: InvariantResult,
  hasSeries: boolean,
): string | undefined {
  if (invariant.known !== undefined && !invariant.counts) {
    const { commit, seen } = invariant.known;
    return knownBy(commit === undefined ? [] : [commit], seen === undefined ? [] : [seen]);
  }
  if (invariant.comparison === 'same-failure') return 'also on base';
  // What the whole test is excused for, its parts are too: a reader that flattens must not count them.
  return excuseOf(test, hasSeries);
}

/** Fields as a block of TAP: JSON scalars and flow collections are YAML 1.2. */
export function yaml(fields: Record<string, unknown>, indent: string): string[] {
  const lines = [`${indent}---`];
  for (const [key, value] of Object.entries(fields)) {
    // Nothing behind the colon would be null.
    if (Array.isArray(value) && value.length > 0) {
      lines.push(`${indent}${key}:`);
      for (const item of value) lines.push(`${indent}  - ${json(item)}`);
    } else lines.push(`${indent}${key}: ${json(value)}`);
  }
  lines.push(`${indent}...`);
  return lines;
}

// Characters that some readers take for the end of a line, or a terminal for a command, are escaped as well.
function json(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** In descriptions and directives of TAP 14, "#" and the backslash are escaped. */
export function escaped(text: string): string {
  return oneLine(text).replace(/[\\#]/g, '\\$&');
}

export function oneLine(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd')
    .trim();
}
