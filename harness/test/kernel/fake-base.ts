// SPDX-License-Identifier: GPL-2.0-only
// A kernel in miniature: a git repository whose Makefile answers `allnoconfig` and `vmlinux` as kbuild does, with real
// make, gcc and git behind it, in milliseconds.
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gitOut } from '../../effects/git.ts';
import type { Base } from '../../kernel/source.ts';

const MAKEFILE = `
O ?= .
objs := $(sort $(patsubst %.c,$(O)/%.o,$(wildcard virt/kvm/*.c)))

# Symbols that the tree defines and a fragment asks for; those in scripts/kconfig/lost do not survive.
allnoconfig:
	@! grep -n '^syntax error' Kconfig >&2
	@echo allnoconfig >>$(O)/calls
	@for name in $$(sed -n 's/^config //p' Kconfig); do \\
	  grep "^CONFIG_$$name=" $(KCONFIG_ALLCONFIG) | grep -v -x -f scripts/kconfig/lost || echo "# CONFIG_$$name is not set"; \\
	done >$(O)/.config

vmlinux: $(O)/vmlinux
	@mkdir -p $(O)/include/config
	@echo '7.3.0$(LOCALVERSION)' >$(O)/include/config/kernel.release

$(objs): $(wildcard include/*.h)

$(O)/vmlinux: $(objs)
	@echo '  LD      vmlinux'
	@cat $^ >$@

bzImage: vmlinux
	@mkdir -p $(O)/arch/x86/boot
	@cp $(O)/vmlinux $(O)/arch/x86/boot/bzImage

modules:
	@mkdir -p $(O)/arch/x86/kvm
	@for name in kvm-amd kvm; do \\
	  $(CC) -shared -nostdlib -Wl,--build-id=sha1 -DRELEASE='"7.3.0$(LOCALVERSION)"' \\
	    -o $(O)/arch/x86/kvm/$$name.ko arch/x86/kvm/$$name.c || exit 1; \\
	  echo arch/x86/kvm/$$name.o; \\
	done >$(O)/modules.order

$(O)/%.o: %.c
	@mkdir -p $(@D)
	@echo '  CC      $<'
	@$(CC) -Wall -Werror -Iinclude -c -o $@ $<
	@! grep -q '^// slow' $< || sleep 1000
`;

const GIT_CONFIG = '[core]\n\ttrustctime = false\n\tcheckStat = minimal\n\tfsync = none\n';

/** Twenty lines that differ, so that hunks have context. */
export function lines(name: string, count = 20): string {
  return Array.from({ length: count }, (_, index) => `int ${name}_${index + 1};\n`).join('');
}

// What modpost writes into a module.
const modinfo = (name: string, needs: string) =>
  [`"name=${name}"`, '"vermagic=" RELEASE " SMP mod_unload "', `"depends=${needs}"`]
    .map((text, index) => `const char info_${index}[] __attribute__((section(".modinfo"))) = ${text};\n`)
    .join('');

export const FILES = {
  Makefile: MAKEFILE,
  Kconfig: 'config KVM\n\tbool "the subject"\nconfig SMP\n\tbool "several"\n',
  'scripts/kconfig/lost': 'nothing is lost\n',
  'arch/x86/kvm/kvm.c': `${modinfo('kvm', '')}int kvm;\n`,
  'arch/x86/kvm/kvm-amd.c': `${modinfo('kvm_amd', 'kvm')}int kvm_amd;\n`,
  'include/shared.h': 'int shared(int);\n',
  'virt/kvm/a.c': lines('a'),
  'virt/kvm/b.c': `#include <shared.h>\n${lines('b')}int b(void) { return shared(1); }\n`,
} as const satisfies Readonly<Record<string, string>>;

/** A base as ensureBase() leaves it, with these files as its only commit. */
export async function fakeBase(folder: string, files: Change = FILES): Promise<Base> {
  const tree = path.join(folder, 'tree');
  mkdirSync(tree, { recursive: true });
  await gitOut(tree, ['init', '--quiet', '--initial-branch=base', '--template=']);
  // A copy of the folder is as fresh to git as the folder: see copyBase().
  appendFileSync(path.join(tree, '.git', 'config'), GIT_CONFIG);
  const commit = await importCommits(tree, undefined, [['the base', files]]);
  await gitOut(tree, ['reset', '--quiet', '--hard', commit]);
  return { id: 'fake', name: 'a fake base', folder, commit };
}

/** Another base that is the same, without the time that git takes. */
export function copyBase(base: Base, folder: string): Base {
  cpSync(base.folder, folder, { recursive: true, preserveTimestamps: true });
  return { ...base, folder };
}

/** Contents of files; null removes one, a script is executable. */
export type Change = Readonly<Record<string, string | { script: string } | null>>;
export type Commit = readonly [subject: string, files: Change];

/** Puts commits on the base into its repository; nothing is checked out. */
export function commitsOn(base: Base, ...commits: readonly Commit[]): Promise<string> {
  return importCommits(path.join(base.folder, 'tree'), base.commit, commits);
}

/** Commits on the base as `git format-patch --stdout` writes them. */
export async function mbox(base: Base, ...commits: readonly Commit[]): Promise<string> {
  const tip = await commitsOn(base, ...commits);
  const args = ['format-patch', '--stdout', '--zero-commit', '--signature=', '-M', `${base.commit}..${tip}`];
  return `${await gitOut(path.join(base.folder, 'tree'), args)}\n`;
}

export function edited(name: string, from: string, to: string, files: Change = FILES): Change {
  const text = files[name];
  if (typeof text !== 'string' || !text.includes(from))
    throw new Error(`${name} has no ${JSON.stringify(from)}`);
  return { [name]: text.replace(from, to) };
}

/** What the fake allnoconfig was called for, so far. */
export function configCalls(objects: string): number {
  const file = path.join(objects, 'calls');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0;
}

// --- internal ---

const WHO = 'kvm-hil <kvm-hil@localhost> 0 +0000';

// One process for any number of commits: git spends most of its time on starting.
async function importCommits(
  tree: string,
  from: string | undefined,
  commits: readonly Commit[],
): Promise<string> {
  const marks = path.join(tree, '.git', 'test-marks');
  const stream = commits.map(([subject, files], index) => {
    const parent = index === 0 ? from : `:${index}`;
    const head = `commit refs/test/tip\nmark :${index + 1}\nauthor ${WHO}\ncommitter ${WHO}\n${data(subject)}`;
    const changes = Object.entries(files).map(([name, content]) => {
      if (content === null) return `D ${name}\n`;
      if (typeof content === 'string') return `M 100644 inline ${name}\n${data(content)}`;
      return `M 100755 inline ${name}\n${data(content.script)}`;
    });
    return `${head}${parent === undefined ? '' : `from ${parent}\n`}${changes.join('')}`;
  });
  const args = ['fast-import', '--quiet', '--force', `--export-marks=${marks}`];
  await gitOut(tree, args, { input: stream.join('') });
  const tip = new RegExp(`^:${commits.length} (\\S+)$`, 'm').exec(readFileSync(marks, 'utf8'));
  return tip?.[1] ?? '';
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}
