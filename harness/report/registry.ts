// SPDX-License-Identifier: GPL-2.0-only
// Formats of --format: each a function of the result document alone.
import type { ResultDocument } from '../model/result.ts';
import { markdown } from './markdown.ts';
import { tap } from './tap.ts';

export type Reporter = (result: ResultDocument) => string;

export const REPORTERS: Readonly<Record<string, Reporter>> = {
  tap,
  markdown,
  json: (result) => `${JSON.stringify(result, null, 2)}\n`,
};
