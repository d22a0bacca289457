// SPDX-License-Identifier: GPL-2.0-only
// Expected texts in files beside their inputs. KVM_HIL_UPDATE_GOLDEN=1 writes them anew: look at the diff before it is
// believed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';

export function checkGolden(t: Test, file: string, actual: string): void {
  if (process.env['KVM_HIL_UPDATE_GOLDEN'] === '1') writeFileSync(file, actual);
  const expected = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  t.equal(actual, expected, path.basename(file));
}
