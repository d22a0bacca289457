// SPDX-License-Identifier: GPL-2.0-only
// A contract (expect.schema.json) taken apart into its invariants. Each property schema below `obs` that has a title
// is one; those under `allOf: [{if, then}]` apply only where the facts match.

type Schema = Record<string, unknown>;

export interface Known {
  /** The commit, upstream, that fixes it; without one, `seen`. */
  commit?: string;
  /** A release that shows it, and for which there is no fix. */
  seen?: string;
  why: string;
}

export interface Weak {
  /** Name of a host fact; when it is true, a pass proves little. */
  on: string;
  why: string;
}

export interface Invariant {
  /** Unique in the contract: the path below `obs`, e.g. `bind.same_range` or `bind.same_range#errno`. */
  key: string;
  /** Rule id as in the title, e.g. `E-11`. */
  id: string;
  /** The sentence of the title. */
  rule: string;
  /** Name of the observation it judges. */
  observe: string;
  /** Where the judged value is below the folded document: `['obs', 'bind.same_range', 'errno']`. */
  path: string[];
  /** Judges the value at `path`. Self-contained: carries the contract's $defs. */
  schema: Schema;
  /** Schemas on the folded document; the invariant applies when all of them hold. */
  conditions: Schema[];
  control: boolean;
  known?: Known;
  weak?: Weak;
  volatile: string[];
}

export interface Contract {
  invariants: Invariant[];
  /** What is wrong with the contract itself, for whoever wrote it. */
  problems: string[];
}

/** Keywords that a contract may use beyond JSON Schema 2020-12; they describe an invariant and never judge. */
export const CONTRACT_KEYWORDS = ['control', 'known', 'volatile', 'weak'] as const;

/** Keywords that only describe, allowed everywhere. */
const DESCRIBING = ['title', 'description', '$comment'];
/** What is taken apart, place by place. JSON Schema ignores a keyword that it does not know; here that is a problem. */
const ROOT_KEYWORDS = [...DESCRIBING, '$schema', '$id', '$defs', 'type', 'properties', 'allOf'];
const BRANCH_KEYWORDS = [...DESCRIBING, 'if', 'then', 'else'];
const GROUP_KEYWORDS = [...DESCRIBING, 'type', 'properties'];

const TITLE = /^([A-Z]+-\d+[a-z]?) (\S.*)$/s;

export function readContract(root: Schema): Contract {
  const contract: Contract = { invariants: [], problems: [] };
  const defs = root['$defs'] as Schema | undefined;
  checkKeywords(contract, root, ROOT_KEYWORDS, 'the contract');
  collect(contract, root, 'the contract', defs, []);
  for (const branch of branchesOf(contract, root['allOf'])) {
    checkKeywords(contract, branch, BRANCH_KEYWORDS, 'a member of allOf');
    const condition = branch['if'];
    if (!isSchema(condition)) {
      contract.problems.push('every member of allOf needs an "if" on the facts');
      continue;
    }
    const places = isSchema(condition['properties']) ? Object.keys(condition['properties']) : [];
    if (JSON.stringify(condition).includes('"obs"') || places.some((name) => name !== 'facts')) {
      contract.problems.push('an "if" may look at the facts only, never at obs');
    }
    if (branch['then'] === undefined && branch['else'] === undefined) {
      contract.problems.push('an "if" without "then" or "else" decides nothing');
    }
    const withDefs = defs === undefined ? condition : { ...condition, $defs: defs };
    collectBranch(contract, branch, 'then', defs, [withDefs]);
    // $defs stay at the top: that is where "#/$defs/..." looks for them.
    const otherwise = defs === undefined ? { not: condition } : { not: condition, $defs: defs };
    collectBranch(contract, branch, 'else', defs, [otherwise]);
  }
  // Key to whether one of its invariants always applies; base and series are compared key by key.
  const seen = new Map<string, boolean>();
  for (const { key, conditions } of contract.invariants) {
    const always = conditions.length === 0;
    const before = seen.get(key);
    if (before === true || (before === false && always)) contract.problems.push(`two invariants on ${key}`);
    seen.set(key, before === true || always);
  }
  if (contract.invariants.length === 0)
    contract.problems.push('there is no titled property schema: nothing is judged');
  return contract;
}

/**
 * What is wrong with the positive control that a case names in its manifest; undefined when nothing is.
 * @param control as in case.json: `observe:NAME`, `mutant:ID`, or null
 */
export function controlProblem(contract: Contract, control: string | null): string | undefined {
  const name = /^observe:(.*)$/s.exec(control ?? '')?.[1];
  if (name === undefined) return undefined;
  const rules = contract.invariants.filter((one) => one.observe === name);
  if (rules.some((one) => one.control)) return undefined;
  return rules.length === 0
    ? `case.json names the control ${name}, on which there is no rule`
    : `case.json names the control ${name}, but no rule on it has "control": true`;
}

// --- internal ---

function checkKeywords(contract: Contract, schema: Schema, allowed: readonly string[], where: string): void {
  const unknown = Object.keys(schema).filter((keyword) => !allowed.includes(keyword));
  if (unknown.length > 0)
    contract.problems.push(`${where} has what judges nothing there: ${unknown.join(', ')}`);
}

function collect(
  contract: Contract,
  root: Schema,
  where: string,
  defs: Schema | undefined,
  conditions: Schema[],
): void {
  const { properties } = root;
  if (properties === undefined) return;
  if (!isSchema(properties) || Object.keys(properties).some((name) => name !== 'obs')) {
    contract.problems.push(`${where}: only rules below "properties": {"obs": ...} judge`);
  }
  const obs = isSchema(properties) ? properties['obs'] : undefined;
  if (obs === undefined) return;
  if (isSchema(obs)) walk(contract, obs, ['obs'], defs, conditions);
  else contract.problems.push(`${where}: obs is no schema`);
}

function collectBranch(
  contract: Contract,
  branch: Schema,
  keyword: 'then' | 'else',
  defs: Schema | undefined,
  conditions: Schema[],
): void {
  const schema = branch[keyword];
  if (schema === undefined) return;
  if (!isSchema(schema)) contract.problems.push(`"${keyword}" is no schema`);
  else {
    checkKeywords(contract, schema, GROUP_KEYWORDS, `a "${keyword}"`);
    collect(contract, schema, `a "${keyword}"`, defs, conditions);
  }
}

function walk(
  contract: Contract,
  schema: Schema,
  path: string[],
  defs: Schema | undefined,
  conditions: Schema[],
): void {
  const where = path.length === 1 ? 'obs' : path.slice(1).join('#');
  const { properties } = schema;
  if (properties !== undefined) checkKeywords(contract, schema, GROUP_KEYWORDS, where);
  if (!isSchema(properties)) {
    contract.problems.push(`${where} has neither a title nor properties: nothing judges it`);
    return;
  }
  for (const [name, child] of Object.entries(properties)) {
    if (!isSchema(child)) {
      contract.problems.push(`${[...path, name].slice(1).join('#')} is no schema`);
      continue;
    }
    const childPath = [...path, name];
    if (typeof child['title'] === 'string') add(contract, child, childPath, defs, conditions);
    else walk(contract, child, childPath, defs, conditions);
  }
}

function add(
  contract: Contract,
  schema: Schema,
  path: string[],
  defs: Schema | undefined,
  conditions: Schema[],
): void {
  const [, observe = '', ...fields] = path;
  const key = [observe, ...fields].join('#');
  const title = TITLE.exec(String(schema['title']));
  if (title === null) {
    contract.problems.push(`the title of ${key} is not "<rule id> <sentence>"`);
    return;
  }
  const required = schema['required'];
  const takesFields = schema['type'] === 'object' || isSchema(schema['properties']);
  if (takesFields && !(Array.isArray(required) && required.length > 0)) {
    contract.problems.push(`${key} requires no field: an empty observation would pass`);
  }
  const wrong = wrongAnnotation(schema);
  if (wrong !== undefined) {
    contract.problems.push(`${key}: ${wrong}`);
    return;
  }
  const known = schema['known'] as Known | undefined;
  const weak = schema['weak'] as Weak | undefined;
  contract.invariants.push({
    key,
    id: title[1] ?? '',
    rule: title[2] ?? '',
    observe,
    path,
    schema: defs === undefined ? schema : { ...schema, $defs: defs },
    conditions,
    control: schema['control'] === true,
    ...(known === undefined ? {} : { known }),
    ...(weak === undefined ? {} : { weak }),
    volatile: (schema['volatile'] as string[] | undefined) ?? [],
  });
}

function wrongAnnotation(schema: Schema): string | undefined {
  const { control, known, weak, volatile } = schema;
  const texts = (value: unknown, ...names: string[]) =>
    isSchema(value) && names.every((name) => typeof value[name] === 'string');
  if (control !== undefined && typeof control !== 'boolean') return '"control" is true or false';
  if (known !== undefined && !texts(known, 'commit', 'why') && !texts(known, 'seen', 'why'))
    return '"known" has a "why", and the "commit" that fixes it or a release on which it was "seen"';
  if (weak !== undefined && !texts(weak, 'on', 'why')) return '"weak" has an "on" and a "why"';
  const names = Array.isArray(volatile) && volatile.every((name) => typeof name === 'string');
  return volatile === undefined || names ? undefined : '"volatile" is a list of field names';
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function branchesOf(contract: Contract, allOf: unknown): Schema[] {
  if (allOf === undefined) return [];
  const members: unknown[] = Array.isArray(allOf) ? allOf : [];
  const branches = members.filter(isSchema);
  if (!Array.isArray(allOf) || branches.length < members.length)
    contract.problems.push('allOf is a list of {"if", "then", "else"}');
  return branches;
}
