// SPDX-License-Identifier: GPL-2.0-only
// A machine of the inventory for what is done to one by hand: a real shell behind a real SSH server, with programs of the
// test in the place of its package manager. What it says of itself depends on which of them it has.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { answer, KNOWN, type ShellHost, startShellHost, withoutGuard } from '../hosts/metal/shell-host.ts';
import { SURVEY, surveyText, TOOLS } from '../hosts/metal/survey-words.ts';
import { withTemp } from '../temp.ts';

export interface LabMachine extends ShellHost {
  folder: string;
  /** Lines of the survey that say otherwise. */
  says: Map<string, string>;
  /** Programs that it has. */
  tools: Set<string>;
  /** Makes a program that commands there find before the real one. */
  program(name: string, script: string): void;
}

const SAYS: Readonly<Record<string, string>> = {
  ...SURVEY,
  release: KNOWN,
  watchdog: '/dev/watchdog',
  watchdog_is: 'iTCO_wdt',
};

export function checkMachine(
  t: Test,
  what: string,
  body: (t: Test, m: LabMachine) => Promise<void>,
): Promise<unknown> {
  return t.test(what, (t) =>
    withTemp(async (folder) => {
      process.env['XDG_STATE_HOME'] = path.join(folder, 'state');
      mkdirSync(path.join(folder, 'kvm-hil'));
      const bin = path.join(folder, 'bin');
      mkdirSync(bin);
      const before = process.env['PATH'] ?? '';
      process.env['PATH'] = `${bin}:${before}`;
      const says = new Map(Object.entries(SAYS));
      const tools = new Set(TOOLS);
      const there = await startShellHost(folder, (session) => {
        if (withoutGuard(session.command, path.join(folder, 'kvm-hil')) !== 'sh -s --') return false;
        return answer(session, `${surveyText(Object.fromEntries(says), tools)}complete=yes\n`);
      });
      const program = (name: string, script: string) => {
        writeFileSync(path.join(bin, name), `#!/bin/sh\n${script}\n`);
        chmodSync(path.join(bin, name), 0o755);
      };
      try {
        await body(t, { ...there, folder, says, tools, program });
      } finally {
        process.env['PATH'] = before;
        await there.server.close();
      }
    }),
  );
}
