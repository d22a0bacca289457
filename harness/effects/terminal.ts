// SPDX-License-Identifier: GPL-2.0-only
// Standard error as a person sees it: lines that stay, and on a terminal one live line below them (log-update).
import { createLogUpdate } from 'log-update';

export interface Terminal {
  /** A line that stays. */
  line(text: string): void;
  /** What is going on now; undefined clears it. Shown on a terminal only. */
  now(text: string | undefined): void;
  close(): void;
}

const FRAMES = ['-', '\\', '|', '/'];
const FRAME_MS = 150;

export function openTerminal(stream: NodeJS.WriteStream = process.stderr): Terminal {
  if (!stream.isTTY) {
    return { line: (text) => stream.write(`${printable(text)}\n`), now: () => {}, close: () => {} };
  }
  const live = createLogUpdate(stream, { showCursor: true });
  let current: string | undefined;
  let since = Date.now();
  let frame = 0;
  const draw = () => {
    if (current === undefined) return live.clear();
    const elapsed = Math.round((Date.now() - since) / 1000);
    const text = `${FRAMES[frame++ % FRAMES.length]} ${current} (${elapsed} s)`;
    live(text.slice(0, Math.max(20, (stream.columns ?? 80) - 1)));
  };
  const timer = setInterval(draw, FRAME_MS);
  timer.unref();
  return {
    line: (text) => {
      live.clear();
      stream.write(`${printable(text)}\n`);
      draw();
    },
    now: (text) => {
      // A step that only tells how far it is keeps its clock.
      if (text?.split(' [', 1)[0] !== current?.split(' [', 1)[0]) since = Date.now();
      current = text === undefined ? undefined : printable(text);
      if (text === undefined) live.clear();
    },
    close: () => {
      clearInterval(timer);
      live.clear();
    },
  };
}

// --- internal ---

// Subjects of patches and lines of a kernel are shown, not obeyed.
function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}
