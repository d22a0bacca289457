// SPDX-License-Identifier: GPL-2.0-only
// The inventory: the machines of a lab, how each is reached, and what may be done to it. A description holds no secret,
// only where one is.

/**
 * How a machine gets into a kernel: from the base's kernel by loading other modules into it, where only these differ; from
 * the kernel that it rests on; through its boot loader, once.
 */
export const BOOT_METHODS = ['modules', 'kexec', 'once'] as const;
export type BootMethod = (typeof BOOT_METHODS)[number];

export type PowerSpec =
  | { type: 'none' }
  /** Commands of this machine; none goes through a shell. */
  | { type: 'command'; on: string[]; off: string[]; cycle?: string[]; status?: string[] }
  | ({ type: 'ipmi' } & BmcSpec);

export type ConsoleSpec =
  | { type: 'none' }
  /** A console server; one that speaks telnet, by default none, can be asked for a BREAK. */
  | { type: 'tcp'; protocol?: 'raw' | 'telnet'; address: string; port: number }
  | { type: 'serial'; device: string; baud: number }
  /** Serial over LAN of the BMC that `power` names. */
  | { type: 'ipmi' };

export interface BmcSpec {
  address: string;
  /** By default 623. */
  port?: number;
  user: string;
  /** Name of the environment variable that holds the password. */
  password_env: string;
  /** RMCP+ cipher suite; by default ipmitool's own choice. */
  cipher?: number;
}

/** All in seconds. */
export interface Deadlines {
  /** From power on until the firmware hands over. */
  post: number;
  /** From there until the distribution's kernel answers SSH. */
  boot: number;
  /** From the jump until the kernel under test answers SSH. */
  kexec: number;
  /** From asking for a reboot until the kernel has let go. */
  shutdown: number;
  /** How long the kernel under test may be silent before a watchdog in hardware resets it. */
  watchdog: number;
}

export interface LabHost {
  name: string;
  driver: 'metal';
  address: string;
  port: number;
  user: string;
  /** File of a private key; absent when the SSH agent has it. */
  key?: string;
  agent: boolean;
  /** `ssh-ed25519 AAAA...`: what the machine must show. */
  host_key: string;
  /** Methods that may be used here, the preferred one first; `modules` wherever it suffices. */
  boot: BootMethod[];
  power: PowerSpec;
  console: ConsoleSpec;
  /** Kernel parameter of the console, e.g. `ttyS0,115200`; absent when there is none. */
  console_parameter?: string;
  tags: string[];
  /** What the processor has to be. */
  cpu: 'amd' | 'intel' | 'any';
  deadlines: Deadlines;
  /** What kernels for it are configured after: our fragments alone, or its own kernel with those on top. */
  kconfig: 'fragments' | 'host';
  /**
   * What kernels under test have of the machine's disks: nothing, or its own system, read-only below /host. They run
   * from RAM either way.
   */
  root: 'ram' | 'host';
  /** Kernel parameters that this machine needs. */
  quirks: string[];
  /** May be used though nothing can bring it back when it hangs. */
  unattended_ok: boolean;
  /** For people, and for what is kept of it between runs. */
  lab: string;
  /** The file that describes it. */
  file: string;
}

/** A file of infra/labs as people write it: what may be left out is left out. */
export interface LabDocument {
  lab: string;
  hosts: HostDocument[];
}

export type HostDocument = Pick<LabHost, 'name' | 'driver' | 'address' | 'host_key'> &
  Partial<Omit<LabHost, 'deadlines' | 'lab' | 'file'>> & { deadlines?: Partial<Deadlines> };

export const DEADLINES: Readonly<Deadlines> = {
  post: 300,
  boot: 180,
  kexec: 120,
  shutdown: 60,
  watchdog: 60,
};

/** What a machine may take from its reset to its own kernel's answer, in ms. */
export function restartMs({ deadlines }: Pick<LabHost, 'deadlines'>): number {
  return (deadlines.post + deadlines.boot) * 1000;
}

/** What a host is when its file says no more. */
export function labHosts(document: LabDocument, file: string): LabHost[] {
  return document.hosts.map((host) => ({
    port: 22,
    user: 'root',
    agent: false,
    boot: ['kexec'],
    power: { type: 'none' },
    console: { type: 'none' },
    tags: [],
    cpu: 'any',
    kconfig: 'fragments',
    root: 'ram',
    quirks: [],
    unattended_ok: false,
    ...host,
    deadlines: { ...DEADLINES, ...host.deadlines },
    lab: document.lab,
    file,
  }));
}

/** What a schema of one file cannot say. One sentence each, empty when all is well. */
export function inventoryProblems(hosts: readonly LabHost[], reserved: readonly string[]): string[] {
  const problems: string[] = [];
  const first = new Map<string, LabHost>();
  for (const host of hosts) {
    const where = `${host.file}: ${host.name}`;
    const other = first.get(host.name);
    if (other !== undefined) problems.push(`${where} is also in ${other.file}: a name means one host`);
    else first.set(host.name, host);
    if (reserved.includes(host.name)) problems.push(`${where} is the name of a host that is always there`);
    if (host.agent === (host.key !== undefined))
      problems.push(
        `${where} ${host.agent ? 'has both' : 'has neither'} a key ${host.agent ? 'and' : 'nor'} agent: true`,
      );
    if (host.boot.every((method) => method === 'modules'))
      problems.push(`${where} has boot method modules alone: the base's kernel needs another one`);
    if (host.root === 'host' && host.kconfig !== 'host')
      problems.push(`${where} has root: host without kconfig: host: fragments have no driver of a disk`);
    const { console: serial, power } = host;
    if (serial.type === 'ipmi' && power.type !== 'ipmi')
      problems.push(`${where} has console type ipmi, and no power of type ipmi that names its BMC`);
  }
  return problems;
}

/**
 * The hosts that any of these selectors names: a name, `tag:<tag>`, or a glob on names.
 * @param matches whether a name matches a glob
 * @returns each host once, in the order of the inventory, and the selectors that name none
 */
export function selectHosts(
  hosts: readonly LabHost[],
  selectors: readonly string[],
  matches: (name: string, glob: string) => boolean,
): { hosts: LabHost[]; unmatched: string[] } {
  const names = (host: LabHost, selector: string) =>
    selector.startsWith('tag:') ? host.tags.includes(selector.slice(4)) : matches(host.name, selector);
  return {
    hosts: hosts.filter((host) => selectors.some((selector) => names(host, selector))),
    unmatched: selectors.filter((selector) => !hosts.some((host) => names(host, selector))),
  };
}

/** The public key of a line `ssh-ed25519 AAAA...`, as it goes over the wire, in base64. */
export function keyOfLine(line: string): string {
  return line.trim().split(/\s+/)[1] ?? '';
}
