// SPDX-License-Identifier: GPL-2.0-only
// The schemas of our own documents: they compile, examples prove what they accept and refuse, and the types that the
// code uses say the same.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { inPackage } from '../../effects/dirs.ts';
import { checkDocument, compileSchema, type DocumentName, documentProblems } from '../../effects/schema.ts';
import { InfraError } from '../../errors.ts';
import { checkGolden } from '../golden.ts';
import { fixturePath } from '../temp.ts';

type Json = Record<string, unknown>;

const SCHEMAS = readdirSync(inPackage('results', 'schema')).map((name) => name.replace('.schema.json', ''));
const readJson = (...parts: string[]) =>
  JSON.parse(readFileSync(inPackage('results', ...parts), 'utf8')) as Json;

function examples(kind: 'valid' | 'invalid'): { file: string; name: DocumentName; value: Json }[] {
  return readdirSync(inPackage('results', 'examples', kind))
    .sort()
    .map((file) => ({
      file,
      name: file.split('.', 1)[0] as DocumentName,
      value: readJson('examples', kind, file),
    }));
}

// --- examples ---

t.test('every schema has examples of both kinds, every example a schema', async (t) => {
  for (const kind of ['valid', 'invalid'] as const) {
    const named = new Set<string>(examples(kind).map((one) => one.name));
    t.same([...named].sort(), [...SCHEMAS].sort(), kind);
  }
});

t.test('valid examples are valid', async (t) => {
  for (const { file, name, value } of examples('valid')) t.same(documentProblems(name, value), [], file);
});

t.test('invalid examples are refused, each for its oddity', async (t) => {
  const found = examples('invalid').map(({ file, name, value }) => {
    const problems = documentProblems(name, value);
    t.not(problems.length, 0, file);
    return `${path.basename(file, '.json')}\n${problems.map((problem) => `  ${problem}\n`).join('')}`;
  });
  checkGolden(t, fixturePath('effects', 'fixtures', 'invalid-examples.golden'), found.join(''));
});

t.test('a schema names itself', async (t) => {
  for (const name of SCHEMAS) {
    const schema = readJson('schema', `${name}.schema.json`);
    t.equal(schema['$id'], `kvm-hil/${name}.schema.json`);
    t.equal(schema['$schema'], 'https://json-schema.org/draft/2020-12/schema', name);
    t.type(schema['title'], 'string', name);
  }
});

t.test('a required field is one that the schema describes', async (t) => {
  const visit = (node: unknown, where: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const { properties, required } = node as Json;
    if (typeof properties === 'object' && properties !== null && Array.isArray(required)) {
      const unknown = required.filter((name) => !Object.hasOwn(properties, String(name)));
      t.same(unknown, [], `${where}: ${required.length} required`);
    }
    for (const [key, child] of Object.entries(node)) visit(child, `${where}/${key}`);
  };
  for (const name of SCHEMAS) visit(readJson('schema', `${name}.schema.json`), name);
});

t.test('a document of the wrong kind', async (t) => {
  for (const value of [null, 7, 'x', [], undefined, {}]) {
    t.not(documentProblems('run', value).length, 0, JSON.stringify(value));
  }
  t.throws(() => checkDocument('boot', {}, 'that file'), {
    code: 'invalid-document',
    message: 'that file does not follow boot.schema.json',
  });
  try {
    checkDocument('result', { a: 1 }, 'x');
  } catch (error) {
    t.ok(error instanceof InfraError);
    t.equal((error as InfraError).detail?.split('\n').length, 8, 'each violation on a line');
  }
});

// --- types and schemas ---

/** Names of fields, with a question mark behind those that may be missing, of an interface in the source. */
function fieldsOf(source: string, name: string): string[] {
  const start = source.search(new RegExp(`^export interface ${name}\\b`, 'm'));
  const body = source.slice(start, source.indexOf('\n}\n', start));
  return [...body.matchAll(/^ {2}(\w+)(\??):/gm)].map((match) => `${match[1]}${match[2]}`).sort();
}

/** The same of a schema. */
function propertiesOf(schema: Json): string[] {
  const required = (schema['required'] as string[] | undefined) ?? [];
  const properties = Object.keys((schema['properties'] as Json | undefined) ?? {});
  return properties.map((name) => (required.includes(name) ? name : `${name}?`)).sort();
}

/** Members of a union of texts in the source. */
function membersOf(source: string, name: string): string[] {
  const start = source.search(new RegExp(`^export type ${name}\\b`, 'm'));
  const body = source.slice(start, source.indexOf(';', start));
  return [...body.matchAll(/'([^']+)'/g)].map((match) => match[1] ?? '').sort();
}

const model = (name: string) => readFileSync(inPackage('harness', 'model', `${name}.ts`), 'utf8');
const at = (schema: Json, ...steps: string[]): Json =>
  steps.reduce((node, step) => (node[step] ?? {}) as Json, schema);

t.test('result.schema.json is the shape of model/result.ts', async (t) => {
  const source = model('result');
  const schema = readJson('schema', 'result.schema.json');
  const items = (name: string) => at(schema, 'properties', name, 'items');
  const test = at(schema, '$defs', 'test');
  const pairs: [string, Json][] = [
    ['ResultDocument', schema],
    ['Summary', at(schema, 'properties', 'summary')],
    ['KernelResult', items('kernels')],
    ['HostResult', items('hosts')],
    ['TestResult', test],
    ['Reason', at(test, 'properties', 'reason')],
    ['SplatResult', at(test, 'properties', 'splats', 'items')],
    ['InvariantResult', at(schema, '$defs', 'invariant')],
  ];
  for (const [name, node] of pairs) {
    t.ok(fieldsOf(source, name).length > 1, `${name} is found`);
    t.same(propertiesOf(node), fieldsOf(source, name), name);
  }
  const enums: [string, unknown][] = [
    ['Verdict', at(test, 'properties', 'verdict')['enum']],
    ['ReasonCode', at(test, 'properties', 'reason', 'properties', 'code')['enum']],
    ['Comparison', at(test, 'properties', 'comparison')['enum']],
    ['KernelRole', at(test, 'properties', 'kernel')['enum']],
  ];
  for (const [name, members] of enums)
    t.same([...(members as string[])].sort(), membersOf(source, name), name);
});

t.test('the other documents are the shapes of model/run.ts and model/manifest.ts', async (t) => {
  const pairs: [DocumentName, string, string][] = [
    ['run', 'run', 'RunRecord'],
    ['build', 'run', 'BuildRecord'],
    ['boot', 'run', 'BootRecord'],
    ['attempt', 'run', 'AttemptRecord'],
    ['self-check', 'run', 'SelfCheckRecord'],
    ['facts', 'run', 'HostFacts'],
    ['case', 'manifest', 'CaseManifest'],
    ['series', 'manifest', 'SeriesManifest'],
  ];
  for (const [name, file, type] of pairs) {
    const fields = fieldsOf(model(file), type);
    t.ok(fields.length > 1, `${type} is found`);
    t.same(propertiesOf(readJson('schema', `${name}.schema.json`)), fields, name);
  }
});

t.test('a known outcome can be every reason that a verdict can have', async (t) => {
  const outcome = at(readJson('schema', 'case.schema.json'), 'properties', 'outcome', 'properties');
  t.same(
    [...(outcome['reason'] as { enum: string[] }).enum].sort(),
    membersOf(model('result'), 'ReasonCode'),
  );
});

// --- schemas of contracts ---

const violations = (schema: Json, value: unknown) => {
  const judged = compileSchema(schema)(value);
  return judged.valid ? [] : judged.violations;
};

t.test('violations say where, what and how much', async (t) => {
  const schema = {
    type: 'object',
    properties: { ret: { const: 0 }, errno: { enum: ['EIO', 'EINVAL'] }, n: { minimum: 3 } },
    required: ['ret', 'n'],
    additionalProperties: false,
  };
  t.same(violations(schema, { ret: 0, n: 3 }), []);
  t.same(violations(schema, { ret: -1, errno: 'EPERM', n: 2, more: 1 }).sort(), [
    '/errno must be equal to one of the allowed values ["EIO","EINVAL"]',
    '/n must be >= 3',
    '/ret must be equal to constant 0',
    'must NOT have additional properties (more)',
  ]);
  t.same(violations(schema, {}), ["must have required property 'ret'", "must have required property 'n'"]);
});

t.test('a misspelt keyword is not taken for a comment', async (t) => {
  for (const schema of [
    { minium: 3 },
    { type: 'objekt' },
    { pattern: '(' },
    { format: 'email' },
    { $ref: '#/$defs/x' },
  ]) {
    t.throws(() => compileSchema(schema), JSON.stringify(schema));
  }
});

t.test('annotations of contracts judge nothing', async (t) => {
  const more = {
    control: true,
    known: { commit: 'x', why: 'y' },
    weak: { on: 'a', why: 'b' },
    volatile: ['at'],
  };
  t.same(violations({ const: 1, ...more }, 1), []);
  t.equal(violations({ const: 1, ...more }, 2).length, 1);
});

t.test('equal schemas share a validator, different ones do not', async (t) => {
  t.equal(compileSchema({ const: 'a' }), compileSchema({ const: 'a' }));
  t.not(compileSchema({ const: 'a' }), compileSchema({ const: 'b' }));
});
