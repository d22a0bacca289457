// SPDX-License-Identifier: GPL-2.0-only
// The run folder: every file of it is named here and nowhere else. Documents are validated on both ways.
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { InfraError, messageOf, UsageError } from '../errors.ts';
import { type Event, isDurable } from '../model/events.ts';
import { caseFolder } from '../model/manifest.ts';
import { type Unit, unitFolder } from '../model/plan.ts';
import type { KernelRole } from '../model/result.ts';
import { exists, makeFolder, readIfThere, writeWhole } from './files.ts';
import { checkDocument, type DocumentName } from './schema.ts';

const DAMAGED = 'it was cut short, removed or changed by hand: put back the file as it was';
const JUDGE_AGAIN = 'kvm-hil judge makes it again from what the run left';

export class RunDir {
  readonly root: string;
  private eventsFd: number | undefined;

  constructor(root: string) {
    this.root = root;
  }

  get id(): string {
    return path.basename(this.root);
  }

  /** Makes a new, empty folder. @throws UsageError `run-exists` when it is there already; InfraError `no-folder` */
  static async create(root: string): Promise<RunDir> {
    try {
      await makeFolder(path.dirname(root));
      await mkdir(root);
    } catch (cause) {
      const there = (cause as NodeJS.ErrnoException).code === 'EEXIST' && (await exists(root));
      const hint = 'name another folder (--output)';
      if (there) throw new UsageError({ code: 'run-exists', message: `${root} is there already`, hint });
      const message = `cannot make the run folder ${root}: ${messageOf(cause)}`;
      throw new InfraError({ code: 'no-folder', message, hint, cause });
    }
    return new RunDir(root);
  }

  /** Opens a folder that a run left. @throws UsageError `no-run` when it is none. */
  static async open(root: string): Promise<RunDir> {
    if (!(await exists(path.join(root, 'run.json')))) {
      throw new UsageError({
        code: 'no-run',
        message: `${root} is not the folder of a run: it has no run.json`,
        hint: 'give a folder below results/runs',
      });
    }
    return new RunDir(path.resolve(root));
  }

  // --- where things are ---

  path(...parts: string[]): string {
    return path.join(this.root, ...parts);
  }
  contract(caseId: string): string {
    return this.path('contract', caseFolder(caseId));
  }
  kernel(role: KernelRole): string {
    return this.path('kernels', role);
  }
  /** What is known of a host while one kernel ran on it. */
  host(host: string, role: KernelRole): string {
    return this.path('hosts', host, role);
  }
  unit(unit: Unit): string {
    return this.path('cases', unitFolder(unit));
  }

  // --- documents ---

  async write(name: DocumentName, file: string, value: unknown): Promise<void> {
    checkDocument(name, value, file);
    await writeWhole(file, `${JSON.stringify(value, null, 2)}\n`);
  }

  /** @throws InfraError when it is missing, no JSON or does not follow its schema */
  async read<T>(name: DocumentName, file: string): Promise<T> {
    const value = await this.readIfThere<T>(name, file);
    if (value !== undefined) return value;
    throw new InfraError({
      code: 'missing-document',
      message: `${file} is missing from the run folder`,
      hint: name === 'result' ? JUDGE_AGAIN : DAMAGED,
    });
  }

  async readIfThere<T>(name: DocumentName, file: string): Promise<T | undefined> {
    const text = await readIfThere(file);
    if (text === undefined) return undefined;
    return checkDocument<T>(name, parseJson(text, file), file);
  }

  // --- events ---

  /** Appends the event and, unless it only tells progress, waits until it is on disk. */
  event(event: Event, at: Date): void {
    if (!isDurable(event)) return;
    this.eventsFd ??= openEvents(this.path('events.jsonl'));
    appendWhole(this.eventsFd, `${JSON.stringify({ at: at.toISOString(), ...event })}\n`);
    fsyncSync(this.eventsFd);
  }

  close(): void {
    if (this.eventsFd !== undefined) closeSync(this.eventsFd);
    this.eventsFd = undefined;
  }

  /** All events that are whole; a last line that was torn by a crash is left out. */
  async events(): Promise<Event[]> {
    const text = (await readIfThere(this.path('events.jsonl'))) ?? '';
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    return whole
      .split('\n')
      .map((line, index) => ({ line, where: `${this.path('events.jsonl')}, line ${index + 1},` }))
      .filter(({ line }) => line !== '')
      .map(({ line, where }) => asEvent(parseJson(line, where), where));
  }

  async emptyFolder(folder: string): Promise<string> {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    return folder;
  }
}

// A runner that was killed may have left half a line: the next event would be lost with it.
function openEvents(file: string): number {
  const fd = openSync(file, 'a+');
  const text = readFileSync(file);
  const whole = text.lastIndexOf('\n') + 1;
  if (whole < text.length) ftruncateSync(fd, whole);
  return fd;
}

function asEvent(value: unknown, where: string): Event {
  if (typeof (value as { type?: unknown } | null)?.type === 'string') return value as Event;
  throw new InfraError({ code: 'invalid-document', message: `${where} is no event`, hint: DAMAGED });
}

// On a disk that is nearly full, a part of a line may still find room: the next line would be lost with it.
function appendWhole(fd: number, line: string): void {
  const bytes = Buffer.from(line);
  const { size } = fstatSync(fd);
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
}

/** @throws InfraError `invalid-json`, naming the file */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new InfraError({
      code: 'invalid-json',
      message: `${file} is not JSON: ${(cause as Error).message}`,
      hint: file.endsWith('result.json') ? JUDGE_AGAIN : DAMAGED,
      cause,
    });
  }
}

export async function readJson(file: string): Promise<unknown> {
  const text = await readIfThere(file);
  if (text !== undefined) return parseJson(text, file);
  throw new InfraError({ code: 'missing-document', message: `${file} is missing`, hint: DAMAGED });
}
