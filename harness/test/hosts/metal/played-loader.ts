// SPDX-License-Identifier: GPL-2.0-only
// The boot loader and the firmware of a machine that is played: what once.sh finds there, and where dying kernels write.
import type { RemoteResult } from '../../../effects/ssh.ts';

export class PlayedLoader {
  /** What once.sh wrote has not been taken away. */
  armed = false;
  /** Files in pstore. */
  pstore: string[] = [];
  private wish: string | undefined;
  private left = 0;

  copy(): PlayedLoader {
    const { armed, pstore, wish, left } = this;
    return Object.assign(new PlayedLoader(), { armed, pstore: [...pstore], wish, left });
  }

  /** What is started instead of the machine's own kernel, just once. */
  start(): string | undefined {
    const { wish } = this;
    this.wish = undefined;
    return wish;
  }

  /** A kernel that dies writes a last word. */
  leave(): void {
    this.pstore.push(`/sys/fs/pstore/dmesg-erst-${++this.left}`);
  }

  says(): Record<string, string> {
    return { pstore: this.pstore.join(' '), ...(this.armed ? { once_left: 'yes' } : {}) };
  }

  /** @returns undefined when it is none of its business */
  answer(
    command: string,
    files: ReadonlyMap<string, string>,
    canWrite: boolean,
  ): Partial<RemoteResult> | undefined {
    const [, verb, kernel = ''] =
      /^sh -s -- \/var\/lib\/kvm-hil\/once (\w+)(?: grub (\S+))?/.exec(command) ?? [];
    if (verb === 'arm') return this.arm(files.get(kernel), canWrite);
    if (verb === 'consumed') return { exitCode: this.wish === undefined ? 0 : 1 };
    if (verb === 'tidy') return this.tidy(canWrite);
    if (command.startsWith('find /sys/fs/pstore')) return { stdout: `${this.pstore.join('\n')}\n` };
    if (command.startsWith('for file in /sys/fs/pstore')) return { stdout: 'last words\n' };
    const gone = /^rm -f (\/sys\/fs\/pstore.*)$/.exec(command)?.[1]?.split(' ');
    if (gone === undefined) return undefined;
    this.pstore = this.pstore.filter((file) => !gone.includes(file));
    return {};
  }

  private arm(kernel: string | undefined, canWrite: boolean): Partial<RemoteResult> {
    if (!canWrite || this.armed || kernel === undefined) return { exitCode: 1 };
    this.armed = true;
    this.wish = kernel;
    return { stdout: 'entry=kvm-hil\n' };
  }

  private tidy(canWrite: boolean): Partial<RemoteResult> {
    if (!this.armed) return {};
    if (!canWrite) return { exitCode: 1 };
    this.armed = false;
    this.wish = undefined;
    return {};
  }
}
