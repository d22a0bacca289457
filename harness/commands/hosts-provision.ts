// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil hosts provision: says what machines lack, installs what it may, writes down what they are.
import { realClock } from '../effects/clock.ts';
import { EXIT } from '../errors.ts';
import { installedOn, type Provisioned, provision } from '../run/provision.ts';
import { hostText } from './host-text.ts';
import { onEach } from './hosts-each.ts';

/** @returns 0 when kernels can be booted on each of them now, else 3 */
export async function hostsProvisionCommand(
  selectors: readonly string[],
  o: { take?: boolean; dryRun?: boolean },
): Promise<number> {
  let ready = true;
  const dryRun = o.dryRun === true;
  const exitCode = await onEach(selectors, async (host, { signal }) => {
    const done = await provision(host, { clock: realClock, take: o.take === true, dryRun, signal });
    ready &&= done.lacks.length === 0 && (!dryRun || done.wanted.length === 0);
    const ever = (await installedOn(host)).packages.length;
    return describe(done, dryRun, ever);
  });
  return exitCode === EXIT.ok && !ready ? EXIT.incomplete : exitCode;
}

// --- internal ---

function describe(
  { host, wanted, installed, lacks, facts }: Provisioned,
  dryRun: boolean,
  ever: number,
): string {
  const ready = lacks.length === 0 && (!dryRun || wanted.length === 0);
  const lines = [
    ...(dryRun ? wanted.map((name) => `would install ${name}`) : []),
    ...installed.map(({ name, version }) => `installed ${name} ${version}`),
    ...lacks.map(({ what, hint }) => `lacking: ${what}; ${hint}`),
    ...(ever === 0 ? [] : [`${ever} packages there are ours, and stay`]),
    ...(facts === undefined ? [] : [`facts: ${facts}`]),
  ];
  return hostText(host.name, ready ? 'ready' : 'not ready', lines);
}
