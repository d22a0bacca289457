// SPDX-License-Identifier: GPL-2.0-only
// What infra/provision/host/survey.sh says of a machine, and what that machine lacks. The text comes from a machine that
// is not to be trusted: names are known ones, values bounded.
import type { BootMethod, LabHost } from './lab.ts';

export type Survey = ReadonlyMap<string, string>;

export interface Lack {
  /** What is missing, for people. */
  what: string;
  /** What to do about it. */
  hint: string;
  /** Debian package that cures it, where one does. */
  install?: string;
}

/** Those that can be mounted without writing a byte. */
const ROOT_FS = ['ext4', 'xfs'] as const;
export type RootFs = (typeof ROOT_FS)[number];

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
export function lacksOf(
  survey: Survey,
  host: Pick<LabHost, 'cpu' | 'boot' | 'power' | 'unattended_ok' | 'root'>,
  offSeconds: number,
): Lack[] {
  const system = survey.get('system');
  if (system !== 'Linux') {
    const what =
      system === undefined ? 'it answers nothing that makes sense' : `it runs ${system}, not Linux`;
    return [{ what, hint: 'kernels are booted from a Linux system' }];
  }
  const rules: Rule[] = [
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
    [
      host.root === 'host' && rootOf(survey) === undefined,
      lack(
        `its root is ${survey.get('root_fs') ?? '?'} on ${survey.get('root_on') ?? '?'}`,
        'root: host wants ext4 or XFS on a plain partition; root: ram wants nothing',
      ),
    ],
    [
      mayHang(survey, host),
      lack(
        'nothing can bring it back when it hangs: it has neither power nor a watchdog',
        'say how it is switched, load the driver of its watchdog, set unattended_ok: true, or use --unattended-ok',
      ),
    ],
  ];
  const common = broken(rules);
  return methodFor(survey, host.boot) === undefined
    ? [...common, ...fromRest(host.boot).flatMap((method) => methodLacks(survey, method))]
    : common;
}

/** What is not in the way of kernels under test, and worth knowing of the machine's own. */
export function adviceFor(survey: Survey): Lack[] {
  const module = survey.get('virtualization') === 'svm' ? 'kvm_amd' : 'kvm_intel';
  const off = /^[0N]$/.test(survey.get('nested') ?? '');
  return off
    ? [
        lack(
          'nested virtualisation is off',
          `its own kernel wants ${module}.nested=1; those under test have it on`,
        ),
      ]
    : [];
}

/** A way from the kernel that a machine rests on. */
export type FromRest = Exclude<BootMethod, 'modules'>;

export function fromRest(methods: readonly BootMethod[]): FromRest[] {
  return methods.filter((method) => method !== 'modules');
}

/** The first of these boot methods that the machine has all for to leave its own kernel; undefined when none will do. */
export function methodFor(survey: Survey, methods: readonly BootMethod[]): FromRest | undefined {
  return fromRest(methods).find((method) => methodLacks(survey, method).length === 0);
}

/** What the machine lacks for one boot method. */
export function methodLacks(survey: Survey, method: FromRest): Lack[] {
  return broken(method === 'kexec' ? kexecRules(survey) : onceRules(survey));
}

/** What starts the kernel that is to be started once. */
export type Loader = 'grub' | 'systemd-boot' | 'efi';

/**
 * Who can be asked to start another kernel once, and does forget it: GRUB where it can write its environment, the
 * firmware elsewhere.
 */
export function onceLoader(survey: Survey): Loader | undefined {
  if (survey.get('loader')?.startsWith('systemd-boot') === true && onEsp(survey, 'bootctl'))
    return 'systemd-boot';
  if (grubTrouble(survey) === undefined) return 'grub';
  return onEsp(survey, 'efibootmgr') ? 'efi' : undefined;
}

/** What its own system is on, as a kernel finds it without help; undefined when that takes more. */
export function rootOf(survey: Survey): { uuid: string; fs: RootFs } | undefined {
  const fs = ROOT_FS.find((one) => one === survey.get('root_fs'));
  const uuid = survey.get('root_uuid') ?? '';
  if (fs === undefined || !/^[0-9A-Fa-f-]{8,64}$/.test(uuid)) return undefined;
  return PLAIN_DISK.test(survey.get('root_on') ?? '') ? { uuid, fs } : undefined;
}

/** Whether nothing could bring it back from a kernel that hangs, and that was not said to be well. */
export function mayHang(survey: Survey, host: Pick<LabHost, 'power' | 'unattended_ok'>): boolean {
  return host.power.type === 'none' && !host.unattended_ok && watchdogOf(survey) === undefined;
}

/** A watchdog in hardware that kernels of ours have the driver of; undefined without one. */
export function watchdogOf(survey: Survey): string | undefined {
  const is = survey.get('watchdog_is');
  return survey.has('watchdog') && is !== undefined && WATCHDOGS.test(is) ? is : undefined;
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
  const grub = grubTrouble(survey);
  return [
    [
      onceLoader(survey) === undefined,
      {
        ...lack(
          `no boot loader there starts a kernel just once: ${grub?.what ?? ''}, and ${espTrouble(survey)}`,
          grub?.hint ?? '',
        ),
        ...(grub?.install === undefined ? {} : { install: grub.install }),
      },
    ],
    [
      survey.get('secure_boot') === 'yes',
      lack('Secure Boot is on', 'switch it off: it takes no kernel of ours'),
    ],
    [
      !has(survey, 'systemctl'),
      lack('it does not run systemd', 'the way into the next kernel goes through systemctl reboot'),
    ],
  ];
}

/** What lets GRUB write one block of a file without a driver of Linux: no journal is replayed, no copy is kept. */
const GRUB_WRITES = ['ext2', 'ext3', 'ext4', 'vfat', 'xfs'];
/** A disk or a partition of one; /dev/mapper, /dev/md and ZFS are none. */
const PLAIN_DISK = /^\/dev\/(?:[shv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+p?|mmcblk\d+p?)\d*$/;
/** As their drivers name themselves. */
const WATCHDOGS = /^(?:SP5100 TCO timer|iTCO_wdt|i6300ESB timer)$/;

function grubTrouble(survey: Survey): Lack | undefined {
  const on = survey.get('grub_on') ?? '?';
  const fs = survey.get('grub_fs') ?? '?';
  if (survey.get('grub') === undefined) return lack('it has no GRUB', 'boot method once needs a boot loader');
  if (!has(survey, 'grub-reboot') || !has(survey, 'grub-editenv'))
    return { ...lack('it has no grub-reboot', 'install grub2-common'), install: 'grub2-common' };
  if (survey.get('grubenv') === undefined)
    return lack('GRUB has no environment', 'grub-editenv /boot/grub/grubenv create');
  if (survey.get('grub_once') !== 'yes')
    return lack('grub.cfg takes no entry for once', 'update-grub makes one that does');
  // GRUB would start the kernel again and again.
  if (!PLAIN_DISK.test(on) || !GRUB_WRITES.includes(fs))
    return lack(`GRUB cannot write to ${fs} on ${on}`, 'use boot: [kexec]');
  return undefined;
}

function onEsp(survey: Survey, tool: string): boolean {
  return (
    survey.get('firmware') === 'efi' &&
    has(survey, tool) &&
    PLAIN_DISK.test(survey.get('esp_on') ?? '') &&
    survey.has('esp')
  );
}

function espTrouble(survey: Survey): string {
  if (survey.get('firmware') !== 'efi') return 'it has no EFI';
  if (!survey.has('esp')) return 'its EFI system partition is not mounted';
  return has(survey, 'efibootmgr') ? 'its EFI system partition is on no plain disk' : 'it has no efibootmgr';
}

function broken(rules: readonly Rule[]): Lack[] {
  return rules.filter(([lacking]) => lacking).map(([, one]) => one);
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
