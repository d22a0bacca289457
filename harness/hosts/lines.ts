// SPDX-License-Identifier: GPL-2.0-only
// The lines of what comes in pieces, for whoever waits for one.

const LINE_CHARS_MAX = 8 * 1024;

export class Lines {
  private rest = '';
  private readonly listeners = new Set<(line: string) => void>();

  take(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = (lines.pop() ?? '').slice(-LINE_CHARS_MAX);
    for (const line of lines) for (const listener of this.listeners) listener(line.replace(/\r$/, ''));
  }

  /** Resolves with the first line that matches. Never rejects, never gives up: the caller races it. */
  next(pattern: RegExp): Promise<string> {
    return new Promise((resolve) => {
      const listener = (line: string) => {
        if (!pattern.test(line)) return;
        this.listeners.delete(listener);
        resolve(line);
      };
      this.listeners.add(listener);
    });
  }

  /** Nobody waits any more. */
  forget(): void {
    this.listeners.clear();
  }
}
