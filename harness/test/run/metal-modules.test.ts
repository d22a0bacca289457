// SPDX-License-Identifier: GPL-2.0-only
// Boot method modules in whole runs, on simulated time: from the base's kernel to the series' without a boot, and what becomes
// of a run in which that does not come about.
import t from 'tap';
import { KernelError } from '../../errors.ts';
import { metalHost } from '../../hosts/metal/metal.ts';
import { scriptedHost } from '../../hosts/scripted.ts';
import type { PlayedSetup } from '../hosts/metal/played-setup.ts';
import { MACHINE_FAULTS } from '../hosts/metal/played-words.ts';
import { check, checkBlame, EVERY_STEP, isAsked, type Outcome, runWith } from './faulty-run.ts';
import { BAD, FACTS, type FlowSetup, GOOD, OOPS, verdictsOf, withFlow } from './fixture.ts';
import { withLab } from './played-lab.ts';

/** As STRIDE of metal-faults, over the steps of the change alone. */
const STRIDE = EVERY_STEP ? 1 : 7;
const MODULES: Partial<PlayedSetup> = { more: { boot: ['kexec', 'modules'] } };
const PASS = ({ result }: Pick<Outcome, 'result'>) =>
  Object.values(verdictsOf(result)).every((one) => one === 'pass ok');
const bootOf = ({ result }: Pick<Outcome, 'result'>) =>
  result.tests.find((test) => test.id === 'series/metal-1/kernel/boot')?.reason.text ?? '';
const kexecs = ({ machine }: Outcome) =>
  machine.heard.filter(([, command]) => command.includes('systemctl kexec')).length;

let first = 0;
let last = 0;
let booted = 0;

t.test('the modules of the series in the kernel of the base', async (t) => {
  const o = await runWith(undefined, MODULES, {});
  check(t, o, 'modules');
  t.ok(PASS(o), JSON.stringify(verdictsOf(o.result)));
  t.equal(o.machine.modules.swaps, 1);
  booted = kexecs(o);
  t.match(
    bootOf(o),
    /^its modules loaded into 7\.3\.0-kvmhil-base, which ran, on .*modules in [\d.]+ s: those of/,
  );
  t.match(bootOf(o), /those of 7\.3\.0-kvmhil-series, in 7\.3\.0-kvmhil-base/);
  t.same(o.notes, []);
  t.ok(o.machine.isHome());
  const seen = o.machine.heard.filter(([, command]) => /kvm-modules|\/run\/kvm-hil/.test(command));
  first = (seen[0]?.[0] ?? 0) - 2;
  last = (seen.at(-1)?.[0] ?? 0) + 3;
  t.ok(first > 0 && last - first > 8, `steps ${first} to ${last}`);
  const after = o.machine.heard.findIndex(([, command]) => command === 'kvm-modules unload');
  t.ok(
    o.machine.heard.slice(after).some(([, command]) => command.includes('gmem/two')),
    'cases run behind it',
  );
});

t.test('only where the inventory or the user wants it', async (t) => {
  const plain = await runWith(undefined, {}, {});
  t.equal(plain.machine.modules.swaps, 0);
  t.ok(PASS(plain));
  await withLab(async (lab) => {
    for (const [method, swaps] of [
      ['modules', 1],
      ['kexec', 0],
    ] as const) {
      const machine = lab.machine('metal-1', method === 'kexec' ? MODULES : {});
      const hosts = {
        names: ['metal-1'],
        open: async () => [metalHost({ clock: lab.clock, host: machine.host, method })],
      };
      await withFlow({ ...lab.setup([machine]), hosts }, ({ result }) => t.ok(PASS({ result }), method));
      t.equal(machine.modules.swaps, swaps, method);
      t.ok(machine.isHome());
    }
  });
});

t.test('what the series touches and what was built of it decide', async (t) => {
  const series = { commit: 'c'.repeat(40), patches: 1, touched: ['virt/kvm/guest_memfd.c', 'mm/gup.c'] };
  const o = await runWith(undefined, MODULES, { workshop: { series: async () => series } });
  check(t, o, 'outside');
  t.ok(PASS(o));
  t.equal(o.machine.modules.swaps, 0);
  t.match(o.notes, [/the series' kernel is booted: the series touches mm\/gup\.c/]);
  t.match(bootOf(o), /^booted once on/);
});

/** Answers that make the change impossible, and what is said of it. */
const REFUSALS: readonly [what: string, play: NonNullable<PlayedSetup['play']>, note: RegExp][] = [
  [
    'somebody holds a VM',
    (command) =>
      command === 'kvm-modules unload'
        ? { exitCode: 1, stderr: "rmmod: can't unload module 'kvm_amd': Resource temporarily unavailable" }
        : undefined,
    /KVM did not go: rmmod: can't unload module 'kvm_amd'/,
  ],
  [
    'unloading never ends',
    (command) => (command === 'kvm-modules unload' ? { exitCode: null, timedOut: true } : undefined),
    /KVM did not go: it did not answer/,
  ],
  [
    'a checksum of a symbol differs',
    (command) =>
      command.startsWith('kvm-modules load')
        ? { exitCode: 1, stderr: "insmod: can't insert 'kvm.ko': invalid module format" }
        : undefined,
    /its kernel does not take them: insmod: .*invalid module format/,
  ],
  [
    'a file that did not arrive',
    (command) =>
      command.includes('/run/kvm-hil/modules/kvm.ko') ? { exitCode: 1, stderr: 'No space left' } : undefined,
    /kvm\.ko did not reach it whole: No space left/,
  ],
  [
    'the base still runs',
    (command) =>
      command.startsWith('kvm-modules ids;')
        ? { stdout: `kvm 040000001400000003000000474e5500${'ab'.repeat(20)}\nkvm_amd 0\n` }
        : undefined,
    /the module kvm is abab.*, and should be [0-9a-f]{40}/,
  ],
  [
    'nothing for the processor',
    (command) => (command.startsWith('kvm-modules ids;') ? { stdout: '' } : undefined),
    /does not say which module kvm is loaded/,
  ],
  [
    'no device',
    (command) => (command.startsWith('kvm-modules ids;') ? { exitCode: 1 } : undefined),
    /no \/dev\/kvm/,
  ],
];

for (const [what, play, note] of REFUSALS) {
  t.test(`${what}: the kernel is booted instead`, async (t) => {
    const o = await runWith(undefined, { ...MODULES, play }, {});
    check(t, o, what);
    t.ok(PASS(o), JSON.stringify(verdictsOf(o.result)));
    t.match(o.notes, [note]);
    t.match(o.notes[0], /; the kernel is booted instead$/);
    t.match(bootOf(o), /^booted once on/);
    t.equal(kexecs(o), booted + 1);
    t.ok(o.machine.isHome());
  });
}

t.test('the kernel complains while its modules go', async (t) => {
  let mark = '';
  const play: PlayedSetup['play'] = (command) => {
    mark = /^echo '<6>(kvm-hil: modules \w+)'/.exec(command)?.[1] ?? mark;
    if (!command.startsWith('dmesg | sed')) return undefined;
    return { stdout: [mark, ...OOPS].map((line) => `[   12.345678] ${line}\n`).join('') };
  };
  const o = await runWith(undefined, { ...MODULES, play }, {});
  check(t, o, 'splat');
  t.ok(PASS(o), 'that is no finding of the series, whose kernel is booted afresh');
  t.match(o.notes, [/its kernel complained: .*NULL pointer dereference/]);
});

t.test('a kernel that is tainted since it was booted', async (t) => {
  let asked = 0;
  const play: PlayedSetup['play'] = (command) => {
    if (!command.endsWith('/proc/sys/kernel/tainted')) return undefined;
    return { stdout: `boot-2\n7.3.0-kvmhil-base\n${asked++ === 0 ? 0 : 512}\n` };
  };
  const o = await runWith(undefined, { ...MODULES, play }, {});
  check(t, o, 'taint');
  t.ok(PASS(o));
  t.match(o.notes, [/its kernel is tainted: 512, and it was 0|it restarted meanwhile/]);
  t.equal(o.machine.modules.swaps, 0);
});

t.test('what the last case of the base leaves behind', async (t) => {
  for (const log of [{ log: OOPS }, { lateLog: OOPS }]) {
    let runs = 0;
    const script: PlayedSetup['script'] = {
      facts: FACTS,
      case: (id) =>
        id === 'self/fail' ? BAD : id === 'gmem/two' && runs++ === 0 ? { ...GOOD, ...log } : GOOD,
    };
    const o = await runWith(undefined, { ...MODULES, script }, {});
    check(t, o, 'a splat');
    t.equal(o.machine.modules.swaps, 0, 'nobody knows what state that kernel is in');
    t.match(verdictsOf(o.result), {
      'base/metal-1/gmem/two': 'fail splat',
      'series/metal-1/gmem/two': 'pass ok',
    });
  }
});

t.test('a case of the series kills the host: the next boot is one of its own image', async (t) => {
  let runs = 0;
  const script: PlayedSetup['script'] = {
    facts: FACTS,
    case: (id) => {
      if (id === 'self/fail') return BAD;
      if (id !== 'gmem/one' || runs++ !== 1) return GOOD;
      return { ...GOOD, ms: 10, dies: { kind: 'panic', detail: 'Kernel panic' } };
    },
  };
  const o = await runWith(undefined, { ...MODULES, script }, {});
  check(t, o, 'panic');
  t.match(verdictsOf(o.result), {
    'series/metal-1/gmem/one': 'fail host-died',
    'series/metal-1/gmem/two': 'pass ok',
  });
  t.match(bootOf(o), /^its modules loaded into 7\.3\.0-kvmhil-base, which ran, and booted once, on/);
  t.equal(kexecs(o), booted + 1);
});

t.test('any host that can, and one that cannot when it comes to it', async (t) => {
  for (const modules of ['taken', 'refused'] as const) {
    await withLab(async (lab) => {
      const { clock } = lab;
      const case_ = (id: string) => (id === 'self/fail' ? BAD : GOOD);
      const host = scriptedHost({ name: 'fake', clock, emulated: false, facts: FACTS, case: case_, modules });
      const hosts = { names: ['fake'], open: async () => [host] };
      await withFlow({ ...lab.setup([]), hosts }, ({ result, events }) => {
        t.ok(PASS({ result }), modules);
        const up = events.findLast((one) => one.type === 'host.booted');
        t.match(up, { release: modules === 'taken' ? '7.3.0-kvmhil-base' : '7.3.0-kvmhil-series' });
      });
      t.equal(host.open(), 0, 'nothing is left running');
    });
  }
});

t.test('a series that does not build leaves no machine behind', async (t) => {
  const workshop: FlowSetup['workshop'] = {
    series: async () => {
      throw new KernelError({ code: 'conflict', message: 'it does not apply' });
    },
  };
  const o = await runWith(undefined, MODULES, { workshop });
  check(t, o, 'conflict');
  t.equal(verdictsOf(o.result)['series/kernel/build'], 'fail apply');
  t.ok(o.machine.isHome());
});

t.test('at every step of the change, in every way', async (t) => {
  for (const [index, kind] of MACHINE_FAULTS.entries()) {
    for (let step = first + (index % STRIDE); step <= last; step += STRIDE) {
      if (!isAsked(kind, step)) continue;
      const what = `modules: ${kind} at step ${step}`;
      const o = await runWith({ step, kind }, MODULES, {});
      check(t, o, what);
      checkBlame(t, o, kind, what);
    }
  }
});
