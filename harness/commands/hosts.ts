// SPDX-License-Identifier: GPL-2.0-only
// kvm-hil hosts: the machines of the inventory.
import { realClock } from '../effects/clock.ts';
import { table } from '../effects/table.ts';
import { EXIT } from '../errors.ts';
import { whyBad } from '../hosts/metal/bad.ts';
import type { LabHost } from '../model/lab.ts';
import { adviceFor } from '../model/survey.ts';
import { checkHosts, type HostReport, isReady } from '../run/host-check.ts';
import { chooseHosts, labFolders, readLabs } from '../run/labs.ts';
import { hostErrorText, hostText } from './host-text.ts';

/** @param selectors names, tags (`tag:amd`), globs; all without any */
export async function hostsListCommand(selectors: readonly string[]): Promise<number> {
  const hosts = chooseHosts(await readLabs(), selectors);
  if (hosts.length === 0)
    process.stderr.write(`kvm-hil: no host is described in ${labFolders().join(', ')}\n`);
  const marks = await Promise.all(hosts.map(whyBad));
  const rows = hosts.map((host, index) => [
    host.name,
    host.lab,
    `${host.user}@${host.address}:${host.port}`,
    host.boot.join(', '),
    host.power.type,
    host.console.type,
    host.tags.join(', '),
    marks[index] === undefined ? '' : 'marked bad',
  ]);
  if (rows.length > 0)
    process.stdout.write(
      table(['host', 'lab', 'address', 'boot', 'power', 'console', 'tags', 'state'], rows),
    );
  return EXIT.ok;
}

/** @returns 0 when kernels can be booted on each of them, else 3 */
export async function hostsCheckCommand(selectors: readonly string[]): Promise<number> {
  const hosts: LabHost[] = chooseHosts(await readLabs(), selectors);
  const reports = await checkHosts(realClock, hosts);
  for (const report of reports) process.stdout.write(describe(report));
  return reports.every(isReady) ? EXIT.ok : EXIT.incomplete;
}

// --- internal ---

function describe(report: HostReport): string {
  const { host, error, survey, lease, abandoned, lacks, bad, cleared } = report;
  const marked = bad === undefined ? [] : [`marked bad: ${bad}`];
  if (error !== undefined) return hostErrorText(host.name, error, 'cannot be looked at: ', marked);
  const about = (name: string) => survey?.get(name) ?? '?';
  const facts = [
    `${about('distribution')}, Linux ${about('release')}, ${about('firmware')}`,
    `${about('model')}, ${about('cpus')} CPUs, ${Math.round(Number(about('memory_kib')) / 1024)} MiB, ${about('virtualization')}`,
    lease?.held === true
      ? `leased to ${lease.owner}: ${lease.purpose}${abandoned === true ? '; that process is gone' : ''}`
      : 'free',
    ...marked,
    ...(survey === undefined ? [] : adviceFor(survey)).map(({ what, hint }) => `${what}; ${hint}`),
    ...(cleared === undefined ? [] : [`marked bad no more: ${cleared}`]),
    ...lacks.map(({ what, hint }) => `lacking: ${what}; ${hint}`),
  ];
  return hostText(host.name, isReady(report) ? 'ready' : 'not ready', facts);
}
