// SPDX-License-Identifier: GPL-2.0-only
// A run of mutants that is cut off anywhere comes to the same when it is resumed, and leaves nothing running.
import { cpSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { RunDir } from '../../effects/run-dir.ts';
import { InterruptedError } from '../../errors.ts';
import { isDurable } from '../../model/events.ts';
import type { MutationDocument } from '../../model/mutation.ts';
import { tempFolder } from '../temp.ts';
import { THOROUGH } from './fixture.ts';
import { broken, kills, type Setup, throws, withMutants } from './mutants.ts';

const PLAIN: Setup = {
  mutants: {
    one: { play: kills('gmem/two') },
    two: {},
    three: { build: throws(broken.build) },
    four: { boot: throws(broken.boot) },
  },
};

/** What does not depend on time. */
const gist = (document: MutationDocument) =>
  document.mutants.map(({ id, outcome, text, ours }) => ({
    ...{ id, outcome, text, kill: ours?.kill },
    cases: ours?.cases.map((one) => `${one.case} ${one.verdict}`),
  }));

t.test('killed at any event, and resumed', async (t) => {
  const folder = tempFolder(t);
  const cuts: string[] = [];
  let places = 0;
  const onEvent: Setup['onEvent'] = (event, root) => {
    // `npm test` tries every one.
    if (!isDurable(event) || (places++ % 12 !== 7 && !THOROUGH)) return;
    const copy = path.join(folder, `${cuts.length}`);
    cpSync(root, copy, { recursive: true });
    cuts.push(`${copy} ${event.type}`);
  };
  const whole = await withMutants({ ...PLAIN, onEvent }, ({ document }) => gist(document));
  t.ok(places > 40, `${places} places to be cut off at`);
  for (const cut of cuts) {
    const [copy = '', type] = cut.split(' ');
    const again = await withMutants({ ...PLAIN, resume: copy }, ({ document, host }) => {
      t.equal(host.open(), 0);
      return gist(document);
    });
    t.same(again, whole, `after ${type}`);
  }
});

t.test('stopped at any event: what has a verdict has it, nothing runs on', async (t) => {
  const folder = tempFolder(t);
  for (const at of THOROUGH ? [...Array(40).keys()] : [22]) {
    const stop = new AbortController();
    const copy = path.join(folder, `${at}`);
    let seen = 0;
    const setup: Setup = {
      ...PLAIN,
      signal: stop.signal,
      onEvent: (event, root) => {
        if (seen++ === at) stop.abort();
        if (event.type === 'run.interrupted') cpSync(root, copy, { recursive: true });
      },
    };
    await t.rejects(
      withMutants(setup, () => {}),
      InterruptedError,
      `at event ${at}`,
    );
    const document = await new RunDir(copy).read<MutationDocument>(
      'mutation',
      path.join(copy, 'mutate.json'),
    );
    t.equal(document.summary.exitCode, 3);
    const again = await withMutants({ ...PLAIN, resume: copy }, (outcome) => outcome.outcomes);
    t.same(again, { one: 'killed', two: 'survived', three: 'invalid', four: 'killed-by-boot' });
  }
});

t.test('what has a verdict is not tried again', async (t) => {
  const folder = tempFolder(t);
  const copy = path.join(folder, 'run');
  await withMutants(PLAIN, ({ root }) => cpSync(root, copy, { recursive: true }));
  await withMutants({ ...PLAIN, resume: copy }, ({ host }) => t.equal(host.boots(), 0));
});
