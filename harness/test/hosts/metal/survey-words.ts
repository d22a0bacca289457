// SPDX-License-Identifier: GPL-2.0-only
// What the machines of the tests say of themselves when they are surveyed.

/** Of one that lacks nothing, but for the boot loader, the release and the boot. */
export const SURVEY: Readonly<Record<string, string>> = {
  system: 'Linux',
  arch: 'x86_64',
  uid: '0',
  vendor: 'AuthenticAMD',
  model: 'a machine of a test',
  virtualization: 'svm',
  memory_kib: '16000000',
  kvm: 'yes',
  free_kib: '9000000',
  writable: 'yes',
  kexec: 'yes',
  host_key: '/etc/ssh/ssh_host_ed25519_key',
  net_address: '192.0.2.7/24',
};

/** Programs that it has. */
export const TOOLS: readonly string[] = ['kexec', 'systemctl', 'sha256sum', 'cpio', 'ip'];

/** All that boot method once wants. */
export const GRUB: Readonly<Record<string, string>> = {
  'tool_grub-reboot': 'yes',
  'tool_grub-editenv': 'yes',
  grub: '/boot/grub/grub.cfg',
  grubenv: '/boot/grub/grubenv',
  grub_on: '/dev/sda2',
  grub_fs: 'ext4',
  grub_once: 'yes',
};

/** As the script prints it. What is empty is not said. */
export function surveyText(says: Readonly<Record<string, string>>, tools: Iterable<string> = []): string {
  const lines = Object.entries(says).filter(([, value]) => value !== '');
  for (const tool of tools) if (says[`tool_${tool}`] !== '') lines.push([`tool_${tool}`, 'yes']);
  return lines.map(([name, value]) => `${name}=${value}\n`).join('');
}
