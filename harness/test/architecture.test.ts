// SPDX-License-Identifier: GPL-2.0-only
// The rules of ARCHITECTURE.md that a program can check: who may import whom, and tidiness.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { inPackage } from '../effects/dirs.ts';

interface Source {
  /** `harness/model/verdict.ts` */
  name: string;
  text: string;
  imports: string[];
}

/** Files below a folder of the package, by their path in it. */
function filesBelow(folder: string): string[] {
  return readdirSync(inPackage(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(inPackage(), path.join(entry.parentPath, entry.name)))
    .sort();
}

/** `import x from 'y'`, `export x from 'y'`, `import 'y'` and `import('y')`, types included. */
const IMPORT = /(?:\bfrom\s+|^import\s+|\bimport\(\s*)'([^']+)'/gm;

const sources: Source[] = ['harness', 'infra']
  .flatMap(filesBelow)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const text = readFileSync(inPackage(name), 'utf8');
    return { name, text, imports: [...text.matchAll(IMPORT)].map((match) => match[1] ?? '') };
  });

const isTest = (name: string) => name.startsWith('harness/test/');
const product = sources.filter(({ name }) => name.startsWith('harness/') && !isTest(name));

/** `model` of `harness/model/verdict.ts`, `cli` of `harness/cli.ts`. */
const layerOf = (name: string) => path.basename(name.split('/')[1] ?? '', '.ts');

const isRelative = (target: string) => target.startsWith('.');
const resolved = (from: string, target: string) => path.normalize(path.join(path.dirname(from), target));

/** What each layer may import, itself aside. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  model: ['errors'],
  effects: ['model', 'errors'],
  kernel: ['effects', 'model', 'errors'],
  hosts: ['effects', 'model', 'errors'],
  run: ['kernel', 'hosts', 'effects', 'model', 'errors'],
  report: ['model'],
  commands: ['run', 'report', 'kernel', 'hosts', 'effects', 'model', 'errors'],
  cli: ['commands', 'effects', 'errors'],
  // Measures the product from outside.
  bench: ['run', 'report', 'kernel', 'hosts', 'effects', 'model', 'errors'],
};

t.test('imports go one way', async (t) => {
  t.ok(product.length > 50, 'the sources are found');
  for (const { name, imports } of product) {
    const layer = layerOf(name);
    const allowed = MAY[layer];
    if (allowed === undefined) {
      t.fail(`${name}: a layer that ARCHITECTURE.md does not know`);
      continue;
    }
    const wrong = imports
      .filter(isRelative)
      .map((target) => resolved(name, target))
      .filter((target) => layerOf(target) !== layer && !allowed.includes(layerOf(target)));
    t.same(wrong, [], name);
  }
});

t.test('what is imported is there, by its own name', async (t) => {
  for (const { name, imports } of sources) {
    const wrong = imports
      .filter(isRelative)
      .filter((target) => !/\.(ts|js)$/.test(target) || !existsSync(inPackage(resolved(name, target))));
    t.same(wrong, [], name);
  }
});

t.test('nothing imports in a circle', async (t) => {
  const graph = new Map(
    sources.map(({ name, imports }) => [
      name,
      imports.filter(isRelative).map((target) => resolved(name, target)),
    ]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (name: string, trail: readonly string[]): void => {
    if (trail.includes(name)) {
      circles.push([...trail.slice(trail.indexOf(name)), name].join(' -> '));
      return;
    }
    if (done.has(name)) return;
    for (const target of graph.get(name) ?? []) visit(target, [...trail, name]);
    done.add(name);
  };
  for (const name of graph.keys()) visit(name, []);
  t.same(circles, []);
});

t.test('each package enters through one file', async (t) => {
  const { dependencies } = JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const doors = new Map<string, string[]>();
  for (const { name, imports } of sources.filter((one) => !isTest(one.name))) {
    for (const target of imports.filter((one) => !isRelative(one) && !one.startsWith('node:'))) {
      const parts = target.split('/');
      const packageName = target.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
      doors.set(packageName, [...(doors.get(packageName) ?? []), name]);
    }
  }
  for (const [name, files] of doors) t.equal(files.length, 1, `${name}: ${files.join(', ')}`);
  t.same([...doors.keys()].sort(), Object.keys(dependencies).sort(), 'all of package.json, and nothing else');
});

t.test('the model is pure', async (t) => {
  const impure =
    /\b(?:process|console|performance|Date|Buffer|globalThis)\.|\bnew Date\b|\bsetTimeout\b|Math\.random|\bfetch\(/;
  for (const { name, text, imports } of product.filter((one) => layerOf(one.name) === 'model')) {
    t.same(
      imports.filter((target) => !isRelative(target)),
      [],
      `${name} imports neither packages nor node:`,
    );
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    t.equal(impure.exec(code)?.[0], undefined, `${name} touches nothing outside`);
  }
});

t.test('only cli.ts ends the process or sets the exit code, but for a second signal', async (t) => {
  const found = product.filter(({ text }) => /process\.exit(?:Code)?\b/.test(text)).map((one) => one.name);
  t.same(found, ['harness/cli.ts', 'harness/commands/context.ts']);
});

t.test('processes are started in one place', async (t) => {
  const found = product
    .filter(({ imports }) => imports.includes('node:child_process'))
    .map((one) => one.name);
  const typesOnly = found.filter((name) => name !== 'harness/effects/exec.ts');
  for (const name of typesOnly) {
    t.match(
      readFileSync(inPackage(name), 'utf8'),
      /import type \{ ChildProcess \} from 'node:child_process'/,
      name,
    );
  }
  t.ok(found.includes('harness/effects/exec.ts'));
});

// --- tidiness ---

const COLUMNS_MAX = 130;
const LINES_MAX = 400;
const SPDX = '// SPDX-License-Identifier: GPL-2.0-only';

t.test('every file is tidy', async (t) => {
  for (const { name, text } of sources) {
    const lines = text.split('\n');
    t.equal(lines[0]?.startsWith('#!') ? lines[1] : lines[0], SPDX, `${name}: licence`);
    const long = lines.findIndex((line) => line.length > COLUMNS_MAX);
    t.equal(long, -1, `${name}:${long + 1}: over ${COLUMNS_MAX} columns`);
    t.ok(lines.length <= LINES_MAX, `${name}: ${lines.length} lines`);
    t.ok(text.endsWith('\n') && !text.endsWith('\n\n'), `${name}: one newline at the end`);
    t.notMatch(text, /[ \t]+$/m, `${name}: blanks at the end of a line`);
  }
});

t.test('nothing is left to be done, and nothing is of one machine', async (t) => {
  // Put together here, so that this file does not find itself.
  const later = new RegExp(
    `\\b(?:${['TO', 'FIX', 'X'].map((word, at) => word + ['DO', 'ME', 'XX'][at]).join('|')})[:(]`,
  );
  const places = ['/root/', '/work/', '/home/', '/Users/', '/tmp/bash'].map((place) =>
    place.replace('/', '\\/'),
  );
  const machine = new RegExp(`(?<![\\w.])(?:${places.join('|')})`);
  const texts = ['harness', 'infra', 'results/schema', 'results/examples'].flatMap(filesBelow);
  t.ok(texts.length > sources.length);
  for (const name of texts.filter((one) => one !== 'harness/test/architecture.test.ts')) {
    const text = readFileSync(inPackage(name), 'utf8');
    t.equal(later.exec(text)?.[0], undefined, name);
    t.equal(machine.exec(text)?.[0], undefined, name);
  }
});

t.test('a test stands where what it tests stands', async (t) => {
  for (const { name } of sources.filter(
    (one) => one.name.endsWith('.test.ts') && !one.name.includes('/e2e/'),
  )) {
    const folder = path.dirname(name.replace('harness/test', 'harness'));
    t.ok(existsSync(inPackage(folder)), name);
  }
});
