// SPDX-License-Identifier: GPL-2.0-only
// Kernel source in miniature as users bring it: tar balls and git trees; and programs on PATH that stop where they are told.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { killHard, startNode } from '../processes.ts';
import { FILES, lines } from './fake-base.ts';

/** The files of a kernel that says which version it is. */
export const LINUX: Readonly<Record<string, string>> = {
  ...FILES,
  Makefile: `VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION = -rc1\n${FILES.Makefile}`,
  'virt/kvm/c.c': lines('c', 5),
};

export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
}

/** Runs a program that has to succeed. @returns what it printed */
export function sh(folder: string, file: string, ...args: string[]): string {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', LC_ALL: 'C' };
  const done = spawnSync(file, args, { cwd: folder, encoding: 'utf8', env });
  if (done.status !== 0) throw new Error(`${file} ${args.join(' ')}: ${done.stderr}`);
  return done.stdout.trim();
}

/** Packs files, below a folder of that name unless it is empty. The compression is told by the end of the name. */
export function tarball(
  folder: string,
  name: string,
  files: Readonly<Record<string, string>>,
  top: string,
): string {
  const source = path.join(folder, `${name}.d`);
  mkdirSync(path.join(source, top), { recursive: true });
  writeFiles(path.join(source, top), files);
  const file = path.join(folder, name);
  sh(source, 'tar', '--auto-compress', '--create', '--file', file, ...(top === '' ? ['.'] : [top]));
  return file;
}

/** A repository of somebody else, with two commits, a tag on the first, and a branch. */
export function userRepository(folder: string): string {
  mkdirSync(folder);
  const git = (...args: string[]) =>
    sh(folder, 'git', '-c', 'user.name=A User', '-c', 'user.email=user@example.org', ...args);
  git('init', '--quiet', '--initial-branch=mine');
  writeFiles(folder, LINUX);
  git('add', '--all');
  git('commit', '--quiet', '--message=first');
  git('tag', 'v7.3-rc1');
  writeFiles(folder, { 'virt/kvm/a.c': `${LINUX['virt/kvm/a.c']}int more;\n` });
  git('commit', '--quiet', '--all', '--message=second');
  return folder;
}

/** Everything about a folder that a reader must not change: names, contents, times. */
export function stateOf(folder: string): string {
  return sh(folder, 'find', '.', '-printf', '%p %y %s %T@\\n').split('\n').sort().join('\n');
}

const WRAPPER = `#!/bin/sh
here=$(dirname "$0"); name=$(basename "$0")
case "$name $*" in *"$(cat "$here/stop")"*) echo >"$here/stopped" 2>/dev/null; exec sleep 1000;; esac
PATH=\${PATH#"$here:"}; exec "$name" "$@"
`;

/** Puts programs into a folder for PATH that do their work, but stop at a command line that is in its file `stop`. */
export function stoppers(folder: string, names: readonly string[], script = WRAPPER): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'stop'), 'nowhere');
  for (const name of names) {
    writeFileSync(path.join(folder, name), script);
    chmodSync(path.join(folder, name), 0o755);
  }
  return folder;
}

/** Kept below the deadline of a test file. */
const POLLS_MAX = 4000;

/**
 * Makes a base in a process of its own, which is killed when it is about to run that command.
 * @param reached another sign of it than the wrapper's, for one that runs in a sandbox
 */
export async function killedAt(
  command: string,
  o: { base: string; bin: string; cache: string; reached?: () => boolean },
): Promise<void> {
  writeFileSync(path.join(o.bin, 'stop'), command);
  const runner = startNode(
    `const { ensureBase } = await load('kernel/source');
     const { parseBase } = await load('kernel/base-spec');
     await ensureBase(await parseBase(${JSON.stringify(o.base)}), () => {});`,
    { XDG_CACHE_HOME: o.cache, PATH: `${o.bin}:${process.env['PATH']}` },
  );
  const reached = o.reached ?? (() => existsSync(path.join(o.bin, 'stopped')));
  let polls = 0;
  while (!reached() && runner.exitCode === null && polls++ < POLLS_MAX) await pause(5);
  if (!reached())
    throw new Error(`it never came to ${command} (${readFileSync(path.join(o.bin, 'stop'), 'utf8')})`);
  await killHard(runner);
}
