// SPDX-License-Identifier: GPL-2.0-only
// Events as lines for people. A terminal also gets a live line for what is going on now; a log file gets the lines only.
import type { Event } from '../model/events.ts';

type Formatter = { [T in Event['type']]: (event: Extract<Event, { type: T }>) => string | undefined };

// A kind of event without an entry here does not compile.
const FORMAT: Formatter = {
  'run.started': (e) => `run ${e.run}: ${e.units} case${e.units === 1 ? '' : 's'} to run`,
  'run.resumed': (e) => `run ${e.run} goes on: ${e.left} left`,
  'base.ready': (e) => `base: ${e.name}`,
  'series.applied': (e) =>
    `series: ${e.patches} patch${e.patches === 1 ? '' : 'es'} applied, ${e.commit.slice(0, 12)}`,
  'series.rejected': (e) => `series: ${e.message}`,
  'programs.ready': (e) => (e.cached ? undefined : `case program built, ${e.hash.slice(0, 12)}`),
  'kernel.building': () => undefined,
  'kernel.ready': (e) =>
    `${e.kernel} kernel ${e.release} ${e.cached ? 'is in the cache' : `built in ${seconds(e.ms)}`}`,
  'selftests.ready': (e) => {
    const broken = e.broken.length === 0 ? '' : `, ${e.broken.join(', ')} not compiling`;
    const how = e.cached ? 'are in the cache' : `built in ${seconds(e.ms)}`;
    return `${e.kernel} kernel's selftests: ${e.built} ${how}${broken}`;
  },
  'kernel.failed': (e) => `${e.kernel} kernel: ${e.message}`,
  'host.booting': () => undefined,
  'host.booted': (e) => {
    const which = e.boot === 1 ? ` (${e.how.join(', ')})` : `, boot ${e.boot}`;
    return `${e.host} runs the ${e.kernel} kernel${which}, up in ${seconds(e.ms)}`;
  },
  'host.lost': (e) => `${e.host}: lost: ${e.why}`,
  'host.closed': (e) =>
    e.why === 'the kernel is done' ? undefined : `${e.host}: boots afresh after ${e.why}`,
  'host.checked': (e) =>
    e.ok
      ? `${e.host}: self-check passed${e.cached ? ' earlier' : ''}`
      : `${e.host}: self-check failed: ${e.text}`,
  'case.skipped': (e) =>
    `  ${e.unit}: skipped, ${e.requirement} is not met${e.promised ? ' although it is promised' : ''}`,
  'case.attempted': () => undefined,
  'case.withdrawn': () => undefined,
  'case.ended': (e) => `  ${e.unit}: ${e.state} in ${seconds(e.ms)}`,
  'case.done': () => undefined,
  'run.judged': (e) =>
    `judged: ${Object.entries(e.verdicts)
      .filter(([, count]) => count > 0)
      .map(([verdict, count]) => `${verdict} ${count}`)
      .join(', ')}`,
  'run.interrupted': (e) => `interrupted: ${e.why}`,
  'mutate.started': (e) => `${e.run}: ${e.left} of ${e.mutants} mutants to be planted`,
  'mutant.built': () => undefined,
  'mutant.running': () => undefined,
  'mutant.ended': (e) => `  ${e.mutant}: ${e.outcome}, ${e.text} (${seconds(e.ms)})`,
  note: (e) => e.text,
  progress: () => undefined,
};

/** The line that stays; undefined for events that only change what is going on. */
export function lineOf(event: Event): string | undefined {
  const format = FORMAT[event.type] as (event: Event) => string | undefined;
  return format(event);
}

/** What is going on now, for the last line of a terminal; undefined when the event ends it. */
export function nowOf(event: Event): string | undefined {
  switch (event.type) {
    case 'kernel.building':
      return `building the ${event.kernel} kernel`;
    case 'host.booting':
      return `${event.host}: booting the ${event.kernel} kernel`;
    case 'case.attempted':
      return `${event.unit}${event.again ? ', once more on a fresh boot' : ''}`;
    case 'mutant.running':
      return event.mutant;
    case 'progress':
      return `${event.step}${amount(event)}`;
    default:
      return undefined;
  }
}

// --- internal ---

function amount(event: Extract<Event, { type: 'progress' }>): string {
  const { done, total, detail } = event;
  if (total === null || total <= 0) return done === 0 ? '' : ` ${done} ${detail}`;
  const share = Math.min(1, done / total);
  const bar = '#'.repeat(Math.round(share * 20)).padEnd(20, '.');
  return ` [${bar}] ${Math.round(share * 100)}%${detail === '%' ? '' : ` ${detail}`}`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
