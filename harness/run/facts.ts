// SPDX-License-Identifier: GPL-2.0-only
// What a host says of itself, asked once a kernel: the first use of KVM there.
import type { Clock } from '../effects/clock.ts';
import { parseJson } from '../effects/run-dir.ts';
import { checkDocument } from '../effects/schema.ts';
import { InfraError, KernelError } from '../errors.ts';
import type { Machine } from '../hosts/host.ts';
import type { HostFacts } from '../model/run.ts';
import type { Death } from '../model/verdict.ts';
import { howItEnded } from './machine-end.ts';

export interface FactsQuestion {
  clock: Clock;
  host: string;
  /** Facts that the driver knows. */
  driver: Pick<HostFacts, 'driver' | 'emulated' | 'modules_of'>;
  /** Capabilities that are known without asking the host. */
  can: Record<string, boolean>;
  timeScale: number;
  /** The kernel was booted for this run: what it does not answer is its own fault. */
  booted: boolean;
  /** A probe hung on the boot before. Once may be a busy machine; again, on a fresh boot, is a finding. */
  hungBefore: boolean;
}

/** Ends that say nothing of the kernel. */
const OURS: ReadonlySet<Death['kind']> = new Set(['unlinked', 'taken']);
const ASK_TIMEOUT_MS = 15_000;
const KVM_IN_THE_LOG = "dmesg | grep -iE 'kvm|svm|vmx' | grep -v kvm-hil: | tail -n 8";
/** Time for all probes together; they run side by side. */
const PROBE_TIMEOUT_MS = 5000;

/**
 * @throws KernelError or InfraError `no-facts`, `no-kvm`, `stuck-probe`; InfraError `invalid-document`
 */
export async function askFacts(machine: Machine, q: FactsQuestion): Promise<HostFacts> {
  const fault = (kernels: boolean, what: ConstructorParameters<typeof InfraError>[0]) =>
    kernels && q.booted ? new KernelError(what) : new InfraError(what);
  const asked = `kvm-cases --facts`;
  const answer = await machine.exec(
    `exec ${machine.program} --facts --timeout ${PROBE_TIMEOUT_MS * q.timeScale}`,
    { timeoutMs: ASK_TIMEOUT_MS * q.timeScale },
  );
  if (answer.exitCode !== 0) {
    const { lost, timedOut, signal } = answer;
    const ended = `ended with ${signal ?? `status ${answer.exitCode}`}`;
    const how = timedOut ? 'did not return' : lost ? 'took the host away' : ended;
    const detail = answer.stderr.slice(0, 2000);
    const message = `${q.host}: ${asked} ${how}`;
    const died = lost ? await howItEnded(q.clock, machine) : undefined;
    if (died !== undefined && OURS.has(died.kind))
      throw new InfraError({ code: 'no-facts', message, detail: died.detail });
    throw fault(lost || timedOut || signal !== null, { code: 'no-facts', message, detail });
  }
  const said = parseJson(answer.stdout, `${q.host}: ${asked}`) as Record<string, unknown>;
  const can = { ...(said['can'] as object | undefined), ...q.can };
  const facts = checkDocument<HostFacts>('facts', { ...said, can, ...q.driver }, `${q.host}: ${asked}`);
  if (facts.kvm === false) {
    const log = await machine.exec(KVM_IN_THE_LOG, { timeoutMs: ASK_TIMEOUT_MS });
    throw fault(true, {
      code: 'no-kvm',
      message: `${q.host}: /dev/kvm does not work under ${facts.release}`,
      detail: log.stdout.trim() === '' ? 'the kernel log does not speak of KVM' : log.stdout.trim(),
      hint: 'is KVM configured, and virtualisation enabled?',
    });
  }
  const stuck = Array.isArray(facts['stuck']) ? facts['stuck'] : [];
  if (stuck.length > 0) {
    const message = `${q.host}: probes that did not return: ${stuck.join(', ')}`;
    throw fault(q.hungBefore, { code: 'stuck-probe', message });
  }
  return facts;
}
