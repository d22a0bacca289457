// SPDX-License-Identifier: GPL-2.0-only
// The run folder: every file of it is named here and nowhere else. Documents are validated on both ways.
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { InfraError, UsageError } from '../errors.ts';
import { type Event, isDurable } from '../model/events.ts';
import { caseFolder } from '../model/manifest.ts';
import { type Unit, unitFolder } from '../model/plan.ts';
import type { KernelRole } from '../model/result.ts';
import { exists, readIfThere, writeWhole } from './files.ts';
import { checkDocument, type DocumentName } from './schema.ts';

export class RunDir {
  readonly root: string;
  private eventsFd: number | undefined;

  constructor(root: string) {
    this.root = root;
  }

  get id(): string {
    return path.basename(this.root);
  }

  /** Makes a new, empty folder. @throws InfraError `run-exists` when it is there already. */
  static async create(root: string): Promise<RunDir> {
    await mkdir(path.dirname(root), { recursive: true });
    try {
      await mkdir(root);
    } catch (cause) {
      throw new InfraError({ code: 'run-exists', message: `cannot make the run folder ${root}`, cause });
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
    throw new InfraError({ code: 'missing-document', message: `${file} is missing from the run folder` });
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
    writeSync(this.eventsFd, `${JSON.stringify({ at: at.toISOString(), ...event })}\n`);
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
      .filter((line) => line !== '')
      .map((line) => parseJson(line, 'events.jsonl') as Event);
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

/** @throws InfraError `invalid-json`, naming the file */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new InfraError({
      code: 'invalid-json',
      message: `${file} is not JSON: ${(cause as Error).message}`,
      hint: 'it was changed by hand, or cut short',
      cause,
    });
  }
}

export async function readJson(file: string): Promise<unknown> {
  const text = await readIfThere(file);
  if (text !== undefined) return parseJson(text, file);
  throw new InfraError({ code: 'missing-document', message: `${file} is missing` });
}
