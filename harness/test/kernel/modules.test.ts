// SPDX-License-Identifier: GPL-2.0-only
// The modules of a kernel for metal: taken out of a build, known by what they say of themselves, and part of what a kernel does.
import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ensureImage } from '../../kernel/build.ts';
import { loadOrder, readModule } from '../../kernel/modules.ts';
import { codeOf, objectCode } from '../../kernel/object-code.ts';
import type { BuiltImage } from '../../model/image.ts';
import { swappable, whyNotSwapped } from '../../model/swap.ts';
import { caught, withCache, withTemp } from '../temp.ts';
import { commitsOn, edited, fakeBase } from './fake-base.ts';

t.test('an image for metal has its modules, in the order in which they load', (t) =>
  withTemp((folder) =>
    withCache(path.join(folder, 'cache'), async () => {
      const base = await fakeBase(path.join(folder, 'base'));
      const logFile = path.join(folder, 'build.log');
      const build = (commit: string, kconfig: 'metal' | 'base' = 'metal'): Promise<BuiltImage> => {
        writeFileSync(logFile, '');
        return ensureImage({ base, commit, kconfig, role: 'series', logFile }, () => {});
      };
      const image = await build(base.commit);
      const { modules = [] } = image;
      t.same(
        modules.map(({ name }) => name),
        ['kvm', 'kvm_amd'],
        'make had listed them the other way round',
      );
      for (const { vermagic, buildId, hash } of modules) {
        t.equal(vermagic, `${image.release} SMP mod_unload`);
        t.match(buildId, /^[0-9a-f]{40}$/);
        t.match(hash, /^[0-9a-f]{64}$/);
      }
      t.match(await build(base.commit), { modules, core: image.core, cached: true });

      const inModule = await commitsOn(base, [
        'KVM',
        edited('arch/x86/kvm/kvm.c', 'int kvm;', 'int kvm = 1;'),
      ]);
      const other = await build(inModule);
      t.equal(other.core, image.core, 'the kernel around them is the same');
      t.equal(whyNotSwapped(image, other, ['arch/x86/kvm/kvm.c']), undefined);
      t.not(other.modules?.[0]?.buildId, modules[0]?.buildId);
      t.not(await objectCode(other), await objectCode(image), 'and yet it does something else');
      const [was, is] = [image, other].map((one) => swappable(one).map(({ file }) => file)[1] ?? '');
      t.equal(
        await codeOf(is ?? '', other.release),
        await codeOf(was ?? '', image.release),
        'kvm_amd does not',
      );

      const inCore = await build(
        await commitsOn(base, ['mm', edited('virt/kvm/a.c', 'int a_5;', 'int a_5 = 5;')]),
      );
      t.match(whyNotSwapped(image, inCore, ['virt/kvm/a.c']), /the kernel around the modules is another/);

      const [first] = other.modules ?? [];
      appendFileSync(first?.file ?? '', 'damaged');
      t.match(await build(inModule), { cached: false }, 'a module that is damaged is built again');
      t.equal((await build(base.commit, 'base')).modules, undefined);
    }),
  ),
);

t.test('what is no module is refused', async (t) => {
  t.match(await caught((async () => readModule(Buffer.from('none'), 'x.ko'))()), { code: 'not-elf' });
});

t.test('an order to load them in', (t) => {
  const of = (name: string, ...needs: string[]) => ({ name, needs });
  const names = (...modules: ReturnType<typeof of>[]) => loadOrder(modules).map(({ name }) => name);
  t.same(names(of('kvm_amd', 'kvm'), of('kvm', 'irqbypass'), of('irqbypass')), [
    'irqbypass',
    'kvm',
    'kvm_amd',
  ]);
  t.same(names(of('b'), of('a', 'not_here')), ['b', 'a'], 'what is built in is there already');
  t.throws(() => names(of('a', 'b'), of('b', 'a')), { code: 'bad-module' });
  t.end();
});
