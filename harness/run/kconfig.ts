// SPDX-License-Identifier: GPL-2.0-only
// Which configuration the kernels of a run have: one of our fragments, or one after a machine's own kernel, of which
// `hosts provision` wrote down what it takes. One run builds one configuration.
import { inState } from '../effects/dirs.ts';
import { exists, hashOf } from '../effects/files.ts';
import { readJson } from '../effects/run-dir.ts';
import { checkDocument } from '../effects/schema.ts';
import { InfraError, UsageError } from '../errors.ts';
import { isOurs } from '../hosts/metal/home.ts';
import { reach, survey } from '../hosts/metal/reach.ts';
import { forHost, forMetal, isAfterHost, type KconfigName } from '../kernel/configure.ts';
import { type HostConfig, type KernelAfter, readHostConfig } from '../model/host-config.ts';
import type { MachineFacts } from '../model/host-facts.ts';
import type { LabHost } from '../model/lab.ts';
import { chooseHosts, isBuiltIn, readLabs } from './labs.ts';

/** What --kconfig says. */
export interface KconfigWish {
  name: KconfigName;
  /** Of `host:NAME`: after this machine, wherever the kernel runs. */
  of?: string;
}

export interface KconfigChoice {
  name: KconfigName;
  /** As it is recorded: the name, and behind a colon whose kernel it is configured after. */
  text: string;
  after?: HostConfig;
  /** What a user should know of it. */
  notes: string[];
}

/** Where `hosts provision` writes down what a machine is. */
export function factsFile(host: Pick<LabHost, 'lab' | 'name'>): string {
  return inState('labs', host.lab, host.name, 'facts.json');
}

/**
 * The one configuration for these hosts. Those that are always there take what the machines of the inventory need.
 * @throws UsageError `kconfig-differs`, `no-machine`, `not-provisioned`; InfraError `no-host-config`, `stale-facts`
 */
export async function chooseKconfig(wish: KconfigWish, names: readonly string[]): Promise<KconfigChoice> {
  const machines = names.filter((name) => !isBuiltIn(name));
  const after = await machinesAfter(wish, machines);
  if (after.length === 0) {
    const general = wish.name === 'base' || wish.name === 'debug';
    const name = machines.length > 0 && general ? forMetal(wish.name) : wish.name;
    return { name, text: name, notes: [] };
  }
  const configs = await Promise.all(after.map(hostConfigOf));
  const [first, ...others] = configs;
  if (first === undefined || others.some((other) => other.hash !== first.hash)) throw differs(configs);
  const notes = (await Promise.all(after.map((host, n) => staleness(host, configs[n] ?? first)))).flat();
  return { ...choice(forHost(wish.name), first), notes };
}

/** That of a run that was begun before. @throws UsageError `run-changed` when the machine's facts are others now */
export async function recordedKconfig(
  wish: KconfigWish,
  before: KernelAfter | undefined,
): Promise<KconfigChoice> {
  if (wish.of === undefined) return { name: wish.name, text: wish.name, notes: [] };
  const [host] = chooseHosts(await readLabs(), [wish.of]);
  const config = host === undefined ? undefined : await hostConfigOf(host);
  if (config !== undefined && config.hash === before?.hash) return choice(wish.name, config);
  throw new UsageError({
    code: 'run-changed',
    message: `${wish.of} is not known with the configuration any more that this run was begun with`,
    detail: `then ${before?.release ?? '?'}, ${before?.hash ?? '?'}; now ${config?.release ?? '?'}, ${config?.hash ?? '?'}`,
    hint: 'start a new run: it was provisioned again since',
  });
}

/** What is kept of it in a document. */
export function afterRecord({ after }: KconfigChoice): { after?: KernelAfter } {
  if (after === undefined) return {};
  const { host, release, hash } = after;
  return { after: { host, release, hash } };
}

// --- internal ---

/** The machines that want a kernel after their own; none when our fragments will do. */
async function machinesAfter(wish: KconfigWish, names: readonly string[]): Promise<LabHost[]> {
  const labs = names.length > 0 || wish.of !== undefined ? await readLabs() : [];
  const hosts = names.length > 0 ? chooseHosts(labs, names) : [];
  if (wish.of !== undefined) return chooseHosts(labs, [wish.of]).slice(0, 1);
  if (isAfterHost(wish.name)) {
    if (hosts.length > 0) return hosts;
    throw new UsageError({
      code: 'no-machine',
      message: `--kconfig ${wish.name}: after which machine?`,
      hint: `--kconfig ${wish.name}:NAME, with a machine of kvm-hil hosts list`,
    });
  }
  if (wish.name !== 'base' && wish.name !== 'debug') return [];
  const after = hosts.filter((host) => host.kconfig === 'host');
  if (after.length === 0 || after.length === hosts.length) return after;
  const others = hosts.filter((host) => host.kconfig !== 'host');
  throw new UsageError({
    code: 'kconfig-differs',
    message: `${namesOf(after)} want a kernel after their own, ${namesOf(others)} one of fragments: a run builds one`,
    hint: 'give each kind a run of its own, or all the same: --kconfig metal, or --kconfig host:NAME',
  });
}

async function hostConfigOf(host: LabHost): Promise<HostConfig> {
  const file = factsFile(host);
  if (!(await exists(file))) {
    throw new UsageError({
      code: 'not-provisioned',
      message: `a kernel after ${host.name} needs its facts, and it was not provisioned yet`,
      hint: `kvm-hil hosts provision ${host.name}; or --kconfig metal, which knows common machines`,
    });
  }
  const facts = checkDocument<MachineFacts>('host-facts', await readJson(file), file);
  const found = readHostConfig(facts, host);
  if ('problem' in found) {
    throw new InfraError({
      code: 'no-host-config',
      message: `no kernel can be configured after ${host.name}: ${found.problem}`,
      hint: `${found.hint}; or --kconfig metal`,
    });
  }
  const { config, modules, network, console = '', root } = found.read;
  const parts = [
    config,
    modules.join(' '),
    network.join(' '),
    console,
    ...(root === undefined ? [] : [root]),
  ];
  const hash = hashOf('host-config', ...parts);
  return { ...found.read, hash };
}

// What is written down stays the same from run to run: a module more that was loaded by chance would cost a whole build. Another
// kernel there is another matter.
async function staleness(host: LabHost, { release }: HostConfig): Promise<string[]> {
  const now = await runningNow(host);
  if (now === undefined)
    return [
      `${host.name} does not answer now: its kernel is taken for ${release}, as when it was provisioned`,
    ];
  if (now === release || isOurs(now)) return [];
  throw new InfraError({
    code: 'stale-facts',
    message: `${host.name} runs ${now.slice(0, 100)}, and what is known of it is of ${release}`,
    hint: `kvm-hil hosts provision ${host.name}`,
  });
}

async function runningNow(host: LabHost): Promise<string | undefined> {
  try {
    const link = await reach(host);
    try {
      return (await survey(host, link)).get('release');
    } finally {
      link.close();
    }
  } catch (error) {
    // Whoever leases it meets that again, and says it; or wakes it.
    if (error instanceof InfraError) return undefined;
    throw error;
  }
}

function choice(name: KconfigName, after: HostConfig): KconfigChoice {
  return { name, text: `${name}:${after.host}`, after, notes: [] };
}

function namesOf(hosts: readonly { name: string }[]): string {
  return hosts.map((host) => host.name).join(', ');
}

function differs(configs: readonly HostConfig[]): UsageError {
  return new UsageError({
    code: 'kconfig-differs',
    message: `${configs.map((one) => one.host).join(', ')} want kernels after their own, and those differ: a run builds one`,
    detail: configs
      .map((one) => `${one.host}: ${one.release}, ${one.modules.length} modules, ${one.hash.slice(0, 12)}`)
      .join('\n'),
    hint: 'give each a run of its own, or all the same: --kconfig host:NAME, or --kconfig metal',
  });
}
