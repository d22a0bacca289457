// SPDX-License-Identifier: GPL-2.0-only
// One kernel on one host: boots it when needed, runs cases on it, boots it afresh when a case left it in an unknown
// state. Everything that was seen is in the run folder before the next step begins.
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../effects/clock.ts';
import { writeWhole } from '../effects/files.ts';
import { parseJson, type RunDir } from '../effects/run-dir.ts';
import { checkDocument } from '../effects/schema.ts';
import { HilError, InfraError, InterruptedError, KernelError } from '../errors.ts';
import type { BootRequest, Host, HostTraits, Machine } from '../hosts/host.ts';
import type { EventSink } from '../model/events.ts';
import type { KernelImage } from '../model/image.ts';
import { type CaseManifest, firstUnmet } from '../model/manifest.ts';
import { type Unit, unitId } from '../model/plan.ts';
import type { KernelRole } from '../model/result.ts';
import type { AttemptRecord, BootRecord, ErrorRecord, HostFacts } from '../model/run.ts';
import { findSplats } from '../model/splat.ts';
import { type Capture, deservesSecondLook, fromMarker, runCase, whyReboot } from './case.ts';
import { type KmsgLine, KmsgStream } from './kmsg-stream.ts';

export interface SessionOptions {
  clock: Clock;
  sink: EventSink;
  run: RunDir;
  host: Host;
  role: KernelRole;
  image: KernelImage;
  program: BootRequest['program'];
  seed: string;
  /** What the kernel with this role is promised to have: from the series, and from what the base was seen to have. */
  provides: string[];
  signal: AbortSignal;
}

/** Boots that fail for a reason of ours are tried once more; a kernel that does not boot is not. */
const INFRA_BOOTS_MAX = 2;
const FACTS_TIMEOUT_MS = 15_000;
/** A case's log on disk; a flood is cut, the splats in it were looked for before. */
const DMESG_CHARS_MAX = 8 * 1024 * 1024;

interface Live {
  machine: Machine;
  kmsg: KmsgStream;
  following: Promise<void>;
  boot: number;
}

interface Tail {
  folder: string;
  /** Where the log stood when the case began. */
  from: number;
  id: string;
  marker: string;
  /** Lines that are on disk. */
  written: number;
}

export class Session {
  /** Facts of the host under this kernel, once it was up. */
  facts: HostFacts | undefined;
  private readonly o: SessionOptions;
  private traits: HostTraits | undefined;
  private live: Live | undefined;
  private boots = 0;
  /** Why no further boot is tried. */
  private given: HilError | undefined;
  /** Why the machine has to be booted afresh before the next case. */
  private dirty: string | undefined;
  /** The case whose log still grows until the next one begins. */
  private tail: Tail | undefined;

  constructor(o: SessionOptions) {
    this.o = o;
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
    const unmet = firstUnmet(manifest.requires, facts.can, this.o.provides);
    if (unmet !== undefined) {
      await this.o.run.emptyFolder(folder);
      await this.record(folder, { unit: id, state: 'skipped', ...unmet });
      this.o.sink({ type: 'case.skipped', unit: id, ...unmet });
      return;
    }
    const first = await this.attempt(unit, manifest, folder, false);
    if (!this.canReboot() || !deservesSecondLook(first, this.emulated())) return;
    this.dirty ??= 'a second look at a timeout or a stall';
    await this.attempt(unit, manifest, path.join(folder, 'again'), true);
    this.dirty ??= 'a second look at a timeout or a stall';
  }

  async close(why: string): Promise<void> {
    const live = this.live;
    if (live === undefined) return;
    this.live = undefined;
    await this.finishTail(live);
    live.kmsg.stop();
    await live.machine.close();
    await live.following;
    this.o.sink({ type: 'host.closed', host: this.o.host.name, kernel: this.o.role, boot: live.boot, why });
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
  ): Promise<Capture> {
    const { clock, sink, run, seed } = this.o;
    await this.noticeLateSplats();
    const live = await this.ensureUp();
    const id = unitId(unit);
    await this.finishTail(live);
    await run.emptyFolder(folder);
    const from = live.kmsg.position();
    // On disk before the case starts: if the runner dies now, this case is the suspect.
    sink({ type: 'case.attempted', unit: id, boot: live.boot, again });
    const started = clock.wall().toISOString();
    const timeoutMs = manifest.timeout * 1000 * this.timeScale();
    const capture = await runCase(clock, live.machine, live.kmsg, {
      id: unit.case,
      variant: unit.variant,
      seed,
      timeoutMs,
      timeScale: this.timeScale(),
    });
    this.tail = { folder, from, id: unit.case, marker: capture.marker, written: 0 };
    const writes = [
      writeWhole(path.join(folder, 'observations.jsonl'), capture.stdout),
      this.writeLog(live, this.tail),
    ];
    if (capture.stderr !== '') writes.push(writeWhole(path.join(folder, 'stderr'), capture.stderr));
    if (capture.death !== undefined) {
      const console = live.machine.console.since(0).slice(-DMESG_CHARS_MAX);
      writes.push(writeWhole(path.join(folder, 'console'), console));
    }
    await Promise.all(writes);
    // The last of the case's files: what has it is whole.
    await this.record(folder, recordOf(id, live.boot, started, capture));
    this.dirty = whyReboot(capture);
    sink({ type: 'case.ended', unit: id, boot: live.boot, ms: capture.ms, state: stateOf(capture) });
    if (capture.death !== undefined) {
      sink({
        type: 'host.lost',
        host: this.o.host.name,
        kernel: this.o.role,
        boot: live.boot,
        why: capture.death.detail,
      });
    }
    return capture;
  }

  private async record(folder: string, record: AttemptRecord): Promise<void> {
    await this.o.run.write('attempt', path.join(folder, 'info.json'), record);
  }

  // Records that came after a case's end marker and before the next start are still that case's.
  private async finishTail(live: Live): Promise<void> {
    if (this.tail === undefined) return;
    await this.writeLog(live, this.tail);
    this.tail = undefined;
  }

  private async noticeLateSplats(): Promise<void> {
    const { live, tail } = this;
    if (live === undefined || tail === undefined || this.dirty !== undefined) return;
    const splat = findSplats(this.tailLines(live, tail).map((line) => line.record.text))[0];
    if (splat !== undefined) this.dirty = `a splat: ${splat.title}`;
  }

  private tailLines(live: Live, tail: Tail): KmsgLine[] {
    return fromMarker(live.kmsg.since(tail.from), tail, tail.marker);
  }

  private async writeLog(live: Live, tail: Tail): Promise<void> {
    const lines = this.tailLines(live, tail);
    if (lines.length === tail.written && lines.length > 0) return;
    tail.written = lines.length;
    const text = lines.map((line) => `${line.raw}\n`).join('');
    await writeWhole(path.join(tail.folder, 'dmesg'), text.slice(0, DMESG_CHARS_MAX));
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
        if (error instanceof KernelError || tries === INFRA_BOOTS_MAX || !this.canReboot()) {
          this.given = error;
          throw error;
        }
        this.o.sink({ type: 'note', text: `${this.o.host.name}: ${error.message}; booting once more` });
      }
    }
  }

  private async boot(why: string): Promise<Live> {
    const { clock, sink, run, host, role, image, signal } = this.o;
    this.traits ??= await host.traits();
    const boot = ++this.boots;
    sink({ type: 'host.booting', host: host.name, kernel: role, boot });
    const started = clock.now();
    const folder = run.host(host.name, role);
    const common = () => ({ boot, ms: clock.now() - started, how: this.traits?.how ?? [], why });
    try {
      const consoleFile = path.join(folder, `console-${boot}.log`);
      await writeWhole(consoleFile, '');
      const machine = await host.boot({
        image,
        parameters: [],
        consoleFile,
        program: this.o.program,
        signal,
      });
      const kmsg = new KmsgStream(clock);
      const live = { machine, kmsg, following: kmsg.follow(machine), boot };
      // A host whose facts cannot be read is not up.
      await this.readFacts(live).catch(async (error: unknown) => {
        await machine.close();
        throw error;
      });
      const record: BootRecord = { ...common(), state: 'up', release: machine.release };
      await run.write('boot', path.join(folder, `boot-${boot}.json`), record);
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
    const { run, host, role } = this.o;
    const answer = await live.machine.exec(`exec ${live.machine.program} --facts`, {
      timeoutMs: FACTS_TIMEOUT_MS * this.timeScale(),
    });
    const folder = run.host(host.name, role);
    if (answer.exitCode !== 0) {
      throw new InfraError({
        code: 'no-facts',
        message: `${host.name}: kvm-cases --facts ${answer.timedOut ? 'did not return' : `ended with ${answer.exitCode}`}`,
        detail: answer.stderr.slice(0, 2000),
      });
    }
    const said = parseJson(answer.stdout, `${host.name}: kvm-cases --facts`) as Record<string, unknown>;
    const facts = { ...said, emulated: this.emulated(), driver: host.driver };
    const checked = checkDocument<HostFacts>('facts', facts, `${host.name}: kvm-cases --facts`);
    await run.write('facts', path.join(folder, 'facts.json'), checked);
    if (checked.kvm === false) {
      const what = {
        code: 'no-kvm',
        message: `${host.name}: /dev/kvm does not work under ${checked.release}`,
        hint: 'the console or dmesg may say why; is KVM configured, and virtualisation enabled?',
      };
      throw this.canReboot() ? new KernelError(what) : new InfraError(what);
    }
    this.facts = checked;
    // What a machine that was not booted for this run logged before is nobody's finding.
    if (!this.canReboot()) return;
    // What the kernel logged while booting is judged too: a WARN in an initcall is a finding.
    const log = live.kmsg.since(0).map((line) => `${line.raw}\n`);
    await writeWhole(path.join(folder, 'boot.dmesg'), log.join(''));
  }
}

export function errorRecord(error: HilError): ErrorRecord {
  return {
    code: error.code,
    message: error.message,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    kernelAtFault: error instanceof KernelError,
  };
}

/** Copies what a build left into the run folder. */
export async function keepBuildFiles(run: RunDir, role: KernelRole, image: KernelImage): Promise<void> {
  const folder = run.kernel(role);
  await writeWhole(path.join(folder, 'config'), image.config);
  await writeWhole(
    path.join(folder, 'config.missing'),
    image.unknownSymbols.map((symbol) => `CONFIG_${symbol}\n`).join(''),
  );
  await writeWhole(path.join(folder, 'release'), `${image.release}\n`);
  if (image.vmlinux === null) return;
  const log = path.join(path.dirname(image.vmlinux), 'build.log');
  await copyFile(log, path.join(folder, 'build.log')).catch(() => {});
}

function recordOf(unit: string, boot: number, started: string, capture: Capture): AttemptRecord {
  return {
    unit,
    state: 'attempted',
    boot,
    marker: capture.marker,
    command: capture.command,
    started,
    ms: Math.round(capture.ms * 1000) / 1000,
    exitCode: capture.exitCode,
    signal: capture.signal,
    overdue: capture.overdue,
    drained: capture.drained,
    lostRecords: capture.lostRecords,
    ...(capture.death === undefined ? {} : { death: capture.death }),
    ...(capture.trouble === undefined ? {} : { trouble: capture.trouble }),
  };
}

function stateOf(capture: Capture): string {
  if (capture.death !== undefined) return 'host died';
  if (capture.splats.length > 0) return 'splat';
  if (capture.overdue) return 'overdue';
  return capture.folded.end?.status ?? 'no end';
}
