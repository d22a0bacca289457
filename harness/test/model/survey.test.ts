// SPDX-License-Identifier: GPL-2.0-only
import t from 'tap';
import { adviceFor, lacksOf, methodFor, onceLoader, parseSurvey, watchdogOf } from '../../model/survey.ts';

const READY = `system=Linux
release=6.1.0-50-amd64
arch=x86_64
uid=0
vendor=AuthenticAMD
virtualization=svm
memory_kib=16000000
kvm=yes
free_kib=9000000
writable=yes
tool_kexec=yes
tool_systemctl=yes
tool_sha256sum=yes
tool_cpio=yes
tool_ip=yes
tool_grub-reboot=yes
tool_grub-editenv=yes
kexec=yes
kexec_disabled=0
grub=/boot/grub/grub.cfg
grubenv=/boot/grub/grubenv
grub_on=/dev/nvme0n1p2
grub_fs=ext4
grub_once=yes
host_key=/etc/ssh/ssh_host_ed25519_key
net_address=192.0.2.7/24
`;

function lacks(text: string, boot: ('kexec' | 'once')[] = ['kexec'], off = 0): string[] {
  const host = { cpu: 'amd', boot, power: { type: 'none' }, unattended_ok: true, root: 'ram' } as const;
  return lacksOf(parseSurvey(text), { ...host, boot }, off).map(({ what }) => what);
}

t.test('a machine that is ready lacks nothing', async (t) => t.same(lacks(READY), []));

t.test('each thing that is missing is named', async (t) => {
  const without = (line: string, by = '') => {
    t.ok(READY.includes(line), line);
    return lacks(READY.replace(line, by));
  };
  t.same(without('system=Linux', 'system=FreeBSD'), ['it runs FreeBSD, not Linux']);
  t.same(without('arch=x86_64', 'arch=aarch64'), ['it is aarch64']);
  t.same(without('uid=0', 'uid=1000'), ['the user is not root']);
  t.same(without('AuthenticAMD', 'GenuineIntel'), ['its processor is GenuineIntel']);
  t.same(without('virtualization=svm'), ['its processor offers neither SVM nor VMX']);
  t.same(without('kvm=yes'), ['it has no /dev/kvm']);
  t.same(without('writable=yes'), ['/var/lib cannot be written']);
  t.same(without('free_kib=9000000', 'free_kib=1024'), ['/var/lib has 1 MiB left']);
  t.same(without('memory_kib=16000000', 'memory_kib=1024'), ['it has 1 MiB of memory']);
  t.same(without('tool_cpio=yes'), ['it has no cpio']);
  t.same(without('tool_kexec=yes'), ['it has no kexec']);
  t.same(without('kexec=yes\nkexec_disabled', 'kexec_disabled'), ['its kernel was built without kexec']);
  t.same(without('kexec_disabled=0', 'kexec_disabled=1'), ['kexec is switched off until the next boot']);
  t.same(without('tool_systemctl=yes'), ['it does not run systemd']);
  t.same(without('net_address=192.0.2.7/24'), ['no IPv4 address leads back to this machine']);
  t.same(lacks(`${READY}lockdown=integrity\n`), ['its kernel is locked down (integrity)']);
  t.same(lacks(READY, ['kexec'], -301), ['its clock is -301 s off']);
});

t.test('a boot method that is not used needs nothing', async (t) => {
  t.same(lacks(READY.replace('tool_kexec=yes', ''), ['once']), []);
  t.same(lacks(READY.replace('tool_grub-reboot=yes', ''), ['kexec']), []);
});

t.test('the first boot method that the machine has all for', async (t) => {
  const both = ['kexec', 'once'] as const;
  const without = (...lines: string[]) =>
    parseSurvey(lines.reduce((text, line) => text.replace(`${line}\n`, ''), READY));
  t.equal(methodFor(parseSurvey(READY), both), 'kexec');
  t.equal(methodFor(parseSurvey(READY), ['once', 'kexec']), 'once');
  t.equal(methodFor(without('tool_kexec=yes'), both), 'once');
  t.equal(methodFor(without('tool_kexec=yes', 'grubenv=/boot/grub/grubenv'), both), undefined);
  t.same(lacks(READY.replace('tool_kexec=yes', ''), ['kexec', 'once']), [], 'the other one will do');
  t.equal(lacks(READY.replace('tool_systemctl=yes', ''), ['kexec', 'once']).length, 2, 'or all are named');
});

t.test('who can be asked to start a kernel once', async (t) => {
  const efi = `firmware=efi\nesp=/boot/efi\nesp_on=/dev/sda1\ntool_efibootmgr=yes\n`;
  const on = (text: string, more = '') => onceLoader(parseSurvey(`${text}${more}`));
  const grub = (line: string, by: string) => READY.replace(`${line}\n`, by);
  t.equal(on(READY), 'grub');
  t.equal(on(READY, efi), 'grub', 'also where the firmware could be');
  for (const [line, by] of [
    ['grub_fs=ext4', 'grub_fs=btrfs\n'],
    ['grub_fs=ext4', 'grub_fs=zfs\n'],
    ['grub_on=/dev/nvme0n1p2', 'grub_on=/dev/mapper/vg-root\n'],
    ['grub_on=/dev/nvme0n1p2', 'grub_on=/dev/md0\n'],
    ['grub_on=/dev/nvme0n1p2', 'grub_on=/dev/sda1[/@boot]\n'],
    ['grub_on=/dev/nvme0n1p2', ''],
    ['grub_once=yes', ''],
    ['grubenv=/boot/grub/grubenv', ''],
    ['tool_grub-editenv=yes', ''],
  ] as const) {
    t.equal(on(grub(line, by)), undefined, `${line} ${by}`);
    t.equal(on(grub(line, by), efi), 'efi');
    t.equal(lacks(grub(line, by), ['once']).length, 1);
  }
  const bare = grub('grubenv=/boot/grub/grubenv', '');
  t.match(lacks(bare, ['once'])[0], /GRUB has no environment, and it has no EFI/);
  t.match(lacks(`${bare}firmware=efi\n`, ['once'])[0], /its EFI system partition is not mounted/);
  t.equal(on(bare, efi.replace('/dev/sda1', '/dev/md1')), undefined, 'the firmware knows no RAID either');
  t.equal(on(READY, `${efi}loader=systemd-boot 252\ntool_bootctl=yes\n`), 'systemd-boot');
  t.equal(on(bare, `${efi}loader=systemd-boot 252\n`), 'efi');
  t.same(
    lacks(`${READY}secure_boot=yes\n`, ['once']),
    ['Secure Boot is on'],
    'no loader takes what is not signed',
  );
});

t.test('a watchdog that nobody but hardware keeps going', async (t) => {
  const found = (text: string) => watchdogOf(parseSurvey(text));
  t.equal(found('watchdog=/dev/watchdog\nwatchdog_is=iTCO_wdt\n'), 'iTCO_wdt');
  t.equal(found('watchdog=/dev/watchdog\nwatchdog_is=Software Watchdog\n'), undefined);
  t.equal(found('watchdog=/dev/watchdog\n'), undefined);
  t.equal(found(''), undefined);

  const host = {
    cpu: 'any',
    boot: ['kexec'],
    power: { type: 'none' },
    unattended_ok: false,
    root: 'ram',
  } as const;
  const lone = (more: string, host_more: object = {}) =>
    lacksOf(parseSurvey(`${READY}${more}`), { ...host, boot: ['kexec'], ...host_more }, 0);
  t.match(lone(''), [{ what: /neither power nor a watchdog/ }]);
  t.same(lone('watchdog=/dev/watchdog\nwatchdog_is=SP5100 TCO timer\n'), []);
  t.same(lone('', { unattended_ok: true }), []);
  t.same(lone('', { power: { type: 'command', on: ['on'], off: ['off'] } }), []);
});

t.test('its own system below a kernel under test', async (t) => {
  const host = { cpu: 'any', boot: ['kexec'], power: { type: 'none' }, unattended_ok: true } as const;
  const lone = (more: string, root: 'ram' | 'host' = 'host') =>
    lacksOf(parseSurvey(`${READY}${more}`), { ...host, boot: ['kexec'], root }, 0).map(({ what }) => what);
  const on = (disk: string, fs: string) =>
    `root_on=${disk}\nroot_fs=${fs}\nroot_uuid=0e8ae0a4-7d7f-4f1b-8f0a-3a1c0c1f3f11\n`;
  t.same(lone(on('/dev/sda2', 'ext4')), []);
  t.same(lone(on('/dev/mapper/root', 'ext4')), ['its root is ext4 on /dev/mapper/root']);
  t.same(lone(on('/dev/sda2', 'btrfs')), ['its root is btrfs on /dev/sda2']);
  t.same(lone(on('/dev/sda2', 'btrfs'), 'ram'), []);
  t.same(lone(''), ['its root is ? on ?']);
});

t.test('garbage is no survey', async (t) => {
  t.equal(parseSurvey('Welcome!\n\u0000\u0001\n=x\n').size, 0);
  t.equal(parseSurvey(`release=${'x'.repeat(100_000)}`).size, 0, 'a value has a bound');
  t.same(lacks('hello=there'), ['it answers nothing that makes sense']);
});

t.test("what is worth knowing, and in nobody's way", async (t) => {
  const said = (text: string) => adviceFor(parseSurvey(text)).map(({ what, hint }) => `${what}; ${hint}`);
  t.match(said('virtualization=svm\nnested=0\n'), [/^nested virtualisation is off; .*kvm_amd\.nested=1/]);
  t.match(said('virtualization=vmx\nnested=N\n'), [/kvm_intel/]);
  for (const nested of ['nested=1\n', 'nested=Y\n', '']) t.same(said(`virtualization=svm\n${nested}`), []);
});
