// SPDX-License-Identifier: GPL-2.0-only
// What `--host` means. A name is that host. `tag:<tag>` or a glob is any one of several machines, and whichever is leased
// first is the pick: to look which is free and to take it later would be two runners' pick.
import type { Clock } from '../effects/clock.ts';
import { HilError, InfraError, InterruptedError } from '../errors.ts';
import type { Host, HostLease } from '../hosts/host.ts';
import { metalHost } from '../hosts/metal/metal.ts';
import { hostBad } from '../hosts/metal/refusals.ts';
import type { BootMethod, LabHost } from '../model/lab.ts';
import { methodLacks } from '../model/survey.ts';
import { type HostReport, isFree, isReady, lookAtHosts } from './host-check.ts';
import { chooseHosts, isBuiltIn, letThemHang, readLabs } from './labs.ts';

export type HostWish = { name: string } | { selector: string; candidates: LabHost[] };

export interface HostWishes {
  wishes: HostWish[];
  /** Whether any is a machine of the inventory: its kernel is configured for that. */
  metal: boolean;
}

export interface PickedHosts {
  /** Each once, in the order of the wishes. */
  names: string[];
  /** Those that were picked among several: open, and leased. */
  open: Map<string, Host>;
  /** Gives them back, as far as that was not done. Never throws. */
  release(): Promise<void>;
}

export interface PickOptions {
  clock: Clock;
  /** Though somebody else has it, when none is free. */
  take: boolean;
  /** How it is to be booted, instead of the inventory's choice. */
  method?: BootMethod | undefined;
  signal: AbortSignal;
}

/**
 * @param unattendedOk they may be such as nothing could bring back
 * @throws UsageError `unknown-host`, `bad-inventory`
 */
export async function readWishes(selectors: readonly string[], unattendedOk: boolean): Promise<HostWishes> {
  const wishes: HostWish[] = [];
  const inventory = selectors.some((one) => !isBuiltIn(one));
  const labs = inventory ? await readLabs() : [];
  if (unattendedOk) letThemHang(labs);
  for (const selector of selectors) {
    const candidates = isBuiltIn(selector) ? [] : chooseHosts(labs, [selector]);
    const named = isBuiltIn(selector) || (candidates.length === 1 && candidates[0]?.name === selector);
    wishes.push(named ? { name: selector } : { selector, candidates });
  }
  return { wishes, metal: inventory };
}

/** Names for a plan that is only shown: nothing is leased. @throws InfraError `no-free-host` */
export async function likelyHosts(
  wishes: readonly HostWish[],
  clock: Clock,
  method?: BootMethod,
): Promise<string[]> {
  const names = namedIn(wishes);
  for (const wish of wishes) {
    if ('name' in wish) continue;
    const reports = await lookAtHosts(clock, left(wish.candidates, names));
    const free = reports.find((one) => isBootable(one, method) && isFree(one));
    if (free === undefined) throw noneFree(wish.selector, reports, new Map(), method);
    names.add(free.host.name);
  }
  return [...names];
}

/** @throws InfraError `no-free-host`; InterruptedError. Nothing stays leased then */
export async function pickHosts(wishes: readonly HostWish[], o: PickOptions): Promise<PickedHosts> {
  const names = namedIn(wishes);
  const open = new Map<string, Host>();
  const leases: HostLease[] = [];
  const release = async () => {
    await Promise.all(leases.map((lease) => lease.release()));
  };
  try {
    for (const wish of wishes) {
      if ('name' in wish) continue;
      const { host, lease } = await pickOne(wish.selector, left(wish.candidates, names), o);
      leases.push(lease);
      open.set(host.name, host);
      names.add(host.name);
    }
    return { names: [...names], open, release };
  } catch (error) {
    await release();
    throw error;
  }
}

// --- internal ---

function namedIn(wishes: readonly HostWish[]): Set<string> {
  return new Set(wishes.flatMap((one) => ('name' in one ? [one.name] : [])));
}

function left(candidates: readonly LabHost[], names: ReadonlySet<string>): LabHost[] {
  return candidates.filter((one) => !names.has(one.name));
}

function isBootable(report: HostReport, method: BootMethod | undefined): boolean {
  const { host, survey } = report;
  if (!isReady(report) || survey === undefined) return false;
  // How the base's kernel is left asks nothing of the machine.
  if (method === undefined || method === 'modules') return true;
  return host.boot.includes(method) && methodLacks(survey, method).length === 0;
}

async function pickOne(
  selector: string,
  candidates: readonly LabHost[],
  { clock, take, method, signal }: PickOptions,
): Promise<{ host: Host; lease: HostLease }> {
  const reports = await lookAtHosts(clock, candidates);
  const ready = reports.filter((one) => isBootable(one, method));
  const free = ready.filter(isFree);
  const refused = new Map<string, HilError>();
  const tries = [...free.map((one) => ({ one, force: false }))];
  if (take) tries.push(...ready.map((one) => ({ one, force: true })));
  for (const { one, force } of tries) {
    const host = metalHost({ clock, host: one.host, take: force, method });
    if (host.lease === undefined) throw new Error('a machine of the inventory has a lease');
    try {
      const lease = await host.lease({
        purpose: 'kvm-hil run',
        onlyFree: true,
        onWait: () => {},
        signal,
      });
      return { host, lease };
    } catch (error) {
      // Somebody was faster, or it is not as it was a moment ago: the next one may do.
      if (!(error instanceof HilError) || error instanceof InterruptedError) throw error;
      refused.set(one.host.name, error);
    }
  }
  throw noneFree(selector, reports, refused, method);
}

function noneFree(
  selector: string,
  reports: readonly HostReport[],
  refused: ReadonlyMap<string, HilError>,
  method: BootMethod | undefined,
): InfraError {
  const why = (report: HostReport) => {
    const { host, error, lacks, lease, bad } = report;
    const seen = refused.get(host.name) ?? error;
    if (seen !== undefined) return seen.message;
    if (bad !== undefined) return hostBad(host, bad).message;
    if (lacks[0] !== undefined) return `${host.name} is not ready: ${lacks[0].what}`;
    if (!isBootable(report, method)) return `${host.name} cannot be booted by ${method ?? '?'}`;
    return `${host.name} is leased to ${lease?.owner ?? '?'}: ${lease?.purpose ?? '?'}`;
  };
  return new InfraError({
    code: 'no-free-host',
    message: `none of the ${reports.length} hosts that ${selector} means is free and ready`,
    detail: reports.map(why).join('\n'),
    hint: `kvm-hil hosts check '${selector}' says more`,
  });
}
