// SPDX-License-Identifier: GPL-2.0-only
// A seeded bug as a commit. Only objects are added to the repository of the base: no work tree, index or ref is touched,
// so this needs no lock, and being killed in the middle leaves nothing that anybody would see.
import { git, gitOut } from '../effects/git.ts';
import { InfraError, UsageError } from '../errors.ts';
import { filesOf, type Mutant, plantIn } from '../model/mutant.ts';
import type { Base } from './source.ts';
import { treeOf } from './tree.ts';

/**
 * Plants a mutant on a commit of the base's repository.
 * @returns a commit with `parent` as its parent: the same for the same mutant and parent, on every machine
 * @throws UsageError when it does not fit: `no-file`, `not-text`, `no-function`, `anchor`, `edits-overlap`
 */
export async function plantMutant(
  base: Base,
  parent: string,
  mutant: Mutant,
  signal?: AbortSignal,
): Promise<string> {
  const tree = treeOf(base);
  let root = await gitOut(tree, ['rev-parse', '--verify', `${parent}^{tree}`], { signal });
  for (const file of filesOf(mutant)) {
    const text = await textOf(tree, parent, file, mutant.id, signal);
    const blob = await gitOut(tree, ['hash-object', '-w', '--no-filters', '--stdin'], {
      input: plantIn(text, file, mutant),
      signal,
    });
    root = await withBlob(tree, root, file.split('/'), blob, signal);
  }
  const message = `mutant ${mutant.id}: ${mutant.title}`;
  return gitOut(tree, ['commit-tree', '--no-gpg-sign', '-p', parent, '-m', message, root], { signal });
}

// --- internal ---

async function textOf(
  tree: string,
  commit: string,
  file: string,
  id: string,
  signal?: AbortSignal,
): Promise<string> {
  const shown = await git(tree, ['cat-file', 'blob', `${commit}:${file}`], { signal });
  if (shown.failed) {
    throw new UsageError({
      code: 'no-file',
      message: `mutant ${id}: the kernel has no file ${file}`,
      hint: 'it was made for another kernel, or the path is misspelt',
    });
  }
  if (!shown.stdout.includes('\ufffd')) return shown.stdout;
  throw new UsageError({ code: 'not-text', message: `mutant ${id}: ${file} is not UTF-8` });
}

// A tree like `root`, with another blob at a path that is there.
async function withBlob(
  tree: string,
  root: string,
  [name = '', ...below]: readonly string[],
  blob: string,
  signal?: AbortSignal,
): Promise<string> {
  const entries = (await gitOut(tree, ['ls-tree', '-z', root], { signal })).split('\0');
  const at = entries.findIndex((entry) => entry.slice(entry.indexOf('\t') + 1) === name);
  const [mode = '', type = '', object = ''] = (entries[at] ?? '').split(/[ \t]/);
  if (type !== (below.length === 0 ? 'blob' : 'tree'))
    throw new InfraError({ code: 'odd-tree', message: `${root} has no such entry: ${name}` });
  const changed = below.length === 0 ? blob : await withBlob(tree, object, below, blob, signal);
  entries[at] = `${mode} ${type} ${changed}\t${name}`;
  return gitOut(tree, ['mktree', '-z'], { input: entries.join('\0'), signal });
}
