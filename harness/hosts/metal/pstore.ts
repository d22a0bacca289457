// SPDX-License-Identifier: GPL-2.0-only
// What a kernel that died could still write where the firmware keeps it: taken away on the known-good kernel, after the next
// boot. There is little room, and it is as full afterwards as it was.
import type { SshLink } from '../../effects/ssh.ts';
import type { Survey } from '../../model/survey.ts';
import { quoted } from './reach.ts';

const FOLDERS = '/sys/fs/pstore /var/lib/systemd/pstore';
const ASK_TIMEOUT_MS = 30_000;
const FILES_MAX = 50;
const FILE_BYTES_MAX = 1024 * 1024;
const ALL_BYTES_MAX = 8 * FILE_BYTES_MAX;

/**
 * @param guard what is checked first: HeldLease.guard()
 * @param before the machine's own answers before the kernel under test was booted
 * @returns what has come since then, each file behind its name; empty when there is none, or the link broke
 */
export async function sinceThen(link: SshLink, guard: string, before: Survey): Promise<string> {
  const known = new Set((before.get('pstore') ?? '').split(' '));
  const list = `find ${FOLDERS} -type f 2>/dev/null | sort | tail -n 200`;
  const listed = await link.exec(list, { timeoutMs: ASK_TIMEOUT_MS });
  const fresh = listed.stdout.split('\n').filter((file) => file.startsWith('/') && !known.has(file));
  if (fresh.length === 0) return '';
  const files = fresh.slice(0, FILES_MAX).map(quoted).join(' ');
  const show = `echo "== $file"; head -c ${FILE_BYTES_MAX} "$file" || short=1; echo`;
  const isWhole = `[ "$(wc -c <"$file")" -le ${FILE_BYTES_MAX} ] || short=1`;
  const read = `short=0; for file in ${files}; do ${show}; ${isWhole}; done; exit $short`;
  const found = await link.exec(read, {
    timeoutMs: ASK_TIMEOUT_MS,
    keepBytes: ALL_BYTES_MAX,
  });
  // Only what was read whole is in nobody's way.
  if (found.exitCode === 0 && !found.truncated)
    await link.exec(`${guard}rm -f ${files}`, { timeoutMs: ASK_TIMEOUT_MS });
  return found.stdout;
}
