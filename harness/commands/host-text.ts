// SPDX-License-Identifier: GPL-2.0-only
// What the commands on machines of the inventory print of one: its name, how it is, and more about it below.
import type { HilError } from '../errors.ts';

export function hostText(name: string, state: string, more: readonly string[]): string {
  return `${name}: ${state}\n${more.map((line) => `    ${line}\n`).join('')}`;
}

/**
 * @param before in front of what went wrong
 * @param also lines about the host itself
 */
export function hostErrorText(
  name: string,
  { message, detail, hint }: HilError,
  before = '',
  also: readonly string[] = [],
): string {
  const more = [detail, hint].flatMap((text) => (text === undefined ? [] : text.split('\n')));
  return hostText(name, `${before}${message}`, [...more, ...also]);
}
