// SPDX-License-Identifier: GPL-2.0-only
// What a kernel build leaves, and what a host needs to boot it: kernel/ and hosts/ meet here and nowhere else.

/** The KVM selftests of one source tree. */
export interface SelftestBuild {
  /** `selftest.<program>`: whether the tree has it at all. */
  can: Record<string, boolean>;
  /** The programs that were built, by name. */
  files: { name: string; file: string }[];
  /** What the tree has and what does not compile, with the first error. */
  broken: { name: string; why: string }[];
  cached: boolean;
}

/** A part of a kernel that is loaded into it while it runs. */
export interface KernelModule {
  /** As the kernel calls it: `kvm_amd`. */
  name: string;
  file: string;
  /** SHA-256 of the file. */
  hash: string;
  /** What the kernel compares before it takes it: release, and how it was built. */
  vermagic: string;
  /** What the linker made of its content, in hex: the kernel shows it of a module that is loaded. */
  buildId: string;
}

export interface KernelImage {
  /** Hash of everything that went into it: source tree, configuration, compiler, recipe. */
  hash: string;
  /** `uname -r`: unique, so that "is this kernel running?" has an answer. */
  release: string;
  /** Uncompressed ELF with a PVH entry point; null for a kernel that runs already. */
  vmlinux: string | null;
  /** The same for boot loaders and kexec; only of configurations for metal. */
  bzImage?: string;
  /** In the order in which they are loaded; only of configurations for metal. */
  modules?: readonly KernelModule[];
  /** Where it has modules: a hash of what the kernel without them does, whatever it is called. */
  core?: string;
  /** The final .config, as text. */
  config: string;
  /** The source commit, in the base's repository. */
  commit: string;
  /** First line of `gcc --version`. */
  compiler: string;
  /** Kconfig symbols that were asked for and that this tree does not know. */
  unknownSymbols: string[];
  /** The image was in the cache: nothing was compiled. */
  cached: boolean;
}

/** An image that was built, and can be booted. */
export type BuiltImage = KernelImage & { vmlinux: string };
