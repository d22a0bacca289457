// SPDX-License-Identifier: GPL-2.0-only
// What a KVM selftest says by its output, as observations beside the exit status that was seen. None of these is the
// verdict of the selftest: tools/testing/selftests/kvm/lib/assert.c ends with 4, a skip, when an assertion fails while
// errno happens to be EACCES, and most of the programs print no result at all.
import { ODDITIES } from './ktap-oddities.ts';
import { type KtapNode, type KtapReport, readKtap } from './ktap-tree.ts';
import type { Folded } from './observation.ts';

/** The exit status of kselftest.h for a test that cannot run here. */
const EXIT_SKIP = 4;
const NAMES_MAX = 10;
const TEXT_CHARS_MAX = 300;

/** The failed assertions of a selftest: how many, and the first, without process ids and stack. Null when there is none. */
export interface Assertions {
  count: number;
  /** `guest_memfd_test.c:123` */
  where: string | null;
  expression: string | null;
  errno: string | null;
  message: string | null;
}

/**
 * Adds to a folded case what its program printed: the observations `assertions`, `results` and `plan`; the facts
 * `prints_results`, `random_seed` and `skipped_parts`; and, when the program skipped itself, that it could not be set
 * up. A case without such output is returned as it is.
 */
export function readSelftest(folded: Folded): Folded {
  const { output } = folded;
  if (output === undefined) return folded;
  const assertions = readAssertions(output);
  const report = readKtap(output);
  const results = describeResults(report);
  // Part of a selftest may be left out, and its status does not tell.
  const parts = [...output.matchAll(/^(.{1,200}), skipping test\r?$/gm)].map((match) => match[1] ?? '');
  const seed = /^Random seed: (0x[0-9a-f]{1,16})$/m.exec(output)?.[1];
  const skipped = assertions.count === 0 ? whySkipped(folded, report, output) : undefined;
  return {
    ...folded,
    obs: { ...folded.obs, assertions: { ...assertions }, ...results.obs },
    facts: {
      ...folded.facts,
      prints_results: results.prints,
      ...(seed === undefined ? {} : { random_seed: seed }),
      ...(parts.length === 0 ? {} : { skipped_parts: parts.slice(0, NAMES_MAX) }),
    },
    setup: skipped === undefined ? folded.setup : [...folded.setup, { skipped }],
  };
}

// --- internal ---

const BANNER = /^==== Test Assertion Failure ====\r?$/gm;
const PLACE = /^ {2}(\S{1,200}:\d{1,9}): (.*)$/;
const PROCESS = /^ {2}pid=\d+ tid=\d+ errno=(\d+) - (.*)$/;
/** A line of the stack: addr2line's, numbered by cat; or what a shell says that has no addr2line. */
const STACK = /^\s+\d+\t|^sh: |^ {2}\(stack trace empty\)/;
const STACK_LINES_MAX = 100;

function readAssertions(output: string): Assertions {
  const banners = [...output.matchAll(BANNER)];
  const first: Assertions = {
    count: banners.length,
    where: null,
    expression: null,
    errno: null,
    message: null,
  };
  const banner = banners[0];
  if (banner === undefined) return first;
  const lines = output
    .slice(banner.index, banner.index + 16_384)
    .split('\n')
    .slice(1);
  for (const line of lines.slice(0, STACK_LINES_MAX)) {
    const place = PLACE.exec(line);
    const process = PROCESS.exec(line);
    if (process !== null) first.errno = `${process[1]} ${process[2]}`;
    else if (STACK.test(line)) continue;
    else if (first.where === null && place !== null) {
      first.where = place[1] ?? '';
      first.expression = cut(place[2] ?? '');
    } else if (line.startsWith('  ')) {
      first.message = cut(line.trim());
      break;
    } else if (first.where !== null) break;
  }
  return first;
}

function describeResults(report: KtapReport): { prints: boolean; obs: Folded['obs'] } {
  const { counts } = report;
  const skips = counts.skip;
  const good = counts.pass + counts.xfail + counts.xpass + counts.todo;
  const bad = counts.fail + counts.timeout + counts.error + counts.missing;
  // Most selftests print no result: nothing is missing then, but what looks like one.
  const prints = report.documents.length > 0;
  const broken = report.anomalies.filter(({ kind }) =>
    prints ? ODDITIES[kind] : kind === 'result-malformed' || kind === 'plan-malformed',
  );
  const failed = report.documents.flatMap((one) => failedOf(one.tests, '')).slice(0, NAMES_MAX);
  return {
    prints: prints || broken.length > 0,
    obs: {
      results: { good, bad, skips, failed },
      plan: { broken: [...new Set(broken.map(({ kind }) => kind))].slice(0, NAMES_MAX) },
    },
  };
}

function failedOf(tests: readonly KtapNode[], above: string): string[] {
  return tests.flatMap((test) => {
    const name = cut(above === '' ? test.name : `${above} / ${test.name}`);
    const below = failedOf(test.tests ?? [], name);
    if (below.length > 0) return below;
    return ['fail', 'timeout', 'error', 'missing'].includes(test.outcome) ? [name] : [];
  });
}

// A skip of its own is not foreseen by what the case requires: nothing was tested, and nobody was told.
function whySkipped(folded: Folded, report: KtapReport, output: string): string | undefined {
  const exit = folded.obs['program']?.['exit'];
  const { counts } = report;
  const ran = Object.entries(counts).some(([outcome, count]) => outcome !== 'skip' && count > 0);
  const allSkipped = exit === 0 && counts.skip > 0 && !ran;
  if (exit !== EXIT_SKIP && !allSkipped) return undefined;
  const planned = report.documents.find((one) => one.skipped !== undefined)?.skipped;
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  return cut(planned ?? (allSkipped ? `all of its ${counts.skip} tests` : last));
}

function cut(text: string): string {
  return text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}...` : text;
}
