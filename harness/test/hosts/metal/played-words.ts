// SPDX-License-Identifier: GPL-2.0-only
// What is said between the metal driver and a machine that is played: commands, the ways in which it goes wrong.

export const MACHINE_FAULTS = [
  /** The network is gone for 20 seconds. */
  'cut',
  /** The command is carried out, and its answer is lost. */
  'cut-after',
  'cut-for-good',
  /** It hears nothing any more, until it is switched off and on. */
  'silent',
  /** It restarts by itself, without a word. */
  'reset',
  'garbage',
  'disk-full',
  'read-only',
  /** The next kernel that comes up is one that nobody asked for. */
  'wrong-kernel',
  /** Its clock, and ours, are a day further. */
  'clock-jump',
  'host-key',
  /** It hears nothing any more, and its power cannot be switched. */
  'power-fails',
  /** Somebody else takes it. */
  'taken',
] as const;
export type MachineFault = (typeof MACHINE_FAULTS)[number];

/** What changes nothing. lease.sh looks for itself. */
export const LOOKS = /^(?:sh -s -- \S+\/lease |cat \/proc\/|uname -r$)/;

/** The command behind the checks of the lease, and the numbers that they look for. */
export function withoutGuards(command: string): [bare: string, tokens: number[]] {
  const tokens: number[] = [];
  let rest = command;
  for (;;) {
    const guard = /^\[ -e \S+\/lease\/(\d+) \] && \[ ! -e \S+ \] && \[ ! -e \S+ \] \|\| exit 75; /.exec(rest);
    if (guard === null) return [rest, tokens];
    tokens.push(Number(guard[1]));
    rest = rest.slice(guard[0].length);
  }
}

// As a shell takes words apart that quoted() made.
export function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
}
