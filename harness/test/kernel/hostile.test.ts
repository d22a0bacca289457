// SPDX-License-Identifier: GPL-2.0-only
// Makefiles that a stranger wrote: what they try on the machine that builds them, and that none of it works.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { git, gitOut } from '../../effects/git.ts';
import { confined, sandboxProblem } from '../../effects/sandbox.ts';
import { ensureImage, objectsOf } from '../../kernel/build.ts';
import { withObjects } from '../../kernel/objects.ts';
import type { Base } from '../../kernel/source.ts';
import { treeOf } from '../../kernel/tree.ts';
import { processesWith } from '../e2e/kvm-hil.ts';
import { isGoneSoon, killHard, startNode } from '../processes.ts';
import { caught, withCache, withTemp } from '../temp.ts';
import { commitsOn, FILES, fakeBase } from './fake-base.ts';

const problem = await sandboxProblem();
const skip = problem === undefined ? false : `no sandbox here: ${problem}`;

/** The miniature kernel whose `vmlinux` ends with this; `$(O)` is the object folder. */
const building = (recipe: readonly string[]) => ({
  ...FILES,
  Makefile: FILES.Makefile.replace(/(?<=kernel\.release\n)/, () =>
    recipe.map((line) => `\t${line}\n`).join(''),
  ),
});

const withAttack = <T>(
  recipe: (folder: string) => readonly string[],
  use: (bench: {
    folder: string;
    base: Base;
    objects: string;
    build(): ReturnType<typeof ensureImage>;
  }) => Promise<T>,
) =>
  withTemp((folder) =>
    withCache(path.join(folder, 'cache'), async () => {
      const base = await fakeBase(path.join(folder, 'base'), building(recipe(folder)));
      const logFile = path.join(folder, 'build.log');
      writeFileSync(logFile, '');
      const request = { base, commit: base.commit, kconfig: 'base', role: 'series', logFile } as const;
      return use({
        folder,
        base,
        objects: objectsOf(base, 'base'),
        build: () => ensureImage(request, () => {}),
      });
    }),
  );

/** A recipe line that writes down, in the object folder, whether a command worked. */
const attempt = (name: string, command: string) =>
  `@if bash -c '${command}' >>$(O)/seen 2>&1; then echo '${name}: worked'; else echo '${name}: refused'; fi >>$(O)/attempts`;

/** Every file below a folder with its size and time. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => ({ name, info: statSync(path.join(folder, name)) }))
    .filter(({ info }) => info.isFile())
    .map(({ name, info }) => `${name} ${info.size} ${info.mtimeMs}`)
    .sort();

t.test('what a Makefile can reach', { skip }, async (t) => {
  const server = createServer((socket) => socket.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  process.env['KVM_HIL_TEST_TOKEN'] = 'of the user';
  const writes = (folder: string) => [
    path.join(folder, 'escaped'),
    path.join(folder, 'base', 'base.json'),
    path.join(folder, 'base', 'tree', 'Makefile'),
    path.join(folder, 'base', 'tree', '.git', 'config'),
    path.join(folder, 'cache', 'kvm-hil', 'images'),
    path.join(homedir(), 'kvm-hil-test-escaped'),
    '/usr/kvm-hil-test-escaped',
    '/kvm-hil-test-escaped',
    '/etc/passwd',
    // Opened for writing, and nothing written: whoever can do that owns the machine.
    '/proc/sys/kernel/core_pattern',
    '/proc/sysrq-trigger',
  ];
  await withAttack(
    (folder) => [
      ...writes(folder).map((place) => attempt(`write ${place}`, `exec 3>>${place}`)),
      attempt('read a key', `cat ${folder}/user/.ssh/id`),
      attempt('read the home', `ls -A ${homedir()} | grep .`),
      attempt('read passwords', 'cat /etc/shadow'),
      attempt('read other caches', `cat ${folder}/cache/kvm-hil/images/secret`),
      attempt('the network', `exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3`),
      attempt('a name server', 'exec 3<>/dev/udp/192.0.2.1/53'),
      attempt('the runner', `kill -0 ${process.pid} || ls /proc/${process.pid}`),
      attempt('a user namespace', 'unshare --user true'),
      attempt('a disk', 'mknod $(O)/disk b 254 0'),
      attempt('its own files', 'echo ours >$(O)/mine && echo ours >/tmp/mine && echo >/dev/null'),
      '@env >$(O)/environment; id -u >$(O)/id',
    ],
    async ({ folder, base, objects, build }) => {
      mkdirSync(path.join(folder, 'user', '.ssh'), { recursive: true });
      writeFileSync(path.join(folder, 'user', '.ssh', 'id'), 'the key');
      const images = path.join(folder, 'cache', 'kvm-hil', 'images');
      mkdirSync(images, { recursive: true });
      writeFileSync(path.join(images, 'secret'), 'the key');
      t.match(await build(), { cached: false });
      const attempts = readFileSync(path.join(objects, 'attempts'), 'utf8').trim().split('\n');
      t.ok(attempts.length > writes(folder).length + 9);
      // What is below /tmp it may write: that is a /tmp of its own, which goes with it.
      const ours = new RegExp(`^write ${tmpdir()}/`);
      t.same(
        attempts.filter((line) => !line.endsWith(': refused') && !ours.test(line)),
        ['its own files: worked'],
      );
      t.same(readdirSync(folder).sort(), ['base', 'build.log', 'cache', 'user']);
      t.same(readdirSync(base.folder).sort(), ['lock', 'objects', 'tree']);
      t.match(readdirSync(images).sort(), [/^[0-9a-f]{20}$/, 'secret']);
      t.equal(await gitOut(treeOf(base), ['status', '--porcelain']), '');
      const seen = readFileSync(path.join(objects, 'seen'), 'utf8');
      t.notMatch(seen, /the key|hello/);
      const environment = readFileSync(path.join(objects, 'environment'), 'utf8');
      t.notMatch(environment, /KVM_HIL_TEST_TOKEN|of the user/);
      t.match(environment, /^HOME=\/tmp$/m);
    },
  );
  delete process.env['KVM_HIL_TEST_TOKEN'];
  server.close();
});

t.test('a process that a Makefile leaves in the background ends with the build', { skip }, (t) =>
  withAttack(
    (folder) => [`@setsid sh -c "sleep 1000; : ${folder}/left" >/dev/null 2>&1 & sleep 0.1`],
    async ({ folder, build }) => {
      t.match(await build(), { cached: false });
      for (const pid of await processesWith(`: ${folder}/left`)) t.ok(await isGoneSoon(pid));
    },
  ),
);

for (const [what, recipe] of [
  [
    'the release',
    'rm -f $(O)/include/config/kernel.release; ln -s SECRET $(O)/include/config/kernel.release',
  ],
  ['the image', 'rm -f $(O)/vmlinux; ln -s SECRET $(O)/vmlinux'],
  ['a pipe', 'rm -f $(O)/vmlinux; mkfifo $(O)/vmlinux'],
  ['the whole folder', 'rm -rf $(O)/include; ln -s SECRETS $(O)/include'],
] as const) {
  t.test(`a link out of the object folder is not followed: ${what}`, (t) =>
    withAttack(
      (folder) => {
        const secrets = path.join(folder, 'secrets');
        const line = recipe
          .replace('SECRETS', secrets)
          .replace('SECRET', path.join(secrets, 'config', 'kernel.release'));
        return [`@${line}`];
      },
      async ({ folder, build }) => {
        mkdirSync(path.join(folder, 'secrets', 'config'), { recursive: true });
        writeFileSync(path.join(folder, 'secrets', 'config', 'kernel.release'), 'the key');
        t.match(await caught(build()), { code: 'not-plain', exitCode: 3, message: /is not a plain file$/ });
      },
    ),
  );
}

t.test('a build in its sandbox ends with a runner that is killed', { skip }, (t) =>
  withAttack(
    (folder) => [`@sh -c "sleep 1000; : ${folder}/running" & sh -c "sleep 1000; : ${folder}/running"`],
    async ({ folder, base }) => {
      const runner = startNode(
        `const { ensureImage } = await load('kernel/build');
         const base = ${JSON.stringify(base)};
         const logFile = ${JSON.stringify(path.join(folder, 'build.log'))};
         await ensureImage({ base, commit: base.commit, kconfig: 'base', role: 'base', logFile }, () => {});`,
        { XDG_CACHE_HOME: path.join(folder, 'cache') },
      );
      const count = async () => (await processesWith(`: ${folder}/running`)).length;
      const until = async (wanted: (count: number) => boolean) => {
        for (let tries = 0; tries < 500 && !wanted(await count()); tries++)
          await new Promise((go) => setTimeout(go, 10));
        return count();
      };
      t.ok((await until((count) => count >= 2)) >= 2, 'it is building');
      await killHard(runner);
      t.equal(await until((count) => count === 0), 0);
    },
  ),
);

/** What a patch to a Makefile tries on the next one's build: objects that make takes for whole, and the compiler cache. */
const poison = (folder: string) => [
  '@echo \'char poison[] = "POISON";\' | gcc -x c -c -o $(O)/virt/kvm/a.o -',
  '@touch -d "next year" $(O)/virt/kvm/a.o $(O)/left',
  `@find ${folder}/cache/kvm-hil/ccache -type f 2>/dev/null | while read file; do echo POISON >$$file; done || true`,
  `@echo POISON >${folder}/cache/kvm-hil/ccache/ours 2>/dev/null || true`,
];

t.test('a series that changes a Makefile leaves nothing to the builds after it', { skip }, (t) =>
  withAttack(
    () => [],
    async ({ folder, base, objects, build }) => {
      await build();
      const cache = path.join(folder, 'cache', 'kvm-hil', 'ccache');
      const before = { objects: filesIn(objects), cache: filesIn(cache) };
      t.ok(before.cache.length > 0);
      const evil = (...more: string[]) => building([...poison(folder), ...more]).Makefile;
      const attempts = [
        ['a Makefile', { Makefile: evil() }],
        ['also one that does not build', { Makefile: evil('@false') }],
      ] as const;
      for (const [what, change] of attempts) {
        const said: string[] = [];
        const commit = await commitsOn(base, [what, change]);
        const logFile = path.join(folder, 'build.log');
        const request = { base, commit, kconfig: 'base', role: 'series', logFile } as const;
        const built = await caught(
          ensureImage(request, (event) => event.type === 'note' && said.push(event.text)),
        );
        if (what === 'a Makefile') t.equal(built, undefined, 'it is built, and is what it makes of itself');
        else t.match(built, { code: 'build-failed' });
        t.match(said, [/may change what a build runs \(Makefile\)/]);
        t.same({ objects: filesIn(objects), cache: filesIn(cache) }, before, what);
      }
      t.same(readdirSync(path.dirname(objects)), ['base']);
      const next = await commitsOn(base, [
        'KVM: C',
        { 'virt/kvm/b.c': `${FILES['virt/kvm/b.c']}int next;\n` },
      ]);
      const logFile = path.join(folder, 'next.log');
      const request = { base, commit: next, kconfig: 'base', role: 'series', logFile } as const;
      const image = await ensureImage(request, () => t.pass());
      t.notMatch(readFileSync(image.vmlinux, 'latin1'), /POISON/);
      t.match(
        readFileSync(logFile, 'utf8'),
        /^ {2}CC {6}virt\/kvm\/b\.c\n {2}LD/m,
        'and the objects are still warm',
      );
    },
  ),
);

t.test('killed while a copy of the objects is in their place: they are put back', (t) =>
  withTemp(async (folder) => {
    const objects = path.join(folder, 'objects', 'base');
    const state = () => filesIn(path.dirname(objects)).map((line) => line.replace(/ .*/, ''));
    for (const moment of ['before', 'copied', 'aside', 'inside', 'gone']) {
      mkdirSync(objects, { recursive: true });
      writeFileSync(path.join(objects, 'warm'), '');
      const beside = (what: string) => path.join(folder, 'objects', `.base.${what}`);
      const copy = moment === 'copied' || moment === 'aside' ? beside('copy') : objects;
      if (moment === 'inside') renameSync(objects, beside('aside'));
      if (moment !== 'before') mkdirSync(copy, { recursive: true });
      if (moment !== 'before') writeFileSync(path.join(copy, 'strange'), '');
      if (moment === 'aside') renameSync(objects, beside('aside'));
      if (moment === 'gone') {
        rmSync(path.join(objects, 'strange'));
        renameSync(objects, beside('aside'));
        mkdirSync(beside('gone'));
      }
      await withObjects(objects, false, async () => t.same(state(), ['base/warm'], moment));
      await withObjects(objects, true, async () => writeFileSync(path.join(objects, 'strange'), ''));
      t.same(state(), ['base/warm'], moment);
    }
  }),
);

t.test('what applies patches has the repository only', { skip }, (t) =>
  withTemp(async (folder) => {
    const base = await fakeBase(path.join(folder, 'base'));
    const tree = treeOf(base);
    const dotGit = path.join(tree, '.git');
    const view = await confined({
      writable: [dotGit],
      readable: [path.join(dotGit, 'config')],
      tools: ['git'],
    });
    // An alias is the shortest way to have git run something.
    const tried = (command: string) => git(dotGit, ['-c', `alias.try=!${command}`, 'try'], view);
    t.match(await tried(`echo >${dotGit}/refs/test/x`), { failed: false });
    t.match(await tried(`echo >>${dotGit}/config`), { failed: true });
    t.match(await tried(`cat ${tree}/Makefile`), { failed: true });
  }),
);
