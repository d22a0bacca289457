// SPDX-License-Identifier: GPL-2.0-only
// Where a stranger's patch has a say in what runs here: make follows its Makefiles, tar and git read what it wrote. Such
// a program gets a view of the machine of its own, by bubblewrap: no network, no home, no other process, no environment
// but what it is given, and nothing to write to but what it is for.
import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { InterruptedError, messageOf } from '../errors.ts';
import { type ExecOptions, exec, lastLines } from './exec.ts';
import { findProgram } from './tools.ts';

export interface View {
  /** Folders and files that it may change; they have to exist. */
  writable: readonly string[];
  /** What else it sees; also a part of a writable folder, which then cannot be changed. */
  readable?: readonly string[];
  /** Programs that it starts, for those that are installed outside of the system's own folders. */
  tools?: readonly string[];
}

/** What exec() is to be given for a program in the sandbox; variables of its own go behind `env`. */
export type Confined = Required<Pick<ExecOptions, 'wrapper' | 'env' | 'cleanEnv'>>;

/**
 * Confines a program to a view. Where sandboxProblem() has an answer, only the environment is confined.
 * The kernel ends all that runs in a sandbox when its first program ends, or the runner does.
 */
export async function confined(view: View): Promise<Confined> {
  const { flags } = await probed();
  const env = { PATH: process.env['PATH'], HOME: '/tmp' };
  if (flags === undefined)
    return { wrapper: [], env: { ...env, TMPDIR: process.env['TMPDIR'] }, cleanEnv: true };
  return { wrapper: ['bwrap', ...flags, ...mounts(view), '--'], env, cleanEnv: true };
}

/** Why programs cannot be confined on this machine; undefined when they can. Found out once. */
export async function sandboxProblem(): Promise<string | undefined> {
  return (await probed()).problem;
}

// --- internal ---

const ISOLATION = [
  '--unshare-pid',
  '--unshare-net',
  '--unshare-ipc',
  '--unshare-uts',
  '--unshare-cgroup-try',
  '--die-with-parent',
  '--cap-drop',
  'ALL',
];
/** The best first. Old versions lack the second option; in some containers root may do without user namespaces only. */
const VARIANTS = [['--unshare-user', '--disable-userns'], ['--unshare-user'], []];

/** Programs and what they need; of /etc only what is no secret and what linking and starting programs takes. */
const SYSTEM = [
  '/usr',
  '/opt',
  '/nix/store',
  '/gnu/store',
  '/etc/alternatives',
  '/etc/group',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/localtime',
  '/etc/nsswitch.conf',
  '/etc/passwd',
];
/** Links into /usr on most systems. */
const MAYBE_LINKS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
const PROBE_TIMEOUT_MS = 20_000;

interface Probe {
  /** Options that work here; undefined when none do. */
  flags: string[] | undefined;
  problem: string | undefined;
}

let probe: Promise<Probe> | undefined;

function probed(): Promise<Probe> {
  probe ??= findFlags();
  return probe;
}

async function findFlags(): Promise<Probe> {
  let problem = '';
  for (const variant of VARIANTS) {
    const flags = [...variant, ...ISOLATION];
    try {
      const tried = await exec('bwrap', [...flags, ...mounts({ writable: [] }), '--', 'sh', '-c', ':'], {
        timeoutMs: PROBE_TIMEOUT_MS,
      });
      if (!tried.failed) return { flags, problem: undefined };
      problem ||= lastLines(tried.stderr, 1);
    } catch (error) {
      if (error instanceof InterruptedError) throw error;
      const message = messageOf(error);
      const hint = message.startsWith('bwrap ') ? ' (apt-get install bubblewrap)' : '';
      return { flags: undefined, problem: `${message}${hint}` };
    }
  }
  return { flags: undefined, problem: problem === '' ? 'bwrap does not work here' : problem };
}

function mounts({ writable, readable = [], tools = [] }: View): string[] {
  const system = SYSTEM.filter((place) => existsSync(place));
  const found = new Set(tools.flatMap(homesOf));
  const places = [
    ...[...system, ...found, ...readable].map((place) => ['--ro-bind', place] as const),
    ...writable.map((place) => ['--bind', place] as const),
  ];
  // What is mounted later covers what was mounted before: the deeper place is the one that was meant.
  places.sort((a, b) => depth(a[1]) - depth(b[1]));
  return [
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...MAYBE_LINKS.flatMap(likeHere),
    ...places.flatMap(([how, place]) => [how, place, place]),
    // root without a capability still owns /proc/sys: core_pattern starts programs outside.
    ...['--remount-ro', '/proc', '--remount-ro', '/'],
  ];
}

function depth(place: string): number {
  return path.resolve(place).split(path.sep).length;
}

function likeHere(place: string): string[] {
  const info = lstatSync(place, { throwIfNoEntry: false });
  if (info === undefined) return [];
  return info.isSymbolicLink() ? ['--symlink', readlinkSync(place), place] : ['--ro-bind', place, place];
}

// A compiler in /srv/toolchain/bin needs the folders beside bin; one in ~/bin must not bring the home with it.
function homesOf(tool: string): string[] {
  const file = findProgram(tool);
  if (file === undefined) return [];
  const folder = path.dirname(realpathSync(file));
  const around = path.dirname(folder);
  const isPrivate = around === path.dirname(around) || `${homedir()}/`.startsWith(`${around}/`);
  const places = [path.dirname(file), path.basename(folder) === 'bin' && !isPrivate ? around : folder];
  return places.filter(
    (place) => ![...SYSTEM, ...MAYBE_LINKS].some((one) => `${place}/`.startsWith(`${one}/`)),
  );
}
