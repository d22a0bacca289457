// SPDX-License-Identifier: GPL-2.0-only
// Diffs: files, hunks, paths that no series may have, and where a hunk most likely belongs.
import t from 'tap';
import { likelyPlace, readDiff, readHunks, touchedFiles, unsafePath, whatIsCut } from '../../model/diff.ts';
import { fixture } from '../temp.ts';

const DIFF = '\n---\ndiff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n';

t.test('what has a diff', async (t) => {
  const hasDiff = (body: string) => touchedFiles(body).length > 0;
  t.equal(hasDiff(DIFF), true);
  t.equal(hasDiff('--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n'), true, 'without the line of git');
  t.equal(hasDiff('diff --git a/x.sh b/x.sh\nold mode 100644\nnew mode 100755\n'), true, 'a mode alone');
  t.equal(hasDiff('> diff --git a/x.c b/x.c\n> --- a/x.c\n'), false, 'quoted');
  t.equal(hasDiff(' virt/kvm/x.c | 2 +-\n 1 file changed\n'), false, 'a diffstat');
  t.equal(hasDiff('1:  0a1b ! 1:  0a1b x\n    @@ x.c: f\n      --- a/x.c\n'), false, 'a range-diff');
  t.equal(hasDiff('---\n+++\n'), false);
  t.equal(hasDiff('--- 8< ---\n+++ more +++\n'), false, 'decoration');
  t.equal(hasDiff('--- a/x.c\nand so on\n'), false, 'half of a header');
  t.equal(hasDiff('rename from here\nnew file mode 120000\n'), false, 'words of a message');
});

function checkFiles(diff: string, expected: string[]): void {
  t.same(touchedFiles(diff), expected, JSON.stringify(diff.slice(0, 80)));
}

checkFiles('', []);
checkFiles('--- a/b.c\n+++ b/b.c\n--- a/a.c\n+++ b/a.c\n', ['a.c', 'b.c']);
checkFiles('--- /dev/null\n+++ b/new.c\n', ['new.c']);
checkFiles('--- a/old.c\n+++ /dev/null\n', ['old.c']);
checkFiles('diff --git a/old.c b/new.c\nsimilarity index 100%\nrename from old.c\n', ['new.c', 'old.c']);
checkFiles('--- a/x.c\t2026-01-01 00:00:00\n+++ b/x.c\t2026-01-01\n', ['x.c']);
checkFiles('--- a/x.c\r\n+++ b/x.c\r\n', ['x.c']);
checkFiles('--- a/with blank.txt\n+++ b/with blank.txt\n', ['with blank.txt']);
checkFiles('diff --git a/with blank.txt b/with blank.txt\nold mode 100644\n', ['with blank.txt']);
checkFiles('diff --git "a/\\303\\244 \\"\\t.c" "b/\\303\\244 \\"\\t.c"\n', ['\xc3\xa4 "\t.c']);
checkFiles('--- linux-7.3.orig/x.c\n+++ linux-7.3/x.c\n@@ -1 +1 @@\n-a\n+b\n', ['x.c']);
checkFiles('copy from x.c\ncopy to y.c\n', []);
checkFiles('diff --git a/x.c b/y.c\ncopy from x.c\ncopy to y.c\n', ['x.c', 'y.c']);
checkFiles('--- a/x.sql\n+++ b/x.sql\n@@ -1,2 +1,2 @@\n--- a/y\n+++ b/y\n same\n', ['x.sql']);

// --- paths ---

const NEW = (name: string, mode = '100644') =>
  `diff --git a/${name} b/${name}\nnew file mode ${mode}\n--- /dev/null\n+++ b/${name}\n@@ -0,0 +1 @@\n+x\n`;

function checkPaths(what: string, diffs: string[], expected: [number, RegExp] | undefined): void {
  t.test(what, async (t) => {
    const found = unsafePath(diffs);
    t.equal(found?.patch, expected?.[0]);
    if (expected !== undefined) t.match(found?.why, expected[1]);
  });
}

checkPaths(
  'paths of the tree',
  [NEW('x.c'), NEW('a/.gitignore'), NEW('a..b/c...d'), NEW('.github/x')],
  undefined,
);
checkPaths('out of the tree', [NEW('x.c'), NEW('../../etc/passwd')], [1, /outside of the tree/]);
checkPaths('out of the tree, on the way', [NEW('a/../../x')], [0, /outside/]);
checkPaths(
  'out of the tree, without the line of git',
  ['--- ../../etc/x\n+++ ../../etc/x\n'],
  [0, /outside/],
);
checkPaths('out of the tree, quoted', ['diff --git "a/\\056./x" "b/\\056./x"\n'], [0, /outside/]);
checkPaths('out of the tree, by a name', ['diff --git a/x b/x\nrename to ../x\n'], [0, /outside/]);
checkPaths('out of the tree, behind a blank', ['diff --git a/b c/../../x b/b d/../../x\n'], [0, /outside/]);
checkPaths('absolute', ['--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n'], [0, /absolute/]);
checkPaths('absolute, behind the first part', [NEW('/etc/passwd')], [0, /absolute/]);
checkPaths("git's own", [NEW('.git/hooks/post-checkout')], [0, /git's own/]);
checkPaths("git's own, elsewhere", [NEW('sub/.GIT/config')], [0, /git's own/]);
checkPaths("git's own, by a short name", [NEW('GIT~1/config')], [0, /git's own/]);
checkPaths(
  'through a link of an earlier patch',
  [NEW('l', '120000'), NEW('l/x')],
  [1, /link that patch 1 makes/],
);
checkPaths('through a link of the same patch', [NEW('l/x') + NEW('l', '120000')], [0, /link that patch 1/]);
checkPaths('beside a link', [NEW('l', '120000'), NEW('link/x'), NEW('l')], undefined);
checkPaths(
  'what only looks like a header',
  ['--- a/x\n+++ b/x\n@@ -1 +1 @@\n--- ../x\n+++ ../y\n'],
  undefined,
);

t.test('what a diff makes a link', async (t) => {
  const links = (text: string) => readDiff(text).files.filter((file) => file.makesLink).length;
  t.equal(links(NEW('x', '120000')), 1);
  t.equal(links('diff --git a/x b/x\nold mode 100644\nnew mode 120000\n'), 1);
  t.equal(links('diff --git a/x b/x\ndeleted file mode 120000\n'), 0);
});

// --- hunks ---

t.test('hunks of a patch with everything that is odd', async (t) => {
  const hunks = readHunks(fixture('model', 'fixtures', 'looks-like-headers.patch'));
  t.same(
    hunks.map(({ file, oldStart, oldLines, expects }) => [file, oldStart, oldLines, expects]),
    [
      ['lib/list.sql', 3, 4, ['first', '-- a/not/a/file', '', 'last']],
      ['lib/list.sql', 20, 1, ['one']],
      ['virt/kvm/new.c', 0, 0, []],
      ['virt/kvm/gone.c', 1, 2, ['all of', 'it']],
      ['virt/kvm/tail.c', 7, 1, ['no newline here']],
    ],
  );
  t.equal(hunks[0]?.header, '@@ -3,4 +3,4 @@ create table t');
});

t.test('a hunk that was cut off', async (t) => {
  t.same(readHunks('--- a/x.c\n+++ b/x.c\n@@ -1,9 +1,9 @@\n one\n-two'), [
    {
      file: 'x.c',
      oldStart: 1,
      oldLines: 9,
      header: '@@ -1,9 +1,9 @@',
      expects: ['one', 'two'],
      isWhole: false,
    },
  ]);
});

t.test('the first hunk that has fewer lines than it says', async (t) => {
  const head = 'diff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n';
  const whole = '@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n';
  const checkCut = (text: string, header: string | undefined) =>
    t.equal(
      whatIsCut(text),
      header === undefined ? undefined : `x.c, hunk "${header}" has not the lines that it says`,
      text,
    );
  checkCut(`${head}${whole}`, undefined);
  checkCut(`${head}${whole}-- \n2.39.5\n`, undefined);
  checkCut(`${head}${whole}\\ No newline at end of file\n`, undefined);
  checkCut(`${head}@@ -0,0 +1 @@\n+x\n`, undefined);
  checkCut(`${head}@@ -1,2 +0,0 @@\n-x\n\n`, '@@ -1,2 +0,0 @@');
  checkCut(`${head}@@ -1,3 +1,2 @@\n x\n\n-z\n`, undefined);
  checkCut(`${head}${whole}@@ -9,3 +9,3 @@\n nine\n`, '@@ -9,3 +9,3 @@');
  checkCut(`${head}${whole.replace(' three\n', '')}-- \n2.39.5\n`, '@@ -1,3 +1,3 @@');
  checkCut(`${head}${whole.replace(' one', ' o\nne')}`, '@@ -1,3 +1,3 @@');
  checkCut(`${head}${whole.replace('-two\n', '')}${head}${whole}`, '@@ -1,3 +1,3 @@');
  checkCut('What it does:\n@@ -1,9 +1,9 @@\nis a header.\n', undefined);
});

t.test('no hunks', async (t) => {
  for (const text of ['', '@@', '@@ -a +b @@', '@@ -1 @@', ' @@ -1 +1 @@']) t.same(readHunks(text), [], text);
});

t.test('a file of which nothing is said', async (t) => {
  const head = 'diff --git a/d/x.c b/d/x.c\n';
  const missing = 'd/x.c is named, and no change of it follows';
  for (const [text, expected] of [
    [head, missing],
    [`${head}index 1111111..2222222 100644\n`, missing],
    [`${head}index 1111111..2222222 100644\n--- a/d/x.c\n`, missing],
    [`${head}index 1111111..2222222 100644\n--- a/d/x.c\n+++ b/d/x.c\n`, missing],
    [`${head}new file mode 100644\nindex 0000000..2222222\n`, missing],
    [`${head}new file mode 100644\nindex 0000000..e69de29\n`, undefined],
    [`${head}deleted file mode 100644\nindex e69de29bb2d1..0000000000000\n`, undefined],
    [`${head}old mode 100644\nnew mode 100755\n`, undefined],
    ['diff --git a/x.c b/y.c\nsimilarity index 100%\nrename from x.c\nrename to y.c\n', undefined],
    [`${head}index 1111111..2222222\nGIT binary patch\nliteral 1\nIcmZPo000310RR91\n\n`, undefined],
    [`${head}${head}`, missing],
    ['--- a/d/x.c\n+++ b/d/x.c\n', undefined],
  ] as const)
    t.equal(whatIsCut(text), expected, text);
});

// --- where a hunk belongs ---

function checkPlace(
  what: string,
  oldStart: number,
  expects: string[],
  lines: string[],
  expected: number,
): void {
  const hunk = { file: 'x.c', oldStart, oldLines: expects.length, header: '', expects, isWhole: true };
  t.equal(likelyPlace(hunk, lines), expected, what);
}

const filler = (count: number) => Array.from({ length: count }, (_, index) => `filler ${index}`);

checkPlace('where it says', 3, ['a', 'b'], ['x', 'y', 'a', 'b'], 3);
checkPlace('moved down', 1, ['a', 'b'], [...filler(50), 'a', 'b'], 51);
checkPlace('moved up', 60, ['a', 'b'], ['a', 'b', ...filler(80)], 1);
checkPlace('the nearer of two', 10, ['a'], ['a', ...filler(10), 'a', ...filler(30)], 12);
checkPlace('the better of two', 2, ['a', 'b', 'c'], ['x', 'a', 'x', 'x', 'a', 'b', 'x'], 5);
checkPlace('blank lines are no evidence', 5, ['', 'a', ''], ['', '', '', '', '', '', 'a', ''], 6);
checkPlace('nowhere', 4, ['a'], filler(10), 4);
checkPlace('nowhere, behind the end', 400, ['a'], filler(10), 10);
checkPlace('an empty file', 7, ['a'], [], 1);
checkPlace('a new file', 0, [], filler(3), 1);
checkPlace('longer than the file', 1, filler(20), filler(3), 1);
checkPlace('too far away to look', 1000, ['a'], ['a', ...filler(2000)], 1000);
checkPlace('the last line', 1, ['z'], [...filler(9), 'z'], 10);
