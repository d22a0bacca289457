// SPDX-License-Identifier: GPL-2.0-only
import t from 'tap';
import { matchesGlob } from '../../effects/glob.ts';
import {
  type HostDocument,
  inventoryProblems,
  type LabHost,
  labHosts,
  selectHosts,
} from '../../model/lab.ts';

const HOST: HostDocument = {
  name: 'a',
  driver: 'metal',
  address: 'a.lab',
  key: '/k',
  host_key: 'ssh-ed25519 AAAA',
};

function lab(...hosts: Partial<HostDocument>[]): LabHost[] {
  return labHosts({ lab: 'here', hosts: hosts.map((one) => ({ ...HOST, ...one })) }, 'here.yaml');
}

t.test('what is left out has a default', async (t) => {
  const [host] = lab({ deadlines: { boot: 7 } });
  t.match(host, { port: 22, user: 'root', boot: ['kexec'], power: { type: 'none' }, lab: 'here' });
  t.equal(host?.deadlines.boot, 7);
  t.equal(host?.deadlines.post, 300, 'the other deadlines stay');
});

t.test('what is wrong is said, one sentence each', async (t) => {
  const check = (hosts: LabHost[], expected: RegExp[]) => {
    const problems = inventoryProblems(hosts, ['qemu', 'local']);
    t.equal(problems.length, expected.length, problems.join('; '));
    for (const [index, pattern] of expected.entries()) t.match(problems[index], pattern);
  };
  check(lab({}), []);
  check(lab({}, {}), [/^here\.yaml: a is also in here\.yaml/]);
  check(lab({ name: 'qemu' }), [/qemu is the name of a host that is always there/]);
  check(labHosts({ lab: 'here', hosts: [without('key')] }, 'f'), [/a has neither a key nor agent: true/]);
  check(lab({ agent: true }), [/has both a key and agent: true/]);
  check(labHosts({ lab: 'here', hosts: [{ ...without('key'), agent: true }] }, 'f'), []);
  check(lab({ console: { type: 'ipmi' } }), [/no power of type ipmi/]);
});

t.test('hosts by name, tag and glob', async (t) => {
  const all = lab(
    { name: 'milan-1', tags: ['amd'] },
    { name: 'milan-2', tags: ['amd', 'sev'] },
    { name: 'spr-1', tags: ['intel'] },
  );
  const names = (...selectors: string[]) =>
    selectHosts(all, selectors, matchesGlob).hosts.map((host) => host.name);
  t.same(names('spr-1'), ['spr-1']);
  t.same(names('milan-*'), ['milan-1', 'milan-2']);
  t.same(names('tag:sev'), ['milan-2']);
  t.same(names('tag:amd', 'milan-1'), ['milan-1', 'milan-2'], 'each once');
  t.same(names('milan'), [], 'a name is a whole name');
  t.same(selectHosts(all, ['spr-1', 'tag:arm', 'x*'], matchesGlob).unmatched, ['tag:arm', 'x*']);
});

function without(field: 'key'): HostDocument {
  const { [field]: _, ...rest } = HOST;
  return rest;
}
