// SPDX-License-Identifier: GPL-2.0-only
// The run folder: documents are validated on both ways, events survive a runner that was killed.
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { RunDir } from '../../effects/run-dir.ts';
import { InfraError, systemError, UsageError } from '../../errors.ts';
import type { Event } from '../../model/events.ts';
import type { BootRecord } from '../../model/run.ts';
import { killHard, nextLine, startNode } from '../processes.ts';
import { caught, withTemp } from '../temp.ts';

const BOOT: BootRecord = {
  boot: 1,
  state: 'up',
  ms: 1.5,
  release: '7.3.0',
  how: ['QEMU'],
  why: 'first boot',
};
const NOW = new Date('2026-01-01T00:00:00.000Z');
const note = (text: string): Event => ({ type: 'note', text });

const withRun = <T>(use: (run: RunDir, folder: string) => Promise<T>) =>
  withTemp(async (folder) => {
    const run = await RunDir.create(path.join(folder, 'runs', 'one'));
    try {
      return await use(run, folder);
    } finally {
      run.close();
    }
  });

const textsOf = async (run: RunDir) =>
  (await run.events()).map((event) => (event.type === 'note' ? event.text : event.type));

t.test('events that are damaged are told by their line', (t) =>
  withRun(async (run) => {
    const damaged: [text: string, code: string][] = [
      ['"half of an ev\n', 'invalid-json'],
      ['null\n', 'invalid-document'],
      ['{"at":"x"}\n', 'invalid-document'],
    ];
    for (const [text, code] of damaged) {
      writeFileSync(run.path('events.jsonl'), `${JSON.stringify(note('one'))}\n${text}`);
      t.match(await caught(run.events()), { code, message: /events\.jsonl, line 2, is no/, hint: /./ });
    }
  }),
);

t.test('a result that is missing or cut short can be made again', (t) =>
  withRun(async (run) => {
    const file = run.path('result.json');
    t.match(await caught(run.read('result', file)), { code: 'missing-document', hint: /kvm-hil judge/ });
    writeFileSync(file, '{"schema":');
    t.match(await caught(run.read('result', file)), { code: 'invalid-json', hint: /kvm-hil judge/ });
    mkdirSync(run.path('run.json'));
    t.match(systemError(await caught(run.read('run', run.path('run.json')))), {
      message: /run\.json: EISDIR/,
      hint: /a folder stands/,
    });
  }),
);

t.test('a folder is made once', (t) =>
  withRun(async (run) => {
    t.equal(run.id, 'one');
    t.match(await caught(RunDir.create(run.root)), { code: 'run-exists', exitCode: 2 });
    writeFileSync(run.path('a-file'), '');
    const inFile = RunDir.create(path.join(run.path('a-file'), 'run'));
    t.match(await caught(inFile), { code: 'no-folder', exitCode: 3, message: /^cannot make the run folder/ });
  }),
);

t.test('what is no run is refused, and that is a wrong usage', (t) =>
  withTemp(async (folder) => {
    for (const place of [folder, path.join(folder, 'missing'), '/dev/null']) {
      const error = await caught(RunDir.open(place));
      t.ok(error instanceof UsageError, place);
      t.match(error, { code: 'no-run', message: new RegExp(place), hint: /results\/runs/ });
    }
    writeFileSync(path.join(folder, 'run.json'), '{}');
    t.equal((await RunDir.open(folder)).root, folder);
  }),
);

t.test('places', async (t) => {
  const run = new RunDir('/r');
  t.equal(run.contract('gmem/bind'), '/r/contract/gmem.bind');
  t.equal(run.kernel('series'), '/r/kernels/series');
  t.equal(run.host('qemu', 'base'), '/r/hosts/qemu/base');
  const unit = { kernel: 'base', host: 'qemu', case: 'gmem/bind', variant: 'thp', round: 2 } as const;
  t.equal(run.unit(unit), '/r/cases/base/qemu/gmem.bind@thp#2');
});

// --- documents ---

t.test('a document comes back as it was written', (t) =>
  withRun(async (run) => {
    const file = run.path('hosts', 'qemu', 'boot-1.json');
    await run.write('boot', file, BOOT);
    t.same(await run.read('boot', file), BOOT);
    t.match(readFileSync(file, 'utf8'), /\}\n$/);
  }),
);

t.test('a wrong document is not written', (t) =>
  withRun(async (run) => {
    const file = run.path('boot-1.json');
    const error = await caught(run.write('boot', file, { ...BOOT, boot: 0, extra: 1 }));
    t.match(error, { code: 'invalid-document', message: /boot-1\.json does not follow boot\.schema\.json/ });
    t.match(error, { detail: /must be >= 1/ });
    t.match(error, { detail: /\(extra\)/ });
    t.notOk(existsSync(file));
    await run.write('boot', file, BOOT);
    await caught(run.write('boot', file, {}));
    t.same(await run.read('boot', file), BOOT, 'and the old one stays');
  }),
);

t.test('a document that was changed, cut or lost is not believed', (t) =>
  withRun(async (run) => {
    const file = run.path('boot-1.json');
    t.match(await caught(run.read('boot', file)), {
      code: 'missing-document',
      message: /boot-1\.json is missing/,
    });
    t.equal(await run.readIfThere('boot', file), undefined);
    writeFileSync(file, JSON.stringify({ ...BOOT, state: 'sideways' }));
    t.match(await caught(run.read('boot', file)), { code: 'invalid-document', hint: /changed by hand/ });
    for (const text of ['', '{"boot":1,', 'null', '[]', '\ufeff{}']) {
      writeFileSync(file, text);
      const error = await caught(run.readIfThere('boot', file));
      t.ok(error instanceof InfraError, JSON.stringify(text));
      t.match(error, { message: /boot-1\.json/ });
    }
  }),
);

// --- events ---

t.test('events are kept in order, with their time, progress is not', (t) =>
  withRun(async (run) => {
    t.same(await run.events(), [], 'before the first');
    run.event(note('a\nb "c"'), NOW);
    run.event({ type: 'progress', step: 'x', done: 1, total: 2, detail: '' }, NOW);
    run.event({ type: 'series.rejected', message: 'no' }, NOW);
    t.same(await run.events(), [
      { at: NOW.toISOString(), type: 'note', text: 'a\nb "c"' },
      { at: NOW.toISOString(), type: 'series.rejected', message: 'no' },
    ]);
    run.close();
    run.close();
    run.event(note('after closing'), NOW);
    t.equal((await run.events()).length, 3, 'closing is not the end');
  }),
);

t.test('a torn last event is left out, and does not spoil the next one', (t) =>
  withRun(async (run) => {
    const file = run.path('events.jsonl');
    run.event(note('one'), NOW);
    run.event(note('two'), NOW);
    run.close();
    truncateSync(file, readFileSync(file).length - 5);
    t.same(await textsOf(run), ['one']);
    const resumed = new RunDir(run.root);
    resumed.event(note('three'), NOW);
    resumed.close();
    t.same(await textsOf(resumed), ['one', 'three']);
  }),
);

t.test('a first event that is torn, and an empty file', (t) =>
  withRun(async (run) => {
    const file = run.path('events.jsonl');
    writeFileSync(file, '{"at":"2026');
    t.same(await run.events(), []);
    run.event(note('one'), NOW);
    t.same(await textsOf(run), ['one']);
    writeFileSync(file, '');
    t.same(await run.events(), []);
  }),
);

t.test('damage in the middle is said, not skipped', (t) =>
  withRun(async (run) => {
    run.event(note('one'), NOW);
    run.close();
    appendFileSync(run.path('events.jsonl'), 'garbage\n{"type":"note","text":"two"}\n');
    t.match(await caught(run.events()), { code: 'invalid-json', message: /events\.jsonl/ });
  }),
);

t.test('what was told before a kill -9 is on disk', (t) =>
  withRun(async (run) => {
    const runner = startNode(`
      const { RunDir } = await load('effects/run-dir');
      const run = new RunDir(${JSON.stringify(run.root)});
      for (let n = 0; ; n++) {
        run.event({ type: 'note', text: String(n) }, new Date());
        if (n === 20) console.log('twenty');
      }`);
    t.equal(await nextLine(runner), 'twenty');
    await killHard(runner);
    const texts = await textsOf(run);
    t.ok(texts.length > 20);
    t.ok(
      texts.every((text, index) => text === String(index)),
      'none is missing, none is torn',
    );
  }),
);

// --- folders ---

t.test('a folder is emptied', (t) =>
  withRun(async (run) => {
    const folder = run.path('cases', 'a');
    mkdirSync(path.join(folder, 'again'), { recursive: true });
    writeFileSync(path.join(folder, 'again', 'dmesg'), 'of an earlier attempt');
    await run.emptyFolder(folder);
    t.ok(existsSync(folder) && !existsSync(path.join(folder, 'again')));
    await run.emptyFolder(run.path('new'));
    t.ok(existsSync(run.path('new')));
  }),
);
