// SPDX-License-Identifier: GPL-2.0-only
// How QEMU ends, played by a shell in its place, and whose fault that is.
import { openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { RemoteResult } from '../../effects/ssh.ts';
import { InfraError, KernelError } from '../../errors.ts';
import { ConsoleLog } from '../../hosts/console.ts';
import { endWhileBooting, firstCommandTrouble, QemuProcess } from '../../hosts/qemu-process.ts';
import { withTemp } from '../temp.ts';

const BOOTING = '[    0.000000] Linux version 7.3.4';
const PANIC = '[    0.512345] Kernel panic - not syncing: No working init found.';

/** @param script what QEMU does instead of running a guest */
function check(what: string, script: string, kernelAtFault: boolean, message: RegExp, detail?: RegExp): void {
  t.test(what, (t) =>
    withTemp(async (folder) => {
      const file = path.join(folder, 'console.log');
      const console = new ConsoleLog(file);
      const qemu = new QemuProcess(['sh', '-c', script], openSync('/dev/null', 'r'), console);
      const error = endWhileBooting(await qemu.exited, console.since(0), file);
      await console.close();
      t.type(error, kernelAtFault ? KernelError : InfraError);
      t.equal(error.code, kernelAtFault ? 'boot-failed' : 'qemu-failed');
      t.match(error.message, message);
      if (detail !== undefined) t.match(error.detail, detail);
      t.match(error.hint, file);
      if (script.includes('Linux version')) t.match(readFileSync(file, 'utf8'), /Linux version/);
    }),
  );
}

const say = `ulimit -c 0; echo '${BOOTING}'`;
check('it ends', `${say}; exit 0`, true, /the machine ended while booting$/, /Linux version/);
check('it ends before the first line', 'exit 0', true, /the machine ended/, /^nothing was printed$/);
check(
  'a panic',
  `${say}; echo '${PANIC}'; exit 0`,
  true,
  /does not boot: Kernel panic - not syncing: No working/,
);
/**
 * Says on QMP (descriptor 4) why it ends, as QEMU does. Not at once: whoever writes to a socket that is closed already
 * may lose what it has not read, and the real one is spoken to long before it ends.
 */
const stops = (reason: string) =>
  `${say}; sleep 0.2; echo '{"event":"SHUTDOWN","data":{"guest":true,"reason":"${reason}"}}' >&4; exit 0`;
check('a reset', stops('guest-reset'), true, /the machine reset itself while booting$/, /Linux version/);
check('a power-off', stops('guest-shutdown'), true, /the machine switched itself off while booting$/);
check("an end of QEMU's own", stops('host-qmp-quit'), true, /the machine ended while booting$/);
check('QEMU is killed', `${say}; kill -9 $$`, false, /^QEMU was killed by SIGKILL while the kernel booted$/);
check(
  'QEMU aborts',
  `${say}; echo 'ERROR:../accel/tcg/cpu-exec.c:1:f: assertion failed' >&2; kill -ABRT $$`,
  false,
  /^QEMU was killed by SIGABRT: ERROR:/,
  /assertion failed/,
);
check(
  'QEMU fails at once',
  "echo \"qemu: warning: TCG doesn't support requested feature: CPUID.01H\" >&2; echo 'cannot set up guest memory' >&2; exit 1",
  false,
  /^QEMU exited with 1: cannot set up guest memory while/,
  /^QEMU exited with 1: cannot set up guest memory$/,
);
check(
  'QEMU is asked to end',
  `${say}; echo 'qemu-system-x86_64: terminating on signal 15 from pid 1 (init)' >&2; exit 0`,
  false,
  /^QEMU exited with 0: .*signal 15/,
);

const UNAME: RemoteResult = {
  command: 'uname -r',
  exitCode: 0,
  signal: null,
  stdout: '7.3.4\n',
  stderr: '',
  timedOut: false,
  lost: false,
  truncated: false,
  durationMs: 1,
};

t.test('the first command', async (t) => {
  t.equal(firstCommandTrouble(UNAME), undefined);
  t.match(firstCommandTrouble({ ...UNAME, exitCode: null, stdout: '', lost: true }), /died/);
  t.match(firstCommandTrouble({ ...UNAME, exitCode: null, stdout: '', timedOut: true }), /hung/);
  t.match(firstCommandTrouble({ ...UNAME, exitCode: null, signal: 'SEGV', stdout: '' }), /ended with SEGV/);
  t.match(firstCommandTrouble({ ...UNAME, exitCode: 127, stdout: '\n' }), /ended with 127/);
});
