// SPDX-License-Identifier: GPL-2.0-only
// Which files of a kernel's source cannot make a build run anything: the compiler reads them, and that is all. Pure.
//
// The rest of a source tree is programs: Makefiles and Kconfig files start commands, scripts/, tools/ and others hold
// what make compiles and runs at once, and some headers end up in such a program, straight or through a file that is
// generated of them. Nobody can list all of these for every version, so the list is of what is safe: where patches to
// guest memory are made. What is not on it is only built more slowly.

/** One file that differs between two commits, as `git diff --raw` tells it. */
export interface FileChange {
  path: string;
  /** Octal, behind the change: `100644`; all zero when the file is gone. */
  mode: string;
}

/** What is built: `vmlinux`, or the KVM selftests and the headers that they need. */
export type BuildOf = 'kernel' | 'selftests';

/** The first of the changes that may make the build run something of the patch's; undefined when none can. */
export function firstThatRuns(changes: readonly FileChange[], of: BuildOf): string | undefined {
  return changes.find((change) => !isInert(change, of))?.path;
}

/** Reads the output of `git diff --raw -z --no-renames`. */
export function readRawDiff(text: string): FileChange[] {
  const changes: FileChange[] = [];
  const fields = text.split('\0');
  for (let at = 0; at + 1 < fields.length; at += 2) {
    // `:100644 100755 <blob> <blob> M`
    const mode = /^:\d{6} (\d{6}) /.exec(fields[at] ?? '')?.[1];
    changes.push({ path: fields[at + 1] ?? '', mode: mode ?? 'unknown' });
  }
  return changes;
}

// --- internal ---

/** A plain file, or none: a link could lead the compiler anywhere. */
const MODES = ['100644', '000000'];

/** What the C compiler and the assembler read. A linker script can name files to write. */
const CODE = /^(?!.*\.lds\.[Sh]$).*\.[chS]$/;

/** Folders of which make compiles code for the kernel only, and whose headers stay among themselves; and one such file. */
const KERNEL_ONLY = /^(?:(?:virt|mm|fs|kernel|arch\/x86\/(?:kvm|mm|virt|kernel))\/|lib\/buildid\.c$)/;

/** Some of them hold a program all the same, that writes a table when it is run: mkutf8data.c, gen_something.c. */
const GENERATOR = /(?:^|\/)(?:mk|gen)[^/]*$/;

/** Headers of guest memory and of the memory below it. scripts/mod reads others, and makes programs of them. */
const HEADERS = new RegExp(
  [
    'include/(?:uapi/)?linux/(?:kvm|guest_memfd|memfd|secretmem|userfaultfd)\\w*',
    'include/linux/(?:mm|mmu|huge|hugetlb|memory|mempolicy|migrate|page|pgtable|rmap|shmem|swap|vmalloc)(?:[_-]\\w+)*',
    'include/linux/(?:pagemap|pagewalk|set_memory|gfp|fs)',
    'include/(?:trace/events|kvm)/\\w+',
    'arch/x86/include/(?:uapi/)?asm/(?:kvm|svm|vmx|sev|tdx|mmu|tlb)(?:[_-]\\w+)*',
  ]
    .map((one) => `^${one}\\.h$`)
    .join('|'),
);

const PROSE = /^(?:MAINTAINERS|CREDITS|Documentation\/.*\.(?:rst|txt))$/;

function isInert({ path, mode }: FileChange, of: BuildOf): boolean {
  // The kernel's own build reads nothing of it.
  if (of === 'kernel' && path.startsWith('tools/testing/')) return true;
  if (!MODES.includes(mode)) return false;
  if (PROSE.test(path)) return true;
  if (!CODE.test(path) || GENERATOR.test(path)) return false;
  if (of === 'selftests' && path.startsWith('tools/testing/selftests/kvm/')) return true;
  return KERNEL_ONLY.test(path) || HEADERS.test(path);
}
