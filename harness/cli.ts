#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-only
// argv -> command. The only place that prints errors and sets the exit code.
import { Command, CommanderError } from 'commander';
import { version } from './effects/version.ts';
import { EXIT, HilError, systemError } from './errors.ts';

/** What a shell says of a program that SIGPIPE ended. */
const OUTPUT_LOST = 141;

const collect = (value: string, before: string[]): string[] => [...before, value];

function cli(finish: (code: number) => void): Command {
  const program = new Command('kvm-hil')
    .description(
      "Does this patch series make KVM's guest memory wrong? Builds, boots, tests, judges; answers in TAP.",
    )
    .version(version())
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'after',
      `
Examples:
  kvm-hil run --base debian:7.3 --series my-series.mbox      what does my series break?
  kvm-hil run --base debian:7.3 --case 'gmem/*'              one topic on the base alone
  kvm-hil report results/runs/<run> --format markdown        the same run, for people

Exit status: 0 nothing fails, 1 something fails, 2 wrong usage, 3 something could not be judged, 130 interrupted.`,
    );

  const base = [
    '--base <base>',
    'kernel source: debian:<version>, <git tree>@<revision>, or a tar ball',
  ] as const;
  const series = [
    '--series <series>',
    'an mbox (.gz too), a folder of patches, or a git range PATH@A..B',
  ] as const;
  const kconfig = [
    '--kconfig <name>',
    'kernel configuration: base, debug (KASAN, lockdep, ...), or host:NAME (after the own kernel of a machine of the inventory)',
    'base',
  ] as const;

  const boot = [
    '--boot <method>',
    'how machines of the inventory are booted: kexec, once (by their boot loader), modules (from base to a series of KVM alone)',
  ] as const;
  const unattended = [
    '--unattended-ok',
    'use machines of the inventory that nothing could bring back when they hang: no power control, no watchdog',
  ] as const;

  program
    .command('run')
    .description('the main job: build base and series, boot both, run the cases, judge')
    .option(...base)
    .option(...series)
    .option('--provides <capability>', 'the series promises this capability (repeatable)', collect, [])
    .option(
      '--host <name>',
      'where to run: qemu (the default), local (this machine as it is), a machine of the inventory, or tag:<tag> (repeatable)',
      collect,
      [],
    )
    .option('--case <glob>', 'only these cases, e.g. gmem/bind or "gmem/*" (repeatable)', collect, [])
    .option(
      '--tag <tag>',
      'only cases with this tag (repeatable); turns on tags that are off: slow, self',
      collect,
      [],
    )
    .option('--skip-tag <tag>', 'no cases with this tag (repeatable)', collect, [])
    .option(...kconfig)
    .option('--repeat <n>', 'run the cases so often', '1')
    .option('--seed <n>', 'seed of everything random in the cases (default: a fresh one, recorded)')
    .option('--format <format>', 'what goes to standard output: tap, markdown, json', 'tap')
    .option('--output <folder>', 'the run folder (default: a new one below results/runs)')
    .option('--self-check', 'test the tester on each host even if an earlier run did')
    .option('--take', 'take machines from whoever has leased them')
    .option(...boot)
    .option(...unattended)
    .option('--dry-run', 'only say what would be done')
    .addHelpText(
      'after',
      `
Examples:
  kvm-hil run --base debian:7.3 --series infra/series/gmem-fdinfo
  kvm-hil run --base ../linux@kvm/next --series my-series.mbox
  kvm-hil run --base linux-7.3.tar.xz
  kvm-hil run --base debian:7.3 --series patches/ --case 'memslot/*' --format markdown
  kvm-hil run --base debian:7.3 --kconfig debug --repeat 3`,
    )
    .action(async (o) => finish(await (await import('./commands/run.ts')).runCommand(o)));

  program
    .command('build')
    .description('build a kernel image and print where it is')
    .requiredOption(...base)
    .option(...series)
    .option(...kconfig)
    .addHelpText('after', '\nExample:\n  kvm-hil build --base debian:7.3 --series my-series.mbox')
    .action(async (o) => finish(await (await import('./commands/build.ts')).buildCommand(o)));

  program
    .command('boot')
    .description('boot a kernel, then a shell there, or one command')
    .argument('[command...]', 'run this instead of a shell')
    .requiredOption(...base)
    .option(...series)
    .option(...kconfig)
    .option('--host <name>', 'where to boot', 'qemu')
    .option(...boot)
    .option(...unattended)
    .option('--parameter <text>', 'one more kernel parameter (repeatable)', collect, [])
    .addHelpText(
      'after',
      `
Examples:
  kvm-hil boot --base debian:7.3
  kvm-hil boot --base debian:7.3 --series my-series.mbox -- kvm-cases gmem/bind
  kvm-hil boot --base debian:7.3 --series my-series.mbox --host milan-1 --boot modules
      boots the base, then loads the series' modules into it`,
    )
    .action(async (command, o) => finish(await (await import('./commands/boot.ts')).bootCommand(o, command)));

  program
    .command('mutate')
    .description('plant one kernel bug of cases/mutants at a time, and see which the cases catch')
    .option(base[0], base[1], 'debian:7.3')
    .option('--mutant <glob>', 'only these, e.g. gmem/bind-last-page or "gmem/*" (repeatable)', collect, [])
    .option('--case <glob>', 'only these cases may kill (repeatable)', collect, [])
    .option(...kconfig)
    .option('--against <suite>', "score another suite side by side: upstream, the tree's own KVM selftests")
    .option('--sample <n>', 'so many of the mutants, chosen by the seed')
    .option('--seed <n>', 'seed of the sample and of everything random in the cases (default: a fresh one)')
    .option('--format <format>', 'what goes to standard output: tap, table, json', 'tap')
    .option('--output <folder>', 'the folder (default: a new one below results/runs)')
    .option('--resume <folder>', 'go on where that run of mutate was; its options are kept')
    .option('--dry-run', 'only look whether each mutant fits the kernel')
    .addHelpText(
      'after',
      `
A mutant is a file cases/mutants/<area>/<id>.yaml. TAP has a test per mutant: one that no case kills is not ok, and
names the rule that no case checks.

Examples:
  kvm-hil mutate --mutant 'gmem/*'
  kvm-hil mutate --mutant gmem/bind-last-page --case gmem/bind --format table
  kvm-hil mutate --against upstream --sample 10 --seed 1
  kvm-hil mutate --resume results/runs/<run>`,
    )
    .action(async (o) => finish(await (await import('./commands/mutate.ts')).mutateCommand(o)));

  program
    .command('resume')
    .description('go on with a run, or a mutate, whose runner was killed or stopped')
    .argument('<run>', 'folder of the run')
    .option('--format <format>', 'tap, markdown, json', 'tap')
    .addHelpText('after', '\nExample:\n  kvm-hil resume results/runs/<run>')
    .action(async (run, o) => finish(await (await import('./commands/resume.ts')).resumeCommand(run, o)));

  program
    .command('judge')
    .description('judge a run folder again, and write its result.json')
    .argument('<run>', 'folder of a run')
    .option(
      '--contract <folder>',
      "by these contracts, e.g. cases/ for today's, instead of those that were run; only printed",
    )
    .option('--format <format>', 'tap, markdown, json', 'tap')
    .addHelpText('after', '\nExample:\n  kvm-hil judge results/runs/<run> --contract cases/')
    .action(async (run, o) => finish(await (await import('./commands/judge.ts')).judgeCommand(run, o)));

  program
    .command('compare')
    .description('base against series: what differs')
    .argument('<run>', 'folder of a run')
    .option('--all', 'also what is the same')
    .addHelpText('after', '\nExample:\n  kvm-hil compare results/runs/<run>')
    .action(async (run, o) => finish(await (await import('./commands/compare.ts')).compareCommand(run, o)));

  program
    .command('report')
    .description('the result of a run in another format')
    .argument('<run>', 'folder of a run')
    .option('--format <format>', 'tap, markdown, json', 'tap')
    .addHelpText('after', '\nExample:\n  kvm-hil report results/runs/<run> --format markdown >report.md')
    .action(async (run, o) => finish(await (await import('./commands/report.ts')).reportCommand(run, o)));

  program
    .command('cases')
    .description('list the cases')
    .argument('[glob...]', 'only these')
    .option('--rules', 'with every rule they check')
    .addHelpText('after', "\nExample:\n  kvm-hil cases 'gmem/*' --rules")
    .action(async (globs, o) => finish(await (await import('./commands/cases.ts')).casesCommand(globs, o)));

  const hosts = program.command('hosts').description('the machines of the inventory (infra/labs)');
  const which = ['[host...]', 'a name, a glob, or tag:<tag>; all by default'] as const;
  hosts
    .command('list', { isDefault: true })
    .description('what is described')
    .argument(...which)
    .addHelpText('after', '\nExample:\n  kvm-hil hosts list tag:amd')
    .action(async (names) => finish(await (await import('./commands/hosts.ts')).hostsListCommand(names)));
  hosts
    .command('check')
    .description('whether kernels can be booted there, and what is missing; changes nothing')
    .argument(...which)
    .addHelpText('after', "\nExample:\n  kvm-hil hosts check 'milan-*'")
    .action(async (names) => finish(await (await import('./commands/hosts.ts')).hostsCheckCommand(names)));

  const some = ['<host...>', 'a name, a glob, or tag:<tag>'] as const;
  const take = ['--take', 'though somebody else has leased it'] as const;
  hosts
    .command('power')
    .description('switch machines: on, off, cycle; or status')
    .argument('<what>', 'on, off, cycle or status')
    .argument(...some)
    .option(...take)
    .addHelpText('after', '\nExample:\n  kvm-hil hosts power cycle milan-1')
    .action(async (what, names, o) =>
      finish(await (await import('./commands/hosts-power.ts')).hostsPowerCommand(what, names, o)),
    );
  hosts
    .command('console')
    .description('what a machine prints on its console, until Ctrl-C')
    .argument('<host>', 'its name')
    .addHelpText('after', '\nExample:\n  kvm-hil hosts console milan-1')
    .action(async (name) =>
      finish(await (await import('./commands/hosts-console.ts')).hostsConsoleCommand(name)),
    );
  hosts
    .command('provision')
    .description('install what is missing there, as far as packages do, and write down what it is')
    .argument(...some)
    .option('--dry-run', 'only say what is missing, and what would be installed')
    .option(...take)
    .addHelpText('after', '\nExample:\n  kvm-hil hosts provision tag:amd --dry-run')
    .action(async (names, o) =>
      finish(await (await import('./commands/hosts-provision.ts')).hostsProvisionCommand(names, o)),
    );
  hosts
    .command('release')
    .description('give machines back that nobody uses any more: on their own kernel, without a lease')
    .argument(...some)
    .option(...take)
    .addHelpText('after', '\nExample:\n  kvm-hil hosts release milan-1')
    .action(async (names, o) =>
      finish(await (await import('./commands/hosts-release.ts')).hostsReleaseCommand(names, o)),
    );

  const cache = program.command('cache').description('kernel sources, objects and images that are kept');
  cache
    .command('list', { isDefault: true })
    .description('what is kept, the longest unused first')
    .action(async () => finish(await (await import('./commands/cache.ts')).cacheListCommand()));
  cache
    .command('trim')
    .description('remove the longest unused until the rest fits')
    .requiredOption('--size <GiB>', 'what may stay')
    .addHelpText('after', '\nExample:\n  kvm-hil cache trim --size 10')
    .action(async (o) => finish(await (await import('./commands/cache.ts')).cacheTrimCommand(o)));

  return program;
}

function report(thrown: unknown): number {
  const error = systemError(thrown) ?? thrown;
  if (error instanceof CommanderError) {
    // Help and version were asked for; anything else was printed by commander with a hint.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  if (error instanceof HilError) {
    process.stderr.write(`kvm-hil: ${error.message}\n`);
    if (error.detail !== undefined) process.stderr.write(`${error.detail.replace(/^/gm, '    ')}\n`);
    if (error.hint !== undefined) process.stderr.write(`  ${error.hint}\n`);
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`kvm-hil: a bug in kvm-hil itself:\n${text}\n`);
  return EXIT.incomplete;
}

// What nobody caught would end Node with 1, which means that the kernel fails.
process.on('uncaughtException', (error) => {
  report(error);
  process.exit(EXIT.incomplete);
});

// A reader that has seen enough (`| head`) or a terminal that is closed ends no run: the run folder is what it is for.
// Once all is done, a lost standard output ends as it would a Unix tool: quietly, with the status of SIGPIPE, which is
// neither a finding nor a pass. Without a standard error only the progress is lost, and the status stays.
let outputLost = false;
let done = false;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    if (stream === process.stdout) outputLost = true;
    if (done && outputLost) process.exitCode = OUTPUT_LOST;
  });
}

let exitCode: number = EXIT.ok;
try {
  await cli((code) => {
    exitCode = code;
  }).parseAsync(process.argv);
} catch (error) {
  exitCode = report(error);
}
done = true;
process.exitCode = outputLost ? OUTPUT_LOST : exitCode;
