// SPDX-License-Identifier: GPL-2.0-only
// Contracts taken apart, and the pieces judged by the real validator.
import t from 'tap';
import { compileSchema } from '../../effects/schema.ts';
import { type Contract, controlProblem, readContract } from '../../model/contract.ts';
import { readCases } from '../../run/cases.ts';

type Json = Record<string, unknown>;

const ZERO: Json = {
  title: 'X-01 the step returns zero',
  type: 'object',
  properties: { ret: { const: 0 } },
  required: ['ret'],
};

const contract = (obs: Json, more: Json = {}): Contract =>
  readContract({ type: 'object', properties: { obs: { type: 'object', properties: obs } }, ...more });

const branch = (obs: Json) => ({ properties: { obs: { properties: obs } } });
const keysOf = (read: Contract) => read.invariants.map((one) => one.key);

/** @param expected one pattern a problem, in order */
function checkProblems(what: string, read: Contract, ...expected: RegExp[]): void {
  t.equal(read.problems.length, expected.length, `${what}: ${JSON.stringify(read.problems)}`);
  expected.forEach((pattern, index) => {
    t.match(read.problems[index], pattern, what);
  });
}

t.test('a titled property is an invariant', async (t) => {
  const { invariants, problems } = contract({ 'bind.same_range': ZERO });
  t.same(problems, []);
  t.same(invariants, [
    {
      key: 'bind.same_range',
      id: 'X-01',
      rule: 'the step returns zero',
      observe: 'bind.same_range',
      path: ['obs', 'bind.same_range'],
      schema: ZERO,
      conditions: [],
      control: false,
      volatile: [],
    },
  ]);
});

t.test('a field of an observation can be an invariant of its own', async (t) => {
  const { invariants } = contract({
    bind: {
      properties: {
        ret: { title: 'X-01 it fails', const: -1 },
        errno: { title: 'X-02a and says why', const: 'EEXIST' },
        deep: { properties: { gfn: { title: 'X-03 at the place', const: 7 } } },
        note: { type: 'string' },
      },
    },
  });
  t.same(
    invariants.map(({ key, id, observe, path }) => [key, id, observe, path]),
    [
      ['bind#ret', 'X-01', 'bind', ['obs', 'bind', 'ret']],
      ['bind#errno', 'X-02a', 'bind', ['obs', 'bind', 'errno']],
      ['bind#deep#gfn', 'X-03', 'bind', ['obs', 'bind', 'deep', 'gfn']],
    ],
  );
});

t.test('a titled property is whole: titles inside it are not invariants', async (t) => {
  const inner = { ...ZERO, properties: { ret: { title: 'X-02 inner', const: 0 } } };
  t.same(keysOf(contract({ a: inner })), ['a']);
});

t.test('annotations describe and are taken over', async (t) => {
  const { invariants, problems } = contract({
    a: {
      ...ZERO,
      control: true,
      known: { commit: 'abc123', why: 'fixed upstream' },
      weak: { on: 'emulated', why: 'timing' },
      volatile: ['at'],
    },
  });
  t.same(problems, []);
  t.match(invariants[0], {
    control: true,
    known: { commit: 'abc123' },
    weak: { on: 'emulated' },
    volatile: ['at'],
  });
});

t.test('hostile names are names', async (t) => {
  const obs = JSON.parse(
    `{"__proto__":${JSON.stringify(ZERO)},"constructor":${JSON.stringify(ZERO)}}`,
  ) as Json;
  const read = contract(obs);
  t.same(keysOf(read), ['__proto__', 'constructor']);
  t.same(read.problems, []);
});

// --- what is wrong with a contract ---

checkProblems('fine', contract({ a: ZERO }));
checkProblems('empty', readContract({}), /no titled property/);
checkProblems(
  'no title at all',
  contract({ a: { const: 0 } }),
  /a has neither a title/,
  /no titled property/,
);
checkProblems(
  'obs is no schema',
  readContract({ properties: { obs: [ZERO] } }),
  /obs is no schema/,
  /no titled property/,
);
for (const title of [
  '',
  'X-01',
  'X-01 ',
  'x-01 lower case',
  'X01 no dash',
  'X-1x2 odd',
  ' X-01 blank',
  'the step',
]) {
  checkProblems(
    `title "${title}"`,
    contract({ a: { ...ZERO, title } }),
    /the title of a is not/,
    /no titled/,
  );
}
for (const title of ['X-01 a', 'AB-1z it is', 'X-01 two\nlines']) {
  checkProblems(`title "${title}"`, contract({ a: { ...ZERO, title } }));
}
const REQUIRES = /a requires no field/;
checkProblems('no required', contract({ a: { ...ZERO, required: undefined } }), REQUIRES);
checkProblems('nothing required', contract({ a: { ...ZERO, required: [] } }), REQUIRES);
checkProblems('required is a text', contract({ a: { ...ZERO, required: 'ret' } }), REQUIRES);
checkProblems(
  'properties without a type',
  contract({ a: { title: ZERO['title'], properties: {} } }),
  REQUIRES,
);
checkProblems(
  'a value requires no field',
  contract({ a: { properties: { b: { title: 'X-01 b', const: 1 } } } }),
);

const annotated = (more: Json) => contract({ a: ZERO, b: { ...ZERO, ...more } });
checkProblems('known without a commit', annotated({ known: { why: 'x' } }), /b: "known" has/);
checkProblems('known is true', annotated({ known: true }), /b: "known" has/);
checkProblems('weak without a fact', annotated({ weak: { why: 'x' } }), /b: "weak" has/);
checkProblems('volatile is a text', annotated({ volatile: 'at' }), /b: "volatile" is/);
checkProblems('volatile holds a number', annotated({ volatile: [1] }), /b: "volatile" is/);
checkProblems('control is a text', annotated({ control: 'yes' }), /b: "control" is/);

// --- conditions ---

const ON_AMD = { properties: { facts: { properties: { vendor: { const: 'AuthenticAMD' } } } } };
/** One member of allOf, from [keyword, schema] pairs: an object literal with a "then" looks like a promise. */
const when = (...parts: [keyword: string, schema: Json][]) => ({ allOf: [Object.fromEntries(parts)] });
const other = (title: string) => ({ ...ZERO, title });

checkProblems('no if', contract({ a: ZERO }, when(['then', branch({ b: ZERO })])), /needs an "if"/);
checkProblems(
  'if on obs',
  contract({ a: ZERO }, when(['if', { properties: { obs: {} } }], ['then', branch({ b: ZERO })])),
  /facts only/,
);
checkProblems('allOf is no list', contract({ a: ZERO }, { allOf: ZERO }), /allOf is a list/);
checkProblems('allOf holds a truth', contract({ a: ZERO }, { allOf: [true] }), /allOf is a list/);
checkProblems(
  'if on what is not there',
  contract({ a: ZERO }, when(['if', { properties: { fact: {} } }], ['then', branch({ b: ZERO })])),
  /facts only/,
);
checkProblems('if alone', contract({ a: ZERO }, when(['if', ON_AMD])), /decides nothing/);
checkProblems(
  'then and else on the same key',
  contract({ a: ZERO }, when(['if', ON_AMD], ['then', branch({ b: ZERO })], ['else', branch({ b: ZERO })])),
);
checkProblems(
  'a condition on a key that always applies',
  contract({ a: ZERO }, when(['if', ON_AMD], ['then', branch({ a: other('X-02 again') })])),
  /two invariants on a/,
);
checkProblems(
  'only conditional invariants',
  contract({}, when(['if', ON_AMD], ['then', branch({ b: ZERO })])),
);

// --- what would be ignored ---

const [conditional] = when(['if', ON_AMD], ['then', branch({ b: ZERO })]).allOf;
checkProblems(
  'if and then at the root',
  contract({ a: ZERO }, conditional),
  /judges nothing there: if, then/,
);
checkProblems('a keyword of ours at the root', contract({ a: ZERO }, { control: true }), /: control/);
checkProblems('a misspelt root keyword', contract({ a: ZERO }, { allof: [], anyOf: [] }), /: allof, anyOf/);
checkProblems('required at the root', contract({ a: ZERO }, { required: ['obs'] }), /: required/);
checkProblems(
  'a nested condition',
  contract({ a: ZERO }, when(['if', ON_AMD], ['then', { ...branch({ b: ZERO }), ...conditional }])),
  /a "then" has what judges nothing there: if, then/,
);
checkProblems(
  'a nested allOf',
  contract({ a: ZERO }, when(['if', ON_AMD], ['else', { allOf: [conditional] }])),
  /a "else" has what judges nothing there: allOf/,
);
checkProblems(
  'rules beside obs',
  readContract({ properties: { obs: { properties: { a: ZERO } }, ob: { properties: { b: ZERO } } } }),
  /only rules below/,
);
checkProblems(
  'a branch without obs',
  contract({ a: ZERO }, when(['if', ON_AMD], ['then', { properties: { b: ZERO } }])),
  /a "then": only rules below/,
);
checkProblems(
  'a then that is true',
  contract({ a: ZERO }, { allOf: [JSON.parse('{"if":{},"then":true}')] }),
  /"then" is no schema/,
);
checkProblems(
  'more beside if and then',
  contract({ a: ZERO }, { allOf: [{ ...conditional, required: ['facts'] }] }),
  /a member of allOf has what judges nothing there: required/,
);
checkProblems(
  'a misspelt title',
  contract({ a: ZERO, b: { titel: 'X-02 b', const: 0 } }),
  /b has neither a title nor properties/,
);
checkProblems(
  'what a group requires',
  contract({ a: ZERO, g: { properties: { b: { title: 'X-02 b', const: 1 } }, required: ['b'] } }),
  /g has what judges nothing there: required/,
);
checkProblems('a rule that is true', contract({ a: ZERO, b: true }), /b is no schema/);

// --- positive controls ---

const controlled = contract({ a: ZERO, b: { ...ZERO, title: 'X-02 control', control: true } });
for (const [control, expected] of [
  [null, undefined],
  ['mutant:no-flush', undefined],
  ['observe:b', undefined],
  ['observe:a', /no rule on it has "control"/],
  ['observe:c', /on which there is no rule/],
  ['observe:', /on which there is no rule/],
] as const) {
  t.test(`control ${control}`, async (t) => {
    const problem = controlProblem(controlled, control);
    if (expected === undefined) t.equal(problem, undefined);
    else t.match(problem, expected);
  });
}

t.test('the contract of every case is sound', async (t) => {
  const files = await readCases();
  t.ok(files.length > 10);
  for (const { id, manifest, schema } of files) {
    const read = readContract(schema);
    t.same(read.problems, [], id);
    t.equal(controlProblem(read, manifest.control), undefined, id);
  }
});

/** Which invariants apply on these facts, by the real validator. */
function applying(read: Contract, facts: Json): string[] {
  const applies = (condition: Json) => compileSchema(condition)({ facts, obs: {} }).valid;
  return read.invariants.filter((one) => one.conditions.every(applies)).map((one) => one.id);
}

t.test('then applies where the facts match, else where they do not', async (t) => {
  const read = contract(
    { a: ZERO },
    when(
      ['if', ON_AMD],
      ['then', branch({ b: other('X-02 amd') })],
      ['else', branch({ b: other('X-03 not amd') })],
    ),
  );
  t.same(read.problems, []);
  t.same(applying(read, { vendor: 'AuthenticAMD' }), ['X-01', 'X-02']);
  t.same(applying(read, { vendor: 'GenuineIntel' }), ['X-01', 'X-03']);
  // JSON Schema: a property that is not there does not violate anything.
  t.same(applying(read, {}), ['X-01', 'X-02']);
});

t.test('$defs are reached from everywhere', async (t) => {
  const read = contract(
    { a: { title: 'X-01 refused', $ref: '#/$defs/einval' } },
    {
      $defs: {
        einval: { type: 'object', properties: { errno: { const: 'EINVAL' } }, required: ['errno'] },
        amd: { const: 'AuthenticAMD' },
      },
      ...when(
        ['if', { properties: { facts: { properties: { vendor: { $ref: '#/$defs/amd' } } } } }],
        ['then', branch({ b: { title: 'X-02 then', $ref: '#/$defs/einval' } })],
        ['else', branch({ b: { title: 'X-03 else', $ref: '#/$defs/einval' } })],
      ),
    },
  );
  t.same(read.problems, []);
  t.same(applying(read, { vendor: 'AuthenticAMD' }), ['X-01', 'X-02']);
  t.same(applying(read, { vendor: 'x' }), ['X-01', 'X-03']);
  for (const { id, schema } of read.invariants) {
    t.same(compileSchema(schema)({ errno: 'EINVAL' }), { valid: true }, id);
    t.match(compileSchema(schema)({ errno: 'EIO' }), { valid: false, violations: [/EINVAL/] }, id);
  }
});
