// SPDX-License-Identifier: GPL-2.0-only
// One kernel on one host: boots it when needed, runs cases on it, boots it afresh when a case left it in an unknown
// state. Everything that was seen is in the run folder before the next step begins.
import path from 'node:path';
import type { Clock } from '../effects/clock.ts';
import { writeWhole } from '../effects/files.ts';
import type { RunDir } from '../effects/run-dir.ts';
import { cannotWrite, HilError, InterruptedError, KernelError } from '../errors.ts';
import type { BootRequest, Host, HostTraits, Machine } from '../hosts/host.ts';
import type { EventSink } from '../model/events.ts';
import type { KernelImage, SelftestBuild } from '../model/image.ts';
import {
  type CaseManifest,
  firstUnmet,
  requirementsOf,
  selftestArgv,
  selftestPath,
} from '../model/manifest.ts';
import { type Unit, unitId } from '../model/plan.ts';
import type { KernelRole } from '../model/result.ts';
import type { AttemptRecord, BootRecord, HostFacts } from '../model/run.ts';
import { findSplats } from '../model/splat.ts';
import type { Death } from '../model/verdict.ts';
import { type Capture, deservesSecondLook, runCase, whyReboot } from './case.ts';
import { askFacts } from './facts.ts';
import { KmsgStream } from './kmsg-stream.ts';
import { errorRecord, recordOf, stateOf } from './records.ts';
import { settle } from './settle.ts';
import { LOG_CHARS_MAX, Tail } from './tail.ts';
import { takeOrBoot } from './take.ts';

export interface SessionOptions {
  clock: Clock;
  sink: EventSink;
  run: RunDir;
  host: Host;
  role: KernelRole;
  image: KernelImage;
  program: BootRequest['program'];
  seed: string;
  /** Selftests of the kernel's tree; undefined when no case is one. */
  selftests?: SelftestBuild | undefined;
  /** What the kernel with this role is promised to have: from the series, and from what the base was seen to have. */
  provides: string[];
  /** Runs a kernel that takes this one's modules: the first boot is none. Whoever has it closes it in any case. */
  from?: Machine | undefined;
  /** Boots of this kernel on this host that are on record already. */
  bootsBefore?: number;
  signal: AbortSignal;
}

/** Boots that fail for a reason of ours are tried once more; a kernel that does not boot is not. */
const INFRA_BOOTS_MAX = 2;
const SETTLE_TIMEOUT_MS = 10_000;

interface Live {
  machine: Machine;
  kmsg: KmsgStream;
  following: Promise<void>;
  boot: number;
  /** The machine is gone on its own. */
  death: Death | undefined;
  /** Whose log still grows. */
  tail: Tail;
  /** Whose it is; undefined before the first case. */
  last: LastCase | undefined;
}

interface LastCase {
  folder: string;
  record: AttemptRecord;
  /** Blame can be added to its record as long as it is judged later; a self case is judged at once. */
  judgedLater: boolean;
}

export class Session {
  /** Facts of the host under this kernel, once it was up. */
  facts: HostFacts | undefined;
  private readonly o: SessionOptions;
  private traits: HostTraits | undefined;
  private live: Live | undefined;
  private boots: number;
  /** A capability probe did not return on the boot before. */
  private hungBefore = false;
  /** Why no further boot is tried. */
  private given: HilError | undefined;
  /** Why the machine has to be booted afresh before the next case. */
  private dirty: string | undefined;
  private from: Machine | undefined;

  constructor(o: SessionOptions) {
    this.o = o;
    this.from = o.from;
    this.boots = o.bootsBefore ?? 0;
  }

  /** Boots the host and reads its facts. @throws HilError when it cannot be booted; the boot is on record then */
  async start(): Promise<HostFacts> {
    await this.ensureUp();
    if (this.facts === undefined) throw new Error('a boot reads the facts');
    return this.facts;
  }

  /**
   * Runs one planned case; leaves its folder behind. Nothing that the case or the host does makes this throw but the
   * end of the session: @throws HilError when the host cannot be booted any more (the case was not attempted then).
   */
  async runUnit(unit: Unit, manifest: CaseManifest, folder: string): Promise<void> {
    const facts = await this.start();
    const id = unitId(unit);
    const unmet = firstUnmet(requirementsOf(manifest), facts.can, this.o.provides);
    if (unmet !== undefined) {
      await this.o.run.emptyFolder(folder);
      await this.record(folder, { unit: id, state: 'skipped', ...unmet });
      this.o.sink({ type: 'case.skipped', unit: id, ...unmet });
      return;
    }
    let first = await this.attempt(unit, manifest, folder, false);
    // The host died before the case had started: that is on the record of the case before it.
    first ??= await this.attempt(unit, manifest, folder, false);
    if (first === undefined) return;
    if (!this.canReboot() || !deservesSecondLook(first, this.emulated())) return;
    this.dirty ??= 'a second look';
    await this.attempt(unit, manifest, path.join(folder, 'again'), true);
    this.dirty ??= 'a second look';
  }

  async close(why: string): Promise<void> {
    const live = this.live;
    if (live === undefined) return;
    try {
      if (!this.o.signal.aborted && this.dirty === undefined && live.death === undefined)
        await this.settle(live);
      this.live = undefined;
      await live.tail.write();
      if (!this.o.signal.aborted) await this.noticeLateDeath(live);
    } finally {
      // Also when nothing can be written any more.
      this.live = undefined;
      live.kmsg.stop();
      await live.machine.close();
      await live.following;
      const left = live.machine.left?.() ?? '';
      if (left !== '' && live.last !== undefined)
        await writeWhole(path.join(live.last.folder, 'pstore'), left);
    }
    this.o.sink({ type: 'host.closed', host: this.o.host.name, kernel: this.o.role, boot: live.boot, why });
  }

  /**
   * Leaves the machine to another kernel that it may take without a boot.
   * @returns undefined when it is closed: it cannot do so, or what ran there has left it in a state that nobody knows
   */
  async leave(why: string): Promise<Machine | undefined> {
    const { live } = this;
    if (live?.machine.next !== undefined && this.dirty === undefined) {
      await this.settle(live);
      await this.noticeLateDeath(live);
      const splat = findSplats(live.tail.texts())[0];
      if (live.death === undefined && splat === undefined && !this.o.signal.aborted) {
        await live.tail.write();
        this.live = undefined;
        live.kmsg.stop();
        return live.machine;
      }
    }
    await this.close(why);
    return undefined;
  }

  /** Asks for a fresh boot before the next case, where there is one. */
  leaveBehind(why: string): void {
    if (this.canReboot()) this.dirty ??= why;
  }

  emulated(): boolean {
    return this.traits?.emulated === true;
  }

  /** Whether it can be booted afresh. */
  canReboot(): boolean {
    return this.traits?.boots !== false;
  }

  timeScale(): number {
    return this.traits?.timeScale ?? 1;
  }

  // --- internal ---

  private async attempt(
    unit: Unit,
    manifest: CaseManifest,
    folder: string,
    again: boolean,
  ): Promise<Capture | undefined> {
    const { clock, sink, run, seed, signal } = this.o;
    await this.noticeLate();
    const live = await this.ensureUp();
    const id = unitId(unit);
    await run.emptyFolder(folder);
    // On disk before the case starts: if the runner dies now, this case is the suspect.
    sink({ type: 'case.attempted', unit: id, boot: live.boot, again });
    const started = clock.wall().toISOString();
    const timeoutMs = manifest.timeout * 1000 * this.timeScale();
    const capture = await runCase(clock, live.machine, live.kmsg, {
      id: unit.case,
      variant: unit.variant,
      ...(manifest.selftest === undefined ? {} : { argv: selftestArgv(manifest.selftest) }),
      seed,
      timeoutMs,
      timeScale: this.timeScale(),
      signal,
    });
    // All that was logged before it started belongs to the one before it.
    await live.tail.write(capture.logFrom.position);
    if (capture.death !== undefined && !capture.started && live.last?.judgedLater === true) {
      live.death ??= capture.death;
      await this.noticeLateDeath(live);
      sink({ type: 'case.withdrawn', unit: id });
      return undefined;
    }
    const record = recordOf(id, live.boot, started, capture);
    live.last = { folder, record, judgedLater: !unit.case.startsWith('self/') };
    live.tail = new Tail(live.kmsg, { file: path.join(folder, 'dmesg'), from: capture.logFrom, record });
    const writes = [writeWhole(path.join(folder, 'observations.jsonl'), capture.stdout), live.tail.write()];
    if (capture.stderr !== '') writes.push(writeWhole(path.join(folder, 'stderr'), capture.stderr));
    if (capture.death !== undefined) writes.push(this.keepConsole(live, folder));
    await Promise.all(writes);
    // The last of the case's files: what has it is whole.
    await this.record(folder, record);
    live.tail.owner.keep = () => this.record(folder, record);
    this.dirty = whyReboot(capture);
    sink({ type: 'case.ended', unit: id, boot: live.boot, ms: capture.ms, state: stateOf(capture) });
    if (capture.death !== undefined) this.sayLost(live, capture.death);
    return capture;
  }

  private async record(folder: string, record: AttemptRecord): Promise<void> {
    await this.o.run.write('attempt', path.join(folder, 'info.json'), record);
  }

  private async keepConsole(live: Live, folder: string): Promise<void> {
    const console = live.machine.console.since(0).slice(-LOG_CHARS_MAX);
    await writeWhole(path.join(folder, 'console'), console);
  }

  private sayLost(live: Live, death: Death): void {
    const { host, role, sink } = this.o;
    sink({ type: 'host.lost', host: host.name, kernel: role, boot: live.boot, why: death.detail });
  }

  private async settle(live: Live): Promise<void> {
    live.death ??= await settle(live.machine, live.kmsg, SETTLE_TIMEOUT_MS * this.timeScale());
  }

  // Before the next case: did the one before it break the kernel or lose the host after its end?
  private async noticeLate(): Promise<void> {
    const { live } = this;
    if (live === undefined || this.dirty !== undefined) return;
    await this.noticeLateDeath(live);
    const splat = findSplats(live.tail.texts())[0];
    if (splat !== undefined && live.tail.owner.file !== undefined) this.dirty ??= `a splat: ${splat.title}`;
  }

  private async noticeLateDeath(live: Live): Promise<void> {
    // A promise that is settled already wins over the next turn.
    live.death ??= await Promise.race([
      live.machine.died,
      new Promise<undefined>((done) => {
        setImmediate(() => done(undefined));
      }),
    ]);
    const { death, last } = live;
    if (death === undefined || last === undefined || last.record.death !== undefined) return;
    last.record.death = death;
    await this.keepConsole(live, last.folder);
    await this.record(last.folder, last.record);
    this.dirty ??= death.detail;
    this.sayLost(live, death);
  }

  private async ensureUp(): Promise<Live> {
    if (this.given !== undefined) throw this.given;
    if (this.live !== undefined && this.dirty === undefined) return this.live;
    const why = this.dirty ?? 'first boot';
    await this.close(why);
    this.dirty = undefined;
    for (let tries = 1; ; tries++) {
      try {
        this.live = await this.boot(why);
        return this.live;
      } catch (error) {
        if (error instanceof InterruptedError || !(error instanceof HilError)) throw error;
        const final = error instanceof KernelError || cannotWrite(error) || !this.canReboot();
        if (final || tries === INFRA_BOOTS_MAX) {
          this.given = error;
          throw error;
        }
        this.o.sink({ type: 'note', text: `${this.o.host.name}: ${error.message}; booting once more` });
      }
    }
  }

  private async boot(why: string): Promise<Live> {
    const { clock, sink, run, host, role, image, signal } = this.o;
    const boot = ++this.boots;
    sink({ type: 'host.booting', host: host.name, kernel: role, boot });
    const started = clock.now();
    const folder = run.host(host.name, role);
    const common = () => ({
      boot,
      ms: clock.now() - started,
      how: [...(this.traits?.how ?? []), ...(up?.how ?? [])],
      why,
    });
    let up: Machine | undefined;
    try {
      this.traits ??= await host.traits();
      const consoleFile = path.join(folder, `console-${boot}.log`);
      await writeWhole(consoleFile, '');
      const request = {
        image,
        parameters: [],
        consoleFile,
        program: this.o.program,
        extra: (this.o.selftests?.files ?? []).map(({ name, file }) => ({ file, path: selftestPath(name) })),
        signal,
      };
      const { from } = this;
      this.from = undefined;
      const machine = await takeOrBoot(host, from, request, sink);
      up = machine;
      const kmsg = new KmsgStream(clock, machine.logFrom);
      const file = this.canReboot() ? path.join(folder, `boot-${boot}.dmesg`) : undefined;
      const { release, modulesOf } = machine;
      const record: BootRecord = { ...common(), state: 'up', release, ...(modulesOf && { modulesOf }) };
      const tail = new Tail(kmsg, { file, record });
      const following = kmsg.follow(machine);
      const live: Live = { machine, kmsg, following, boot, death: undefined, tail, last: undefined };
      // A host whose facts cannot be read is not up.
      await this.readFacts(live).catch(async (error: unknown) => {
        await tail.write();
        throw error;
      });
      record.ms = clock.now() - started;
      const keep = () => run.write('boot', path.join(folder, `boot-${boot}.json`), record);
      await keep();
      tail.owner.keep = keep;
      sink({
        type: 'host.booted',
        host: host.name,
        kernel: role,
        boot,
        release: machine.release,
        how: record.how,
        ms: record.ms,
      });
      return live;
    } catch (error) {
      await up?.close();
      if (error instanceof HilError && !(error instanceof InterruptedError)) {
        const record: BootRecord = { ...common(), state: 'failed', error: errorRecord(error) };
        await run.write('boot', path.join(folder, `boot-${boot}.json`), record);
        sink({ type: 'host.lost', host: host.name, kernel: role, boot, why: error.message });
      }
      throw error;
    }
  }

  private async readFacts(live: Live): Promise<void> {
    if (this.facts !== undefined) return;
    const { clock, run, host, role, selftests } = this.o;
    try {
      const facts = await askFacts(live.machine, {
        clock,
        host: host.name,
        driver: {
          driver: host.driver,
          emulated: this.emulated(),
          ...(live.machine.modulesOf && { modules_of: live.machine.modulesOf.release }),
        },
        can: selftests?.can ?? {},
        timeScale: this.timeScale(),
        booted: this.canReboot(),
        hungBefore: this.hungBefore,
      });
      await run.write('facts', path.join(run.host(host.name, role), 'facts.json'), facts);
      this.facts = facts;
    } catch (error) {
      this.hungBefore = error instanceof HilError && error.code === 'stuck-probe';
      throw error;
    }
  }
}
