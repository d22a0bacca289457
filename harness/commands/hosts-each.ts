// SPDX-License-Identifier: GPL-2.0-only
// What the commands on machines of the inventory share: several at once, one clear error each.
import { EXIT, HilError, InterruptedError } from '../errors.ts';
import type { LabHost } from '../model/lab.ts';
import { forEachAtOnce } from '../run/at-once.ts';
import { chooseHosts, readLabs } from '../run/labs.ts';
import { type Context, openContext } from './context.ts';
import { hostErrorText } from './host-text.ts';

/**
 * Does something to each host that the selectors name, and prints what it says in the order of the inventory.
 * @param act returns the text for standard output
 * @returns 0, or the exit status of the worst error
 */
export async function onEach(
  selectors: readonly string[],
  act: (host: LabHost, context: Context) => Promise<string>,
): Promise<number> {
  const hosts = chooseHosts(await readLabs(), selectors);
  const context = openContext();
  const said = await forEachAtOnce(hosts, (host) =>
    act(host, context).catch((error: unknown) => {
      if (error instanceof HilError) return error;
      throw error;
    }),
  ).finally(() => context.close());
  let exitCode: number = EXIT.ok;
  for (const [index, one] of said.entries()) {
    if (typeof one === 'string') {
      process.stdout.write(one);
      continue;
    }
    if (one instanceof InterruptedError) throw one;
    process.stderr.write(hostErrorText(hosts[index]?.name ?? '?', one));
    exitCode = Math.max(exitCode, one.exitCode);
  }
  return exitCode;
}
