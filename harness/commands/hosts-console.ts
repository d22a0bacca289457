// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil hosts console: what a machine prints, as it prints it, until Ctrl-C.
import { realClock } from '../effects/clock.ts';
import { EXIT, UsageError } from '../errors.ts';
import { openConsole } from '../run/host-console.ts';
import { chooseHosts, readLabs } from '../run/labs.ts';
import { openContext } from './context.ts';

/** @returns the exit code: its end is the user's wish, and no failure */
export async function hostsConsoleCommand(selector: string): Promise<number> {
  const [host, ...more] = chooseHosts(await readLabs(), [selector]);
  if (host === undefined || more.length > 0) {
    throw new UsageError({
      code: 'one-host',
      message: `${selector} means ${more.length + 1} hosts, and a terminal shows one console`,
      hint: 'name one of them',
    });
  }
  const context = openContext();
  try {
    const ended = new Promise<void>((resolve) => {
      context.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const serial = await openConsole(realClock, host, (piece) => process.stdout.write(piece));
    process.stderr.write(`console of ${host.name}; Ctrl-C ends it\n`);
    if (serial.sharedWith !== undefined)
      process.stderr.write(`${serial.sharedWith} reads it too: its BMC has one session, which is now ours\n`);
    await ended;
    serial.close();
    return EXIT.ok;
  } finally {
    context.close();
  }
}
