// SPDX-License-Identifier: GPL-2.0-only
import t from 'tap';
import { parseYaml } from '../../effects/yaml.ts';

t.test('one document of plain values', async (t) => {
  t.same(parseYaml('a: 1\nb:\n  - x\n  - "y"\nc: |\n  two\n  lines\nd: 0o17\n', 'a.yaml'), {
    a: 1,
    b: ['x', 'y'],
    c: 'two\nlines\n',
    d: 15,
  });
  t.same(parseYaml('no', 'a.yaml'), 'no', 'YAML 1.2: no is a word');
});

t.test('what is refused, and where', async (t) => {
  const refused = (text: string, message: RegExp) =>
    t.throws(() => parseYaml(text, 'a.yaml'), { code: 'invalid-yaml', message });
  refused('a: 1\na: 2\n', /^a\.yaml is not YAML: Map keys must be unique at line 2/);
  refused('a: [1\n', /a\.yaml is not YAML: .* line/);
  refused('a: 1\n---\nb: 2\n', /multiple documents/);
  refused('a: !!js/function x\n', /Unresolved tag/);
  refused('a: &x 1\nb: *x\n', /alias/i);
});
