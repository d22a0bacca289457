// SPDX-License-Identifier: GPL-2.0-only
// Where an edit is made, and where none is: anchors are found once or refused.
import t from 'tap';
import { filesOf, functionExtents, type Mutant, mutantOf, plantIn } from '../../model/mutant.ts';

const C = `// SPDX-License-Identifier: GPL-2.0
#define for_each(f, list) \\
	list_for_each_entry(f, list)

static int helper(int x);

/* helper() { is only talked about here } */
static __always_inline int helper(int x)
{
	const char *text = "a brace } in a string";

	if (x == '}')
		return -EINVAL;

	for_each(x, y) {
		x++;
	}
	return text[x];
}

int other(int x,
	  int y) __must_hold(&lock)
{
	if (helper(x)) {
		return -EINVAL;
	}
	return x +
	       y;
}
`;

const mutant = (...edits: { in?: string; find: string; replace: string }[]): Mutant =>
  mutantOf('gmem/one', {
    title: 'a made-up mutant',
    area: 'gmem',
    breaks: 'X-01 something is so',
    file: 'a.c',
    edits,
  });

t.test('the extent of a function', async (t) => {
  const [helper, ...more] = functionExtents(C, 'helper');
  t.same(more, [], 'a prototype, a comment and a call are no definition');
  const text = C.slice(helper?.start, helper?.end);
  t.match(text, /^static __always_inline int helper/);
  t.match(text, /return text\[x\];\n\}$/);
  const [other] = functionExtents(C, 'other');
  t.match(C.slice(other?.start, other?.end), /^int other\(int x,[\s\S]*y;\n\}$/);
  t.same(functionExtents(C, 'for_each'), [], 'a macro is no function');
  t.same(functionExtents(C, 'elper'), []);
  t.same(functionExtents('int broken(int x)\n{\n\tif (x) {\n', 'broken'), [], 'without an end it is none');
  const twice = '#ifdef A\nint f(void)\n{\n}\n#else\nint f(void)\n{\n}\n#endif\n';
  t.equal(functionExtents(twice, 'f').length, 2, 'one for each side of an #ifdef');
});

t.test('an edit is made in its function, and nowhere else', async (t) => {
  const planted = plantIn(C, 'a.c', mutant({ in: 'other', find: 'return -EINVAL;', replace: 'return 0;' }));
  t.equal(planted, C.replace('{\n\t\treturn -EINVAL;', '{\n\t\treturn 0;'));
  t.match(planted, /'}'\)\n\t\treturn -EINVAL;/);
});

t.test('runs of white space are equal', async (t) => {
  const planted = plantIn(C, 'a.c', mutant({ find: 'return x + y;', replace: 'return x;' }));
  t.match(planted, /\treturn x;\n\n}/, 'what stands behind keeps its line');
  t.equal(planted.split('\n').length, C.split('\n').length);
  const longer = plantIn(C, 'a.c', mutant({ find: 'x++;', replace: 'x++;\n\t\tif (x)\n\t\t\tbreak;\n' }));
  t.match(longer, /\tx\+\+; if \(x\) break;\n\t}/);
  const macro = plantIn(C, 'a.c', mutant({ find: 'x++;', replace: '\n#ifdef A\nx++;\n#endif\n' }));
  t.match(macro, /\n?#ifdef A\nx\+\+;\n#endif\n/, 'lines of the preprocessor stay lines');
});

t.test('an anchor that does not stand there once', async (t) => {
  const planted = (find: string, where?: string) => () =>
    plantIn(C, 'a.c', mutant({ ...(where === undefined ? {} : { in: where }), find, replace: '' }));
  t.throws(planted('return -EINVAL;'), {
    code: 'anchor',
    message: 'mutant gmem/one: its anchor "return -EINVAL;" stands 2 times in a.c, not once',
  });
  t.throws(planted('return x + y;', 'helper'), {
    code: 'anchor',
    message: /stands 0 times in helper\(\) of a\.c/,
  });
  t.throws(planted('x', 'nobody'), { code: 'no-function', message: /no function nobody/ });
  t.throws(planted('elper(x)', 'other'), { message: /stands 0 times/ }, 'a part of a name is not the name');
  t.throws(planted(`x ${'y'.repeat(200)}`), { message: /"x y{118}\.\.\." stands 0 times/ });
});

t.test('several edits', async (t) => {
  const both = mutant(
    { in: 'other', find: 'y;', replace: 'z;' },
    { in: 'helper', find: 'x++;', replace: 'x--;' },
  );
  t.same(filesOf(both), ['a.c']);
  const planted = plantIn(C, 'a.c', both);
  t.match(planted, /x--;[\s\S]*z;/);
  // Two calls that change places: each anchor is looked for in the text as it was.
  const swap = mutant({ find: 'x++;', replace: 'x--;' }, { find: 'return text[x];', replace: 'x++;' });
  t.match(plantIn(C, 'a.c', swap), /x--;\n\t}\n\tx\+\+;/);
  const clash = mutant({ find: 'x + y', replace: 'x' }, { find: 'return x + y;', replace: '' });
  t.throws(() => plantIn(C, 'a.c', clash), { code: 'edits-overlap' });
  t.equal(plantIn(C, 'b.c', both), C, 'another file is left alone');
});
