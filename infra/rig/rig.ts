// SPDX-License-Identifier: GPL-2.0-only
// A real stand-in for a machine of metal: QEMU with nested SVM and a disk of its own, ipmi_sim of openipmi as its BMC, which
// switches it and hands out its serial port. All of it listens on loopback, and ends with whoever started it.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { spawnTethered } from '../../harness/effects/exec.ts';
import { $, must } from '../provision/shell.ts';
import { ensureRigImage } from './image.ts';

export interface Rig {
  /** What a kvm-hil that is to see the machine needs in its environment. */
  env: Record<string, string>;
  /** How a shell gets to its own system, without kvm-hil: argv in front of a command. */
  ssh: string[];
  /** Resolves when the BMC is gone. */
  ended: Promise<void>;
  /** Process of the machine's, another one each time that it is switched on. */
  machine(): string;
  stop(): Promise<void>;
}

export interface RigOptions {
  /** BIOS by default. With EFI, its GRUB has no environment: once goes through the firmware. */
  firmware?: 'bios' | 'efi';
  /** False: the inventory knows no way to switch it; a watchdog is all that brings it back. By default true. */
  power?: boolean;
  /** What the inventory says of its console: the BMC's, or a console server's that takes BREAK. */
  console?: 'ipmi' | 'telnet';
  /** What kernels for it are configured after; by default fragments. */
  kconfig?: 'host';
}

export const RIG_HOST = 'rig';
const BMC_USER = 'rig';
const PASSWORD_ENV = 'KVM_HIL_RIG_PASSWORD';
const MEMORY_MIB = 2048;
const CPUS = 2;
const OVMF = '/usr/share/OVMF';
/** Where its first partition is on the disk, in bytes. */
const ROOT_OFFSET = 1024 * 1024;

/** @param folder where the machine's disk and its description are; it is not taken away */
export async function startRig(folder: string, o: RigOptions = {}): Promise<Rig> {
  const image = await ensureRigImage();
  mkdirSync(path.join(folder, 'labs'), { recursive: true });
  const disk = path.join(folder, 'disk.img');
  await must($`cp --reflink=auto --sparse=always ${image.disk} ${disk}`);
  const efi = o.firmware === 'efi';
  const vars = path.join(folder, 'vars.fd');
  if (efi) {
    await must($`cp ${OVMF}/OVMF_VARS_4M.fd ${vars}`);
    await must($`debugfs -w -R ${'rm /boot/grub/grubenv'} ${`${disk}?offset=${ROOT_OFFSET}`}`);
  }
  const [ssh = 0, bmc = 0, vm = 0, serial = 0] = await freePorts(4);
  const password = randomBytes(8).toString('hex').slice(0, 16);
  const lan = path.join(folder, 'lan.conf');
  writeFileSync(
    lan,
    bmcConfig({
      bmc,
      vm,
      serial,
      password,
      start: qemu(disk, efi ? vars : undefined, o.console === 'telnet', { ssh, vm, serial }),
      sol: o.console !== 'telnet',
    }),
    {
      mode: 0o600,
    },
  );
  const emu = path.join(folder, 'bmc.emu');
  writeFileSync(emu, BMC_COMMANDS);
  const file = path.join(folder, 'labs', 'rig.yaml');
  writeFileSync(file, labFile(o, { ssh, bmc, serial, key: image.key, hostKey: image.hostKey }));
  const hosts = path.join(folder, 'known_hosts');
  writeFileSync(hosts, `[127.0.0.1]:${ssh} ${image.hostKey}\n`);
  const argv = ['ipmi_sim', '-n', '-c', lan, '-f', emu, '-s', path.join(folder, 'bmc')];
  mkdirSync(path.join(folder, 'bmc'), { recursive: true });
  const child = spawnTethered(argv, ['ignore', 'ignore', 'ignore']);
  const ended = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
    child.on('error', () => resolve());
  });
  return {
    env: {
      KVM_HIL_LABS: path.join(folder, 'labs'),
      XDG_STATE_HOME: path.join(folder, 'state'),
      [PASSWORD_ENV]: password,
    },
    ssh: [
      'ssh',
      '-i',
      image.key,
      '-p',
      `${ssh}`,
      '-o',
      'BatchMode=yes',
      '-o',
      `UserKnownHostsFile=${hosts}`,
      'root@127.0.0.1',
    ],
    ended,
    machine: () => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim(),
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

// --- internal ---

interface Ports {
  ssh: number;
  vm: number;
  serial: number;
}

// Its parent is the BMC: what ends that ends the machine.
function qemu(disk: string, vars: string | undefined, telnet: boolean, { ssh, vm, serial }: Ports): string {
  const flash = (unit: number, file: string, more: string) =>
    `-drive if=pflash,format=raw,unit=${unit},file=${file}${more}`;
  return [
    'setpriv --pdeathsig KILL nice -n 5 qemu-system-x86_64 -nodefaults -display none',
    '-accel tcg,thread=multi -cpu EPYC,+svm,+npt -machine q35',
    `-smp ${CPUS} -m ${MEMORY_MIB}`,
    ...(vars === undefined ? [] : [flash(0, `${OVMF}/OVMF_CODE_4M.fd`, ',readonly=on'), flash(1, vars, '')]),
    `-drive file=${disk},format=raw,if=virtio`,
    `-netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${ssh}-:22 -device virtio-net-pci,netdev=net,romfile=`,
    '-device virtio-rng-pci -device i6300esb -action watchdog=reset',
    `-object memory-backend-file,id=erst,size=64K,mem-path=${disk}.erst,share=on -device acpi-erst,memdev=erst`,
    `-chardev socket,id=bmc,host=127.0.0.1,port=${vm},reconnect=1`,
    '-device ipmi-bmc-extern,id=bmc0,chardev=bmc -device isa-ipmi-bt,bmc=bmc0',
    `-chardev socket,id=serial,host=127.0.0.1,port=${serial},server=on,wait=off${telnet ? ',telnet=on' : ''}`,
    '-serial chardev:serial',
  ].join(' ');
}

function bmcConfig(o: {
  bmc: number;
  vm: number;
  serial: number;
  sol: boolean;
  password: string;
  start: string;
}): string {
  return `name "rig"
set_working_mc 0x20
startlan 1
  addr 127.0.0.1 ${o.bmc}
  priv_limit admin
  allowed_auths_callback none md2 md5 straight
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid a123456789abcdefa123456789abcdef
endlan
serial 15 127.0.0.1 ${o.vm} codec VM
startcmd "${o.start}"
startnow true
poweroff_wait 1
kill_wait 1
${o.sol ? `sol "tcp:127.0.0.1:${o.serial}" 115200` : ''}
user 1 false "" "" user 10 none md2 md5 straight
user 2 true "${BMC_USER}" "${o.password}" admin 10 none md2 md5 straight
`;
}

const BMC_COMMANDS = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`;

function labFile(
  { power, console, kconfig }: RigOptions,
  o: { ssh: number; bmc: number; serial: number; key: string; hostKey: string },
): string {
  const ipmi = `type: ipmi, address: 127.0.0.1, port: ${o.bmc}, user: ${BMC_USER}, password_env: ${PASSWORD_ENV}, cipher: 3`;
  const telnet = `type: tcp, protocol: telnet, address: 127.0.0.1, port: ${o.serial}`;
  return `lab: rig
hosts:
  - name: ${RIG_HOST}
    driver: metal
    address: 127.0.0.1
    port: ${o.ssh}
    key: ${o.key}
    host_key: ${o.hostKey}
    boot: [kexec, once]
    power: { ${power === false ? 'type: none' : ipmi} }
    console: { ${console === 'telnet' ? telnet : 'type: ipmi'} }
    console_parameter: ttyS0,115200
    tags: [amd, emulated]
    cpu: amd
    kconfig: ${kconfig ?? 'fragments'}
    root: ${kconfig === 'host' ? 'host' : 'ram'}
    deadlines: { post: 120, boot: 300, kexec: 240, shutdown: 180 }
`;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()))),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
