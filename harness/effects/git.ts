// SPDX-License-Identifier: GPL-2.0-only
// git, with the user's configuration kept out, so that the same input gives the same commits everywhere.
import { type CommandResult, type ExecOptions, exec, run } from './exec.ts';

const IDENTITY = { NAME: 'kvm-hil', EMAIL: 'kvm-hil@localhost', DATE: '@0 +0000' };

// Inside a hook or `git rebase --exec` git sets GIT_DIR and others: with them every command below would work on the
// user's own repository.
function foreign(): Record<string, undefined> {
  const names = Object.keys(process.env).filter((name) => name.startsWith('GIT_'));
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

const ENV: Record<string, string> = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_EDITOR: 'true',
  // Whatever a repository came to hold, git starts none of its programs.
  GIT_CONFIG_COUNT: '2',
  GIT_CONFIG_KEY_0: 'core.hooksPath',
  GIT_CONFIG_VALUE_0: '/dev/null',
  GIT_CONFIG_KEY_1: 'core.fsmonitor',
  GIT_CONFIG_VALUE_1: 'false',
  GIT_AUTHOR_NAME: IDENTITY.NAME,
  GIT_AUTHOR_EMAIL: IDENTITY.EMAIL,
  GIT_AUTHOR_DATE: IDENTITY.DATE,
  GIT_COMMITTER_NAME: IDENTITY.NAME,
  GIT_COMMITTER_EMAIL: IDENTITY.EMAIL,
  GIT_COMMITTER_DATE: IDENTITY.DATE,
};

const MISSING = 'apt-get install git';

/** Runs git in `cwd` and reports how it ended. */
export function git(cwd: string, args: readonly string[], o: ExecOptions = {}): Promise<CommandResult> {
  return exec('git', args, { ...o, cwd, env: { ...foreign(), ...ENV, ...o.env }, missingHint: MISSING });
}

/** Runs git in `cwd`; its output without the final newline. @throws InfraError `command-failed` */
export async function gitOut(cwd: string, args: readonly string[], o: ExecOptions = {}): Promise<string> {
  const result = await run('git', args, {
    ...o,
    cwd,
    env: { ...foreign(), ...ENV, ...o.env },
    missingHint: MISSING,
  });
  return result.stdout.replace(/\n$/, '');
}
