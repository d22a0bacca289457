// SPDX-License-Identifier: GPL-2.0-only
// The tests around the cases: kernel/build, kernel/boot and host/self-check, judged from what building and booting left.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { exists, readIfThere } from '../effects/files.ts';
import type { RunDir } from '../effects/run-dir.ts';
import { parseKmsg } from '../model/kmsg.ts';
import type { KernelRole, Reason, TestResult } from '../model/result.ts';
import type { BootRecord, BuildRecord, ErrorRecord, HostFacts, SelfCheckRecord } from '../model/run.ts';
import { findSplats, type Splat } from '../model/splat.ts';

export function judgeBuild(role: KernelRole, build: BuildRecord | undefined): TestResult {
  const test = plainTest(role, null, 'kernel/build', 'the kernel applies, configures and compiles');
  if (build === undefined)
    return { ...test, verdict: 'miss', reason: { code: 'interrupted', text: 'never built' } };
  if (build.error !== undefined) return failedByError({ ...test, durationMs: build.ms }, build.error);
  const cached = build.cached === true ? 'from the cache, unchanged' : 'built';
  const text = build.running === true ? 'not built: it runs already' : cached;
  const unknown = build.unknownSymbols ?? [];
  const notKnown = unknown.length === 0 ? '' : `; not known to this tree: ${unknown.join(', ')}`;
  return {
    ...test,
    verdict: 'pass',
    reason: { code: 'ok', text: `${text}${notKnown}` },
    durationMs: build.ms,
  };
}

export async function judgeBoot(
  run: RunDir,
  host: string,
  role: KernelRole,
  build: BuildRecord | undefined,
  boots: readonly BootRecord[],
): Promise<TestResult> {
  const test = plainTest(
    role,
    host,
    'kernel/boot',
    'the kernel boots, cleanly, and is the one that was built',
  );
  if (build === undefined || build.state === 'failed') {
    return { ...test, verdict: 'miss', reason: { code: 'no-kernel', text: 'there is no kernel to boot' } };
  }
  const first = boots[0];
  if (first === undefined)
    return { ...test, verdict: 'miss', reason: { code: 'interrupted', text: 'never booted' } };
  const failed = boots.filter((boot) => boot.error !== undefined);
  const atFault = failed.find((boot) => boot.error?.kernelAtFault === true) ?? failed.at(-1);
  const gaveUp = boots.at(-1)?.state === 'failed' || atFault?.error?.kernelAtFault === true;
  if (atFault?.error !== undefined && gaveUp)
    return failedByError({ ...test, durationMs: first.ms }, atFault.error);
  const logs = await Promise.all(boots.map((boot) => readBootLog(run, host, role, boot.boot)));
  const splats = logs.flatMap((log) => findSplats(parseKmsg(log).map((entry) => entry.text)));
  if (splats.length > 0) {
    const reason: Reason = { code: 'splat', text: splats.map((splat) => splat.title).join('; ') };
    return { ...test, verdict: 'fail', reason, splats: splats.map(bootSplat), durationMs: first.ms };
  }
  const lost = boots.reduce((sum, boot) => sum + (boot.lostRecords ?? 0), 0);
  if (lost > 0) {
    const reason: Reason = {
      code: 'log-lost',
      text: `${lost} records of the kernel log were lost around the boot: something floods it`,
    };
    return { ...test, verdict: 'error', reason, durationMs: first.ms };
  }
  const text = `${howUp(boots)} on ${first.how.join(', ')}`;
  return { ...test, verdict: 'pass', reason: { code: 'ok', text }, durationMs: first.ms };
}

export function judgeSelfCheck(host: string, self: SelfCheckRecord | undefined): TestResult {
  const test = plainTest(
    'base',
    host,
    'host/self-check',
    'the harness sees known outcomes on this host as they are',
  );
  if (self === undefined) {
    return {
      ...test,
      verdict: 'miss',
      reason: { code: 'no-host', text: 'the host was never up to be checked' },
    };
  }
  const wrong = self.results.filter((one) => one.expected !== one.got);
  if (self.ok) {
    const how = self.cached
      ? 'proven by an earlier run with the same kernel, program and kind of host'
      : 'all as known';
    return {
      ...test,
      verdict: 'pass',
      reason: { code: 'ok', text: `${self.results.length} outcomes, ${how}` },
    };
  }
  const text = wrong.map((one) => `${one.case} should be ${one.expected} and is ${one.got}`).join('; ');
  return { ...test, verdict: 'error', reason: { code: 'host-bad', text } };
}

/** Undefined when nothing is promised of this kernel. */
export function judgePromises(
  role: KernelRole,
  host: string,
  provides: readonly string[],
  facts: HostFacts | undefined,
): TestResult | undefined {
  if (role === 'base' || provides.length === 0) return undefined;
  const test = plainTest(role, host, 'kernel/promises', 'the kernel has what the series promises');
  if (facts === undefined)
    return {
      ...test,
      verdict: 'miss',
      reason: { code: 'no-host', text: 'the kernel was never up to be asked' },
    };
  const unknown = provides.filter((name) => facts.can[name] === undefined);
  if (unknown.length > 0) {
    const text = `${unknown.join(', ')}: no such capability is known to kvm-cases; is it misspelt?`;
    return { ...test, verdict: 'error', reason: { code: 'contract', text } };
  }
  const missing = provides.filter((name) => facts.can[name] !== true);
  return missing.length > 0
    ? { ...test, verdict: 'fail', reason: { code: 'promised', text: `not there: ${missing.join(', ')}` } }
    : { ...test, verdict: 'pass', reason: { code: 'ok', text: provides.join(', ') } };
}

/** Why the cases of a kernel on a host were never attempted, as far as its records tell. */
export function whyNotAttempted(
  host: string,
  build: BuildRecord | undefined,
  boots: readonly BootRecord[],
  self: SelfCheckRecord | undefined,
): Reason {
  if (build?.state === 'failed') return { code: 'no-kernel', text: 'there is no kernel to run it on' };
  if (self !== undefined && !self.ok) return { code: 'host-bad', text: `${host} failed its self-check` };
  const last = boots.at(-1);
  if (last?.error !== undefined)
    return { code: 'no-host', text: `${host} could not be booted: ${last.error.message}` };
  return { code: 'interrupted', text: 'the run ended before it was attempted' };
}

export async function readBoots(run: RunDir, host: string, role: KernelRole): Promise<BootRecord[]> {
  const folder = run.host(host, role);
  if (!(await exists(folder))) return [];
  const names = (await readdir(folder)).filter((name) => /^boot-\d+\.json$/.test(name));
  const boots = await Promise.all(names.map((name) => run.read<BootRecord>('boot', path.join(folder, name))));
  return boots.sort((a, b) => a.boot - b.boot);
}

export async function readSelfCheck(run: RunDir, host: string): Promise<SelfCheckRecord | undefined> {
  return run.readIfThere<SelfCheckRecord>('self-check', run.path('hosts', host, 'self-check.json'));
}

/** A test without evidence yet: a miss. */
export function plainTest(role: KernelRole, host: string | null, name: string, title: string): TestResult {
  return {
    id: [role, host, name].filter((part) => part !== null).join('/'),
    kernel: role,
    host,
    case: name,
    variant: null,
    round: 1,
    title,
    verdict: 'miss',
    reason: { code: 'interrupted', text: '' },
    counts: false,
    invariants: [],
    splats: [],
  };
}

// --- internal ---

// A kernel of which only the modules ran was not booted.
function howUp(boots: readonly BootRecord[]): string {
  const booted = boots.filter((boot) => boot.modulesOf === undefined).length;
  const times = booted === 1 ? 'booted once' : `booted ${booted} times`;
  const into = boots.find((boot) => boot.modulesOf !== undefined)?.release;
  if (into === undefined) return times;
  return `its modules loaded into ${into}, which ran${booted === 0 ? '' : `, and ${times}`},`;
}

// From the first record up to the start of the first case.
async function readBootLog(run: RunDir, host: string, role: KernelRole, boot: number): Promise<string> {
  return (await readIfThere(path.join(run.host(host, role), `boot-${boot}.dmesg`))) ?? '';
}

function failedByError(test: TestResult, error: ErrorRecord): TestResult {
  const detail = [error.detail, error.hint].filter((text) => text !== undefined).join('\n');
  const code = error.code === 'conflict' ? 'apply' : test.case === 'kernel/build' ? 'build' : 'boot';
  return {
    ...test,
    verdict: error.kernelAtFault ? 'fail' : 'miss',
    reason: { code: error.kernelAtFault ? code : 'no-host', text: error.message },
    ...(detail === '' ? {} : { detail }),
  };
}

function bootSplat(splat: Splat): TestResult['splats'][number] {
  return {
    kind: splat.kind,
    title: splat.title,
    fingerprint: splat.fingerprint,
    late: false,
    discounted: false,
  };
}
