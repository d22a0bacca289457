// SPDX-License-Identifier: GPL-2.0-only
// What the commands on machines of the inventory share: several at once, one clear error each.
import { EXIT, HilError, InterruptedError } from '../errors.ts';
import type { LabHost } from '../model/lab.ts';
import { chooseHosts, readLabs } from '../run/labs.ts';
import { type Context, openContext } from './context.ts';

/** Machines that something is done to side by side. */
const AT_ONCE_MAX = 16;

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
  const said: (string | HilError)[] = [];
  const left = [...hosts.entries()];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, host] = next;
      said[index] = await act(host, context).catch((error: unknown) => {
        if (error instanceof HilError) return error;
        throw error;
      });
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE_MAX, hosts.length) }, worker));
  } finally {
    context.close();
  }
  let exitCode: number = EXIT.ok;
  for (const [index, one] of said.entries()) {
    if (typeof one === 'string') {
      process.stdout.write(one);
      continue;
    }
    if (one instanceof InterruptedError) throw one;
    process.stderr.write(errorText(hosts[index]?.name ?? '?', one));
    exitCode = Math.max(exitCode, one.exitCode);
  }
  return exitCode;
}

// --- internal ---

function errorText(name: string, error: HilError): string {
  const { message, detail, hint } = error;
  const more = [detail, hint].flatMap((text) => (text === undefined ? [] : text.split('\n')));
  return `${name}: ${message}\n${more.map((line) => `    ${line}\n`).join('')}`;
}
