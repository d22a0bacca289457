// SPDX-License-Identifier: GPL-2.0-only
// What infra/provision/host/survey.sh says of a machine, and what that machine lacks. The text comes from a machine that
// is not to be trusted: names are known ones, values bounded.
import type { LabHost } from './lab.ts';

export type Survey = ReadonlyMap<string, string>;

export interface Lack {
  /** What is missing, for people. */
  what: string;
  /** What to do about it. */
  hint: string;
  /** Debian package that cures it, where one does. */
  install?: string;
}

const VALUE_CHARS_MAX = 16 * 1024;
/** Two images, with what a file system wants for itself. */
const FREE_KIB_MIN = 256 * 1024;
const MEMORY_KIB_MIN = 1024 * 1024;
const CLOCK_OFF_SECONDS_MAX = 300;

export function parseSurvey(text: string): Survey {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-z][a-z0-9_-]*)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined && value.length <= VALUE_CHARS_MAX) found.set(name, value);
  }
  return found;
}

/**
 * Why kernels under test cannot be booted there; empty when they can.
 * @param survey of the kernel that the machine rests on
 * @param offSeconds how far its clock is from ours
 */
export function lacksOf(survey: Survey, host: Pick<LabHost, 'cpu' | 'boot'>, offSeconds: number): Lack[] {
  const system = survey.get('system');
  if (system !== 'Linux') {
    const what =
      system === undefined ? 'it answers nothing that makes sense' : `it runs ${system}, not Linux`;
    return [{ what, hint: 'kernels are booted from a Linux system' }];
  }
  const rules: [lacking: boolean, lack: Lack][] = [
    [survey.get('arch') !== 'x86_64', lack(`it is ${survey.get('arch') ?? '?'}`, 'only x86_64 is supported')],
    [survey.get('uid') !== '0', lack('the user is not root', 'set user: root')],
    ...processorRules(survey, host),
    [
      survey.get('writable') !== 'yes',
      lack('/var/lib cannot be written', 'its root file system is read-only or broken'),
    ],
    [
      number(survey, 'free_kib') < FREE_KIB_MIN,
      lack(`/var/lib has ${mib(number(survey, 'free_kib'))} MiB left`, `free ${mib(FREE_KIB_MIN)} MiB`),
    ],
    [
      number(survey, 'memory_kib') < MEMORY_KIB_MIN,
      lack(
        `it has ${mib(number(survey, 'memory_kib'))} MiB of memory`,
        `${mib(MEMORY_KIB_MIN)} MiB are needed`,
      ),
    ],
    [
      Math.abs(offSeconds) > CLOCK_OFF_SECONDS_MAX,
      lack(`its clock is ${Math.round(offSeconds)} s off`, 'set it: install an NTP client'),
    ],
    [
      !has(survey, 'sha256sum'),
      { ...lack('it has no sha256sum', 'install coreutils'), install: 'coreutils' },
    ],
    [!has(survey, 'cpio'), { ...lack('it has no cpio', 'install cpio'), install: 'cpio' }],
    [!has(survey, 'ip'), { ...lack('it has no ip', 'install iproute2'), install: 'iproute2' }],
    [survey.get('host_key') === undefined, lack('it has no ssh_host_ed25519_key', 'ssh-keygen -A')],
    [
      survey.get('net_address') === undefined && has(survey, 'ip'),
      lack('no IPv4 address leads back to this machine', 'kernels under test are reached over IPv4'),
    ],
    ...(host.boot.includes('kexec') ? kexecRules(survey) : []),
    ...(host.boot.includes('once') ? onceRules(survey) : []),
  ];
  return rules.filter(([lacking]) => lacking).map(([, one]) => one);
}

// --- internal ---

type Rule = [lacking: boolean, lack: Lack];

function processorRules(survey: Survey, host: Pick<LabHost, 'cpu'>): Rule[] {
  const wanted = { amd: 'AuthenticAMD', intel: 'GenuineIntel', any: undefined }[host.cpu];
  const vendor = survey.get('vendor') ?? '?';
  const virtual = survey.get('virtualization');
  return [
    [
      wanted !== undefined && vendor !== wanted,
      lack(`its processor is ${vendor}`, `the inventory wants ${host.cpu}`),
    ],
    [virtual === undefined, lack('its processor offers neither SVM nor VMX', 'switch it on in the firmware')],
    [
      virtual !== undefined && survey.get('kvm') !== 'yes',
      lack(
        'it has no /dev/kvm',
        `load ${virtual === 'svm' ? 'kvm_amd' : 'kvm_intel'}; the firmware may have switched it off`,
      ),
    ],
  ];
}

function kexecRules(survey: Survey): Rule[] {
  const lockdown = survey.get('lockdown') ?? 'none';
  return [
    [
      survey.get('kexec') !== 'yes',
      lack('its kernel was built without kexec', 'use another kernel, or boot: [once]'),
    ],
    [
      (survey.get('kexec_disabled') ?? '0') !== '0',
      lack('kexec is switched off until the next boot', 'take away what sets kernel.kexec_load_disabled'),
    ],
    [
      lockdown !== 'none',
      lack(`its kernel is locked down (${lockdown})`, 'switch Secure Boot off: it takes no kernel of ours'),
    ],
    [!has(survey, 'kexec'), { ...lack('it has no kexec', 'install kexec-tools'), install: 'kexec-tools' }],
    [
      !has(survey, 'systemctl'),
      lack('it does not run systemd', 'the way into the next kernel goes through systemctl kexec'),
    ],
  ];
}

function onceRules(survey: Survey): Rule[] {
  return [
    [
      !has(survey, 'grub-reboot'),
      { ...lack('it has no grub-reboot', 'install grub2-common'), install: 'grub2-common' },
    ],
    [survey.get('grub') === undefined, lack('it has no grub.cfg', 'boot method once needs GRUB')],
    [
      survey.get('grubenv') === undefined,
      lack('GRUB has no environment', 'grub-editenv /boot/grub/grubenv create'),
    ],
  ];
}

function lack(what: string, hint: string): Lack {
  return { what, hint };
}

function has(survey: Survey, tool: string): boolean {
  return survey.get(`tool_${tool}`) === 'yes';
}

function number(survey: Survey, name: string): number {
  const value = Number(survey.get(name));
  return Number.isFinite(value) ? value : 0;
}

function mib(kib: number): number {
  return Math.floor(kib / 1024);
}
