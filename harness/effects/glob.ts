// SPDX-License-Identifier: GPL-2.0-only
// Shell globs on case names: the one door to picomatch.
import picomatch from 'picomatch';

/** `gmem/*` matches `gmem/bind`; `gmem` alone means the whole topic, and `*` all topics. */
export function matchesGlob(name: string, glob: string): boolean {
  const topic = glob.replace(/\/+$/, '');
  if (topic === '' || topic.length > GLOB_CHARS_MAX) return false;
  return picomatch.isMatch(name, [topic, `${topic}/**`]);
}

/** picomatch throws on patterns over 64 Ki characters. */
const GLOB_CHARS_MAX = 1024;
