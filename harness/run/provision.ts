// SPDX-License-Identifier: GPL-2.0-only
// Makes a machine of the inventory ready for kernels under test, as far as installing packages does that, and writes down
// what it is. What was installed is kept: it stays on the machine when everything else goes.
import type { Clock } from '../effects/clock.ts';
import { inState } from '../effects/dirs.ts';
import { exists, writeWhole } from '../effects/files.ts';
import { readJson } from '../effects/run-dir.ts';
import { checkDocument } from '../effects/schema.ts';
import type { RemoteResult, SshLink } from '../effects/ssh.ts';
import { InfraError } from '../errors.ts';
import { isOurs } from '../hosts/metal/home.ts';
import { OUTLIVES } from '../hosts/metal/lease.ts';
import { reach, runScript } from '../hosts/metal/reach.ts';
import {
  type InstalledRecord,
  installedPackages,
  type MachineFacts,
  readMachineFacts,
  withInstalled,
} from '../model/host-facts.ts';
import type { LabHost } from '../model/lab.ts';
import type { Lack, Survey } from '../model/survey.ts';
import { lookAt } from './host-check.ts';
import { withMachine } from './host-lease.ts';
import { factsFile } from './kconfig.ts';

export interface Provisioned {
  host: LabHost;
  /** What it lacked before that a package cures. */
  wanted: string[];
  /** Every package that came, those that were needed for them too. Empty when nothing had to be done. */
  installed: { name: string; version: string }[];
  /** What it lacks now, and nothing of ours can cure. */
  lacks: Lack[];
  /** File with its facts; undefined when it was only looked at. */
  facts: string | undefined;
}

export interface ProvisionOptions {
  clock: Clock;
  take: boolean;
  /** Only look. */
  dryRun: boolean;
  signal: AbortSignal;
}

const INSTALL_TIMEOUT_MS = 15 * 60_000;
const FACTS_TIMEOUT_MS = 60_000;
const PROVISION_MS_MAX = INSTALL_TIMEOUT_MS + 5 * 60_000;
const FACTS_BYTES_MAX = 4 * 1024 * 1024;

/** @throws InfraError `install-failed`, `no-package-manager`, `under-test`, and why it cannot be reached or leased */
export async function provision(host: LabHost, o: ProvisionOptions): Promise<Provisioned> {
  if (o.dryRun) {
    const link = await reach(host);
    try {
      const [wanted, others] = curable((await look(o.clock, host, link)).lacks);
      return {
        host,
        wanted,
        installed: [],
        lacks: others,
        facts: undefined,
      };
    } finally {
      link.close();
    }
  }
  const terms = { ...o, purpose: OUTLIVES, msMax: PROVISION_MS_MAX };
  return withMachine(host, terms, async (link) => {
    const before = await look(o.clock, host, link);
    const [wanted] = curable(before.lacks);
    const installed = wanted.length === 0 ? [] : await install(o.clock, host, link, wanted);
    const now = wanted.length === 0 ? before : await look(o.clock, host, link);
    const facts = await writeFacts(o.clock, host, link, now.found);
    return { host, wanted, installed, lacks: now.lacks, facts };
  });
}

/** What kvm-hil ever installed there. */
export async function installedOn(host: LabHost): Promise<InstalledRecord> {
  const file = installedFile(host);
  if (!(await exists(file)))
    return { schema: 'kvm-hil/installed/1', host: host.name, lab: host.lab, packages: [] };
  return checkDocument<InstalledRecord>('installed', await readJson(file), file);
}

// --- internal ---

async function look(clock: Clock, host: LabHost, link: SshLink): Promise<{ found: Survey; lacks: Lack[] }> {
  const looked = await lookAt(clock, host, link);
  const release = looked.found.get('release');
  if (isOurs(release)) {
    throw new InfraError({
      code: 'under-test',
      message: `${host.name} runs a kernel under test: ${release}`,
      hint: `kvm-hil hosts release ${host.name} brings it back to its own`,
    });
  }
  return looked;
}

/** Packages to install, and what none cures. */
function curable(lacks: readonly Lack[]): [packages: string[], others: Lack[]] {
  const packages = lacks.flatMap((one) => one.install ?? []);
  return [[...new Set(packages)], lacks.filter((one) => one.install === undefined)];
}

async function install(clock: Clock, host: LabHost, link: SshLink, packages: readonly string[]) {
  const result = await runScript(link, 'install', packages, INSTALL_TIMEOUT_MS);
  const installed = installedPackages(result.stdout);
  // Also when it ended badly: what came, came.
  if (installed.length > 0) {
    const record = withInstalled(await installedOn(host), installed, clock.wall());
    await writeDocument('installed', record, installedFile(host));
  }
  if (result.exitCode === 0) return installed;
  throw notInstalled(host, packages.join(', '), result);
}

function notInstalled(host: LabHost, what: string, result: RemoteResult): InfraError {
  const detail = result.stderr.trim().split('\n').slice(-10).join('\n').slice(-2000);
  if (result.exitCode === NO_PACKAGE_MANAGER) {
    return new InfraError({
      code: 'no-package-manager',
      message: `${host.name} has neither apt-get nor dnf: ${what} cannot be installed`,
      hint: 'install what is missing by hand',
    });
  }
  if (/No space left|enough free space|Disk quota/.test(result.stderr)) {
    return new InfraError({
      code: 'no-space',
      message: `the disk of ${host.name} is full: ${what} did not fit`,
      detail,
      hint: 'free some space there',
    });
  }
  const late = result.timedOut ? ` in ${INSTALL_TIMEOUT_MS / 60_000} min` : '';
  return new InfraError({
    code: 'install-failed',
    message: `${what} could not be installed on ${host.name}${late}`,
    detail,
    hint: 'do its package sources answer? Try it there by hand',
  });
}

/** @returns the file */
async function writeFacts(clock: Clock, host: LabHost, link: SshLink, found: Survey): Promise<string> {
  const result = await runScript(link, 'facts', ['facts'], FACTS_TIMEOUT_MS, { keepBytes: FACTS_BYTES_MAX });
  const facts: MachineFacts | undefined = readMachineFacts(result.stdout, found, host, clock.wall());
  if (facts === undefined) {
    throw new InfraError({
      code: 'no-facts',
      message: `${host.name} does not say what it is to the end`,
      detail: result.stderr.trim().slice(-500),
    });
  }
  const file = factsFile(host);
  await writeDocument('host-facts', facts, file);
  return file;
}

async function writeDocument(
  schema: 'installed' | 'host-facts',
  document: object,
  file: string,
): Promise<void> {
  checkDocument(schema, document, file);
  await writeWhole(file, `${JSON.stringify(document, null, 2)}\n`);
}

const NO_PACKAGE_MANAGER = 69;

function installedFile(host: LabHost): string {
  return inState('labs', host.lab, host.name, 'installed.json');
}
