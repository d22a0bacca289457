// SPDX-License-Identifier: GPL-2.0-only
// A machine of the inventory for what is done to one by hand: a real shell behind a real SSH server, with programs of the
// test in the place of its package manager. What it says of itself depends on which of them it has.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { type ShellHost, startShellHost, withoutGuard } from '../hosts/metal/shell-host.ts';
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

const SURVEY: readonly [string, string][] = [
  ['system', 'Linux'],
  ['release', '6.1.0-50-amd64'],
  ['arch', 'x86_64'],
  ['uid', '0'],
  ['vendor', 'AuthenticAMD'],
  ['virtualization', 'svm'],
  ['memory_kib', '16000000'],
  ['kvm', 'yes'],
  ['free_kib', '9000000'],
  ['writable', 'yes'],
  ['kexec', 'yes'],
  ['host_key', '/etc/ssh/ssh_host_ed25519_key'],
  ['net_address', '192.0.2.7/24'],
  ['watchdog', '/dev/watchdog'],
  ['watchdog_is', 'iTCO_wdt'],
];

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
      const says = new Map(SURVEY);
      const tools = new Set(['kexec', 'systemctl', 'sha256sum', 'cpio', 'ip']);
      const there = await startShellHost(folder, ({ command, channel }) => {
        if (withoutGuard(command, path.join(folder, 'kvm-hil')) !== 'sh -s --') return false;
        const lines = [...says].map(([name, value]) => `${name}=${value}\n`);
        for (const tool of tools) lines.push(`tool_${tool}=yes\n`);
        channel.resume();
        channel.write(`${lines.join('')}complete=yes\n`);
        channel.exit(0);
        channel.end();
        return true;
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
