// SPDX-License-Identifier: GPL-2.0-only
// What infra/provision/host/lease.sh prints, and when a lease has expired: never by a clock on the wall, only when its
// holder has not counted on for some time of whoever looks.

export interface LeaseState {
  /** The fencing token: one more with every holder. 0: it was never leased. */
  token: number;
  held: boolean;
  /** How often the holder has refreshed it. */
  count: number;
  owner: string;
  purpose: string;
}

/**
 * Without a refresh for so long, as the reader measures it, the holder is gone. Longer than a machine takes to shut down,
 * start and boot within its deadlines: meanwhile nobody can refresh anything on it.
 */
export const EXPIRES_MS = 900_000;
/** How often a holder refreshes. */
export const REFRESH_MS = 10_000;

const WORDS_CHARS_MAX = 200;

/** @returns undefined when the text is not what the script prints */
export function parseLease(text: string): LeaseState | undefined {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) found.set(line.slice(0, at), line.slice(at + 1));
  }
  const token = wholeNumber(found.get('token'));
  const count = wholeNumber(found.get('count'));
  const state = found.get('state');
  if (token === undefined || count === undefined || (state !== 'held' && state !== 'free')) return undefined;
  const owner = leaseWords(found.get('owner') ?? '');
  const purpose = leaseWords(found.get('purpose') ?? '');
  return { token, held: state === 'held', count, owner, purpose };
}

/** One line of printable text: owners and purposes go through files and terminals. */
export function leaseWords(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, '?').slice(0, WORDS_CHARS_MAX);
}

/** Whether the holder has done anything between two looks. */
export function hasMoved(before: LeaseState, now: LeaseState): boolean {
  return before.token !== now.token || before.count !== now.count || before.held !== now.held;
}

// --- internal ---

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
