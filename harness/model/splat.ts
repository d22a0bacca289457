// SPDX-License-Identifier: GPL-2.0-only
// Splats: reports in the kernel log that count as a failure of the kernel. Found by the header line that the kernel
// prints; named so that the same bug gets the same name on the next run.

export type SplatKind =
  | 'panic'
  | 'oops'
  | 'bug'
  | 'warning'
  | 'kasan'
  | 'ubsan'
  | 'lockdep'
  | 'list'
  | 'refcount'
  | 'page'
  | 'rcu'
  | 'stall'
  | 'hard-lockup'
  | 'hung-task'
  | 'leak';

export interface Splat {
  kind: SplatKind;
  /** The header line with addresses, numbers and process names taken out. */
  title: string;
  /** Kind and the first functions of the trace, outermost report code left out: the same on every run. */
  fingerprint: string;
  /** Up to five functions, innermost first. */
  functions: string[];
  /** Index of the header among the lines given. */
  line: number;
  /** Index behind the last line that belongs to the report. */
  end: number;
}

/** What begins a report. First match wins. Sources: lib/bug.c, kernel/panic.c, arch/x86/kernel/{dumpstack,traps}.c,
 *  arch/x86/mm/fault.c, mm/kasan/report.c, lib/ubsan.c, kernel/locking/lockdep.c, lib/list_debug.c, lib/refcount.c,
 *  mm/debug.c, kernel/rcu/{tree_stall,tasks}.h, kernel/watchdog.c, kernel/hung_task.c, mm/kmemleak.c,
 *  arch/x86/mm/extable.c. */
const HEADERS: readonly (readonly [SplatKind, RegExp])[] = [
  ['panic', /^Kernel panic - not syncing/],
  ['stall', /^(?:watchdog: )?BUG: soft lockup - CPU#\d+ stuck/],
  [
    'hard-lockup',
    /^(?:watchdog: )?(?:CPU\d+: )?Watchdog detected hard LOCKUP|^NMI watchdog: Watchdog detected hard LOCKUP/,
  ],
  ['stall', /^rcu: INFO: \w+ (?:self-)?detected (?:expedited )?stall|^rcu: INFO: \w+ detected stalls/],
  ['stall', /^rcu: INFO: rcu_\w+ detected expedited stalls|^rcu: rcu_\w+ kthread (?:starved|timer wakeup)/],
  // Those of RCU-tasks come without the prefix.
  ['stall', /^INFO: rcu_\w+ detected stalls? on tasks/],
  ['stall', /^BUG: workqueue lockup - pool/],
  ['hung-task', /^INFO: task .* blocked (?:in I\/O wait )?(?:on \w+ )?for more than \d+ seconds/],
  ['kasan', /^BUG: KASAN: /],
  ['kasan', /^BUG: K[MC]SAN: |^BUG: KFENCE: /],
  ['ubsan', /^UBSAN: /],
  [
    'lockdep',
    /^WARNING: (?:possible (?:circular|recursive|irq lock) |inconsistent lock state|bad unlock balance)/,
  ],
  ['lockdep', /^WARNING: (?:held lock freed|lock held when returning|.*lock order|suspicious RCU usage)/],
  [
    'lockdep',
    /^WARNING: .*\/\d+ (?:still has locks held|is (?:freeing|leaving))|^\[ BUG: Invalid wait context \]/,
  ],
  [
    'lockdep',
    /^INFO: trying to register non-static key|^WARNING: (?:Nested lock was not taken|bad contention)/,
  ],
  [
    'lockdep',
    /^BUG: (?:workqueue leaked|MAX_LOCK|MAX_STACK|key .* not in|sleeping function|scheduling while)/,
  ],
  ['lockdep', /^DEBUG_LOCKS_WARN_ON\(|^BUG: Invalid wait context/],
  ['oops', /^BUG: (?:kernel NULL pointer|unable to handle)/],
  [
    'oops',
    /^(?:general protection fault|double fault|stack segment|segment not present)\b.*(?:\[#\d+\]|: [0-9a-f]{4} )/,
  ],
  ['oops', /^(?:invalid opcode|divide error|int3)\b.*(?:\[#\d+\]|: [0-9a-f]{4} )/],
  ['oops', /^Oops: /],
  [
    'oops',
    /^BUG: \w+ stack guard page was hit|^kernel stack overflow|^kernel tried to execute NX-protected page/,
  ],
  ['bug', /^kernel BUG at |^BUG at /],
  ['list', /^list_(?:add|del) (?:corruption|double add)|^slab corruption|^(?:BUG|WARNING): .* corruption/],
  ['refcount', /^refcount_t: /],
  ['page', /^BUG: Bad (?:page|rss-counter|page map|pagetable)|^BUG: non-zero pgtables_bytes/],
  ['page', /^BUG \S+ \(.*\): /],
  ['rcu', /^(?:WARNING: )?suspicious RCU usage|^INFO: suspicious RCU/],
  ['leak', /^kmemleak: \d+ new suspected memory leaks/],
  ['warning', /^unchecked MSR access error: /],
  ['warning', /^WARNING: /],
  ['bug', /^BUG: /],
];

/** Lines inside a report after which its trace is complete. */
const REPORT_END = /^---\[ end (?:trace|Kernel panic)|^---\[ end /;
/** A report without an end marker ends at the latest here, in lines. */
const REPORT_LINES_MAX = 120;
/** A report may begin with several header-like lines ("BUG: unable to handle", "#PF:", "Oops:"), this close together. */
const HEADER_LINES_MAX = 8;
const FUNCTIONS_MAX = 5;
/** The kernel's own records are shorter; a console can show any number of characters without a line break. */
const LINE_CHARS_MAX = 1024;
const TITLE_CHARS_MAX = 120;

/** Code that prints a report or checks for one stands on top of every trace and says nothing about the bug. */
const REPORT_CODE = beginsWith(
  // Printing.
  [
    'dump_stack',
    '__dump_stack',
    'show_stack',
    'panic',
    'vpanic',
    'nmi_panic',
    'report_bug',
    '__warn',
    'warn_slowpath',
  ],
  [
    'print_report',
    'print_(?:address|error)_description',
    'print_\\w*bug',
    'print_bad',
    'end_report',
    'die',
    '__die',
  ],
  // Faults and their entry code.
  [
    'exc',
    'asm_',
    'handle_bug',
    'do_trap',
    'do_error_trap',
    'oops_',
    'page_fault_oops',
    'no_context',
    'bad_area',
  ],
  // Detectors.
  ['kasan_', '__kasan_', '__asan_', 'check_region', 'ubsan_', '__ubsan_', 'kmemleak_', 'refcount_warn'],
  ['__list_(?:add|del)_', 'should_fail', 'fail_dump', '__might_resched', '__might_sleep', 'watchdog_'],
  [
    'lockdep_',
    'lock_acquire',
    '__lock_acquire',
    'register_lock_class',
    'assign_lock_key',
    'mark_lock',
    'mark_usage',
  ],
  ['validate_chain', 'check_noncircular', 'check_prev', 'check_deadlock'],
  // Where every trace begins or waits.
  [
    '__schedule',
    'schedule',
    'preempt_schedule',
    'ret_from_fork',
    'entry_SYSCALL',
    'do_syscall_64',
    'x64_sys_call',
  ],
  ['__sysrq', 'sysrq_'],
);

function beginsWith(...groups: string[][]): RegExp {
  return new RegExp(`^(?:${groups.flat().join('|')})`);
}

/**
 * Finds the reports in a piece of kernel log.
 * @param texts message texts without time stamps, one record each, oldest first; `line` and `end` count these. Two reports
 *   in one record share it.
 */
export function findSplats(texts: readonly string[]): Splat[] {
  // One call of printk may print several lines: /dev/kmsg shows them as one record. Any of them may be a header.
  const lines: string[] = [];
  const recordOf: number[] = [];
  texts.forEach((text, record) => {
    for (const line of text.split('\n')) {
      lines.push(line.slice(0, LINE_CHARS_MAX));
      recordOf.push(record);
    }
  });
  const inRecords = (splat: Splat): Splat => ({
    ...splat,
    line: recordOf[splat.line] ?? 0,
    end: (recordOf[splat.end - 1] ?? 0) + 1,
  });
  const splats: Splat[] = [];
  let index = 0;
  while (index < lines.length) {
    const kind = kindOf(lines[index] ?? '');
    if (kind === undefined) {
      index++;
      continue;
    }
    const end = reportEnd(lines, index, kind);
    splats.push(inRecords(describe(kind, lines, index, end)));
    index = end;
  }
  return splats;
}

/**
 * A stall says little on an emulated host: the emulator may just not have been scheduled. Not so a task that was blocked
 * for two minutes, which is a deadlock, nor a CPU that took no interrupt for several of its watchdog's periods.
 */
export function isStall(splat: Splat): boolean {
  return splat.kind === 'stall';
}

/** The header without what changes from run to run. Names of processes may hold blanks and slashes ("CPU 0/KVM"). */
export function titleOf(header: string): string {
  return (
    header
      .slice(0, LINE_CHARS_MAX)
      .replace(/^watchdog: /, '')
      // An out-of-tree build names sources by their way from the objects: ../../tree/mm/gup.c.
      .replace(/(?:\.\.\/)+(?:tree\/)?(?=[\w-]+\/)/, '')
      .replace(/, CPU#\d+: .*$/s, '')
      .replace(/^(INFO: task ).*:\d+(?= blocked )/, '$1TASK')
      .replace(/ \[[^\]]*:\d+\]$/, '')
      .replace(/( in process ).*?(?= {2}|$)/, '$1TASK ')
      .replace(/ Comm:.* Pid:\d+$/, '')
      .replace(/^(WARNING: ).*\/\d+ (?=still has |is )/, '$1TASK ')
      .replace(/(: scheduling [\w -]+: ).*$/, '$1TASK')
      .replace(/\((?:Not tainted|Tainted: [^)]*)\)/, '')
      .replace(/\b(pfn|pte|pmd|mm):[0-9a-f]+\b/g, '$1:ADDR')
      // The number of an MSR says which one it is.
      .replace(/(?<! MSR access error: (?:WRMSR to|RDMSR from) )0x[0-9a-f]+|\b[0-9a-f]{16}\b/gi, 'ADDR')
      .replace(/\+ADDR\/ADDR/g, '')
      .replace(/( jiffies! ).*$/, '$1')
      .replace(/(detected expedited stalls on CPUs\/tasks|workqueue lockup - pool).*$/, '$1')
      .replace(/(\.[chS])(?::\d+)+/g, '$1')
      .replace(/,? ?CPU#?:? ?\d+:? ?/g, ' ')
      .replace(/\bby task \S+/g, 'by task TASK')
      .replace(/[:#]? ?\S+\/\d+$/g, '')
      .replace(/\b\d+(s?)\b/g, 'N$1')
      .replace(/\s+/g, ' ')
      .replace(/ (?=:)/g, '')
      .replace(/[\s:,]+$/, '')
      .trim()
      .slice(0, TITLE_CHARS_MAX)
  );
}

// --- internal ---

function kindOf(line: string): SplatKind | undefined {
  for (const [kind, pattern] of HEADERS) if (pattern.test(line)) return kind;
  return undefined;
}

// One report ends at its end marker, at the header of the next report (after a trace was seen, or too far from the
// header to be a part of it), or at the bound.
function reportEnd(lines: readonly string[], start: number, kind: SplatKind): number {
  // Where the memory was lost is in debugfs, not in the log.
  if (kind === 'leak') return start + 1;
  let sawTrace = false;
  const last = Math.min(lines.length, start + REPORT_LINES_MAX);
  for (let i = start + 1; i < last; i++) {
    const line = lines[i] ?? '';
    if (REPORT_END.test(line)) return i + 1;
    if (/^kvm-hil: (?:start|end) /.test(line)) return i;
    if (/^Call Trace:|^RIP: /.test(line)) sawTrace = true;
    else if ((sawTrace || i - start > HEADER_LINES_MAX) && kindOf(line) !== undefined) return i;
  }
  return last;
}

function describe(kind: SplatKind, lines: readonly string[], line: number, end: number): Splat {
  const body = lines.slice(line, end);
  const functions = functionsOf(body);
  const title = titleOf(body[0] ?? '');
  const where = functions.length > 0 ? functions.join(' < ') : title;
  return { kind, title, fingerprint: `${kind}: ${where}`, functions, line, end };
}

function functionsOf(body: readonly string[]): string[] {
  const functions: string[] = [];
  const add = (name: string | undefined) => {
    if (name === undefined || functions.length >= FUNCTIONS_MAX || REPORT_CODE.test(name)) return;
    const plain = name.replace(/\.(?:isra|constprop|part|cold)(?:\.\d+)*/g, '');
    if (functions.at(-1) !== plain) functions.push(plain);
  };
  for (const line of body) {
    // The traces below the first one are of others: who allocated it, who holds the lock, what other processors do.
    if (line === ' </TASK>' && functions.length > 0) break;
    const rip = /^RIP: [0-9a-f]{4}:([\w.]+)\+0x/.exec(line);
    if (rip !== null) {
      // Where the CPU stood comes first, whatever was printed before it (the trace of the report code itself).
      if (functions.length === 0 || functions[0] !== rip[1]) add(rip[1]);
      continue;
    }
    // "? name+0x.." is a leftover on the stack, not a caller.
    const frame = /^\s+(?:\[<[0-9a-f]+>\] )?([A-Za-z_][\w.]*)\+0x[0-9a-f]+\/0x[0-9a-f]+/.exec(line);
    if (frame !== null) add(frame[1]);
  }
  return functions;
}
