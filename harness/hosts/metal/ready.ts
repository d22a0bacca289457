// SPDX-License-Identifier: GPL-2.0-only
// Whether kernels can be booted on a machine, by what it says of itself on its own kernel.
import type { BootMethod, LabHost } from '../../model/lab.ts';
import { lacksOf, mayHang, type Survey } from '../../model/survey.ts';
import { powerLacks } from './power.ts';
import { notReady, unattended } from './refusals.ts';
import { methodOf } from './way.ts';

/**
 * Its clock is a matter of `hosts check`: nothing here goes by it.
 * @param wanted how it is to be booted, instead of the inventory's choice
 * @throws InfraError `host-lacks`, `unattended`; UsageError `boot-method`
 */
export function mustBeReady(host: LabHost, found: Survey, wanted: BootMethod | undefined): void {
  const lacks = [...lacksOf(found, host, 0), ...powerLacks(host)];
  if (lacks.length === 1 && mayHang(found, host)) throw unattended(host, 'neither power nor a watchdog');
  if (lacks.length > 0) {
    throw notReady(
      host,
      lacks.map(({ what, hint }) => `${what}; ${hint}`),
    );
  }
  methodOf(host, found, wanted);
}
