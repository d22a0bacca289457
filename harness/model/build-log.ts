// SPDX-License-Identifier: GPL-2.0-only
// The first thing that went wrong in a kernel build, as a person would point at it.

export interface BuildError {
  /** Path in the tree; undefined for the linker and for make itself. */
  file: string | undefined;
  line: number | undefined;
  message: string;
}

/**
 * @param log what make printed, in order
 * @param tree absolute path of the source tree, stripped from file names
 */
export function firstBuildError(log: string, tree: string): BuildError | undefined {
  for (const line of log.split('\n')) {
    const compiler = /^(\S+?):(\d+):(?:\d+:)? (?:fatal )?[Ee]rror: (.*)$/.exec(line);
    if (compiler !== null) {
      return { file: inTree(compiler[1] ?? '', tree), line: Number(compiler[2]), message: compiler[3] ?? '' };
    }
    const plain =
      /^(?:ERROR: modpost: |\S*ld(?:\.\w+)?: |\S+: (?=error: objtool:)|make(?:\[\d+\])?: \*\*\* (?=No rule|missing))(.*)$/.exec(
        line,
      );
    if (plain !== null && !/: warning: /.test(line)) {
      return { file: undefined, line: undefined, message: inTree(line, tree) };
    }
  }
  return undefined;
}

/** `virt/kvm/guest_memfd.c:42: error: ...` */
export function buildErrorText(error: BuildError): string {
  return error.file === undefined ? error.message : `${error.file}:${error.line}: error: ${error.message}`;
}

// --- internal ---

// make runs in the object folder and names sources by absolute path, or relative to it.
function inTree(text: string, tree: string): string {
  return text.replaceAll(`${tree}/`, '').replace(/^(?:\.\.\/)+(?:tree\/)?/, '');
}
