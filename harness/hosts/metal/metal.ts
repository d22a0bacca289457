// SPDX-License-Identifier: GPL-2.0-only
// A machine of the inventory as a host. It rests on its distribution's kernel, the known-good one: each boot begins
// there, and each machine that is closed goes back there.
import { type Clock, interruption, within } from '../../effects/clock.ts';
import type { SshLink } from '../../effects/ssh.ts';
import { type HilError, InfraError, InterruptedError, messageOf } from '../../errors.ts';
import type { BootMethod, LabHost } from '../../model/lab.ts';
import { EXPIRES_MS, hasMoved, type LeaseState, REFRESH_MS } from '../../model/lease.ts';
import { lacksOf, type Survey } from '../../model/survey.ts';
import type { Death } from '../../model/verdict.ts';
import { ConsoleLog } from '../console.ts';
import type { BootRequest, Host, HostTraits, LeaseRequest, Machine } from '../host.ts';
import { PROGRAM_PATH } from '../initramfs.ts';
import { PANIC } from '../qemu-process.ts';
import { markBad, whyBad } from './bad.ts';
import { kernelParameters } from './kexec.ts';
import { type HeldLease, leaseCopy, takeLease } from './lease.ts';
import { tidyOnce } from './once.ts';
import { powerOf } from './power.ts';
import { resetOf, underTest } from './proof.ts';
import { isGone, reach, reachWithin, survey } from './reach.ts';
import { hostBad, notReady } from './refusals.ts';
import { openSerial, resetByKey, type Serial } from './serial.ts';
import { stage } from './stage.ts';
import { tidy } from './tidy.ts';
import { leash } from './watchdog.ts';
import { wayFor } from './way.ts';

export interface MetalSettings {
  clock: Clock;
  host: LabHost;
  /** Take the lease though somebody has it. */
  take?: boolean;
  /** How it is to be booted, instead of the inventory's choice. */
  method?: BootMethod | undefined;
}

const COMMAND_TIMEOUT_MS = 30_000;
const LAST_WORDS_MS = 3000;
const AGAIN_MS = 1000;
/** A machine that nobody uses answers at once. */
const UNREACHABLE_MS = 60_000;
const SILENT_MS = 20_000;
/** A machine that resets itself says no good-bye: its connections just fall silent. */
const RESET_MS = 3000;
/** Exit status of what asks a machine to come home. */
const IS_HOME = 3;
const RESET =
  'echo 1 >/proc/sys/kernel/sysrq; (sleep 0.3; echo b >/proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &';
/** Between two boots of ours a kernel may be built. Who does nothing for longer loses the machine. */
const IDLE_MS_MAX = 30 * 60 * 1000;
/** Software virtualisation needs more time than hardware. */
const EMULATED_TIME_SCALE = 4;

/** As the localversion of our images says. */
export function isOurs(release: string | undefined): boolean {
  return release?.includes('-kvmhil-') === true;
}

export function metalHost(settings: MetalSettings): Host {
  const metal = new Metal(settings);
  return {
    name: settings.host.name,
    driver: settings.host.driver,
    exclusive: true,
    traits: () => metal.traits(),
    lease: (o) => metal.lease(o),
    boot: (request) => metal.boot(request),
  };
}

class Metal {
  private readonly clock: Clock;
  private readonly host: LabHost;
  private readonly take: boolean;
  private readonly method: BootMethod | undefined;
  private held: HeldLease | undefined;
  private link: SshLink | undefined;
  private serial: Serial | undefined;
  private console: ConsoleLog | undefined;
  private found: HostTraits | undefined;
  /** Boot id of the known-good kernel that was asked to go: as long as it answers, the machine is not home. */
  private leaving: string | undefined;
  /** When the working loop last did something. */
  private worked = 0;
  /** The machine's own answers before it went to the kernel under test, and what that one left in pstore. */
  private before: Survey | undefined;
  private left = '';
  /** Why the machine must not be used any more. What state it is in is not known. */
  private bad: HilError | undefined;

  constructor({ clock, host, take, method }: MetalSettings) {
    this.clock = clock;
    this.host = host;
    this.take = take === true;
    this.method = method;
  }

  async traits(): Promise<HostTraits> {
    if (this.found !== undefined) return this.found;
    const link = this.link ?? (await reach(this.host));
    try {
      const found = await survey(this.host, link);
      const emulated = found.has('hypervisor');
      this.found = {
        boots: true,
        emulated,
        timeScale: emulated ? EMULATED_TIME_SCALE : 1,
        how: [
          `${found.get('model') ?? '?'}${emulated ? ', itself a guest' : ''}`,
          `over SSH, back to ${found.get('release') ?? '?'} afterwards`,
        ],
      };
      return this.found;
    } finally {
      if (link !== this.link) link.close();
    }
  }

  async lease(o: LeaseRequest): Promise<{ release(): Promise<void> }> {
    const { clock, host } = this;
    const marked = await whyBad(host);
    if (marked !== undefined) throw hostBad(host, marked);
    const held = await this.leaseOf(o).catch(async (error: unknown) => {
      await this.giveBack();
      throw error;
    });
    this.worked = clock.now();
    const stop = new AbortController();
    const keeping = this.keep(held, stop.signal);
    this.serial = openSerial(clock, host, (piece) => this.console?.add(piece));
    return {
      release: async () => {
        stop.abort();
        await keeping;
        await this.giveBack();
      },
    };
  }

  async boot(request: BootRequest): Promise<Machine> {
    const { clock, host } = this;
    if (this.held === undefined) {
      const lease = await this.lease({ purpose: 'kvm-hil boot', onWait: () => {}, signal: request.signal });
      const machine = await this.boot(request).catch(async (error: unknown) => {
        await lease.release();
        throw error;
      });
      const close = () => machine.close().then(() => lease.release());
      return { ...machine, close };
    }
    if (this.bad !== undefined) throw this.bad;
    const lease = this.held;
    if (lease.lost !== undefined) throw lease.lost;
    this.worked = clock.now();
    const link = await this.knownGood(request.signal);
    const resting = await survey(host, link);
    const lacks = lacksOf(resting, host, 0);
    if (lacks.length > 0)
      throw notReady(
        host,
        lacks.map(({ what, hint }) => `${what}; ${hint}`),
      );
    const way = wayFor(host, resting, lease, this.method);
    // Of a runner that was killed.
    if (resting.has('once_left')) await tidyOnce(link, lease);
    const staged = await stage(link, lease, resting, request);
    const console = new ConsoleLog(request.consoleFile);
    this.console = console;
    const interrupted = interruption(request.signal);
    const started = clock.now();
    try {
      await way.go(link, staged, [...kernelParameters(host), ...request.parameters]);
      this.leaving = resting.get('boot_id');
      this.before = resting;
      link.close();
      this.link = undefined;
      const up = underTest(clock, host, resting, request, console, way.seconds);
      const fresh = await Promise.race([up, interrupted.promise]);
      this.link = fresh;
      this.leaving = undefined;
      await way.prove(fresh);
      const how = [
        `${way.name} in ${((clock.now() - started) / 1000).toFixed(1)} s`,
        await leash(fresh, host),
      ];
      await lease.refresh(fresh);
      return { ...this.machineOf(fresh, console, request.image.release), how, left: () => this.left };
    } catch (error) {
      await this.comeHome(clock.now() - started >= way.seconds * 1000);
      this.console = undefined;
      await console.close();
      throw error;
    } finally {
      interrupted.forget();
      this.worked = clock.now();
    }
  }

  // --- internal ---

  private async leaseOf(o: LeaseRequest): Promise<HeldLease> {
    const { clock, host } = this;
    const how = {
      clock,
      purpose: o.purpose,
      force: this.take,
      waitMs: 0,
      onWait: (holder: LeaseState) => o.onWait(holder.owner),
      signal: o.signal,
    };
    this.link = await this.wake(o);
    this.held = await takeLease(host, this.link, how);
    if (isOurs((await survey(host, this.link)).get('release'))) {
      // What a runner left running there that is gone. The lease that counts is the one in that kernel's RAM; it is ours
      // now, and so is what the disk still says.
      await this.comeHome();
      if (this.link === undefined)
        throw this.bad ?? notReady(host, ['it did not come back to its own kernel']);
      this.held = await takeLease(host, this.link, { ...how, force: true });
      this.bad = undefined;
    }
    return this.held;
  }

  private machineOf(link: SshLink, console: ConsoleLog, release: string): Machine {
    const { clock } = this;
    const panicked = console
      .nextLine(PANIC)
      .then((line): Death => ({ kind: 'panic', detail: line.replace(/^\[\s*[\d.]+\]\s*/, '') }));
    const unlinked = link.closed.then(async (why): Promise<Death> => {
      const said = await within(clock, LAST_WORDS_MS, panicked);
      if (!said.timedOut) return said.value;
      if (this.held?.lost !== undefined) return { kind: 'link-lost', detail: this.held.lost.message };
      return { kind: 'link-lost', detail: `the SSH connection broke: ${why}` };
    });
    let closing: Promise<void> | undefined;
    return {
      release,
      program: PROGRAM_PATH,
      console,
      died: Promise.race([panicked, unlinked, resetOf(console, release)]),
      exec: (command, o) => {
        this.worked = clock.now();
        return link.exec(command, o);
      },
      shell: (input, output) => link.shell(input, output),
      provoke: async () => {
        await link.exec('echo l >/proc/sysrq-trigger', { timeoutMs: LAST_WORDS_MS });
      },
      close: () => {
        closing ??= this.comeHome().then(() => {
          this.console = undefined;
          return console.close();
        });
        return closing;
      },
    };
  }

  /** The machine as it is; one that does not answer is switched off and on, if nobody else may be at work there. */
  private async wake(o: LeaseRequest): Promise<SshLink> {
    const { clock, host } = this;
    const { boot, post } = host.deadlines;
    try {
      return await reachWithin(clock, host, UNREACHABLE_MS, o.signal);
    } catch (error) {
      const power = powerOf(clock, host);
      if (!(error instanceof InfraError) || error.code !== 'ssh-failed' || power === undefined) throw error;
      const seen = await leaseCopy(host);
      if (seen?.held === true && !this.take) {
        o.onWait(seen.owner);
        await clock.sleep(EXPIRES_MS, o.signal);
        const now = await leaseCopy(host);
        if (now !== undefined && hasMoved(seen, now)) throw error;
      }
      await power.cycle();
      return reachWithin(clock, host, (boot + post) * 1000, o.signal);
    }
  }

  /** On the known-good kernel, with a link. @throws InfraError */
  private async knownGood(signal: AbortSignal): Promise<SshLink> {
    if (signal.aborted) throw new InterruptedError();
    // A link that broke is only found out by using it.
    const alive =
      this.link === undefined
        ? undefined
        : await this.link.exec('uname -r', { timeoutMs: COMMAND_TIMEOUT_MS });
    if (this.link === undefined || alive?.exitCode !== 0 || isOurs(alive.stdout)) await this.comeHome();
    if (this.bad !== undefined) throw this.bad;
    if (this.link === undefined) throw new Error('coming home leaves a link, or says why not');
    return this.link;
  }

  /** Back to the known-good kernel: asked to, and without an answer switched off and on. Never throws. */
  private async comeHome(silent = false): Promise<void> {
    const { clock, host, held } = this;
    const { deadlines } = host;
    const homeMs = (deadlines.post + deadlines.boot) * 1000;
    const was = this.link;
    this.link = undefined;
    try {
      if (held?.lost !== undefined) throw held.lost;
      // What has been silent for a whole deadline is not on its way.
      let patienceMs = silent && powerOf(clock, host) !== undefined ? SILENT_MS : homeMs;
      let isHome = false;
      if (was !== undefined) {
        // Only a kernel of ours has no disk to let go of.
        const ask = `${held?.guard() ?? ''}case $(uname -r) in *-kvmhil-*) ${RESET} ;; *) exit ${IS_HOME} ;; esac`;
        const asked = await was.exec(ask, { timeoutMs: COMMAND_TIMEOUT_MS });
        held?.check(asked);
        isHome = asked.exitCode === IS_HOME && this.leaving === undefined;
        if (asked.exitCode === 0) await isGone(clock, was, RESET_MS);
        // It hears nothing any more. To switch it off while it resets itself does no harm.
        else if (asked.exitCode === null && powerOf(clock, host) !== undefined) patienceMs = SILENT_MS;
        if (!isHome) was.close();
      }
      this.link = isHome ? was : await this.homeWithin(patienceMs);
    } catch (error) {
      await this.switchOffAndOn(homeMs, error);
    }
    if (this.link !== undefined && held !== undefined)
      await held.refresh(this.link).catch((error: HilError) => {
        this.bad = error;
      });
    if (this.link === undefined || held === undefined || held.lost !== undefined) return;
    const { left, bad } = await tidy(this.link, held, this.before, this.console);
    Object.assign(this, { before: undefined, left, bad: bad ?? this.bad });
  }

  private async switchOffAndOn(homeMs: number, why: unknown): Promise<void> {
    const { clock, host, held } = this;
    try {
      if (held?.lost !== undefined) throw held.lost;
      if (await resetByKey(clock, this.serial, this.console))
        this.link = await this.homeWithin(homeMs).catch(() => undefined);
      if (this.link !== undefined) return;
      const power = powerOf(clock, host);
      if (power === undefined) throw why;
      await power.cycle();
      this.link = await this.homeWithin(homeMs);
    } catch (error) {
      this.bad = hostBad(host, `it does not come back to its own kernel: ${messageOf(error)}`);
      // A machine that was taken from us is for its new holder to judge.
      if (held?.lost === undefined) await markBad(host, messageOf(this.bad));
    }
  }

  private async homeWithin(ms: number): Promise<SshLink> {
    const { clock, host } = this;
    const until = clock.now() + ms;
    for (;;) {
      const link = await reachWithin(clock, host, Math.max(0, until - clock.now()));
      const asked = await link.exec('cat /proc/sys/kernel/random/boot_id; uname -r', {
        timeoutMs: COMMAND_TIMEOUT_MS,
      });
      const [bootId, release] = asked.stdout.split('\n');
      const stays = asked.exitCode === 0 && bootId !== this.leaving;
      if (stays && !isOurs(release)) {
        this.leaving = undefined;
        return link;
      }
      // It came up late, after we had given up on it.
      if (stays) await link.exec(RESET, { timeoutMs: COMMAND_TIMEOUT_MS });
      link.close();
      if (clock.now() >= until)
        throw new InfraError({ code: 'still-ours', message: 'it still runs the kernel under test' });
      await clock.sleep(AGAIN_MS);
    }
  }

  // Says that we are at work, as long as the working loop is. Who stands still loses the machine.
  private async keep(lease: HeldLease, stop: AbortSignal): Promise<void> {
    const { clock } = this;
    while (!stop.aborted) {
      await clock.sleep(REFRESH_MS, stop).catch(() => {});
      if (stop.aborted || clock.now() - this.worked > IDLE_MS_MAX) continue;
      const { link } = this;
      if (link === undefined) continue;
      await lease.refresh(link).catch((error: unknown) => {
        // The machine is somebody else's: nothing of ours goes on there.
        if (lease.lost !== undefined) link.close();
        else if (!(error instanceof InfraError)) throw error;
      });
      if (lease.lost !== undefined) return;
    }
  }

  private async giveBack(): Promise<void> {
    const { held, link } = this;
    this.serial?.close();
    this.serial = undefined;
    if (held !== undefined && link !== undefined && held.lost === undefined) await held.drop(link);
    link?.close();
    this.link = undefined;
    this.held = undefined;
  }
}
