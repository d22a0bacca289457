// SPDX-License-Identifier: GPL-2.0-only
// Boot method `modules`: whether the modules of one kernel can take the place of another's while that one runs. Pure.
//
// What a series touches says it first, what was built of it says it for sure; the kernel checks once more when it loads them,
// by a checksum of each symbol that they use.
import type { KernelImage, KernelModule } from './image.ts';

/** KVM's modules, in the order in which they are loaded. What they need themselves stays where it is. */
const KVM = ['kvm', 'kvm_amd', 'kvm_intel'];

/** All of it is KVM's modules, wherever they are modules. */
const OF_KVM = /^(?:arch\/x86\/kvm|virt\/kvm)\//;

/** Nothing of it is in a kernel. */
const BESIDE = /^(?:Documentation|tools)\/|^(?:MAINTAINERS|CREDITS)$/;

/** The first of these files that is of more than KVM's modules; undefined when there is none. */
export function firstOutside(touched: readonly string[]): string | undefined {
  return touched.find((path) => !OF_KVM.test(path) && !BESIDE.test(path));
}

/** What of an image takes the place of what runs. */
export function swappable(image: KernelImage): KernelModule[] {
  return (image.modules ?? []).filter(({ name }) => KVM.includes(name));
}

/**
 * Why the modules of an image cannot be loaded into another one, for people; undefined when they can.
 * @param into the image that runs
 * @param touched paths that differ between the sources of the two
 */
export function whyNotSwapped(
  into: KernelImage,
  image: KernelImage,
  touched: readonly string[],
): string | undefined {
  const outside = firstOutside(touched);
  if (outside !== undefined) return `the series touches ${outside}, which is not of KVM's modules alone`;
  const [old, fresh] = [swappable(into), swappable(image)];
  const names = (modules: readonly KernelModule[]) => modules.map(({ name }) => name).join(', ');
  if (!fresh.some(({ name }) => name === 'kvm')) return 'KVM is built into this configuration';
  if (names(old) !== names(fresh))
    return `its modules are ${names(fresh)}, and ${names(old) || 'none'} without the series`;
  if (into.config !== image.config) return 'the series changes the configuration';
  if (into.core !== image.core) return 'the kernel around the modules is another with the series';
  const other = fresh.find(
    ({ vermagic }, index) => magicOf(vermagic) !== magicOf(old[index]?.vermagic ?? ''),
  );
  return other === undefined
    ? undefined
    : `${other.name} is made for another kind of kernel: ${other.vermagic}`;
}

/** What the kernel shows of the modules that are loaded: GNU build ids by name, from `kvm-modules ids`. */
export function loadedIds(text: string): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  for (const line of text.split('\n')) {
    // Lengths of name and content, type, `GNU`, then the id: all of a note.
    const [, name, note] = /^(\w{1,55}) ([0-9a-f]{34,300})$/.exec(line) ?? [];
    if (name !== undefined && note !== undefined) ids.set(name, note.slice(NOTE_HEAD));
  }
  return ids;
}

/**
 * What of the modules that are loaded is not of the image, for people; undefined when all is. The other vendor's is not
 * loaded.
 * @param ids of loadedIds()
 * @param modules of swappable()
 */
export function strangeModule(
  ids: ReadonlyMap<string, string>,
  modules: readonly KernelModule[],
): string | undefined {
  const strange = modules.find(({ name, buildId }) => ids.has(name) && ids.get(name) !== buildId);
  if (strange === undefined) return undefined;
  return `the module ${strange.name} is ${ids.get(strange.name)}, and should be ${strange.buildId}`;
}

// --- internal ---

const NOTE_HEAD = 32;

// All but the release, as the kernel compares it where symbols have checksums.
function magicOf(vermagic: string): string {
  return vermagic.replace(/^\S+/, '').trim();
}
