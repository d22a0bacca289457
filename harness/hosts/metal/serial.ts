// SPDX-License-Identifier: GPL-2.0-only
// The console of a machine of the inventory, kept while the machine is ours: a serial port here, a TCP port of a console
// server, or the BMC's serial over LAN. It comes back when it breaks, and says where it had a gap.
import type { ChildProcess } from 'node:child_process';
import { connect as connectTcp } from 'node:net';
import type { Clock } from '../../effects/clock.ts';
import { exec, spawnTethered } from '../../effects/exec.ts';
import type { LabHost } from '../../model/lab.ts';
import { ipmiArgv } from './power.ts';

export interface Serial {
  close(): void;
}

const AGAIN_MS = 2000;
const DEACTIVATE_TIMEOUT_MS = 20_000;

/** @param onPiece gets what the machine prints, as long as the console is open; undefined when there is no console */
export function openSerial(
  clock: Clock,
  host: LabHost,
  onPiece: (piece: Buffer) => void,
): Serial | undefined {
  if (host.console.type === 'none') return undefined;
  const stop = new AbortController();
  const keep = async () => {
    for (let opened = 0; !stop.signal.aborted; opened++) {
      if (opened > 0) onPiece(Buffer.from('\n[kvm-hil: the console was cut off here]\n'));
      await once(host, onPiece, stop.signal);
      await clock.sleep(AGAIN_MS, stop.signal);
    }
  };
  keep().catch(() => {});
  return { close: () => stop.abort() };
}

// --- internal ---

// From its opening to its end, whichever side ends it.
async function once(host: LabHost, onPiece: (piece: Buffer) => void, stop: AbortSignal): Promise<void> {
  const { console: spec, power } = host;
  if (spec.type === 'tcp') return fromTcp(spec.address, spec.port, onPiece, stop);
  if (spec.type === 'serial') {
    const script = 'stty -F "$1" "$2" raw -echo clocal && exec cat "$1"';
    return fromProcess(['sh', '-c', script, 'sh', spec.device, String(spec.baud)], onPiece, stop);
  }
  if (power.type !== 'ipmi') return;
  // A session that somebody left open would be all that the BMC has.
  const [file = '', ...args] = ipmiArgv(power, ['sol', 'deactivate']);
  await exec(file, args, { timeoutMs: DEACTIVATE_TIMEOUT_MS });
  if (!stop.aborted) await fromProcess(ipmiArgv(power, ['sol', 'activate']), onPiece, stop);
}

function fromProcess(argv: string[], onPiece: (piece: Buffer) => void, stop: AbortSignal): Promise<void> {
  // Its standard input stays open: ipmitool ends with it.
  const child: ChildProcess = spawnTethered(argv, ['pipe', 'pipe', 'ignore']);
  return new Promise((resolve) => {
    const end = () => {
      child.kill('SIGKILL');
      resolve();
    };
    stop.addEventListener('abort', end, { once: true });
    child.stdin?.on('error', () => {});
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
): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port });
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
