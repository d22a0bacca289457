// SPDX-License-Identifier: GPL-2.0-only
// The protocol of a case's standard output, folded; and everything that a broken or hostile case may print instead.
import t from 'tap';
import { type Folded, foldObservations } from '../../model/observation.ts';
import { fixture } from '../temp.ts';

const EMPTY: Folded = {
  obs: {},
  facts: {},
  attempts: [],
  faults: [],
  setup: [],
  stuck: [],
  end: undefined,
  problems: [],
};
const DONE = '{"end":{"status":"done"}}';

function check(what: string, lines: string[], expected: Partial<Folded>): void {
  t.same(foldObservations(lines.map((line) => `${line}\n`).join('')), { ...EMPTY, ...expected }, what);
}

check('nothing', [], {});
check('empty lines', ['', ''], {});
check('an observation', ['{"observe":"a","ret":-1,"errno":"EEXIST"}'], {
  obs: { a: { ret: -1, errno: 'EEXIST' } },
});
check('an observation without fields', ['{"observe":"a"}'], { obs: { a: {} } });
check('the name may stand anywhere', ['{"ret":0,"observe":"a"}'], { obs: { a: { ret: 0 } } });
check('facts', ['{"fact":"page_size","value":4096}', '{"fact":"huge","value":[1,2]}'], {
  facts: { page_size: 4096, huge: [1, 2] },
});
check('a fact without a value', ['{"fact":"a"}'], { facts: { a: undefined } });
check('steps', ['{"attempt":"one"}', '{"attempt":"two"}', '{"attempt":"one"}'], {
  attempts: ['one', 'two', 'one'],
});
check('a fault', ['{"fault":{"signal":"SIGBUS"}}'], { faults: [{ signal: 'SIGBUS' }] });
check('set-up', ['{"setup":{"errno":"ENOENT"}}'], { setup: [{ errno: 'ENOENT' }] });
check('a step that did not return', ['{"observe":"a","returned":false,"after_ms":5}'], {
  obs: { a: { returned: false, after_ms: 5 } },
  stuck: ['a'],
});
check('a step that returned', ['{"observe":"a","returned":true}'], { obs: { a: { returned: true } } });
check('false is not "false"', ['{"observe":"a","returned":"false"}'], { obs: { a: { returned: 'false' } } });
check('the end', [DONE], { end: { status: 'done' } });
check('more of the end', ['{"end":{"status":"exit","exit":3,"tasks":[{"pid":1}]}}'], {
  end: { status: 'exit', exit: 3, tasks: [{ pid: 1 }] },
});

// --- what breaks the protocol ---

const bad = (what: string, line: string, problem: RegExp | string, more: Partial<Folded> = {}) => {
  const folded = foldObservations(`${line}\n`);
  t.match(folded.problems, [problem], what);
  t.equal(folded.problems.length, 1, what);
  t.same({ ...folded, problems: [] }, { ...EMPTY, ...more }, `${what}: nothing else`);
};

bad('words', 'hello', 'not a JSON object: hello');
bad('half an object', '{"observe":"a"', /not a JSON object/);
bad('a list', '["observe","a"]', /not a JSON object/);
bad('null', 'null', /not a JSON object/);
bad('two objects', '{"observe":"a"}{"observe":"b"}', /not a JSON object/);
bad('an object of no kind', '{"note":"x"}', /not a line of the protocol/);
bad('an empty object', '{}', /not a line of the protocol/);
bad('a name that is none', '{"observe":7}', /not a line of the protocol/);
bad('an end without a status', '{"end":{}}', /not a line of the protocol/);
bad('an end of an unknown kind', '{"end":{"status":"fine"}}', /not a line of the protocol/);
bad('an end by a name of every object', '{"end":{"status":"toString"}}', /not a line of the protocol/);
bad('a fault that is a text', '{"fault":"SIGBUS"}', /not a line of the protocol/);
bad('a carriage return is JSON white space', '{"attempt":7}\r', /not a line/);
bad('a NUL', '\0{"observe":"a"}', /not a JSON object/);
bad('a byte order mark', '\ufeff{"observe":"a"}', /not a JSON object/);

check('twice the same name: the first counts', ['{"observe":"a","ret":0}', '{"observe":"a","ret":1}'], {
  obs: { a: { ret: 0 } },
  problems: ['observed twice: a'],
});
check('a line after the end is not taken', [DONE, '{"observe":"a"}'], {
  end: { status: 'done' },
  problems: ['a line after the end: {"observe":"a"}'],
});
check('the first end counts', [DONE, '{"end":{"status":"exit"}}'], {
  end: { status: 'done' },
  problems: ['a line after the end: {"end":{"status":"exit"}}'],
});

t.test('the last line is torn', async (t) => {
  const folded = foldObservations('{"observe":"a"}\n{"observe":"b","re');
  t.same(Object.keys(folded.obs), ['a']);
  t.same(folded.problems, ['the last line is cut off: {"observe":"b","re']);
});

t.test('a whole line without its newline is not a line', async (t) => {
  const folded = foldObservations(DONE);
  t.equal(folded.end, undefined);
  t.equal(folded.problems.length, 1);
});

t.test('names that every object has are names like any other', async (t) => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length'];
  const lines = names.map((name) => `${JSON.stringify({ observe: name, ret: 1 })}\n`);
  const folded = foldObservations(lines.join(''));
  t.same(folded.problems, []);
  t.same(Object.keys(folded.obs), names);
  t.equal(JSON.stringify(Object.entries(folded.obs)[0]), '["__proto__",{"ret":1}]');
  t.equal(({} as Record<string, unknown>)['ret'], undefined, 'nothing else has become one');
  const again = foldObservations(lines.join('') + lines.join(''));
  t.same(
    again.problems,
    names.map((name) => `observed twice: ${name}`),
  );
});

t.test('a field called __proto__ is a field', async (t) => {
  const folded = foldObservations(
    '{"observe":"a","__proto__":{"ret":1}}\n{"fact":"__proto__","value":{"x":1}}\n',
  );
  t.equal(JSON.stringify(folded.obs), '{"a":{"__proto__":{"ret":1}}}');
  t.equal((folded.obs['a'] as Record<string, unknown>)['ret'], undefined);
  t.equal(JSON.stringify(folded.facts), '{"__proto__":{"x":1}}');
  t.equal(folded.facts['x'], undefined);
});

t.test('a line that is too long is a problem, and its content still evidence', async (t) => {
  const line = (length: number) => {
    const head = '{"observe":"a","x":"';
    return `${head}${'x'.repeat(length - head.length - 2)}"}\n`;
  };
  t.same(foldObservations(line(4096)).problems, []);
  const over = foldObservations(line(4097));
  t.match(over.problems, [/^a line of 4097 characters: \{"observe".{100,110}\.\.\.$/]);
  t.same(Object.keys(over.obs), ['a']);
});

t.test('a value is nested only so far', async (t) => {
  const line = (levels: number) => `{"observe":"a","x":${'['.repeat(levels)}${']'.repeat(levels)}}\n`;
  t.same(foldObservations(line(63)).problems, []);
  const over = foldObservations(line(64));
  t.match(over.problems, [/^nested deeper than 64 levels: /]);
  t.same(over.obs, {});
  t.doesNotThrow(
    () => JSON.stringify(foldObservations(line(1_000_000)), null, 2),
    'what is kept can be written down',
  );
});

t.test('a flood of nonsense is counted only so far', async (t) => {
  const folded = foldObservations('nonsense\n'.repeat(100_000));
  t.equal(folded.problems.length, 20);
  t.ok(folded.problems.every((text) => text.length < 200));
});

t.test('numbers are kept as JSON has them', async (t) => {
  const folded = foldObservations('{"observe":"a","big":"0xffffffffffffffff","neg":-1,"half":0.5,"e":1e3}\n');
  t.same(folded.obs['a'], { big: '0xffffffffffffffff', neg: -1, half: 0.5, e: 1000 });
});

t.test('a real case, from start to end', async (t) => {
  const folded = foldObservations(fixture('model', 'fixtures', 'stuck-in-punch-hole.jsonl'));
  t.same(folded.problems, []);
  t.same(Object.keys(folded.obs), ['punch.unmapped', 'punch.mapped', 'punch.while_mapped']);
  t.same(folded.stuck, ['punch.while_mapped']);
  t.same(folded.attempts, ['punch.mapped', 'punch.while_mapped']);
  t.same(folded.facts, { page_size: 4096, 'slot.flags': '0x4' });
  t.match(folded.end, { status: 'stuck', exit: null, marker: true, tasks: [{ state: 'D' }] });
});
