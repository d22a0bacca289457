// SPDX-License-Identifier: GPL-2.0-only
// A host: a machine that kernels under test run on. Drivers implement Host; the flow knows nothing else.
import type { RemoteOptions, RemoteResult } from '../effects/ssh.ts';
import type { KernelImage } from '../model/image.ts';
import type { Death } from '../model/verdict.ts';

export interface HostTraits {
  /** False: it runs the kernel that it runs. What a case leaves behind there stays. */
  boots: boolean;
  /** Not real hardware: timings and absent races prove little. */
  emulated: boolean;
  /** What a case's timeout is multiplied by here. */
  timeScale: number;
  /** How it runs, in words for the user: accelerator, machine. */
  how: string[];
}

export interface BootRequest {
  image: KernelImage;
  /** More kernel parameters. */
  parameters: string[];
  /** Everything that the machine prints on its console goes to this file. */
  consoleFile: string;
  /** The case program; its place on the host is Machine.program. */
  program: { file: string; hash: string };
  /** More programs, and where they are to be on the host: absolute paths. */
  extra?: readonly ExtraFile[];
  signal: AbortSignal;
}

export interface ExtraFile {
  /** Where it is on this machine. */
  file: string;
  path: string;
}

export interface LeaseRequest {
  /** For others who want it: what it is used for. */
  purpose: string;
  /** Told when somebody else has it, and it is waited for. */
  onWait(holder: string): void;
  signal: AbortSignal;
  /** The run that it is for: whoever goes on with a run has what its runner left behind. */
  run?: string;
  /** Only when nobody has it: not even waited for is whoever may be gone. */
  onlyFree?: boolean;
}

export interface HostLease {
  /** Gives it back. Never throws, may be called twice. */
  release(): Promise<void>;
  /**
   * While `doing` goes on, the holder is at work though it asks nothing of the host.
   * @param ms what it takes at most
   */
  during?<T>(ms: number, doing: () => Promise<T>): Promise<T>;
}

export interface Host {
  readonly name: string;
  readonly driver: string;
  /** There is one of it: two runs cannot use it at the same time. */
  readonly exclusive: boolean;
  /**
   * The right to use it, kept on the machine itself; absent where this machine can tell who uses it. Nothing is asked of
   * the machine before. Whoever has it already gets the same once more.
   * @throws InfraError when somebody else has it
   */
  lease?(o: LeaseRequest): Promise<HostLease>;
  /** Settled before the first boot. @throws InfraError when this machine cannot run such a host at all */
  traits(): Promise<HostTraits>;
  /**
   * Boots the image and returns when commands can be run.
   * @throws KernelError when the kernel is at fault (panic, hang, no network); InfraError when the host is.
   *   Nothing of the boot is left behind then.
   */
  boot(request: BootRequest): Promise<Machine>;
}

/** A booted host. */
export interface Machine {
  /** `uname -r`, proven to be the image's; where only its modules were loaded, that of the kernel that took them. */
  readonly release: string;
  /** Not the image's kernel runs here: its modules do, in the kernel that ran already. */
  readonly modulesOf?: LoadedModules | undefined;
  /** Text of the record that its kernel log begins with; absent: the first one. */
  readonly logFrom?: string | undefined;
  /** Path of kvm-cases on the machine. */
  readonly program: string;
  /** How this boot came about, in words for the user: method, time. */
  readonly how?: readonly string[];
  readonly console: Console;
  /** Resolves when the machine is gone on its own: it exited, panicked, or the link broke. */
  readonly died: Promise<Death>;
  exec(command: string, o: RemoteOptions): Promise<RemoteResult>;
  /** An interactive shell; resolves when the user leaves it. */
  shell(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Promise<void>;
  /**
   * Takes another image without a boot: only modules differ. This machine is over then, and the one that is returned takes
   * its place. Absent where that cannot be, or is not wanted.
   * @throws HilError when it does not come about. Nobody knows what runs here then: it is to be closed, as ever
   */
  next?: ((request: BootRequest) => Promise<Machine>) | undefined;
  /** Asks a silent machine to say on its console where it stands (NMI, sysrq). Best effort. */
  provoke(): Promise<void>;
  /** Ends the machine and everything that belongs to it. Never throws, may be called twice. */
  close(): Promise<void>;
  /** What the kernel left behind for after its death, once the machine is closed; empty when nothing. */
  left?(): string;
}

export interface LoadedModules {
  /** Of the image that they are of. */
  release: string;
  /** GNU build ids by name, in hex. */
  buildIds: Record<string, string>;
}

export interface Console {
  /** Bytes seen so far. */
  position(): number;
  /** Text since a position; what is too old to be kept is left out. */
  since(position: number): string;
}
