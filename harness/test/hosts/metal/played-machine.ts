// SPDX-License-Identifier: GPL-2.0-only
// A machine of a lab that exists in memory, on any clock: disk, kernels, lease, power, network, behind the doors of the metal
// driver. It goes wrong in a chosen way at a chosen step; a step is a connection, a command, or a switch of its power.
import { type Clock, within } from '../../../effects/clock.ts';
import type { CommandResult } from '../../../effects/exec.ts';
import { remoteResult } from '../../../effects/kept.ts';
import type { RemoteOptions, RemoteResult, SshLink } from '../../../effects/ssh.ts';
import { InfraError } from '../../../errors.ts';
import type { Machine } from '../../../hosts/host.ts';
import { replaceDoors } from '../../../hosts/metal/doors.ts';
import { scriptedHost } from '../../../hosts/scripted.ts';
import type { LabHost } from '../../../model/lab.ts';
import { PlayedLease } from './played-lease.ts';
import { PlayedLoader } from './played-loader.ts';
import { PlayedModules } from './played-modules.ts';
import { type PlayedSetup, playedHost } from './played-setup.ts';
import { LOOKS, type MachineFault, withoutGuards, words } from './played-words.ts';
import { SURVEY, surveyText, TOOLS } from './survey-words.ts';

type Kernel = 'known' | 'ours' | 'other';

export const KNOWN_RELEASE = '6.1.0-50-amd64';
const OTHER_RELEASE = '5.4.0-other';
const CUT_MS = 20_000;
const LATENCY_MS = 10;
const POST_MS = 60_000;
const KEXEC_MS = 5000;
const DAY_SECONDS = 86_400;
const NEVER = Number.POSITIVE_INFINITY;

export class PlayedMachine {
  readonly host: LabHost;
  kernel: Kernel = 'known';
  disk = new PlayedLease();
  loader = new PlayedLoader();
  modules = new PlayedModules();
  steps = 0;
  /** What was switched, in order. */
  switched: string[] = [];
  /** What was done here by who did not look at the lease, after somebody else took it: there must be none. */
  trespasses: string[] = [];
  /** Every command that was carried out, with the step that it was. */
  readonly heard: [step: number, command: string][] = [];
  /** Told of every command that is carried out, without the check of the lease in front of it. */
  onCommand: (command: string) => void = () => {};
  /** How much longer a command took than its sender allowed. */
  overdueMs = 0;
  /** As the setup says. */
  readonly hearsKeys: boolean;
  private readonly setup: PlayedSetup;
  private readonly clock: Clock;
  private ram: PlayedLease | undefined;
  private carried = new PlayedLease();
  private release = KNOWN_RELEASE;
  private boots = 1;
  private up = true;
  private knocked = 0;
  private reachableFrom = 0;
  private hung = false;
  private canWrite = true;
  private powerWorks = true;
  private taken = false;
  private strangeKey = false;
  private strangeKernel = false;
  private offSeconds = 0;
  private refusal = '';
  private inner: Machine | undefined;
  private readonly files = new Map<string, string>();
  private loaded = '';
  private readonly links = new Set<(why: string) => void>();
  private readonly readers = new Set<(piece: Buffer) => void>();

  constructor(setup: PlayedSetup) {
    this.setup = setup;
    this.hearsKeys = setup.hearsKeys === true;
    this.clock = setup.clock;
    const host = playedHost(setup);
    this.host = host;
    replaceDoors(host, {
      connect: (_, timeoutMs) => this.connect(timeoutMs),
      run: (argv) => this.switchPower(argv[0] ?? ''),
      serial: (_, onPiece) => {
        this.readers.add(onPiece);
        return { sysrq: () => this.pressKey(), close: () => void this.readers.delete(onPiece) };
      },
    });
  }

  /** As it is at this moment, on another clock: what a runner that is killed now leaves behind. */
  async fork(setup: PlayedSetup): Promise<PlayedMachine> {
    const fork = new PlayedMachine(setup);
    const { kernel, release, boots, loaded } = this;
    Object.assign(fork, { kernel, release, boots, loaded });
    fork.disk = this.disk.copy();
    fork.loader = this.loader.copy();
    fork.ram = this.ram?.copy();
    fork.carried = this.carried.copy();
    for (const [name, text] of this.files) fork.files.set(name, text);
    if (kernel === 'ours' && this.up) await fork.startInner();
    // Half-way between two kernels it ends where it was going.
    if (!this.up) Object.assign(fork, { kernel: 'known', release: KNOWN_RELEASE, ram: undefined });
    return fork;
  }

  /** As the rules of a lab want it: on its own kernel, and nobody's. */
  isHome(): boolean {
    return this.up && this.kernel === 'known' && !this.disk.held();
  }

  /** Nobody had it yet: how it is, up or starting, is nothing that a runner has done. */
  wasNeverLeased(): boolean {
    return this.kernel === 'known' && this.disk.token() === 0;
  }

  isTaken = () => this.taken;
  /** Connections that nobody has closed. */
  connections = () => this.links.size;

  /** The lease that commands see now. */
  lease(): PlayedLease {
    return this.ram ?? this.disk;
  }

  // --- network ---

  private async connect(timeoutMs: number): Promise<SshLink> {
    // To knock again while it starts is no step of its own.
    if (this.up || this.knocked !== this.boots) this.step();
    this.knocked = this.boots;
    await this.clock.sleep(LATENCY_MS);
    const { name } = this.setup;
    const failed = (why: string) => new InfraError({ code: 'ssh-failed', message: `ssh to ${name}: ${why}` });
    if (this.hung || this.clock.now() < this.reachableFrom) {
      await this.clock.sleep(timeoutMs - LATENCY_MS);
      throw failed('timed out');
    }
    if (!this.up) throw failed('refused');
    if (this.strangeKey)
      throw new InfraError({ code: 'host-key', message: `${name} is not who it should be` });
    return this.link();
  }

  private link(): SshLink {
    let lose: (why: string) => void = () => {};
    const closed = new Promise<string>((resolve) => {
      lose = (why) => {
        this.links.delete(lose);
        resolve(why);
      };
    });
    this.links.add(lose);
    return {
      closed,
      close: () => lose('closed'),
      shell: async () => {},
      exec: async (command, o) => {
        const started = this.clock.now();
        const gone = closed.then(() => remoteResult(command, { lost: true }));
        const isOpen = this.links.has(lose);
        const work = isOpen ? Promise.race([gone, this.carryOut(command, o)]) : gone;
        const timed = await within(this.clock, o.timeoutMs, work);
        this.overdueMs = Math.max(this.overdueMs, this.clock.now() - started - o.timeoutMs);
        return timed.timedOut ? remoteResult(command, { timedOut: true }) : timed.value;
      },
    };
  }

  private dropLinks(why: string): void {
    for (const lose of [...this.links]) lose(why);
  }

  // --- commands ---

  private async carryOut(command: string, o: RemoteOptions): Promise<RemoteResult> {
    const kind = this.step();
    await this.clock.sleep(LATENCY_MS);
    if (this.hung || this.clock.now() < this.reachableFrom) return new Promise(() => {});
    const [bare, tokens] = withoutGuards(command);
    const valid = tokens.every((token) => this.lease().isValid(token));
    if (!valid) return remoteResult(command, { exitCode: 75 });
    this.heard.push([this.steps, bare]);
    this.onCommand(bare);
    if (this.taken && tokens.length === 0 && !LOOKS.test(bare)) this.trespasses.push(bare);
    if (kind === 'garbage' && !bare.startsWith('exec ')) {
      // A disturbance on the way: it is carried out, and what comes back makes no sense.
      const answer = await this.perform(bare, o);
      return { ...answer, stdout: '\u0000}{ noise\n', exitCode: 0 };
    }
    const answer = this.setup.play?.(bare);
    const result = answer === undefined ? await this.perform(bare, o) : remoteResult(command, answer);
    if (kind !== 'cut-after') return result;
    this.cut(CUT_MS);
    return new Promise(() => {});
  }

  private async perform(command: string, o: RemoteOptions): Promise<RemoteResult> {
    const say = (stdout: string, exitCode = 0) => remoteResult(command, { stdout, exitCode });
    const refused = () => remoteResult(command, { exitCode: 1, stderr: this.refusal });
    const lease = /^sh -s -- \/var\/lib\/kvm-hil\/lease (.*)$/.exec(command);
    if (lease !== null) {
      // Where the kernel under test runs, the lease is in its RAM.
      const { text, status } = this.lease().run(
        words(lease[1] ?? ''),
        this.canWrite || this.ram !== undefined,
      );
      return remoteResult(command, {
        stdout: text,
        exitCode: status,
        stderr: status === 1 ? this.refusal : '',
      });
    }
    if (command === 'sh -s --') return say(this.survey());
    if (command.startsWith('cat /proc/sys/kernel/random/boot_id'))
      return say(`boot-${this.boots}\n${this.release}\n0\n`);
    if (command === 'uname -r') return say(`${this.release}\n`);
    if (command.startsWith('case $(uname -r)')) return this.kernel === 'ours' ? this.reset(say) : say('', 3);
    if (/^echo 1 >\/proc\/sys\/kernel\/sysrq; .*echo b/.test(command)) return this.reset(say);
    if (command.includes('pidof watchdog')) return say('/dev/watchdog0\n');
    const asked = this.loader.answer(command, this.files, this.canWrite);
    if (asked !== undefined)
      return remoteResult(command, asked.exitCode === 1 ? { ...asked, stderr: this.refusal } : asked);
    if (this.kernel === 'ours' && this.inner !== undefined) {
      const modules = this.modules.answer(command, o);
      return modules === undefined ? this.inner.exec(command, o) : remoteResult(command, modules);
    }
    const there = /^\[ -e (\S+\/images\/[0-9a-f]{64}) \]/.exec(command);
    if (there !== null) return say('', this.files.has(there[1] ?? '') ? 0 : 1);
    const receive = /mv -f \S+ (\S+\/images\/[0-9a-f]{64})/.exec(command);
    if (receive !== null) {
      if (!this.canWrite) return refused();
      this.files.set(receive[1] ?? '', (o.input ?? Buffer.alloc(0)).subarray(0, 200).toString('latin1'));
      return say('');
    }
    if (command.includes('/images/.own')) {
      if (!this.canWrite) return refused();
      this.carried = this.disk.copy();
      return say('');
    }
    const load = /kexec .*-l (\S+)/.exec(command);
    if (load !== null) {
      this.loaded = this.files.get(load[1] ?? '') ?? '';
      return say('', this.loaded === '' ? 1 : 0);
    }
    if (command.includes('systemctl kexec')) {
      this.goTo('ours', 1000, KEXEC_MS);
      return say('');
    }
    if (command.includes('systemctl reboot')) return this.reset(say);
    return say('');
  }

  private survey(): string {
    const seconds = String(Math.floor(this.clock.wall().getTime() / 1000) + this.offSeconds);
    const says = {
      ...SURVEY,
      seconds,
      release: this.release,
      boot_id: `boot-${this.boots}`,
      ...(this.canWrite ? {} : { writable: '' }),
      ...this.loader.says(),
      ...this.setup.says,
    };
    return `${surveyText(says, TOOLS)}complete=yes\n`;
  }

  private reset(say: (text: string) => RemoteResult): RemoteResult {
    this.goTo('known', 300, POST_MS);
    return say('');
  }

  // --- life ---

  private goTo(kernel: Kernel, afterMs: number, ms: number): void {
    const boot = this.boots;
    const { loaded } = this;
    void this.clock.sleep(afterMs).then(async () => {
      // It was switched off meanwhile.
      if (boot === this.boots) await this.restart(kernel, loaded, ms);
    });
  }

  private async restart(kernel: Kernel, loaded: string, ms: number): Promise<void> {
    const boot = ++this.boots;
    Object.assign(this, { up: false, hung: false });
    this.dropLinks('reset by peer');
    this.modules.loaded.clear();
    await this.inner?.close();
    this.inner = undefined;
    await this.clock.sleep(ms);
    if (boot !== this.boots) return;
    const wish = kernel === 'known' && !this.strangeKernel ? this.loader.start() : undefined;
    this.kernel = this.strangeKernel ? 'other' : wish === undefined ? kernel : 'ours';
    this.strangeKernel = false;
    const releases = { known: KNOWN_RELEASE, ours: (wish ?? loaded).trim(), other: OTHER_RELEASE };
    this.release = releases[this.kernel];
    this.ram = this.kernel === 'ours' ? this.carried.copy() : undefined;
    if (this.kernel === 'ours') await this.startInner();
    this.print(`Linux version ${this.release}\n`);
    this.up = true;
  }

  private async startInner(): Promise<void> {
    const { script, name, clock } = this.setup;
    const inner = scriptedHost({ ...script, name, clock, emulated: false });
    const image = { release: this.release } as never;
    const program = { file: '', hash: '' };
    const signal = new AbortController().signal;
    this.inner = await inner.boot({ image, parameters: [], consoleFile: '', program, signal });
  }

  private async switchPower(what: string): Promise<CommandResult> {
    this.step();
    await this.clock.sleep(LATENCY_MS);
    this.switched.push(what);
    if (this.taken && what !== 'status') this.trespasses.push(`power ${what}`);
    const failed = !this.powerWorks;
    if (!failed && what === 'off') this.up = false;
    if (!failed && (what === 'cycle' || (what === 'on' && !this.up))) void this.restart('known', '', POST_MS);
    const stdout = what === 'status' ? (this.up || this.hung ? 'on' : 'off') : '';
    const ended = { exitCode: failed ? 1 : 0, signal: null, timedOut: false, failed };
    return { command: what, ...ended, durationMs: 0, stdout, stderr: failed ? 'no answer' : '' };
  }

  private async pressKey(): Promise<boolean> {
    this.step();
    await this.clock.sleep(LATENCY_MS);
    if (!this.hearsKeys) return false;
    this.switched.push('key');
    if (this.taken) this.trespasses.push('key');
    // What starts has no console yet.
    if (!this.up) return true;
    this.print('sysrq: Resetting\n');
    this.goTo('known', 0, POST_MS);
    return true;
  }

  private print(text: string): void {
    for (const read of this.readers) read(Buffer.from(text));
  }

  // --- faults ---

  private cut(ms: number): void {
    this.reachableFrom = this.clock.now() + ms;
    this.dropLinks('the network is gone');
  }

  /** @returns the fault of this step, when it is one of a command's answer */
  private step(): MachineFault | undefined {
    this.steps++;
    const { fault } = this.setup;
    if (fault?.step !== this.steps) return undefined;
    const effects: Record<MachineFault, () => void> = {
      cut: () => this.cut(CUT_MS),
      'cut-after': () => {},
      'cut-for-good': () => this.cut(NEVER),
      silent: () => this.hang(),
      reset: () => this.goTo('known', 0, POST_MS),
      garbage: () => {},
      'disk-full': () => this.refuse('cat: write error: No space left on device'),
      'read-only': () => this.refuse('cannot create: Read-only file system'),
      'wrong-kernel': () => {
        this.strangeKernel = true;
      },
      'clock-jump': () => {
        this.offSeconds += DAY_SECONDS;
      },
      'host-key': () => {
        this.strangeKey = true;
        this.dropLinks('the network is gone');
      },
      'power-fails': () => {
        this.powerWorks = false;
        this.hang();
      },
      taken: () => this.takeAway(),
    };
    effects[fault.kind]();
    return fault.kind;
  }

  private hang(): void {
    this.hung = true;
    if (this.kernel === 'ours') this.loader.leave();
    this.inner?.provoke().catch(() => {});
  }

  private refuse(why: string): void {
    this.canWrite = false;
    this.refusal = why;
  }

  // With --take, from elsewhere: they go on, and will give it back.
  private takeAway(): void {
    this.taken = true;
    for (const lease of new Set([this.disk, this.lease()]))
      lease.run(['take', String(lease.token()), String(lease.count()), 'them@elsewhere:1', 'theirs'], true);
  }
}
