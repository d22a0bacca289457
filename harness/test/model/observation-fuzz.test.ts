// SPDX-License-Identifier: GPL-2.0-only
// The reader of observations on random output: nothing makes it throw, what it returns can be written down and is
// bounded, and what a well-behaved case prints is what is read.
import t from 'tap';
import { type Folded, foldObservations } from '../../model/observation.ts';
import { checkProperty, fc } from '../fuzz.ts';

const DEPTH_MAX = 64;
const PROBLEMS_MAX = 20;

const names = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'abz_.09'), minLength: 1, maxLength: 8 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'end', 'observe', 'returned', ''),
);
const value = fc.jsonValue({ maxDepth: 3 });
const fields = fc.dictionary(names, value, { maxKeys: 4 });

const well = fc.oneof(
  fc.tuple(names, fields).map(([observe, rest]) => ({ ...rest, observe })),
  names.map((attempt) => ({ attempt })),
  fc.tuple(names, value).map(([fact, one]) => ({ fact, value: one })),
  fields.map((fault) => ({ fault })),
  fields.map((setup) => ({ setup })),
);
const end = fc.record(
  {
    status: fc.constantFrom('done', 'setup', 'fault', 'exit', 'signal', 'timeout', 'stuck'),
    exit: fc.oneof(fc.integer(), fc.constant(null)),
    own_us: fc.nat(),
    tasks: fc.array(fields, { maxLength: 2 }),
  },
  { requiredKeys: ['status'] },
);

const bracket = fc
  .tuple(fc.constantFrom('[', '{"a":', '{"observe":"a","x":['), fc.nat({ max: 6000 }))
  .map(([open, times]) => `{"observe":"deep","x":${open.repeat(times)}`);

const junk = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.json({ maxDepth: 2 }),
  fc.constantFrom(
    '{',
    '}',
    '{}',
    '[]',
    'null',
    '\0',
    '\r',
    '{"end":{}}',
    '{"end":null}',
    '{"observe":1}',
    '\u2028',
  ),
  fc.constantFrom(
    '{"observe":"a"} ',
    ' {"observe":"b"}',
    '{"observe":"a","observe":"c"}',
    '{"__proto__":{"x":1}}',
  ),
  fc.tuple(well, fc.nat({ max: 60 })).map(([line, length]) => JSON.stringify(line).slice(0, length)),
);

const output = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: well.map((line) => JSON.stringify(line)) },
      { weight: 1, arbitrary: end.map((one) => JSON.stringify({ end: one })) },
      { weight: 3, arbitrary: junk },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }).map((times) => '\n'.repeat(times)) },
    ),
    { maxLength: 30, size: 'max' },
  )
  .chain((lines) => fc.boolean().map((whole) => lines.join('\n') + (whole ? '\n' : '')));

function sound(text: string, folded: Folded): boolean {
  const { obs, facts, attempts, faults, setup, stuck, problems } = folded;
  const lines = text.split('\n').filter((line) => line !== '').length;
  const told = Object.keys(obs).length + attempts.length + faults.length + setup.length;
  if (told > lines) throw new Error('more is told than there are lines');
  const accounted = told + Object.keys(facts).length + problems.length + (folded.end === undefined ? 0 : 1);
  // A fact may be told again; nothing else is without a trace.
  const facted = text.split('\n').filter((line) => line.includes('"fact"')).length;
  if (problems.length < PROBLEMS_MAX && accounted + facted < lines)
    throw new Error(`${accounted} of ${lines} lines`);
  if (problems.length > PROBLEMS_MAX) throw new Error(`${problems.length} problems`);
  if (problems.some((one) => one.length > 400)) throw new Error('a problem as long as a line');
  if (!stuck.every((one) => Object.hasOwn(obs, one))) throw new Error('stuck in what was not observed');
  if (Object.getPrototypeOf(obs) !== Object.prototype) throw new Error('a name became the prototype');
  if (({} as Record<string, unknown>)['x'] !== undefined) throw new Error('Object.prototype is polluted');
  if (JSON.stringify(folded).length > text.length * 8 + 4096) throw new Error('it grew');
  return JSON.stringify(foldObservations(text)) === JSON.stringify(folded);
}

t.test('any output', async (t) => {
  checkProperty(t, 'is folded, soundly', output, (text) => sound(text, foldObservations(text)));
});

t.test('values nested without end', async (t) => {
  const runs = fc.tuple(bracket, fc.boolean());
  checkProperty(t, 'are no way to break what reads them', runs, ([open, closed]) => {
    const line = closed ? open + closing(open) : open;
    const folded = foldObservations(`${line}\n`);
    JSON.stringify(folded, null, 2);
    const depth = open.match(/[[{]/g)?.length ?? 0;
    const readable = closed && depth <= DEPTH_MAX;
    return Object.hasOwn(folded.obs, 'deep') === readable && folded.problems.length > 0 !== readable;
  });
});

t.test('what a well-behaved case prints', async (t) => {
  const behaved = fc.tuple(
    fc.uniqueArray(fc.tuple(names, fields), { selector: ([name]) => name, maxLength: 8 }),
    end,
  );
  checkProperty(t, 'is what is read', behaved, ([observations, last]) => {
    const lines = observations.map(([name, rest]) => JSON.stringify({ ...rest, observe: name }));
    const folded = foldObservations([...lines, JSON.stringify({ end: last }), ''].join('\n'));
    if (folded.problems.length > 0) throw new Error(folded.problems.join('; '));
    if (JSON.stringify(folded.end) !== JSON.stringify(last)) throw new Error('another end');
    return observations.every(([name, rest]) => {
      const { observe: _, ...expected } = rest as Record<string, unknown>;
      return JSON.stringify(folded.obs[name]) === JSON.stringify(expected);
    });
  });
});

// --- internal ---

function closing(open: string): string {
  let text = '';
  for (const character of open.match(/[[{]/g)?.reverse() ?? []) text += character === '[' ? ']' : '}';
  // Every opened object is owed a value.
  return open.endsWith(':') ? `0${text}` : text;
}
