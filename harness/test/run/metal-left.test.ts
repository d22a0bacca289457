// SPDX-License-Identifier: GPL-2.0-only
// A machine that is found on a kernel of a runner that is gone.
import t from 'tap';
import { metalHost } from '../../hosts/metal/metal.ts';
import { withLab } from './played-lab.ts';

t.test('it does not do as it is asked, and hears a key', async (t) =>
  withLab(async ({ clock, machine: play }) => {
    const machine = play('metal-1', {
      hearsKeys: true,
      more: { power: { type: 'none' }, unattended_ok: true },
      // It says that it will restart, and does not.
      play: (command) => (command.includes('/proc/sysrq-trigger') ? { exitCode: 0 } : undefined),
    });
    Object.assign(machine, { kernel: 'ours', release: '7.3.0-kvmhil-left' });
    const host = metalHost({ clock, host: machine.host });
    const { signal } = new AbortController();
    const lease = await host.lease?.({ purpose: 'a test', onWait: () => {}, signal });
    t.same(machine.switched, ['key']);
    t.equal(machine.kernel, 'known');
    await lease?.release();
    t.ok(machine.isHome());
    t.equal(machine.connections(), 0);
  }),
);
