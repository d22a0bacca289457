// SPDX-License-Identifier: GPL-2.0-only
// JSON Schema: the one door to ajv. Documents of ours are validated when written and when read.
import { readFileSync } from 'node:fs';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { InfraError } from '../errors.ts';
import { CONTRACT_KEYWORDS } from '../model/contract.ts';
import { inPackage } from './dirs.ts';

export type DocumentName =
  | 'case'
  | 'series'
  | 'run'
  | 'facts'
  | 'build'
  | 'boot'
  | 'attempt'
  | 'self-check'
  | 'result'
  | 'image'
  | 'mutant'
  | 'mutation'
  | 'bench'
  | 'lab'
  | 'host-facts'
  | 'installed';

const validators = new Map<DocumentName, ValidateFunction>();

/**
 * Checks a document against results/schema/<name>.schema.json.
 * @param where what the document is, for the message
 * @throws InfraError `invalid-document` with every violation
 */
export function checkDocument<T>(name: DocumentName, value: unknown, where: string): T {
  const problems = documentProblems(name, value);
  if (problems.length === 0) return value as T;
  throw new InfraError({
    code: 'invalid-document',
    message: `${where} does not follow ${name}.schema.json`,
    detail: problems.slice(0, 10).join('\n'),
    hint: 'it was changed by hand, cut short, or written by another version of kvm-hil',
  });
}

export function documentProblems(name: DocumentName, value: unknown): string[] {
  let validate = validators.get(name);
  if (validate === undefined) {
    const file = inPackage('results', 'schema', `${name}.schema.json`);
    validate = newAjv().compile(JSON.parse(readFileSync(file, 'utf8')) as object);
    validators.set(name, validate);
  }
  return validate(value) ? [] : (validate.errors ?? []).map(describeError);
}

export type Validate = (value: unknown) => { valid: true } | { valid: false; violations: string[] };

/**
 * Compiles a schema of a contract; equal schemas are compiled once.
 * @throws Error when it is not a schema of draft 2020-12 or has a misspelt keyword
 */
export function compileSchema(schema: Record<string, unknown>): Validate {
  const key = JSON.stringify(schema);
  const known = compiled.get(key);
  if (known !== undefined) return known;
  contractAjv ??= newAjv();
  const validate = contractAjv.compile(schema);
  const judge: Validate = (value) =>
    validate(value)
      ? { valid: true }
      : { valid: false, violations: (validate.errors ?? []).map(describeError) };
  compiled.set(key, judge);
  return judge;
}

// --- internal ---

const compiled = new Map<string, Validate>();
let contractAjv: Ajv2020 | undefined;

function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, allErrors: true, strictTypes: false, strictRequired: false });
  for (const keyword of CONTRACT_KEYWORDS) ajv.addKeyword(keyword);
  return ajv;
}

function describeError(error: ErrorObject): string {
  const where = error.instancePath === '' ? '' : `${error.instancePath} `;
  const limit = error.params as Record<string, unknown>;
  const allowed = limit['allowedValue'] ?? limit['allowedValues'];
  const more = allowed === undefined ? '' : ` ${JSON.stringify(allowed)}`;
  const extra = limit['additionalProperty'] === undefined ? '' : ` (${String(limit['additionalProperty'])})`;
  return `${where}${error.message ?? error.keyword}${more}${extra}`;
}
