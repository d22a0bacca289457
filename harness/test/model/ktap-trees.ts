// SPDX-License-Identifier: GPL-2.0-only
// Random trees of tests, and the ways in which the kernel's test tools write such a tree down.
import type { KtapNode, KtapReport } from '../../model/ktap-tree.ts';
import { fc } from '../fuzz.ts';

export interface Plan {
  name: string;
  outcome: string;
  reason: string;
  tests: Plan[];
}

export interface Planned {
  tests: Plan[];
  /** Lines of others, put between the tests'. */
  remarks: string[];
  yaml: boolean;
}

/** What is left of a tree when only its meaning is looked at. */
export type Shape = [number: number, name: string, outcome: string, reason: string, tests: Shape[]];

const words = fc.string({ unit: fc.constantFrom(...'abco k_.:1-[]()\u00e4'), maxLength: 14 });
// What must not stand in a name, or changes when it is trimmed.
const name = words.map((text) =>
  text
    .replace(/\[ *\d+\.\d+\]/g, '')
    .trim()
    .replace(/^[- ]+/, ''),
);

const LEAF_OUTCOMES = ['pass', 'pass', 'pass', 'fail', 'skip', 'todo', 'xfail', 'timeout', 'error'];

const { tree } = fc.letrec<{ tree: Plan }>((tie) => ({
  tree: fc.record({
    name,
    outcome: fc.constantFrom(...LEAF_OUTCOMES),
    reason: name,
    tests: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 3, arbitrary: fc.constant<Plan[]>([]) },
      { weight: 1, arbitrary: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }) },
    ),
  }),
}));

const REMARKS = [
  '# a remark',
  '#',
  '',
  '# case: EXPECTATION FAILED at virt/kvm/x.c:7',
  '    Expected a == b, but',
  'kvm: a message',
  '------------[ cut here ]------------',
  'BUG: something',
  '   ',
  'okay',
  'nothing',
  '#            OK  fixture.case',
];

export const randomTree: fc.Arbitrary<Planned> = fc.record({
  tests: fc.array(tree, { minLength: 1, maxLength: 5 }).map((tests) => tests.map(settle)),
  remarks: fc.array(fc.constantFrom(...REMARKS), { maxLength: 6 }),
  yaml: fc.boolean(),
});

/** The tree in every form. */
export function renderings(planned: Planned): { name: string; text: string }[] {
  const forms: { name: string; lines: string[] }[] = [
    { name: 'ktap by two', lines: nested(planned, '  ', false) },
    { name: 'kunit', lines: nested(planned, '    ', true) },
    { name: 'kunit of old', lines: headersOnly(planned) },
    { name: 'tap 14', lines: tap14(planned) },
  ];
  if (depthOf(planned.tests) <= 4) forms.push({ name: 'kselftest', lines: quoted(planned) });
  return forms.flatMap(({ name, lines }) => [
    { name, text: lines.map((line) => `${line}\n`).join('') },
    { name: `${name}, CRLF`, text: lines.map((line) => `${line}\r\n`).join('') },
    { name: `${name}, stamped`, text: lines.map((line, at) => `${stamp(at)}${line}\n`).join('') },
  ]);
}

export function shapeOf(tests: readonly Plan[]): Shape[] {
  return tests.map((test, at) => [at + 1, test.name, test.outcome, reasonOf(test), shapeOf(test.tests)]);
}

export function shapeOfReport(report: KtapReport): Shape[] {
  const shape = (node: KtapNode): Shape => {
    const tests = (node.tests ?? []).map(shape);
    return [node.number, node.name, node.outcome, node.reason ?? '', tests];
  };
  return report.documents.flatMap((one) => one.tests.map(shape));
}

// --- internal ---

// A parent fails when one below it does, and has no directive of its own.
function settle(test: Plan): Plan {
  if (test.tests.length === 0) return test;
  const tests = test.tests.map(settle);
  const bad = tests.some((one) => ['fail', 'timeout', 'error'].includes(one.outcome));
  return { ...test, tests, outcome: bad ? 'fail' : 'pass', reason: '' };
}

function reasonOf(test: Plan): string {
  return test.outcome === 'pass' || test.outcome === 'fail' ? '' : test.reason;
}

function resultOf(test: Plan, at: number, dash: string): string {
  const ok = ['pass', 'skip', 'xfail'].includes(test.outcome);
  const directive = ['pass', 'fail'].includes(test.outcome)
    ? ''
    : ` # ${test.outcome.toUpperCase()} ${test.reason}`;
  return `${ok ? 'ok' : 'not ok'} ${at + 1}${test.name === '' ? '' : ` ${dash}${test.name}`}${directive}`;
}

function remarksFor(planned: Planned, at: number): string[] {
  return planned.remarks.filter((_, index) => index % 3 === at % 3);
}

const YAML = ['---', 'observed: |', '  ok 9 not a result', '  1..7', '...'];

function nested(planned: Planned, unit: string, subtest: boolean): string[] {
  const level = (tests: readonly Plan[], indent: string, title: string): string[] => [
    `${indent}KTAP version 1`,
    ...(subtest && title !== '' ? [`${indent}# Subtest: ${title}`] : []),
    `${indent}1..${tests.length}`,
    ...tests.flatMap((test, at) => [
      ...remarksFor(planned, at),
      ...(test.tests.length === 0 ? [] : level(test.tests, indent + unit, test.name)),
      indent + resultOf(test, at, ''),
    ]),
  ];
  return level(planned.tests, '', '');
}

function headersOnly(planned: Planned): string[] {
  const level = (tests: readonly Plan[], indent: string, head: string): string[] => [
    `${indent}${head}`,
    `${indent}1..${tests.length}`,
    ...tests.flatMap((test, at) => [
      ...(test.tests.length === 0 ? [] : level(test.tests, `${indent}\t`, `# Subtest: ${test.name}`)),
      ...remarksFor(planned, at),
      indent + resultOf(test, at, '- '),
    ]),
  ];
  return level(planned.tests, '', 'TAP version 14');
}

function tap14(planned: Planned): string[] {
  const level = (tests: readonly Plan[], indent: string): string[] => [
    ...tests.flatMap((test, at) => [
      ...remarksFor(planned, at).filter((line) => line.startsWith('#')),
      ...(test.tests.length === 0 ? [] : [`${indent}# Subtest: ${test.name === '' ? 'x' : test.name}`]),
      ...(test.tests.length === 0 ? [] : level(test.tests, `${indent}    `)),
      indent + resultOf(test, at, '- '),
      ...(planned.yaml ? YAML.map((line) => `${indent}  ${line}`) : []),
    ]),
    `${indent}1..${tests.length}`,
  ];
  return ['TAP version 14', ...level(planned.tests, '')];
}

function quoted(planned: Planned): string[] {
  const level = (tests: readonly Plan[]): string[] => [
    'TAP version 13',
    `1..${tests.length}`,
    ...tests.flatMap((test, at) => [
      '# timeout set to 120',
      `# selftests: kvm: ${test.name}`,
      ...(test.tests.length === 0 ? remarksFor(planned, at) : level(test.tests)).map((line) => `# ${line}`),
      resultOf(test, at, ''),
    ]),
  ];
  return level(planned.tests);
}

function depthOf(tests: readonly Plan[]): number {
  return tests.length === 0 ? 0 : 1 + Math.max(...tests.map((test) => depthOf(test.tests)));
}

function stamp(at: number): string {
  return `[${(12 + at / 1000).toFixed(6).padStart(12)}] `;
}
