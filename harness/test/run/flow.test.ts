// SPDX-License-Identifier: GPL-2.0-only
import t from 'tap';
import type { Fault } from '../../hosts/scripted.ts';
import { caught } from '../temp.ts';
import {
  BAD,
  caseFiles,
  END,
  FACTS,
  type FlowSetup,
  GOOD,
  OOPS,
  THOROUGH,
  verdictsOf,
  withFlow,
} from './fixture.ts';

t.test('a good series passes everywhere', (t) =>
  withFlow({}, ({ result, host }) => {
    t.same(verdictsOf(result), {
      'base/kernel/build': 'pass ok',
      'series/kernel/build': 'pass ok',
      'base/fake/kernel/boot': 'pass ok',
      'base/fake/host/self-check': 'pass ok',
      'base/fake/gmem/one': 'pass ok',
      'base/fake/gmem/two': 'pass ok',
      'series/fake/kernel/boot': 'pass ok',
      'series/fake/gmem/one': 'pass ok',
      'series/fake/gmem/two': 'pass ok',
    });
    t.equal(result.summary.exitCode, 0);
    t.equal(host.boots(), 3, 'one boot a kernel, and one to leave the self-check behind');
    t.equal(host.open(), 0);
  }),
);

t.test('a broken invariant is a regression when the base keeps it', (t) =>
  withFlow(
    { play: (id, _, role) => (id === 'gmem/two' && role === 'series' ? BAD : undefined) },
    ({ result }) => {
      const test = result.tests.find((one) => one.id === 'series/fake/gmem/two');
      t.match(test, { verdict: 'fail', comparison: 'regression', counts: true });
      t.match(test?.invariants[0], {
        id: 'X-01',
        verdict: 'fail',
        comparison: 'regression',
        observed: { ret: -1 },
      });
      t.equal(result.summary.exitCode, 1);
    },
  ),
);

t.test('the same failure on base does not count', (t) =>
  withFlow({ play: (id) => (id === 'gmem/two' ? BAD : undefined) }, ({ result }) => {
    const test = result.tests.find((one) => one.id === 'series/fake/gmem/two');
    t.match(test, { verdict: 'fail', comparison: 'same-failure', counts: false });
    t.equal(result.summary.exitCode, 0);
  }),
);

t.test('a splat fails the case, reboots the host, and the remaining cases run', (t) =>
  withFlow(
    { play: (id, _, role) => (id === 'gmem/one' && role === 'series' ? { ...GOOD, log: OOPS } : undefined) },
    ({ result, host }) => {
      t.match(verdictsOf(result), {
        'series/fake/gmem/one': 'fail splat',
        'series/fake/gmem/two': 'pass ok',
      });
      t.equal(host.boots(), 4);
      t.match(result.tests.find((one) => one.id === 'series/fake/gmem/one')?.splats[0], {
        kind: 'oops',
        fingerprint: 'oops: kvm_gmem_bind < kvm_vm_ioctl',
      });
    },
  ),
);

t.test('a kernel without KVM fails to boot, it does not skip everything', (t) =>
  withFlow({ facts: (role) => (role === 'series' ? { ...FACTS, kvm: false } : FACTS) }, ({ result }) => {
    t.match(verdictsOf(result), {
      'base/fake/gmem/one': 'pass ok',
      'series/fake/kernel/boot': 'fail boot',
      'series/fake/gmem/one': 'miss no-host',
    });
    t.equal(result.summary.exitCode, 1);
  }),
);

t.test('a splat after the end marker still belongs to the case', (t) =>
  withFlow(
    {
      play: (id, _, role) =>
        id === 'gmem/one' && role === 'series' ? { ...GOOD, lateLog: OOPS } : undefined,
    },
    ({ result }) => {
      const test = result.tests.find((one) => one.id === 'series/fake/gmem/one');
      t.match(test, { verdict: 'fail', reason: { code: 'splat' }, splats: [{ late: true }] });
    },
  ),
);

t.test('a host that dies fails the case that was attempted, and only that', (t) =>
  withFlow(
    {
      play: (id, _, role) =>
        id === 'gmem/one' && role === 'series'
          ? {
              stdout: ['{"attempt":"bind.twice"}'],
              ms: 20,
              dies: { kind: 'exited', detail: 'QEMU exited with 0' },
              log: ['Kernel panic - not syncing: Fatal exception'],
            }
          : undefined,
    },
    ({ result, host }) => {
      const test = result.tests.find((one) => one.id === 'series/fake/gmem/one');
      t.match(test, { verdict: 'fail', reason: { code: 'host-died' }, comparison: 'regression' });
      t.match(test?.reason.text, /bind\.twice/, 'the last step that was announced is named');
      t.match(verdictsOf(result), { 'series/fake/gmem/two': 'pass ok' });
      t.equal(host.boots(), 4);
    },
  ),
);

t.test('a host that hangs is noticed, and is a failure of the case', (t) =>
  withFlow(
    {
      play: (id, _, role) =>
        id === 'gmem/one' && role === 'series' ? { stdout: [], ms: 20, silent: true } : undefined,
    },
    ({ result }) => {
      t.match(verdictsOf(result), {
        'series/fake/gmem/one': 'fail host-died',
        'series/fake/gmem/two': 'pass ok',
      });
    },
  ),
);

const TIMEOUT = { stdout: ['{"end":{"status":"timeout","marker":true}}'], ms: 5000 };

t.test('a timeout is looked at once more, alone on a fresh boot', async (t) => {
  await withFlow(
    { play: (id, run, role) => (id === 'gmem/one' && role === 'series' && run === 1 ? TIMEOUT : undefined) },
    ({ result, host }) => {
      t.match(verdictsOf(result), { 'series/fake/gmem/one': 'error timeout' }, 'once: nobody knows');
      t.equal(host.boots(), 5, 'before the second look, and after it');
      t.equal(result.summary.exitCode, 3);
    },
  );
  await withFlow(
    { play: (id, _, role) => (id === 'gmem/one' && role === 'series' ? TIMEOUT : undefined) },
    ({ result }) => {
      t.match(
        verdictsOf(result),
        { 'series/fake/gmem/one': 'fail hang' },
        'twice, and not on base: a regression',
      );
      t.equal(result.summary.exitCode, 1);
    },
  );
  await withFlow({ play: (id) => (id === 'gmem/one' ? TIMEOUT : undefined) }, ({ result }) => {
    t.match(verdictsOf(result), { 'series/fake/gmem/one': 'error hang' }, 'twice, and on base too: unknown');
  });
});

const STALL = ['rcu: INFO: rcu_preempt self-detected stall on CPU', 'Call Trace:', ' foo_bar+0x1/0x2'];

t.test('a stall on an emulated host counts only when it comes back', async (t) => {
  const once: FlowSetup = {
    emulated: true,
    play: (id, run, role) =>
      id === 'gmem/one' && role === 'series' && run === 1 ? { ...GOOD, log: STALL } : undefined,
  };
  await withFlow(once, ({ result }) => {
    const test = result.tests.find((one) => one.id === 'series/fake/gmem/one');
    t.match(test, { verdict: 'pass', splats: [{ discounted: true }] });
  });
  await withFlow(
    {
      ...once,
      play: (id, _, role) => (id === 'gmem/one' && role === 'series' ? { ...GOOD, log: STALL } : undefined),
    },
    ({ result }) => t.match(verdictsOf(result), { 'series/fake/gmem/one': 'fail splat' }),
  );
  await withFlow({ ...once, emulated: false }, ({ result }) =>
    t.match(verdictsOf(result), { 'series/fake/gmem/one': 'fail splat' }, 'on hardware once is enough'),
  );
});

t.test('a triple fault of a guest counts only when it comes back', async (t) => {
  const lines = [
    '{"fact":"triple_fault","value":true}',
    '{"setup":{"what":"a store","errno":null,"exit":"shutdown"}}',
    '{"end":{"status":"setup","marker":true}}',
  ];
  const faults = { stdout: lines, ms: 20 };
  const once: FlowSetup = {
    emulated: true,
    play: (id, run, role) => (id === 'gmem/one' && role === 'series' && run === 1 ? faults : undefined),
  };
  await withFlow(once, ({ result, host }) => {
    t.match(verdictsOf(result), { 'series/fake/gmem/one': 'pass ok' });
    t.equal(host.boots(), 5, 'before the second look, and after it');
  });
  await withFlow({ ...once, play: (id) => (id === 'gmem/one' ? faults : undefined) }, ({ result }) =>
    t.match(verdictsOf(result), { 'base/fake/gmem/one': 'error setup' }),
  );
  await withFlow({ ...once, emulated: false }, ({ result }) =>
    t.match(verdictsOf(result), { 'series/fake/gmem/one': 'error setup' }, 'on hardware once is enough'),
  );
});

t.test('what a series promises has to be there', async (t) => {
  const cases = [caseFiles('gmem/new', { requires: ['gmem.fdinfo'] })];
  const has = { ...FACTS, can: { ...FACTS.can, 'gmem.fdinfo': true } };
  await withFlow({ cases, provides: ['gmem.fdinfo'] }, ({ result }) => {
    t.match(verdictsOf(result), {
      'base/fake/gmem/new': 'skip requirement',
      'series/fake/gmem/new': 'fail promised',
      'series/fake/kernel/promises': 'fail promised',
    });
    t.equal(result.summary.exitCode, 1);
  });
  await withFlow({ provides: ['gmem.fdinfo'] }, ({ result }) => {
    t.match(
      verdictsOf(result),
      { 'series/fake/gmem/one': 'pass ok', 'series/fake/kernel/promises': 'fail promised' },
      'also when no case needs it',
    );
    t.equal(result.summary.exitCode, 1);
  });
  await withFlow(
    { cases, provides: ['gmem.fdinfo'], facts: (role) => (role === 'series' ? has : FACTS) },
    ({ result }) => {
      t.match(verdictsOf(result), { 'series/fake/gmem/new': 'pass ok' });
      t.equal(result.tests.at(-1)?.comparison, 'new');
      t.equal(result.summary.exitCode, 0);
    },
  );
  await withFlow({ cases, facts: (role) => (role === 'base' ? has : FACTS) }, ({ result }) => {
    t.match(
      verdictsOf(result),
      { 'series/fake/gmem/new': 'fail promised' },
      'the base had it: taking it away is no skip',
    );
  });
  await withFlow({ cases: [caseFiles('gmem/old', { requires: ['!gmem.fdinfo'] })] }, ({ result }) => {
    t.match(verdictsOf(result), { 'base/fake/gmem/old': 'pass ok' });
  });
});

t.test('a capability that nobody knows is no reason to skip', async (t) => {
  const cases = [caseFiles('gmem/new', { requires: ['gmmem'] })];
  await withFlow({ cases, provides: ['gmem.fdnfo'] }, ({ result }) => {
    t.match(verdictsOf(result), {
      'base/fake/gmem/new': 'error contract',
      'series/fake/kernel/promises': 'error contract',
    });
    t.equal(result.summary.exitCode, 3);
  });
});

t.test('where every case is skipped nothing is known', (t) =>
  withFlow({ series: false, cases: [caseFiles('gmem/new', { requires: ['gmem.fdinfo'] })] }, ({ result }) => {
    t.match(verdictsOf(result), { 'base/fake/gmem/new': 'skip requirement' });
    t.equal(result.summary.exitCode, 3);
  }),
);

t.test('a base that does not exist is a usage error, not a miss', async (t) => {
  const { UsageError } = await import('../../errors.ts');
  const error = new UsageError({ code: 'unknown-base', message: 'no 9.9', hint: 'it has 7.3' });
  const base = async () => {
    throw error;
  };
  await t.rejects(
    withFlow({ workshop: { base } }, () => {}),
    error,
  );
});

t.test('a series that does not apply or build fails kernel/build; what is behind it is a miss', async (t) => {
  const { KernelError } = await import('../../errors.ts');
  await withFlow(
    {
      workshop: {
        series: async () => {
          throw new KernelError({ code: 'conflict', message: 'patch 1/1 does not apply', detail: 'here' });
        },
      },
    },
    ({ result }) => {
      t.match(verdictsOf(result), {
        'series/kernel/build': 'fail apply',
        'series/fake/kernel/boot': 'miss no-kernel',
        'series/fake/gmem/one': 'miss no-kernel',
        'base/fake/gmem/one': 'pass ok',
      });
      t.equal(result.summary.exitCode, 1);
    },
  );
});

t.test('a host that gets a known outcome wrong is not believed', (t) =>
  withFlow({ play: (id) => (id === 'self/fail' ? GOOD : undefined) }, ({ result }) => {
    t.match(verdictsOf(result), {
      'base/fake/host/self-check': 'error host-bad',
      'base/fake/gmem/one': 'miss host-bad',
      'series/fake/gmem/one': 'miss host-bad',
    });
    t.equal(result.summary.exitCode, 3);
  }),
);

t.test('a host that cannot run here at all says so before anything is built', async (t) => {
  const { InfraError } = await import('../../errors.ts');
  const error = new InfraError({
    code: 'missing-tool',
    message: 'qemu is not installed',
    hint: 'install it',
  });
  let built = 0;
  const image = async () => {
    built++;
    throw new Error('nothing is to be built');
  };
  const onHost = (host: { traits: () => Promise<never> }) => {
    host.traits = () => Promise.reject(error);
  };
  const setup = { workshop: { image }, onHost: onHost as never };
  t.equal(await caught(withFlow(setup, () => {})), error);
  t.equal(built, 0);
});

t.test('an interruption ends the run, leaves nothing open, and is no result', async (t) => {
  const stop = new AbortController();
  const { InterruptedError } = await import('../../errors.ts');
  await t.rejects(
    withFlow(
      {
        signal: stop.signal,
        onEvent: (event) => {
          if (event.type === 'case.ended') stop.abort();
        },
      },
      () => {},
    ),
    InterruptedError,
  );
});

// Every step of a run goes wrong once, in every way: each planned case still ends with exactly one verdict, every
// machine is closed, every lease is given back (withFlow would wait for a lease that was not).
// Steps without a fault: boot, facts, self/pass, self/fail; boot, two cases, settle; boot, facts, two cases, settle.
const UNSEEN: Partial<Record<Fault, number[]>> = {
  // While it boots there is no link yet, and no machine.
  'link-lost': [1, 5, 9],
  exited: [1, 5, 9],
  // A host that does not boot is tried once more.
  'infra-boot': [1, 5, 9],
  // Facts that make no sense are asked for once more; self/fail fails anyway; nobody reads what settling prints.
  garbage: [2, 4, 8, 10, 13],
};
const FAULTS: Fault[] = ['infra-boot', 'kernel-boot', 'link-lost', 'silent', 'exited', 'garbage'];

// Each takes a second or two: `npm run check` is content with one, `npm test` tries all.
for (const kind of THOROUGH ? FAULTS : (['exited'] as const)) {
  t.test(`a fault at every step: ${kind}`, async (t) => {
    for (let step = 1; ; step++) {
      const steps = await withFlow({ fault: { step, kind } }, ({ result, host }) => {
        const ids = result.tests.map((test) => test.id);
        t.equal(new Set(ids).size, ids.length, `step ${step}: one verdict each`);
        t.equal(ids.length, 9, `step ${step}: none is missing`);
        t.equal(host.open(), 0, `step ${step}: every machine is closed`);
        const shows = result.tests.some((test) => test.verdict !== 'pass');
        const reached = host.steps() >= step;
        if (reached && UNSEEN[kind]?.includes(step) !== true) t.ok(shows, `step ${step}: shows`);
        t.ok(result.run.complete, `step ${step}: every reason is known`);
        return host.steps();
      });
      if (steps < step) break;
    }
  });
}

t.test('the end line of the fixtures is one of the protocol', async (t) =>
  t.match(JSON.parse(END), { end: { status: 'done' } }),
);
