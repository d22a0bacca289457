// SPDX-License-Identifier: GPL-2.0-only
// A host that replays a script on any clock, and goes wrong at a chosen step: how the flow is tested without a machine.
import { type Clock, within } from '../effects/clock.ts';
import { remoteResult } from '../effects/kept.ts';
import type { RemoteOptions, RemoteResult } from '../effects/ssh.ts';
import { InfraError, KernelError } from '../errors.ts';
import type { Death } from '../model/verdict.ts';
import type { BootRequest, Host, LoadedModules, Machine } from './host.ts';

/** What a case does on the scripted host. */
export interface ScriptedCase {
  /** Lines on standard output, without the final end line when the case never ends. */
  stdout: string[];
  /** Messages in the kernel log between the markers. */
  log?: string[];
  /** Messages in the kernel log before its start marker, once it was asked for. */
  earlyLog?: string[];
  /** Messages in the kernel log after the end marker. */
  lateLog?: string[];
  /** Milliseconds that it takes. */
  ms: number;
  /** The machine dies while the case runs, after `ms`. */
  dies?: Death;
  /** The machine dies once the case has ended well. */
  diesAfter?: Death;
  /** The machine answers nothing any more, after `ms`. */
  silent?: boolean;
  exitCode?: number;
}

export type Fault = 'infra-boot' | 'kernel-boot' | 'link-lost' | 'silent' | 'exited' | 'garbage';

export interface Script {
  name: string;
  clock: Clock;
  emulated: boolean;
  facts: Record<string, unknown>;
  /** @param run how often this case was run before on this host */
  case: (id: string, run: number) => ScriptedCase;
  /** Messages in the kernel log once the machine was asked to settle. */
  settleLog?: string[];
  /** Goes wrong at the n-th step (a boot, or a command), counted from 1. */
  fault?: { step: number; kind: Fault };
  exclusive?: boolean;
  /** It cannot be booted afresh. */
  boots?: false;
  /** Its kernels take one another's modules: always, or never when it comes to it. */
  modules?: 'taken' | 'refused';
}

export interface ScriptedHost extends Host {
  /** Steps taken: boots and commands. */
  readonly steps: () => number;
  /** Machines that were booted and not closed. */
  readonly open: () => number;
  readonly boots: () => number;
}

const BOOT_MS = 1000;
const COMMAND_MS = 10;

export function scriptedHost(script: Script): ScriptedHost {
  const state = { steps: 0, open: 0, boots: 0, runs: new Map<string, number>() };
  const next = (): Fault | undefined => {
    state.steps++;
    return script.fault?.step === state.steps ? script.fault.kind : undefined;
  };
  return {
    name: script.name,
    driver: 'scripted',
    exclusive: script.exclusive === true,
    steps: () => state.steps,
    open: () => state.open,
    boots: () => state.boots,
    traits: async () => ({
      boots: script.boots !== false,
      emulated: script.emulated,
      timeScale: 1,
      how: ['a script'],
    }),
    boot: async (request) => {
      const fault = next();
      await script.clock.sleep(BOOT_MS, request.signal);
      if (script.boots === false && state.boots > 0)
        throw new InfraError({ code: 'no-reboot', message: 'the scripted host cannot be booted afresh' });
      if (fault === 'infra-boot')
        throw new InfraError({ code: 'scripted', message: 'the scripted host is broken' });
      if (fault === 'kernel-boot' || fault === 'silent' || fault === 'garbage') {
        throw new KernelError({ code: 'boot-failed', message: 'the kernel does not boot: scripted' });
      }
      state.boots++;
      state.open++;
      return new ScriptedMachine(script, request, next, state.runs, () => {
        state.open--;
      });
    },
  };
}

// --- internal ---

class ScriptedMachine implements Machine {
  release: string;
  modulesOf?: LoadedModules;
  logFrom?: string;
  readonly next?: (request: BootRequest) => Promise<Machine>;
  readonly program = 'kvm-cases';
  readonly died: Promise<Death>;
  private readonly script: Script;
  private readonly fault: () => Fault | undefined;
  private readonly runs: Map<string, number>;
  private readonly onClose: () => void;
  private die: (death: Death) => void = () => {};
  private dead = false;
  private silent = false;
  private closed = false;
  private seq = 0;
  private consoleText = '';
  private kmsgOut: ((piece: Buffer) => void) | undefined;
  private log: string[] = [];

  constructor(
    script: Script,
    request: BootRequest,
    fault: () => Fault | undefined,
    runs: Map<string, number>,
    onClose: () => void,
  ) {
    this.script = script;
    this.release = request.image.release;
    this.fault = fault;
    if (script.modules !== undefined) this.next = (another) => this.swap(another);
    this.runs = runs;
    this.onClose = onClose;
    this.died = new Promise((resolve) => {
      this.die = (death) => {
        this.dead = true;
        resolve(death);
      };
    });
  }

  readonly console = {
    position: () => this.consoleText.length,
    since: (position: number) => this.consoleText.slice(position),
  };

  async exec(command: string, o: RemoteOptions): Promise<RemoteResult> {
    if (this.dead || this.closed) return remoteResult(command, { lost: true });
    if (command.includes('cat /dev/kmsg')) return this.follow(command, o);
    const fault = this.fault();
    if (fault === 'link-lost' || fault === 'infra-boot' || fault === 'kernel-boot') {
      this.die({ kind: 'link-lost', detail: 'scripted: the link broke' });
      return remoteResult(command, { lost: true });
    }
    if (fault === 'exited') {
      this.die({ kind: 'exited', detail: 'scripted: the machine went away' });
      return remoteResult(command, { lost: true });
    }
    if (fault === 'silent') this.silent = true;
    const garbage = fault === 'garbage' ? '\u0000}{ not a line of the protocol\n' : '';
    const work = this.silent ? new Promise<RemoteResult>(() => {}) : this.perform(command, o, garbage);
    const timed = await within(this.script.clock, o.timeoutMs, work);
    return timed.timedOut ? remoteResult(command, { timedOut: true }) : timed.value;
  }

  async shell(): Promise<void> {}

  async provoke(): Promise<void> {
    this.consoleText += 'scripted: NMI received\n';
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.die({ kind: 'exited', detail: 'closed' });
    this.onClose();
  }

  private async swap(request: BootRequest): Promise<Machine> {
    await this.script.clock.sleep(COMMAND_MS);
    if (this.script.modules === 'refused' || this.dead)
      throw new InfraError({ code: 'not-swapped', message: 'scripted: the modules are not taken' });
    const machine = new ScriptedMachine(this.script, request, this.fault, this.runs, this.onClose);
    const { release } = request.image;
    machine.release = this.release;
    machine.modulesOf = { release, buildIds: { kvm: 'ab' } };
    machine.logFrom = `scripted: modules of ${release}`;
    machine.log = this.log;
    machine.seq = this.seq;
    machine.logLine(machine.logFrom);
    this.closed = true;
    return machine;
  }

  private async perform(command: string, o: RemoteOptions, garbage: string): Promise<RemoteResult> {
    const say = (text: string) => o.onStdout?.(Buffer.from(text));
    if (command.includes('--facts')) {
      await this.script.clock.sleep(COMMAND_MS);
      const text = `${garbage}${JSON.stringify({ ...this.script.facts, release: this.release })}\n`;
      say(text);
      return remoteResult(command, { stdout: text });
    }
    const marked = /echo '<[67]>(.*)' >\/dev\/kmsg$/.exec(command);
    if (marked !== null) {
      await this.script.clock.sleep(COMMAND_MS);
      const settles = command.includes('--settle');
      for (const line of settles ? (this.script.settleLog ?? []) : []) this.logLine(line);
      this.logLine(marked[1] ?? '');
      return remoteResult(command);
    }
    const id = /--id (\S+) (?:--exec -- )?(\S+)/.exec(command);
    if (id === null) {
      await this.script.clock.sleep(COMMAND_MS);
      return remoteResult(command);
    }
    return this.performCase(command, o, id[1] ?? '', id[2] ?? '', say, garbage);
  }

  private async performCase(
    command: string,
    o: RemoteOptions,
    marker: string,
    name: string,
    say: (text: string) => void,
    garbage: string,
  ): Promise<RemoteResult> {
    const before = this.runs.get(name) ?? 0;
    this.runs.set(name, before + 1);
    const play = this.script.case(name, before);
    for (const line of play.earlyLog ?? []) this.logLine(line);
    this.logLine(`kvm-hil: start ${name} ${marker}`);
    await this.script.clock.sleep(play.ms);
    for (const line of play.log ?? []) this.logLine(line);
    const text = garbage + play.stdout.map((line) => `${line}\n`).join('');
    if (play.dies !== undefined) {
      say(text);
      this.die(play.dies);
      return remoteResult(command, { stdout: text, lost: true });
    }
    if (play.silent === true) {
      this.silent = true;
      say(text);
      return new Promise<RemoteResult>(() => {});
    }
    this.logLine(`kvm-hil: end ${name} ${marker}`);
    for (const line of play.lateLog ?? []) this.logLine(line);
    say(text);
    const { diesAfter } = play;
    if (diesAfter !== undefined) setImmediate(() => this.die(diesAfter));
    const { keepBytes = text.length } = o;
    const kept = { stdout: text.slice(0, keepBytes), truncated: text.length > keepBytes };
    return remoteResult(command, { ...kept, exitCode: play.exitCode ?? 0 });
  }

  private async follow(command: string, o: RemoteOptions): Promise<RemoteResult> {
    this.kmsgOut = o.onStdout;
    for (const line of this.log) o.onStdout?.(Buffer.from(line));
    await this.died;
    return remoteResult(command, { lost: true });
  }

  private logLine(text: string): void {
    const seq = this.seq++;
    const line = `3,${seq},${seq * 1000},-;${text}\n`;
    this.log.push(line);
    this.consoleText += `[    0.${String(seq).padStart(6, '0')}] ${text}\n`;
    this.kmsgOut?.(Buffer.from(line));
  }
}
