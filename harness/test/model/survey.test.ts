// SPDX-License-Identifier: GPL-2.0-only
import t from 'tap';
import { lacksOf, parseSurvey } from '../../model/survey.ts';

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
kexec=yes
kexec_disabled=0
grub=/boot/grub/grub.cfg
grubenv=/boot/grub/grubenv
host_key=/etc/ssh/ssh_host_ed25519_key
net_address=192.0.2.7/24
`;

function lacks(text: string, boot: ('kexec' | 'once')[] = ['kexec', 'once'], off = 0): string[] {
  return lacksOf(parseSurvey(text), { cpu: 'amd', boot }, off).map(({ what }) => what);
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
  t.same(without('grubenv=/boot/grub/grubenv'), ['GRUB has no environment']);
  t.same(without('net_address=192.0.2.7/24'), ['no IPv4 address leads back to this machine']);
  t.same(lacks(`${READY}lockdown=integrity\n`), ['its kernel is locked down (integrity)']);
  t.same(lacks(READY, ['kexec'], -301), ['its clock is -301 s off']);
});

t.test('a boot method that is not used needs nothing', async (t) => {
  t.same(lacks(READY.replace('tool_kexec=yes', ''), ['once']), []);
  t.same(lacks(READY.replace('tool_grub-reboot=yes', ''), ['kexec']), []);
});

t.test('garbage is no survey', async (t) => {
  t.equal(parseSurvey('Welcome!\n\u0000\u0001\n=x\n').size, 0);
  t.equal(parseSurvey(`release=${'x'.repeat(100_000)}`).size, 0, 'a value has a bound');
  t.same(lacks('hello=there'), ['it answers nothing that makes sense']);
});
