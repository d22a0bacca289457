// SPDX-License-Identifier: GPL-2.0-only
// A kernel build that fails because this machine lacks something is no finding about the kernel. make says it in the
// words of whatever missed it, which a patch could print as well: so the thing is looked for here too.
import { existsSync } from 'node:fs';
import { missingTool } from '../effects/exec.ts';
import { findProgram } from '../effects/tools.ts';
import type { InfraError } from '../errors.ts';

/** The error when a build wanted a program or a header that a kernel may want and that is really not here. */
export function missingInBuild(log: string): InfraError | undefined {
  for (const line of log.split('\n')) {
    const program = PROGRAM_MISSING.exec(line)?.slice(1).find(Boolean);
    const toolPackage = program === undefined ? undefined : lookUp(PROGRAMS, program);
    if (program !== undefined && toolPackage !== undefined && findProgram(program) === undefined)
      return missingTool(program, `apt-get install ${toolPackage}`);
    const header = HEADER_MISSING.exec(line)?.[1];
    const library = header === undefined ? undefined : lookUp(HEADERS, header);
    if (header !== undefined && library !== undefined && !hasHeader(header))
      return missingTool(`${header} (${library})`, `apt-get install ${library}`);
  }
  return undefined;
}

// --- internal ---

/** How it is said that a program is not there, by whom. */
const PROGRAM_MISSING = new RegExp(
  [
    // `/bin/sh: 1: bc: not found`, `scripts/x.sh: line 3: bc: command not found`, `x.sh: 3: exec: bc: not found`
    String.raw`^\S+: (?:line )?\d+: (?:exec: )?(\S+): (?:command )?not found$`,
    String.raw`^make(?:\[\d+\])?: (\S+): No such file or directory$`,
    // `/usr/bin/env: 'python3': No such file or directory`
    String.raw`^(?:/usr/bin/)?env: \W*(\w+)\W*: No such file or directory$`,
  ].join('|'),
);

const HEADER_MISSING = /: fatal error: (\S+): No such file or directory$/;

/** What the Makefiles of kernels start beside the compiler, and Debian's package of it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  awk: 'mawk',
  bc: 'bc',
  bison: 'bison',
  bzip2: 'bzip2',
  cpio: 'cpio',
  flex: 'flex',
  gawk: 'gawk',
  gzip: 'gzip',
  lz4: 'lz4',
  lzop: 'lzop',
  m4: 'm4',
  openssl: 'openssl',
  pahole: 'dwarves',
  perl: 'perl',
  'pkg-config': 'pkgconf',
  python3: 'python3',
  rsync: 'rsync',
  xz: 'xz-utils',
  zstd: 'zstd',
};

/** Libraries that programs of the build itself are linked with. */
const HEADERS: Readonly<Record<string, string>> = {
  'elf.h': 'libc6-dev',
  'gelf.h': 'libelf-dev',
  'libelf.h': 'libelf-dev',
  'openssl/bio.h': 'libssl-dev',
  'openssl/evp.h': 'libssl-dev',
  'openssl/opensslv.h': 'libssl-dev',
  'stdio.h': 'libc6-dev',
  'stdlib.h': 'libc6-dev',
};

function lookUp(table: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function hasHeader(name: string): boolean {
  return ['/usr/include', '/usr/include/x86_64-linux-gnu', '/usr/local/include'].some((folder) =>
    existsSync(`${folder}/${name}`),
  );
}
