// SPDX-License-Identifier: GPL-2.0-only
// The console of a machine of the inventory, kept while the machine is ours: a serial port here, a TCP port of a console
// server, or the BMC's serial over LAN. It comes back when it breaks, and says where it had a gap. A kernel that hears
// nothing else may still hear a BREAK there.
import type { ChildProcess } from 'node:child_process';
import { connect as connectTcp } from 'node:net';
import { type Clock, within } from '../../effects/clock.ts';
import { exec, spawnTethered } from '../../effects/exec.ts';
import type { LabHost } from '../../model/lab.ts';
import { consoleNote } from '../console.ts';
import { Lines } from '../lines.ts';
import { doorsOf, type Serial } from './doors.ts';
import { ipmiArgv } from './power.ts';
import { TELNET_BREAK, TelnetText } from './telnet.ts';

/** Writes to the machine. */
type Keys = (bytes: Buffer) => void;

const AGAIN_MS = 2000;
const DEACTIVATE_TIMEOUT_MS = 20_000;
const BREAK_TIMEOUT_MS = 10_000;
/** Between a BREAK and the key: the kernel takes one that comes within five seconds. */
const KEY_MS = 300;
const RESETTING = /sysrq: Resetting/;
const HEARD_MS = 10_000;

/** Whether its console takes a BREAK and a key. */
export function takesKeys(host: LabHost): boolean {
  const { console: spec } = host;
  if (doorsOf(host).serial !== undefined) return true;
  return spec.type === 'tcp' ? spec.protocol === 'telnet' : spec.type !== 'none';
}

/** A console that is open, and listened to. */
export interface OpenSerial extends Serial {
  /** Resolves with the next line that matches. */
  nextLine(pattern: RegExp): Promise<string>;
}

/** @param onPiece gets what the machine prints, as long as the console is open; undefined when there is no console */
export function openSerial(
  clock: Clock,
  host: LabHost,
  onPiece: (piece: Buffer) => void = () => {},
): OpenSerial | undefined {
  const lines = new Lines();
  const take = (piece: Buffer) => {
    lines.take(piece.toString('latin1'));
    onPiece(piece);
  };
  const { serial } = doorsOf(host);
  const opened = serial === undefined ? openReal(clock, host, take) : serial(clock, take);
  return opened === undefined ? undefined : { ...opened, nextLine: (pattern) => lines.next(pattern) };
}

/** A kernel that answers no connection may still read its console. @returns whether it said that it resets itself */
export async function resetByKey(clock: Clock, serial: OpenSerial | undefined): Promise<boolean> {
  if (serial === undefined) return false;
  const said = serial.nextLine(RESETTING);
  return (await serial.sysrq('b')) && !(await within(clock, HEARD_MS, said)).timedOut;
}

// --- internal ---

function openReal(clock: Clock, host: LabHost, onPiece: (piece: Buffer) => void): Serial | undefined {
  if (host.console.type === 'none') return undefined;
  const stop = new AbortController();
  let keys: Keys | undefined;
  const keep = async () => {
    for (let opened = 0; !stop.signal.aborted; opened++) {
      if (opened > 0) onPiece(consoleNote(clock.wall(), 'the console was cut off here'));
      await once(host, onPiece, stop.signal, (open) => {
        keys = open;
      });
      keys = undefined;
      await clock.sleep(AGAIN_MS, stop.signal);
    }
  };
  keep().catch(() => {});
  return { sysrq: (key) => sysrq(clock, host, keys, key), close: () => stop.abort() };
}

// From its opening to its end, whichever side ends it.
async function once(
  host: LabHost,
  onPiece: (piece: Buffer) => void,
  stop: AbortSignal,
  onOpen: (keys: Keys) => void,
): Promise<void> {
  const { console: spec, power } = host;
  if (spec.type === 'tcp') {
    const text = new TelnetText();
    const telnet = spec.protocol === 'telnet';
    const take = (piece: Buffer) => onPiece(telnet ? text.take(piece) : piece);
    return fromTcp(spec.address, spec.port, take, stop, onOpen);
  }
  if (spec.type === 'serial') {
    const script = 'stty -F "$1" "$2" raw -echo clocal && exec cat "$1"';
    return fromProcess(['sh', '-c', script, 'sh', spec.device, String(spec.baud)], onPiece, stop, onOpen);
  }
  if (power.type !== 'ipmi') return;
  // A session that somebody left open would be all that the BMC has.
  const [file = '', ...args] = ipmiArgv(power, ['sol', 'deactivate']);
  await exec(file, args, { timeoutMs: DEACTIVATE_TIMEOUT_MS });
  if (!stop.aborted) await fromProcess(ipmiArgv(power, ['sol', 'activate']), onPiece, stop, onOpen);
}

async function sysrq(
  clock: Clock,
  { console: spec }: LabHost,
  keys: Keys | undefined,
  key: string,
): Promise<boolean> {
  if (spec.type === 'serial') {
    // Not through what reads: its standard input goes nowhere.
    const script = 'use POSIX; open my $line, "+>", shift or exit 1; tcsendbreak(fileno $line, 0) or exit 1;';
    const write = `${script} select undef, undef, undef, ${KEY_MS / 1000}; syswrite $line, shift or exit 1;`;
    const sent = await exec('perl', ['-e', write, spec.device, key], { timeoutMs: BREAK_TIMEOUT_MS });
    return !sent.failed;
  }
  if (keys === undefined) return false;
  if (spec.type === 'tcp') {
    if (spec.protocol !== 'telnet') return false;
    keys(TELNET_BREAK);
  } else {
    // ipmitool's own language, heard at the beginning of a line only.
    keys(Buffer.from('\r~B'));
  }
  await clock.sleep(KEY_MS);
  keys(Buffer.from(key));
  return true;
}

function fromProcess(
  argv: string[],
  onPiece: (piece: Buffer) => void,
  stop: AbortSignal,
  onOpen: (keys: Keys) => void,
): Promise<void> {
  // Its standard input stays open: ipmitool ends with it.
  const child: ChildProcess = spawnTethered(argv, ['pipe', 'pipe', 'ignore']);
  return new Promise((resolve) => {
    const end = () => {
      child.kill('SIGKILL');
      resolve();
    };
    stop.addEventListener('abort', end, { once: true });
    child.stdin?.on('error', () => {});
    onOpen((bytes) => void child.stdin?.write(bytes));
    child.stdout?.on('data', onPiece);
    child.on('error', () => resolve());
    child.on('close', () => {
      stop.removeEventListener('abort', end);
      resolve();
    });
  });
}

function fromTcp(
  host: string,
  port: number,
  onPiece: (piece: Buffer) => void,
  stop: AbortSignal,
  onOpen: (keys: Keys) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port });
    socket.on('connect', () => onOpen((bytes) => void socket.write(bytes)));
    const end = () => socket.destroy();
    stop.addEventListener('abort', end, { once: true });
    socket.on('data', onPiece);
    socket.on('error', () => {});
    socket.on('close', () => {
      stop.removeEventListener('abort', end);
      resolve();
    });
  });
}
