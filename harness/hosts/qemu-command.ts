// SPDX-License-Identifier: GPL-2.0-only
// The QEMU command line of an embedded host, and the reasons for each part of it.
import { parseKconfig } from '../model/kconfig.ts';

export type Accelerator = 'kvm' | 'tcg';
export type Machine = 'microvm' | 'q35';

/**
 * microvm boots fastest, but needs a kernel that finds its devices without PCI, and a known TSC frequency under TCG:
 * it has no timer to calibrate against, and hangs in half of its boots while trying.
 * @param config final .config of the kernel
 */
export function chooseMachine(config: string, accelerator: Accelerator, tscKhz: number | undefined): Machine {
  const symbols = parseKconfig(config);
  const needed = ['PVH', 'ACPI', 'VIRTIO_MMIO', 'SERIAL_8250_PNP'];
  if (needed.some((symbol) => symbols.get(symbol) !== 'y')) return 'q35';
  return accelerator === 'tcg' && tscKhz === undefined ? 'q35' : 'microvm';
}

export interface QemuOptions {
  accelerator: Accelerator;
  machine: Machine;
  cpus: number;
  memoryMiB: number;
  vmlinux: string;
  /** Descriptors that QEMU inherits. */
  initrdFd: number;
  qmpFd: number;
  parameters: string[];
}

/** Port of the SSH server inside; the outer one is chosen by the kernel and asked for over QMP. */
export const SSH_PORT = 22;

export function qemuArguments(o: QemuOptions): string[] {
  const net = o.machine === 'microvm' ? 'virtio-net-device' : 'virtio-net-pci';
  return [
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    // A panic or a triple fault ends QEMU: the machine is gone at once, not after a timeout.
    '-no-reboot',
    ...(o.accelerator === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', 'tcg,thread=multi', '-cpu', 'EPYC,+svm,+npt']),
    '-machine',
    o.machine === 'microvm'
      ? 'microvm,x-option-roms=off,isa-serial=on,acpi=on,pit=off,pic=off,rtc=on,auto-kernel-cmdline=off'
      : 'q35',
    '-smp',
    String(o.cpus),
    '-m',
    String(o.memoryMiB),
    '-kernel',
    o.vmlinux,
    '-initrd',
    `/dev/fd/${o.initrdFd}`,
    '-append',
    o.parameters.join(' '),
    '-chardev',
    'stdio,id=console,signal=off',
    '-serial',
    'chardev:console',
    '-chardev',
    `socket,id=qmp,fd=${o.qmpFd}`,
    '-mon',
    'chardev=qmp,mode=control',
    // restrict: the guest reaches nothing; only the forwarded port reaches it, and only from this machine.
    '-netdev',
    `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:${SSH_PORT}`,
    '-device',
    `${net},netdev=net`,
    ...(o.machine === 'microvm' ? ['-global', 'virtio-mmio.force-legacy=false'] : []),
    '-device',
    o.machine === 'microvm' ? 'virtio-rng-device' : 'virtio-rng-pci',
  ];
}

/** Kernel parameters of an embedded host. */
export function kernelParameters(
  machine: Machine,
  accelerator: Accelerator,
  tscKhz: number | undefined,
): string[] {
  return [
    'console=ttyS0',
    'earlyprintk=serial,ttyS0,115200',
    // All but debug messages reach the console: it is the only witness of a boot that fails.
    'loglevel=7',
    'panic=-1',
    // An NMI makes a stuck machine say where it stands.
    'unknown_nmi_panic=1',
    'printk.devkmsg=on',
    'random.trust_cpu=on',
    // The emulated TSC is the TSC of this machine; the clocksource watchdog only sees the emulator being descheduled.
    'tsc=reliable',
    // A grace period is looked after at once, not some ticks later: half of what a case of slots and VMs waits for. What
    // has to be over before it ends is the same.
    'rcutree.jiffies_till_first_fqs=0',
    // Two nodes to choose from, where memory is. microvm has no SRAT; a kernel without NUMA_EMU ignores this.
    'numa=fake=2U',
    ...(machine === 'microvm' ? ['pci=off'] : []),
    ...(accelerator === 'tcg' && tscKhz !== undefined ? [`tsc_early_khz=${tscKhz}`] : []),
  ];
}

/** The forwarded port in what `info usernet` prints. */
export function forwardedPort(usernet: string): number | undefined {
  const port = /HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)/.exec(usernet)?.[1];
  return port === undefined ? undefined : Number(port);
}
