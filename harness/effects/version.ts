// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { inPackage } from './dirs.ts';

/** Version of this kvm-hil, from package.json. */
export function version(): string {
  return (JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as { version: string }).version;
}
