// SPDX-License-Identifier: GPL-2.0-only
// The inventory on disk, and every way in which it can be wrong.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { HilError, UsageError } from '../../errors.ts';
import { chooseHosts, readLabs } from '../../run/labs.ts';
import { caught, tempFolder, withTemp } from '../temp.ts';

const KEY = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'A'.repeat(43)}`;
const host = (name: string, more = '', key = 'key: /k') =>
  `  - name: ${name}\n    driver: metal\n    address: ${name}.lab\n    host_key: ${KEY}\n    ${key}\n${more}`;
const lab = (...hosts: string[]) => `lab: here\nhosts:\n${hosts.join('')}`;

function check(what: string, files: Record<string, string>, message: RegExp, code = 'bad-inventory'): void {
  t.test(what, (t) =>
    withTemp(async (folder) => {
      for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
      const error = await caught(readLabs([folder]));
      t.type(error, HilError);
      t.equal((error as HilError).code, code);
      t.match((error as HilError).message, message);
    }),
  );
}

check(
  'the same name in two files',
  { 'a.yaml': lab(host('x')), 'b.yml': lab(host('x')) },
  /b\.yml: x is also in .*a\.yaml/,
);
check('the same name twice in a file', { 'a.yaml': lab(host('x'), host('x')) }, /x is also in/);
check(
  'a driver that nobody knows',
  { 'a.yaml': lab(host('x')).replace('driver: metal', 'driver: ilo') },
  /a\.yaml: x: driver must be equal to one of the allowed values/,
);
check('no key', { 'a.yaml': lab(host('x', '', 'agent: false')) }, /x has neither a key nor agent: true/);
check(
  'a private key in the file',
  { 'a.yaml': lab(host('x', '', 'key: "-----BEGIN OPENSSH PRIVATE KEY-----"')) },
  /x: key must match/,
);
check(
  'a password in the file',
  { 'a.yaml': lab(host('x', '    password: hunter2\n')) },
  /x: must NOT have additional properties \(password\)/,
);
check('no host', { 'a.yaml': 'lab: here\nhosts: []\n' }, /hosts must NOT have fewer than 1/);
check('not YAML', { 'a.yaml': 'lab: [\n' }, /a\.yaml is not YAML/, 'invalid-yaml');
check('nothing', { 'a.yaml': '' }, /must be object/);

t.test('a lab of two files, and what is no lab', (t) =>
  withTemp(async (folder) => {
    writeFileSync(path.join(folder, 'a.yaml'), lab(host('x', '    tags: [amd]\n', 'key: keys/x')));
    writeFileSync(path.join(folder, 'b.yaml'), lab(host('y', '', 'agent: true')));
    writeFileSync(path.join(folder, 'README.md'), '# Labs');
    writeFileSync(path.join(folder, '.swap.yaml'), '[');
    mkdirSync(path.join(folder, 'sub'));
    const hosts = await readLabs([folder, path.join(folder, 'nowhere')]);
    t.same(
      hosts.map((one) => one.name),
      ['x', 'y'],
    );
    t.equal(hosts[0]?.key, path.join(folder, 'keys', 'x'), 'relative to the file that says it');
    t.same(chooseHosts(hosts, []).length, 2);
    t.same(
      chooseHosts(hosts, ['tag:amd']).map((one) => one.name),
      ['x'],
    );
    t.throws(() => chooseHosts(hosts, ['z', 'x']), { code: 'unknown-host', message: 'there is no host z' });
    t.throws(() => chooseHosts(hosts, ['z']), UsageError);
  }),
);

t.test('the project describes no machine that is not everywhere', async (t) => {
  process.env['XDG_CONFIG_HOME'] = tempFolder(t);
  t.same(await readLabs(), []);
});
