// SPDX-License-Identifier: GPL-2.0-only
// A whole run against a scripted host: a fake workshop, two made-up cases, everything else is the real flow.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Clock } from '../../effects/clock.ts';
import { writeWhole } from '../../effects/files.ts';
import { RunDir } from '../../effects/run-dir.ts';
import type { Host } from '../../hosts/host.ts';
import {
  type Fault,
  type Script,
  type ScriptedCase,
  type ScriptedHost,
  scriptedHost,
} from '../../hosts/scripted.ts';
import type { Event } from '../../model/events.ts';
import type { CaseFiles, CaseManifest } from '../../model/manifest.ts';
import { planUnits } from '../../model/plan.ts';
import type { KernelRole, ResultDocument } from '../../model/result.ts';
import type { RunRecord } from '../../model/run.ts';
import { type FlowOptions, runFlow, type Workshop } from '../../run/flow.ts';
import { standingOf } from '../../run/resume.ts';
import { simClock } from '../sim-clock.ts';

export const FACTS = {
  release: 'x',
  cpus: 2,
  memory_mib: 2048,
  vendor: 'AuthenticAMD',
  model: 'scripted',
  kvm: true,
  caps: {},
  can: { kvm: true, gmem: true, 'gmem.fdinfo': false, 'self.never': false },
};

const SCHEMA_HEAD = { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' };

export function caseFiles(
  id: string,
  more: Partial<CaseManifest> = {},
  obs?: Record<string, unknown>,
): CaseFiles {
  return {
    id,
    manifest: {
      title: `a made-up case called ${id}`,
      guards: [{ what: 'nothing', source: 'a test' }],
      requires: ['kvm'],
      timeout: 5,
      vcpus: 1,
      memory: '4M',
      control: null,
      tags: [],
      fixes: [],
      ...more,
    },
    schema: {
      ...SCHEMA_HEAD,
      properties: {
        obs: {
          type: 'object',
          properties: obs ?? {
            'a.step': {
              title: 'X-01 the step returns zero',
              type: 'object',
              properties: { ret: { const: 0 } },
              required: ['ret'],
            },
          },
        },
      },
    },
  };
}

export const END = '{"end":{"status":"done","own_us":1000,"marker":true}}';
export const GOOD: ScriptedCase = { stdout: ['{"observe":"a.step","ret":0}', END], ms: 50 };
export const BAD: ScriptedCase = { stdout: ['{"observe":"a.step","ret":-1}', END], ms: 50 };

/** The self-check of a scripted host: one case that passes and one that fails. */
export const SELF = [
  caseFiles('self/pass', { tags: ['self'], outcome: { verdict: 'pass', reason: 'ok' } }),
  caseFiles('self/fail', { tags: ['self'], outcome: { verdict: 'fail', reason: 'invariant' } }),
];

/** All that can be tried, not a choice of it: in `npm test`, not in `npm run check`. */
export const THOROUGH = process.env['KVM_HIL_THOROUGH'] !== undefined;

/** An oops as the kernel logs it. */
export const OOPS = [
  'BUG: kernel NULL pointer dereference, address: 0000000000000010',
  'RIP: 0010:kvm_gmem_bind+0x12/0x340',
  'Call Trace:',
  ' kvm_vm_ioctl+0x10/0x20',
  '---[ end trace 0000000000000000 ]---',
];

/** `pass ok` of each test, by id. */
export const verdictsOf = (result: ResultDocument) =>
  Object.fromEntries(result.tests.map((test) => [test.id, `${test.verdict} ${test.reason.code}`]));

export interface FlowSetup {
  cases?: CaseFiles[];
  /** What a case does; self cases are played as they should be unless this says otherwise. */
  play?: (id: string, run: number, role: KernelRole) => ScriptedCase | undefined;
  facts?: (role: KernelRole) => Record<string, unknown>;
  provides?: string[];
  series?: boolean;
  emulated?: boolean;
  /** The host cannot be booted afresh. */
  boots?: false;
  fault?: { step: number; kind: Fault };
  settleLog?: string[];
  /** Overrides of the fake workshop. */
  workshop?: Partial<Workshop>;
  signal?: AbortSignal;
  onEvent?: (event: Event, run: RunDir) => void;
  /** Is given the host before the run begins, for a run that ends without a result. */
  onHost?: (host: ScriptedHost) => void;
  /** Is given the folder of a run that ended without a result, before it goes. */
  onError?: (run: string) => Promise<void>;
  /** Hosts of another kind instead of the scripted one, which then is none of the run. */
  hosts?: { names: string[]; open: (clock: Clock, folder: string) => Promise<Host[]> };
  /** Go on with the run in this folder. */
  resume?: string;
  clock?: Clock;
}

export interface FlowOutcome {
  result: ResultDocument;
  run: RunDir;
  host: ScriptedHost;
  events: Event[];
}

/** Runs a whole flow in a temporary folder; `use` looks at the outcome before the folder goes. */
export async function withFlow<T>(
  setup: FlowSetup,
  use: (outcome: FlowOutcome) => Promise<T> | T,
): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kvm-hil-test-'));
  const xdg = process.env['XDG_CACHE_HOME'];
  process.env['XDG_CACHE_HOME'] = path.join(folder, 'cache');
  try {
    return await use(await runOnce(setup, folder));
  } finally {
    if (xdg === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = xdg;
    await rm(folder, { recursive: true, force: true });
  }
}

// --- internal ---

async function runOnce(setup: FlowSetup, folder: string): Promise<FlowOutcome> {
  const clock = setup.clock ?? simClock();
  const cases = [...(setup.cases ?? [caseFiles('gmem/one'), caseFiles('gmem/two')]), ...SELF];
  const roles: KernelRole[] = setup.series === false ? ['base'] : ['base', 'series'];
  const run =
    setup.resume === undefined
      ? await RunDir.create(path.join(folder, 'run'))
      : await RunDir.open(setup.resume);
  const events: Event[] = [];
  let role: KernelRole = 'base';
  const script: Script = {
    name: 'fake',
    clock,
    emulated: setup.emulated === true,
    // A lease is five processes: where faults are tried, it has to be given back after each.
    exclusive: setup.fault !== undefined,
    ...(setup.boots === undefined ? {} : { boots: setup.boots }),
    facts: FACTS,
    case: (id, count) => setup.play?.(id, count, role) ?? (id === 'self/fail' ? BAD : GOOD),
    ...(setup.fault === undefined ? {} : { fault: setup.fault }),
    ...(setup.settleLog === undefined ? {} : { settleLog: setup.settleLog }),
  };
  const host = scriptedHost(script);
  setup.onHost?.(host);
  const names = cases.filter((file) => !file.id.startsWith('self/'));
  const record =
    setup.resume === undefined
      ? recordOf(run, planUnits(names, roles, setup.hosts?.names ?? ['fake'], [null], 1), setup)
      : await run.read<RunRecord>('run', run.path('run.json'));
  const result = await runOrTell(setup, run, {
    clock,
    sink: (event) => {
      events.push(event);
      run.event(event, clock.wall());
      if (event.type === 'host.booting') {
        role = event.kernel;
        script.facts = setup.facts?.(role) ?? FACTS;
      }
      setup.onEvent?.(event, run);
    },
    run,
    record,
    workshop: { ...fakeWorkshop(folder), ...setup.workshop },
    hosts: async () => (setup.hosts === undefined ? [host] : setup.hosts.open(clock, folder)),
    cases,
    contracts: (ids) => keepContracts(run, cases, ids),
    alwaysSelfCheck: false,
    ...(setup.resume === undefined ? {} : { standing: await standingOf(run) }),
    signal: setup.signal ?? new AbortController().signal,
  });
  run.close();
  return { result, run, host, events };
}

async function runOrTell(setup: FlowSetup, run: RunDir, o: FlowOptions): Promise<ResultDocument> {
  try {
    return await runFlow(o);
  } catch (error) {
    run.close();
    await setup.onError?.(run.root);
    throw error;
  }
}

/** Contracts of made-up cases, as those of real ones are kept. */
export async function keepContracts(
  run: RunDir,
  cases: readonly CaseFiles[],
  ids: readonly string[],
): Promise<void> {
  for (const file of cases.filter((one) => ids.includes(one.id))) {
    await writeWhole(path.join(run.contract(file.id), 'case.json'), JSON.stringify(file.manifest));
    await writeWhole(path.join(run.contract(file.id), 'expect.schema.json'), JSON.stringify(file.schema));
  }
}

export function recordOf(run: RunDir, units: RunRecord['units'], setup: FlowSetup): RunRecord {
  return {
    schema: 'kvm-hil/run/1',
    id: run.id,
    created: '2026-01-01T00:00:00.000Z',
    tool: { name: 'kvm-hil', version: '0.0.0' },
    command: 'kvm-hil run --base fake',
    seed: '0x1',
    kconfig: 'base',
    base: { spec: 'fake', name: null, commit: null },
    series:
      setup.series === false
        ? null
        : {
            spec: 'fake-series',
            slug: 'fake-series',
            title: 'a fake series',
            provides: setup.provides ?? [],
            patches: ['one'],
            commit: null,
          },
    hosts: setup.hosts?.names ?? ['fake'],
    units,
    program: null,
  };
}

export function fakeWorkshop(folder: string): Workshop {
  return {
    base: async () => ({ name: 'a fake base', commit: 'b'.repeat(40) }),
    series: async () => ({ commit: 'c'.repeat(40), patches: 1, touched: ['virt/kvm/guest_memfd.c'] }),
    image: async (role, commit) => ({
      hash: role,
      release: `7.3.0-${role}`,
      vmlinux: path.join(folder, 'vmlinux'),
      config: '',
      commit,
      compiler: 'none',
      unknownSymbols: [],
      cached: true,
    }),
    selftests: async () => ({ can: {}, files: [], broken: [], cached: true }),
    program: async () => ({ file: path.join(folder, 'kvm-cases'), hash: 'p', cached: true }),
  };
}
