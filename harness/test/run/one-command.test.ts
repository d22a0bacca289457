// SPDX-License-Identifier: GPL-2.0-only
// One command on a machine: whichever is known first, how the command ended or how the machine did, one answer.
import t from 'tap';
import { remoteResult } from '../../effects/kept.ts';
import type { RemoteResult } from '../../effects/ssh.ts';
import type { Machine } from '../../hosts/host.ts';
import type { Death } from '../../model/verdict.ts';
import { oneCommand } from '../../run/one-command.ts';
import { simClock } from '../sim-clock.ts';
import { caught } from '../temp.ts';

interface Played {
  exec: Promise<RemoteResult>;
  died?: Promise<Death>;
  signal?: AbortSignal;
}

const never = new Promise<never>(() => {});
const rebooted: Death = { kind: 'rebooted', detail: 'it restarted' };

function ask({ exec, died = never, signal = new AbortController().signal }: Played) {
  const clock = simClock();
  const machine = { exec: () => exec, died } as unknown as Machine;
  const asked = { clock, host: 'there', command: 'true', timeoutMs: 1000, signal, onStdout: () => {} };
  return oneCommand(machine, asked);
}

t.test('the command ends', async (t) => {
  t.match(await ask({ exec: Promise.resolve(remoteResult('true', { exitCode: 7 })) }), { exitCode: 7 });
});

t.test('the machine ends', async (t) => {
  const error = await caught(ask({ exec: never, died: Promise.resolve(rebooted) }));
  t.match(error, { code: 'host-lost', message: 'there is gone: it restarted' });
});

const lost = Promise.resolve(remoteResult('true', { lost: true }));

t.test('the connection breaks, and how the machine ended is known later', async (t) => {
  const later = new Promise<Death>((resolve) => setImmediate(() => resolve(rebooted)));
  t.match(await caught(ask({ exec: lost, died: later })), { message: 'there is gone: it restarted' });
});

t.test('the connection breaks, and nobody ever knows why', async (t) => {
  t.match(await caught(ask({ exec: lost })), {
    code: 'host-lost',
    message: 'there is gone: the connection broke',
  });
});

t.test('interrupted', async (t) => {
  const stop = new AbortController();
  const asked = ask({ exec: never, signal: stop.signal });
  stop.abort();
  t.match(await caught(asked), { code: 'interrupted' });
});
