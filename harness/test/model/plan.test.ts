// SPDX-License-Identifier: GPL-2.0-only
// Which cases run, in which order, under which names; and what a host must have for one.
import t from 'tap';
import { matchesGlob } from '../../effects/glob.ts';
import { caseFolder, firstUnmet } from '../../model/manifest.ts';
import {
  planUnits,
  type Selection,
  selectCases,
  type Unit,
  unitCase,
  unitFolder,
  unitId,
} from '../../model/plan.ts';
import { caseFiles } from '../run/fixture.ts';

const ALL = [
  caseFiles('memslot/update', { tags: ['race'] }),
  caseFiles('gmem/bind', { tags: ['abi'] }),
  caseFiles('gmem/punch-hole', { tags: ['race', 'slow'] }),
  caseFiles('gmem/create', { tags: ['abi'] }),
  caseFiles('self/pass', { tags: ['self'] }),
  caseFiles('self/hang', { tags: ['self', 'slow'] }),
];

function check(selection: Partial<Selection>, expected: string[], unmatched: string[] = []): void {
  const found = selectCases(ALL, { cases: [], tags: [], skipTags: [], ...selection }, matchesGlob);
  const what = JSON.stringify(selection);
  t.same(
    found.cases.map((one) => one.id),
    expected,
    what,
  );
  t.same(found.unmatched, unmatched, `${what}: what matched nothing`);
}

const USUAL = ['gmem/bind', 'gmem/create', 'memslot/update'];

check({}, USUAL);
check({ cases: ['gmem/*'] }, ['gmem/bind', 'gmem/create']);
check({ cases: ['gmem'] }, ['gmem/bind', 'gmem/create']);
check({ cases: ['gmem/'] }, ['gmem/bind', 'gmem/create']);
check({ cases: ['*'] }, USUAL);
check({ cases: ['**'] }, USUAL);
check({ cases: ['g*'] }, ['gmem/bind', 'gmem/create']);
check({ cases: ['*/bind', 'memslot/*'] }, ['gmem/bind', 'memslot/update']);
check({ cases: ['{gmem,memslot}/*'] }, USUAL);
check({ cases: ['gmem/bind', 'gmem/bind'] }, ['gmem/bind']);
check({ cases: ['gmem/punch-hole'] }, ['gmem/punch-hole']);
check({ cases: ['gmem/punch*'] }, []);
check({ cases: ['gmem/punch*'], tags: ['slow'] }, ['gmem/punch-hole']);
check({ cases: ['self/*'] }, []);
check({ cases: ['self/hang'] }, ['self/hang']);
check({ cases: ['nothing'] }, [], ['nothing']);
check({ cases: ['gmem/bind', 'nothing', 'gme'] }, ['gmem/bind'], ['nothing', 'gme']);
check({ cases: [''] }, [], ['']);
check({ cases: ['gmem/bin'] }, [], ['gmem/bin']);
check({ cases: ['GMEM/*'] }, [], ['GMEM/*']);
check({ cases: ['[', '('] }, [], ['[', '(']);
check({ cases: ['a'.repeat(100_000)] }, [], ['a'.repeat(100_000)]);
check({ tags: ['abi'] }, ['gmem/bind', 'gmem/create']);
check({ tags: ['race'] }, ['memslot/update']);
check({ tags: ['race', 'slow'] }, ['gmem/punch-hole', 'memslot/update']);
check({ tags: ['self'] }, ['self/pass']);
check({ tags: ['self', 'slow'] }, ['gmem/punch-hole', 'self/hang', 'self/pass']);
check({ tags: ['unheard-of'] }, []);
check({ skipTags: ['abi'] }, ['memslot/update']);
check({ tags: ['abi'], skipTags: ['abi'] }, []);
check({ cases: ['gmem/bind'], skipTags: ['abi'] }, []);
check({ cases: ['gmem/punch-hole'], skipTags: ['slow'] }, []);

t.test('units: host by host, kernel by kernel, round by round', async (t) => {
  const cases = ALL.slice(1, 3);
  const units = planUnits(cases, ['base', 'series'], ['qemu', 'metal'], [null, 'thp'], 2);
  t.equal(units.length, 2 * 2 * 2 * 2 * 2);
  const ids = units.map(unitId);
  t.equal(new Set(ids).size, ids.length, 'each is unique');
  t.equal(new Set(units.map(unitFolder)).size, ids.length, 'each has a folder of its own');
  t.same(ids.slice(0, 9), [
    'base/qemu/gmem/bind',
    'base/qemu/gmem/punch-hole',
    'base/qemu/gmem/bind@thp',
    'base/qemu/gmem/punch-hole@thp',
    'base/qemu/gmem/bind#2',
    'base/qemu/gmem/punch-hole#2',
    'base/qemu/gmem/bind@thp#2',
    'base/qemu/gmem/punch-hole@thp#2',
    'series/qemu/gmem/bind',
  ]);
  const boots = ids.map((id) => id.split('/', 2).join('/')).filter((id, at, all) => id !== all[at - 1]);
  t.same(boots, ['base/qemu', 'series/qemu', 'base/metal', 'series/metal'], 'a kernel is booted once a host');
});

t.test('no rounds, no units', async (t) => {
  t.same(planUnits(ALL, ['base'], ['qemu'], [null], 0), []);
  t.same(planUnits([], ['base'], ['qemu'], [null], 3), []);
});

t.test('names of a unit', async (t) => {
  const unit: Unit = { kernel: 'series', host: 'qemu', case: 'gmem/bind', variant: 'thp', round: 3 };
  t.equal(unitId(unit), 'series/qemu/gmem/bind@thp#3');
  t.equal(unitFolder(unit), 'series/qemu/gmem.bind@thp#3');
  t.equal(unitCase({ ...unit, variant: null, round: 1 }), 'gmem/bind');
  t.equal(caseFolder('a/b/c'), 'a.b.c');
});

// --- requirements ---

const CAN = { kvm: true, gmem: true, 'gmem.fdinfo': false };

function checkUnmet(requires: string[], provides: string[], expected: string): void {
  const unmet = firstUnmet(requires, CAN, provides);
  const text = unmet === undefined ? 'met' : `${unmet.requirement}${unmet.promised ? ', promised' : ''}`;
  t.equal(text, expected, `${requires.join(' ')} of a series with ${provides.join(' ') || 'nothing'}`);
}

checkUnmet([], [], 'met');
checkUnmet(['kvm', 'gmem'], [], 'met');
checkUnmet(['gmem.fdinfo'], [], 'gmem.fdinfo');
checkUnmet(['kvm', 'gmem.fdinfo', 'unheard-of'], [], 'gmem.fdinfo');
checkUnmet(['unheard-of'], [], 'unheard-of');
checkUnmet(['gmem.fdinfo'], ['gmem.fdinfo'], 'gmem.fdinfo, promised');
checkUnmet(['unheard-of'], ['gmem.fdinfo'], 'unheard-of');
checkUnmet(['!gmem.fdinfo'], [], 'met');
checkUnmet(['!gmem'], [], '!gmem');
checkUnmet(['!gmem'], ['gmem'], '!gmem');
checkUnmet(['!unheard-of'], [], 'met');
checkUnmet(['__proto__'], [], '__proto__');
checkUnmet(['constructor'], ['constructor'], 'constructor, promised');
checkUnmet(['!toString'], [], 'met');
