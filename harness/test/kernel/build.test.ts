// SPDX-License-Identifier: GPL-2.0-only
// Configuring and building a miniature kernel with the real make, gcc and ccache: what is cached, what is built anew,
// and what is said when it does not build.
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { exists } from '../../effects/files.ts';
import { findProgram } from '../../effects/tools.ts';
import { InterruptedError, KernelError } from '../../errors.ts';
import { ensureImage, objectsOf } from '../../kernel/build.ts';
import type { KconfigName } from '../../kernel/configure.ts';
import type { Base } from '../../kernel/source.ts';
import type { Event } from '../../model/events.ts';
import type { BuiltImage } from '../../model/image.ts';
import { caught, tempFolder, withCache, withTemp } from '../temp.ts';
import { type Commit, commitsOn, configCalls, copyBase, edited, FILES, fakeBase } from './fake-base.ts';

// Made and built once; each test goes on from a copy.
const made = tempFolder(t);
const bare = await fakeBase(path.join(made, 'bare'));
const template = copyBase(bare, path.join(made, 'base'));
await withCache(path.join(made, 'cache'), () => {
  const logFile = path.join(made, 'build.log');
  return ensureImage(
    { base: template, commit: bare.commit, kconfig: 'base', role: 'base', logFile },
    () => {},
  );
});

interface Bench {
  base: Base;
  folder: string;
  objects: string;
  /** What make compiled in the last build. */
  compiled(): string[];
  build(
    commit?: string,
    more?: { kconfig?: KconfigName; signal?: AbortSignal; onEvent?: (event: Event) => void },
  ): Promise<BuiltImage>;
  /** Commits on the base, ready to be built. */
  commit(...commits: Commit[]): Promise<string>;
}

/** @param from the base is built already, or not yet */
const withBench = <T>(from: 'built' | 'fresh', use: (bench: Bench) => Promise<T>) =>
  withTemp((folder) =>
    withCache(path.join(folder, 'cache'), () => {
      const base = copyBase(from === 'built' ? template : bare, path.join(folder, 'base'));
      const options = { recursive: true, preserveTimestamps: true };
      if (from === 'built') cpSync(path.join(made, 'cache'), path.join(folder, 'cache'), options);
      const logFile = path.join(folder, 'build.log');
      return use({
        base,
        folder,
        objects: objectsOf(base, 'base'),
        compiled: () => (readFileSync(logFile, 'utf8').match(/(?<=^ {2}CC +)\S+/gm) ?? []).sort(),
        build: (commit = base.commit, more = {}) => {
          writeFileSync(logFile, '');
          const request = { base, commit, kconfig: more.kconfig ?? 'base', role: 'series', logFile } as const;
          return ensureImage(request, more.onEvent ?? (() => {}), more.signal);
        },
        commit: (...commits) => commitsOn(base, ...commits),
      });
    }),
  );

const ONE = edited('virt/kvm/a.c', 'int a_5;', 'int a_five;');

t.test('an image says what it is, and is built once', (t) =>
  withBench('fresh', async ({ base, build, compiled, objects }) => {
    const image = await build();
    t.match(image, { commit: base.commit, cached: false });
    t.equal(image.release, `7.3.0-kvmhil-${image.hash.slice(0, 10)}`);
    t.match(image.config, /^CONFIG_KVM=y$/m);
    t.match(image.compiler, /gcc.*, .*ld/);
    t.ok(image.unknownSymbols.includes('KVM_AMD') && !image.unknownSymbols.includes('KVM'));
    t.same(compiled(), ['virt/kvm/a.c', 'virt/kvm/b.c']);
    t.ok(await exists(image.vmlinux));
    const again = await build();
    t.same(again, { ...image, cached: true });
    t.same(compiled(), ['virt/kvm/a.c', 'virt/kvm/b.c'], 'the log of the build that made it');
    t.equal(configCalls(objects), 1, 'make was not asked');
  }),
);

t.test('only what a series touches is compiled, and nothing is configured', (t) =>
  withBench('built', async ({ build, commit, compiled, objects }) => {
    const image = await build();
    const other = await build(await commit(['KVM: One', ONE]));
    t.not(other.hash, image.hash);
    t.not(other.release, image.release);
    t.equal(other.cached, false);
    t.same(compiled(), ['virt/kvm/a.c']);
    t.equal(configCalls(objects), 1);
    t.equal((await build()).cached, true, 'and the base is still there');
  }),
);

t.test('what counts is the content, not how it came about', (t) =>
  withBench('built', async ({ build, commit }) => {
    const atOnce = await commit(['KVM: One', ONE]);
    const image = await build(atOnce);
    const inTwoSteps = await commit(
      ['KVM: Detour', { 'virt/kvm/c.c': 'int c;\n' }],
      ['KVM: Back', { ...ONE, 'virt/kvm/c.c': null }],
    );
    t.not(inTwoSteps, atOnce);
    t.match(await build(inTwoSteps), { hash: image.hash, cached: true });
  }),
);

t.test('another configuration is another image, with objects of its own', (t) =>
  withBench('built', async ({ base, build, compiled }) => {
    const image = await build();
    const debug = await build(base.commit, { kconfig: 'debug' });
    t.not(debug.hash, image.hash);
    t.equal(debug.cached, false);
    t.equal(compiled().length, 2);
    t.same(readdirSync(path.join(base.folder, 'objects')).sort(), ['base', 'debug']);
  }),
);

t.test('a series that touches Kconfig is configured anew', (t) =>
  withBench('built', async ({ build, commit, objects }) => {
    const kconfig = { Kconfig: `${FILES.Kconfig}config KVM_AMD\n\tbool "AMD"\n` };
    const image = await build(await commit(['KVM: A symbol', kconfig]));
    t.equal(configCalls(objects), 1, 'beside what is kept');
    t.match(image.config, /^CONFIG_KVM_AMD=y$/m);
    t.notOk(image.unknownSymbols.includes('KVM_AMD'));
  }),
);

t.test('a .config that somebody changed is made again', (t) =>
  withBench('built', async ({ build, commit, objects }) => {
    appendFileSync(path.join(objects, '.config'), 'CONFIG_MINE=y\n');
    const image = await build(await commit(['KVM: One', ONE]));
    t.equal(configCalls(objects), 2);
    t.notMatch(image.config, /MINE/);
  }),
);

// --- what does not build ---

const failure = async (building: Promise<BuiltImage>): Promise<KernelError> => {
  const error = await caught(building);
  t.ok(error instanceof KernelError, String(error));
  return error as KernelError;
};

t.test('a compile error: where, what, and by which patch', (t) =>
  withBench('built', async ({ build, commit, folder, objects }) => {
    const broken = edited('virt/kvm/a.c', 'int a_5;', 'int a_5');
    const { code, message, detail, hint } = await failure(
      build(await commit(['KVM: Fine', { 'virt/kvm/b.c': 'int b;\n' }], ['KVM: Broken', broken])),
    );
    t.equal(code, 'build-failed');
    t.match(message, /^the kernel does not build: virt\/kvm\/a\.c:[56]: error: expected/);
    t.match(detail, /patch "KVM: Broken"|touched by "KVM: Broken"/);
    t.match(hint, new RegExp(path.join(folder, 'build.log')));
    t.equal((await build(await commit(['KVM: One', ONE]))).cached, false, 'the next series builds');
    t.notOk(await exists(path.join(objects, '.kvm-hil-building')));
  }),
);

t.test('an error in a line that an earlier patch of the series wrote', (t) =>
  withBench('built', async ({ build, commit }) => {
    const wrong = edited('virt/kvm/a.c', 'int a_20;', 'int wrong = "text";');
    const innocent = edited('virt/kvm/a.c', 'int a_1;', 'int a_one;', wrong);
    const { message, detail } = await failure(
      build(await commit(['KVM: Wrong', wrong], ['KVM: Innocent', innocent])),
    );
    t.match(message, /virt\/kvm\/a\.c:20: error:/);
    t.equal(detail, 'the line was last touched by the patch "KVM: Wrong"');
  }),
);

t.test('an error in a file that no patch touches', (t) =>
  withBench('built', async ({ build, commit }) => {
    const tip = await commit(['KVM: Header', { 'include/shared.h': 'int shared(int, int);\n' }]);
    const { message, detail } = await failure(build(tip));
    t.match(message, /virt\/kvm\/b\.c:22: error:/);
    t.match(detail, /^no patch of the series touches virt\/kvm\/b\.c/);
  }),
);

t.test('the base itself does not build: nobody is blamed', (t) =>
  withTemp((folder) =>
    withCache(path.join(folder, 'cache'), async () => {
      const base = await fakeBase(path.join(folder, 'base'), { ...FILES, 'virt/kvm/a.c': 'int a\n' });
      const logFile = path.join(folder, 'build.log');
      const error = await failure(
        ensureImage({ base, commit: base.commit, kconfig: 'base', role: 'base', logFile }, () => {}),
      );
      t.match(error.message, /a\.c:1: error:/);
      t.equal(error.detail, undefined);
    }),
  ),
);

t.test('make itself gives up', (t) =>
  withBench('built', async ({ build, commit }) => {
    const error = await failure(
      build(
        await commit([
          'KVM: Make',
          { Makefile: `${FILES.Makefile}\n$(O)/vmlinux: fail\nfail:\n\t@echo 'something odd'; false\n` },
        ]),
      ),
    );
    t.equal(error.message, 'the kernel does not build');
    t.match(error.detail, /something odd/);
  }),
);

t.test('a symbol that is asked for and known does not survive', (t) =>
  withBench('built', async ({ build, commit, objects }) => {
    const tip = await commit(['KVM: Depends', { 'scripts/kconfig/lost': 'CONFIG_KVM=y\n' }]);
    const { code, message, detail } = await failure(build(tip));
    t.equal(code, 'kconfig-lost');
    t.match(message, /^1 Kconfig symbols did not survive: KVM$/);
    t.equal(detail, 'CONFIG_KVM: asked for y, got n');
    t.equal((await build()).cached, true);
    t.equal(configCalls(objects), 1, 'beside what is kept');
  }),
);

t.test('Kconfig itself is broken: that is the kernel’s fault', (t) =>
  withBench('built', async ({ build, commit }) => {
    const error = await failure(build(await commit(['KVM: Kconfig', { Kconfig: 'syntax error\n' }])));
    t.equal(error.code, 'config-failed');
    t.match(error.detail, /1:syntax error/);
  }),
);

// --- builds that are stopped, caches that are damaged ---

t.test('a build that was killed: what it left torn is built again', (t) =>
  withBench('built', async ({ build, commit, compiled, objects }) => {
    const slow = { ...ONE, 'virt/kvm/z.c': '// slow\nint z;\n' };
    const stop = new AbortController();
    const stopped = build(await commit(['KVM: Slow', slow]), {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === 'progress' && event.detail === 'virt/kvm/z.c') stop.abort();
      },
    });
    await t.rejects(stopped, InterruptedError);
    t.ok(await exists(path.join(objects, '.kvm-hil-building')));
    // Power was lost in the middle of a write: newer than its source, so make takes it for whole.
    writeFileSync(path.join(objects, 'virt/kvm/a.o'), 'torn');
    const image = await build(await commit(['KVM: Fast', { ...ONE, 'virt/kvm/z.c': 'int z;\n' }]));
    t.notOk(readFileSync(image.vmlinux).includes('torn'));
    t.same(compiled(), ['virt/kvm/a.c', 'virt/kvm/z.c'], 'what was whole before is kept');
    t.notOk(await exists(path.join(objects, '.kvm-hil-building')));
  }),
);

t.test('stopped before it began', (t) =>
  withBench('fresh', async ({ build, objects }) => {
    await t.rejects(build(undefined, { signal: AbortSignal.abort() }), InterruptedError);
    t.equal(configCalls(objects), 0);
  }),
);

t.test('two builds of the same at once: one builds, the other waits', (t) =>
  withBench('fresh', async ({ build, compiled }) => {
    const images = await Promise.all([build(), build()]);
    t.same(images.map((image) => image.cached).sort(), [false, true]);
    t.equal(compiled().length, 2);
  }),
);

t.test('a damaged image is made again', (t) =>
  withBench('built', async ({ build }) => {
    const { vmlinux, hash } = await build();
    const folder = path.dirname(vmlinux);
    const record = path.join(folder, 'image.json');
    const whole = readFileSync(record, 'utf8');
    const damage: Readonly<Record<string, () => void>> = {
      'no vmlinux': () => unlinkSync(vmlinux),
      'half a vmlinux': () => truncateSync(vmlinux, Math.floor(statSync(vmlinux).size / 2)),
      'of something else': () => writeFileSync(record, whole.replace('"hash": "', '"hash": "x')),
      'half a record': () => truncateSync(record, Math.floor(whole.length / 2)),
      'an empty record': () => writeFileSync(record, '{}'),
      'no configuration': () => unlinkSync(path.join(folder, 'config')),
      'half a configuration': () => truncateSync(path.join(folder, 'config'), 10),
      'no log': () => unlinkSync(path.join(folder, 'build.log')),
    };
    for (const [what, wreck] of Object.entries(damage)) {
      wreck();
      t.match(await build(), { cached: false, hash }, what);
      t.equal((await build()).cached, true);
    }
  }),
);

t.test('a stamp of the configuration that was cut short', (t) =>
  withBench('built', async ({ build, commit, objects }) => {
    truncateSync(path.join(objects, '.kvm-hil-config'), 20);
    await build(await commit(['KVM: One', ONE]));
    t.equal(configCalls(objects), 2);
  }),
);

t.test('a full disk and a lack of memory are not the kernel’s fault', (t) =>
  withBench('built', async ({ build, commit }) => {
    const says = (text: string) => ({
      Makefile: `${FILES.Makefile}\n$(O)/vmlinux: fail\nfail:\n\t@echo '${text}' >&2; false\n`,
    });
    const full = says('virt/kvm/a.c:1: fatal error: error writing to /tmp/x.s: No space left on device');
    t.match(await caught(build(await commit(['KVM: Full', full]))), {
      code: 'no-space',
      exitCode: 3,
      message: 'the disk is full: make could not go on',
      detail: /a\.c:1/,
      hint: /cache trim/,
    });
    const killed = says('gcc: fatal error: Killed signal terminated program cc1');
    t.match(await caught(build(await commit(['KVM: Large', killed]))), { code: 'no-memory', exitCode: 3 });
  }),
);

t.test('programs that are missing are said, all at once, before anything is built', (t) =>
  withBench('fresh', async ({ build, folder }) => {
    const bin = path.join(folder, 'bin');
    mkdirSync(bin);
    for (const name of ['sh', 'git', 'setpriv', 'flock', 'cat', 'gcc']) {
      const real = findProgram(name);
      if (real !== undefined) symlinkSync(real, path.join(bin, name));
    }
    const before = process.env['PATH'];
    process.env['PATH'] = bin;
    try {
      t.match(await caught(build()), {
        code: 'missing-tool',
        exitCode: 3,
        message: 'make, ld, ccache, flex, bison, bc, perl are not installed',
        hint: 'apt-get install make binutils ccache flex bison bc perl',
      });
    } finally {
      process.env['PATH'] = before;
    }
  }),
);

t.test('progress is told step by step', (t) =>
  withBench('fresh', async ({ build, commit }) => {
    const steps: string[] = [];
    const onEvent = (event: Event) => {
      if (event.type === 'progress') steps.push(`${event.step} ${event.done}/${event.total} ${event.detail}`);
    };
    await build(undefined, { onEvent });
    t.same(
      steps.map((step) => step.split(' ')[4]),
      ['1/1400', '2/1400', '3/1400'],
    );
    t.same(steps.map((step) => step.split(' ')[5]).sort(), ['virt/kvm/a.c', 'virt/kvm/b.c', 'vmlinux']);
    steps.length = 0;
    await build(await commit(['KVM: One', ONE]), { onEvent });
    t.same(steps, [
      'building the series kernel 1/null virt/kvm/a.c',
      'building the series kernel 2/null vmlinux',
    ]);
  }),
);
