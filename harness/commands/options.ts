// SPDX-License-Identifier: GPL-2.0-only
// Options that several commands have, from text to checked values.
import { randomBytes } from 'node:crypto';
import { UsageError } from '../errors.ts';
import { isAfterHost, isKconfigName, KCONFIGS, type KconfigName } from '../kernel/configure.ts';
import { BOOT_METHODS, type BootMethod } from '../model/lab.ts';
import { REPORTERS, type Reporter } from '../report/registry.ts';
import type { KconfigWish } from '../run/kconfig.ts';

/** A configuration of fragments alone. */
export function kconfigOption(name: string): KconfigName {
  if (isKconfigName(name) && !isAfterHost(name)) return name;
  const known = Object.keys(KCONFIGS).filter((one) => isKconfigName(one) && !isAfterHost(one));
  throw unknownKconfig(name, known);
}

/** Also one after a machine's own kernel: `host`, `host-debug`, and whose behind a colon. */
export function kconfigWish(text: string): KconfigWish {
  const [, name = '', of] = /^([a-z-]+)(?::([a-z0-9][a-z0-9.-]*))?$/.exec(text) ?? [];
  if (isKconfigName(name) && (of === undefined || isAfterHost(name)))
    return { name, ...(of === undefined ? {} : { of }) };
  throw unknownKconfig(text, [...Object.keys(KCONFIGS), 'host:NAME', 'host-debug:NAME']);
}

function unknownKconfig(name: string, known: readonly string[]): UsageError {
  return new UsageError({
    code: 'unknown-kconfig',
    message: `--kconfig ${name} is not known`,
    hint: `one of ${known.join(', ')}`,
  });
}

/** How machines of the inventory are booted; undefined: as the inventory prefers. */
export function bootOption(name: string | undefined): BootMethod | undefined {
  if (name === undefined) return undefined;
  return namedOption('boot', name, Object.fromEntries(BOOT_METHODS.map((one) => [one, one])));
}

export function formatOption(name: string): Reporter {
  return namedOption('format', name, REPORTERS);
}

/** One of a few values, by name. @throws UsageError `unknown-<option>` */
export function namedOption<T>(option: string, name: string, known: Readonly<Record<string, T>>): T {
  const value = Object.hasOwn(known, name) ? known[name] : undefined;
  if (value !== undefined) return value;
  throw new UsageError({
    code: `unknown-${option}`,
    message: `--${option} ${name} is not known`,
    hint: `one of ${Object.keys(known).join(', ')}`,
  });
}

/** A 64-bit seed as `0x...`; a fresh one when none is given. */
export function seedOption(text: string | undefined): string {
  if (text === undefined) return `0x${randomBytes(8).toString('hex')}`;
  if (/^(?:0x[0-9a-fA-F]{1,16}|\d{1,19})$/.test(text)) return `0x${BigInt(text).toString(16)}`;
  throw new UsageError({
    code: 'bad-seed',
    message: `--seed ${text} is not a number of 64 bits`,
    hint: 'e.g. --seed 0x1234',
  });
}

export function countOption(name: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new UsageError({
    code: 'bad-number',
    message: `--${name} ${text} is not a whole number from 1 to ${max}`,
  });
}
