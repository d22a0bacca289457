// SPDX-License-Identifier: GPL-2.0-only
// Node processes that run a few lines against the compiled code, and a look at processes that should be gone.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Kept below the deadline of a test file, so that a test that waits in vain says so. */
const TRIES_MAX = 1000;

/** Runs a module text in a process of its own. `code` sees `load(name)`, which imports `harness/<name>.js`. */
export function startNode(code: string, env: Record<string, string> = {}): ChildProcess {
  const root = new URL('../', import.meta.url).href;
  const script = `const load = (name) => import(${JSON.stringify(root)} + name + '.js');\n${code}`;
  return spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
}

/** The next whole line that the process prints. */
export function nextLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const take = (piece: Buffer) => {
      text += piece.toString();
      const end = text.indexOf('\n');
      if (end < 0) return;
      child.stdout?.off('data', take);
      resolve(text.slice(0, end));
    };
    child.stdout?.on('data', take);
    child.once('exit', (code, signal) =>
      reject(new Error(`it ended with ${code ?? signal} and said ${text}`)),
    );
  });
}

/** Ends it as nothing can prevent, and waits until it is gone. */
export async function killHard(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** Whether the process ends soon. A zombie has ended: who inherited it may be slow to look. */
export async function isGoneSoon(pid: number): Promise<boolean> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    if (!isAlive(pid)) return true;
    await pause(5);
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
