// SPDX-License-Identifier: GPL-2.0-only
// What the fragments ask for together: a later one can take back what an earlier one needs.
import t from 'tap';
import { hasBzImage, isKconfigName, KCONFIGS, readFragments } from '../../kernel/configure.ts';
import { mergeFragments, parseKconfig } from '../../model/kconfig.ts';

const NAMES = Object.keys(KCONFIGS).filter(isKconfigName);
/** Of boot method `modules`. */
const EXCHANGE = { MODULES: 'y', MODULE_UNLOAD: 'y', MODVERSIONS: 'y', BASIC_MODVERSIONS: 'y', KVM: 'm' };

for (const name of NAMES.filter(hasBzImage)) {
  t.test(`${name}: KVM's modules can be exchanged`, async (t) => {
    const asked = parseKconfig(mergeFragments(await readFragments(name)));
    for (const [symbol, value] of Object.entries(EXCHANGE)) t.equal(asked.get(symbol), value, symbol);
  });
}

for (const name of NAMES) {
  t.test(`${name}: KVM for the processors of both vendors`, async (t) => {
    const asked = parseKconfig(mergeFragments(await readFragments(name)));
    for (const symbol of ['KVM', 'KVM_AMD', 'KVM_INTEL']) t.match(asked.get(symbol), /^[ym]$/, symbol);
  });
}
