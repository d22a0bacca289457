// SPDX-License-Identifier: GPL-2.0-only
// readSeries() on files that nobody wrote, git and all: a series, or a UsageError; never anything else.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { UsageError } from '../../errors.ts';
import { readSeries } from '../../kernel/series.ts';
import { fuzzRuns, mailboxes } from '../model/mails.ts';
import { tempFolder, withCache } from '../temp.ts';

const made = tempFolder(t);

t.test('files by chance', async (t) => {
  const runs = fuzzRuns(25);
  const place = path.join(made, 'series.mbox');
  let whole = 0;
  await withCache(path.join(made, 'cache'), () =>
    fc.assert(
      fc.asyncProperty(mailboxes(true), async (text) => {
        writeFileSync(place, text, 'latin1');
        try {
          const { patches } = await readSeries(place);
          if (patches.length === 0) throw new Error('a series without patches');
          whole++;
        } catch (error) {
          if (!(error instanceof UsageError)) throw error;
          if (error.message.includes('\n') || error.hint === undefined)
            throw new Error(`unclear: ${error.message}`);
        }
      }),
      runs,
    ),
  );
  t.ok(whole > 0, `${runs.numRuns} inputs, ${whole} of them a series`);
});
