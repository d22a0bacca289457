// SPDX-License-Identifier: GPL-2.0-only
// KVM's modules in a kernel of ours on a machine that is played: what infra/initramfs/kvm-modules does there.
import { createHash } from 'node:crypto';
import type { RemoteOptions, RemoteResult } from '../../../effects/ssh.ts';

/** What the linker would call a module with this content. */
export function buildIdOf(content: Buffer | string): string {
  return createHash('sha1').update(content).digest('hex');
}

export class PlayedModules {
  /** Build ids of what is loaded, by name. */
  loaded = new Map<string, string>();
  /** How often others were loaded. */
  swaps = 0;
  private readonly sent = new Map<string, Buffer>();
  private mark = '';

  /** @returns undefined when it is none of its business */
  answer(command: string, o: RemoteOptions): Partial<RemoteResult> | undefined {
    const receive = /mv -f \S+ \/run\/kvm-hil\/modules\/(\w+)\.ko /.exec(command)?.[1];
    if (receive !== undefined) return this.receive(receive, command, Buffer.from(o.input ?? ''));
    this.mark = /^echo '<6>(kvm-hil: modules \w+)'/.exec(command)?.[1] ?? this.mark;
    if (command === 'kvm-modules unload') this.loaded.clear();
    else if (command.startsWith('kvm-modules load ')) this.load();
    else if (command.startsWith('kvm-modules ids')) return this.ids();
    else if (command.startsWith('dmesg | sed')) return { stdout: `[   12.345678] ${this.mark}\n` };
    else return undefined;
    return {};
  }

  // --- internal ---

  private receive(name: string, command: string, content: Buffer): Partial<RemoteResult> {
    const whole = command.includes(createHash('sha256').update(content).digest('hex'));
    if (whole) this.sent.set(name, content);
    return { exitCode: whole ? 0 : 1 };
  }

  private load(): void {
    this.swaps++;
    for (const name of ['kvm', 'kvm_amd']) {
      const content = this.sent.get(name);
      if (content !== undefined) this.loaded.set(name, buildIdOf(content));
    }
  }

  private ids(): Partial<RemoteResult> {
    const lines = [...this.loaded].map(([name, id]) => `${name} 040000001400000003000000474e5500${id}\n`);
    return { stdout: lines.join(''), exitCode: this.loaded.size > 0 ? 0 : 1 };
  }
}
