// SPDX-License-Identifier: GPL-2.0-only
// The root file system of an embedded host: busybox, dropbear, the init script, kvm-cases; and, per boot, its keys.
import { generateKeyPairSync } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { inPackage } from '../effects/dirs.ts';
import { exec, run } from '../effects/exec.ts';
import { newSshKey } from '../effects/ssh.ts';
import { InfraError } from '../errors.ts';
import type { KernelModule } from '../model/image.ts';
import { type CpioEntry, cpio } from './cpio.ts';
import type { ExtraFile } from './host.ts';

const BUSYBOX = '/bin/busybox';
const DROPBEAR = '/usr/sbin/dropbear';
const DROPBEAR_CONVERT = '/usr/bin/dropbearconvert';
/** What the init script cannot do without. */
const APPLETS_NEEDED = ['sh', 'cat', 'echo', 'mkdir', 'mount', 'ifconfig', 'sleep'];

/** Where kvm-cases is in the initramfs. */
export const PROGRAM_PATH = '/usr/bin/kvm-cases';

/** Where the modules of its kernel are; the same in infra/initramfs/init. */
const MODULES_FOLDER = '/lib/kvm-hil';

let system: Promise<Buffer> | undefined;

/** The part that is the same for every boot of one case program and the same extra programs. */
export async function systemArchive(program: string, extra: readonly ExtraFile[] = []): Promise<Buffer> {
  system ??= buildSystem();
  const entries: CpioEntry[] = [];
  const made = new Set<string>();
  for (const { file, path } of [{ file: program, path: PROGRAM_PATH }, ...extra]) {
    for (const parent of parentsOf(path)) {
      if (!made.has(parent)) entries.push(folder(parent, 0o755));
      made.add(parent);
    }
    entries.push({ name: path.slice(1), mode: 0o755, content: { file: await readFile(file) } });
  }
  return Buffer.concat([await system, cpio(entries)]);
}

/** The modules of an image, for init to load; empty where it has none. */
export async function modulesArchive(modules: readonly KernelModule[] = []): Promise<Buffer> {
  if (modules.length === 0) return Buffer.alloc(0);
  const entries = [folder('lib', 0o755), folder(MODULES_FOLDER.slice(1), 0o755)];
  for (const { name, file } of modules) {
    const content = { file: await readFile(file) };
    entries.push({ name: `${MODULES_FOLDER.slice(1)}/${name}.ko`, mode: 0o644, content });
  }
  entries.push(text(`${MODULES_FOLDER.slice(1)}/order`, orderOf(modules), 0o644));
  return cpio(entries);
}

/** What infra/initramfs/kvm-modules reads of a folder: names, one a line. */
export function orderOf(modules: readonly KernelModule[]): string {
  return modules.map(({ name }) => `${name}\n`).join('');
}

/** What a machine of metal needs on top: it has its host key in OpenSSH's form. */
export async function metalArchive(): Promise<Buffer> {
  return cpio(await withLibraries(DROPBEAR_CONVERT, 'usr/bin/dropbearconvert'));
}

export interface BootKeys {
  archive: Buffer;
  /** For the runner. */
  privateKey: string;
  /** The host's public key as a wire blob. */
  hostKey: Buffer;
}

/** Fresh keys for one boot, and the archive that carries the host's side of them. */
export function bootKeys(): BootKeys {
  const client = newSshKey();
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const seed = Buffer.from(jwk.d ?? '', 'base64url');
  const point = Buffer.from(jwk.x ?? '', 'base64url');
  const name = Buffer.from('ssh-ed25519');
  const archive = cpio([
    folder('root/.ssh', 0o700),
    text('root/.ssh/authorized_keys', `${client.publicLine}\n`, 0o600),
    folder('etc/dropbear', 0o700),
    // dropbear's own form of a private key: name, then seed and point in one string.
    {
      name: 'etc/dropbear/host_key',
      mode: 0o600,
      content: { file: Buffer.concat([wireString(name), wireString(Buffer.concat([seed, point]))]) },
    },
  ]);
  return {
    archive,
    privateKey: client.privateKey,
    hostKey: Buffer.concat([wireString(name), wireString(point)]),
  };
}

// --- internal ---

async function buildSystem(): Promise<Buffer> {
  const [init, modules] = await Promise.all(
    ['init', 'kvm-modules'].map((name) => readFile(inPackage('infra', 'initramfs', name))),
  );
  if (init === undefined || modules === undefined) throw new Error('two files were read');
  const folders = [
    'bin',
    'dev',
    'proc',
    'sys',
    'tmp',
    'run',
    'etc',
    'root',
    'usr',
    'usr/bin',
    'usr/sbin',
    'var',
    'var/log',
  ];
  const { busybox, applets } = await staticBusybox();
  const entries: CpioEntry[] = [
    ...folders.map((name) => folder(name, name === 'root' ? 0o700 : 0o755)),
    { name: 'sbin', mode: 0o777, content: { link: 'bin' } },
    { name: 'init', mode: 0o755, content: { file: init } },
    { name: 'usr/bin/kvm-modules', mode: 0o755, content: { file: modules } },
    { name: 'bin/busybox', mode: 0o755, content: { file: busybox } },
    ...applets.map((name): CpioEntry => ({ name: `bin/${name}`, mode: 0o777, content: { link: 'busybox' } })),
    text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n', 0o644),
    text('etc/group', 'root:x:0:\n', 0o644),
    text('etc/shadow', 'root:*:0:0:99999:7:::\n', 0o600),
    text('etc/shells', '/bin/sh\n', 0o644),
    ...(await withLibraries(DROPBEAR, 'usr/sbin/dropbear')),
  ];
  return cpio(entries);
}

async function staticBusybox(): Promise<{ busybox: Buffer; applets: string[] }> {
  const busybox = await readProgram(BUSYBOX, 'busybox-static');
  const listed = await run(BUSYBOX, ['--list']);
  const applets = listed.stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  const missing = APPLETS_NEEDED.filter((name) => !applets.includes(name));
  const dynamic = (await exec('ldd', [BUSYBOX])).exitCode === 0;
  if (missing.length === 0 && !dynamic) return { busybox, applets };
  throw new InfraError({
    code: 'busybox',
    message: dynamic ? `${BUSYBOX} is not static` : `${BUSYBOX} lacks ${missing.join(', ')}`,
    hint: 'apt-get install busybox-static',
  });
}

/** A dynamic program with its loader and libraries, at the places where the loader looks. */
async function withLibraries(program: string, name: string): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [
    { name, mode: 0o755, content: { file: await readProgram(program, 'dropbear-bin') } },
  ];
  const listed = await run('ldd', [program]);
  const made = new Set<string>();
  for (const match of listed.stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)) {
    const library = match[1] ?? '';
    for (const parent of parentsOf(library)) {
      if (!made.has(parent)) entries.push(folder(parent, 0o755));
      made.add(parent);
    }
    entries.push({
      name: library.slice(1),
      mode: 0o755,
      content: { file: await readFile(await realpath(library)) },
    });
  }
  return entries;
}

function parentsOf(file: string): string[] {
  const parts = file.split('/').slice(1, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

async function readProgram(file: string, debianPackage: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new InfraError({
      code: 'missing-tool',
      message: `${file} is not installed`,
      hint: `apt-get install ${debianPackage}`,
      cause,
    });
  }
}

function folder(name: string, mode: number): CpioEntry {
  return { name, mode, content: 'folder' };
}

function text(name: string, content: string, mode: number): CpioEntry {
  return { name, mode, content: { file: Buffer.from(content) } };
}

function wireString(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
