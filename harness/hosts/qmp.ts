// SPDX-License-Identifier: GPL-2.0-only
// QEMU's control channel (docs/interop/qmp-spec.rst), over a socket that QEMU inherits: no path, no port.
import type { Duplex } from 'node:stream';
import { InfraError } from '../errors.ts';

const ANSWER_BYTES_MAX = 1024 * 1024;

export class Qmp {
  /** Why the machine stopped, in QEMU's words (`guest-reset`, `guest-panic`, `host-signal`), once it said so. */
  stopped: string | undefined;
  private readonly stream: Duplex;
  private pending = '';
  private waiting: ((answer: { return?: unknown; error?: { desc?: string } }) => void)[] = [];

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.take(text));
    stream.on('error', () => {});
    stream.write('{"execute":"qmp_capabilities"}\n');
    this.waiting.push(() => {});
  }

  /** @throws InfraError `qmp` when QEMU refuses the command; never settles when QEMU is gone, so race it */
  execute(command: string, parameters: Record<string, unknown> = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.waiting.push((answer) => {
        if (answer.error === undefined) resolve(answer.return);
        else
          reject(
            new InfraError({ code: 'qmp', message: `QEMU refuses ${command}: ${answer.error.desc ?? '?'}` }),
          );
      });
      this.stream.write(`${JSON.stringify({ execute: command, arguments: parameters })}\n`);
    });
  }

  /** A command of the human monitor; what it prints. */
  async monitor(line: string): Promise<string> {
    return String(await this.execute('human-monitor-command', { 'command-line': line }));
  }

  private take(text: string): void {
    const lines = (this.pending + text).split('\n');
    this.pending = (lines.pop() ?? '').slice(-ANSWER_BYTES_MAX);
    for (const line of lines) {
      let message: Record<string, unknown> | null;
      try {
        message = JSON.parse(line) as Record<string, unknown> | null;
      } catch {
        continue;
      }
      if (typeof message !== 'object' || message === null) continue;
      if (message['event'] === 'SHUTDOWN')
        this.stopped = String((message['data'] as { reason?: unknown } | undefined)?.reason);
      // Greetings and events come between the answers.
      if ('return' in message || 'error' in message) this.waiting.shift()?.(message);
    }
  }
}
