// SPDX-License-Identifier: GPL-2.0-only
// Machines that lack something: said, installed once, written down.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { type Clock, realClock } from '../../effects/clock.ts';
import { inState } from '../../effects/dirs.ts';
import { HilError } from '../../errors.ts';
import { takeLease } from '../../hosts/metal/lease.ts';
import { reach } from '../../hosts/metal/reach.ts';
import { installedOn, provision } from '../../run/provision.ts';
import { caught } from '../temp.ts';
import { checkMachine, type LabMachine } from './lab-machine.ts';

const signal = new AbortController().signal;
const quick: Clock = { ...realClock, sleep: (ms, stop) => realClock.sleep(Math.min(ms, 20), stop) };
const options = (more = {}) => ({ clock: quick, take: false, dryRun: false, signal, ...more });
const code = (error: unknown) => (error instanceof HilError ? error.code : String(error));

// As far as install.sh asks it: a list of packages, an install that adds to it.
function withApt(m: LabMachine, fails = ''): string {
  const list = path.join(m.folder, 'packages');
  writeFileSync(list, 'installed dash 0.5\n');
  m.program('dpkg-query', `cat ${list}`);
  m.program('debconf-set-selections', `cat >>${m.folder}/debconf`);
  const add = `for name; do case $name in -*|install) ;; *) echo "installed $name 1.0" >>${list} ;; esac; done`;
  m.program(
    'apt-get',
    `echo "$*" >>${m.folder}/apt; case "$*" in *update) exit 0 ;; esac; ${fails} [ "$DEBIAN_FRONTEND" = noninteractive ] || exit 9
echo "installed libdep 2.0" >>${list}; ${add}`,
  );
  return list;
}

void checkMachine(t, 'what is missing is installed, once', async (t, m) => {
  m.tools.delete('cpio');
  m.tools.delete('kexec');
  withApt(m);
  const dry = await provision(m.host, options({ dryRun: true }));
  t.same(dry.wanted, ['cpio', 'kexec-tools']);
  t.notOk(existsSync(path.join(m.folder, 'apt')), 'only said');
  t.notOk(existsSync(path.join(m.state, 'lease')), 'and not leased for it');
  t.equal(dry.facts, undefined);

  m.program('dpkg', 'true');
  const tools = m.tools;
  const real = await provision(m.host, options());
  t.same(real.wanted, ['cpio', 'kexec-tools']);
  t.same(real.installed.map((one) => one.name).sort(), ['cpio', 'kexec-tools', 'libdep']);
  t.match(
    readFileSync(path.join(m.folder, 'debconf'), 'utf8'),
    /load_kexec boolean false/,
    'reboots stay reboots',
  );
  t.ok(existsSync(path.join(m.state, 'lease', '1.over')), 'leased, and given back');
  t.equal(real.lacks.length, 2, 'what it says it lacks is asked for anew');
  tools.add('cpio');
  tools.add('kexec');

  const calls = readFileSync(path.join(m.folder, 'apt'), 'utf8');
  const again = await provision(m.host, options());
  t.match(again, { wanted: [], installed: [], lacks: [] });
  t.equal(readFileSync(path.join(m.folder, 'apt'), 'utf8'), calls, 'nothing is installed twice');
  t.same((await installedOn(m.host)).packages.map((one) => one.name).sort(), [
    'cpio',
    'kexec-tools',
    'libdep',
  ]);

  const facts = JSON.parse(readFileSync(again.facts ?? '', 'utf8'));
  t.match(facts, { schema: 'kvm-hil/host-facts/1', host: 'shell', survey: { vendor: 'AuthenticAMD' } });
  t.ok(['efi', 'bios'].includes(facts.firmware.type));
  t.ok(Array.isArray(facts.network.links) && Array.isArray(facts.modules));
});

void checkMachine(t, 'what fails is said, and what came all the same is on record', async (t, m) => {
  m.tools.delete('cpio');
  const list = withApt(
    m,
    'echo "installed half 3" >>$0.list; echo "E: No space left on device" >&2; exit 100;',
  );
  writeFileSync(
    path.join(m.folder, 'bin', 'dpkg-query'),
    `#!/bin/sh\ncat ${list} ${m.folder}/bin/apt-get.list 2>/dev/null\n`,
  );
  t.equal(code(await caught(provision(m.host, options()))), 'no-space');
  t.match(
    readFileSync(path.join(m.folder, 'apt'), 'utf8'),
    /install.*\n.*update\n.*install/,
    'once more with fresh lists',
  );
  t.same(
    (await installedOn(m.host)).packages.map((one) => one.name),
    ['half'],
  );
  t.ok(existsSync(path.join(m.state, 'lease', '1.over')), 'given back');
});

void checkMachine(t, 'a machine that somebody has is left alone', async (t, m) => {
  m.tools.delete('cpio');
  withApt(m);
  const link = await reach(m.host);
  const terms = { clock: quick, purpose: 'theirs', force: false, waitMs: 0, signal };
  const lease = await takeLease(m.host, link, terms);
  t.equal(code(await caught(provision(m.host, options()))), 'leased');
  t.notOk(existsSync(path.join(m.folder, 'apt')));
  await lease.refresh(link);
  const taken = await provision(m.host, options({ take: true }));
  t.same(taken.wanted, ['cpio']);
  t.equal(code(await caught(lease.refresh(link))), 'lease-lost');
  link.close();
});

void checkMachine(t, 'a kernel under test is nothing to install on', async (t, m) => {
  m.says.set('release', '7.3.4-kvmhil-0123456789');
  t.equal(code(await caught(provision(m.host, options()))), 'under-test');
  t.notOk(existsSync(inState('labs', 'test', 'shell', 'facts.json')));
});
