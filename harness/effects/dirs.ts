// SPDX-License-Identifier: GPL-2.0-only
// Where things live: the package's own files, the user's cache.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { InfraError } from '../errors.ts';

let root: string | undefined;

/** The folder of kvm-hil's package.json; the compiled files lie two levels below it, the sources one. */
export function packageRoot(): string {
  if (root !== undefined) return root;
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder) {
      throw new InfraError({
        code: 'no-package',
        message: 'the package.json of kvm-hil is not above its own code',
      });
    }
    folder = parent;
  }
  root = folder;
  return folder;
}

export function inPackage(...parts: string[]): string {
  return path.join(packageRoot(), ...parts);
}

/** `$XDG_CACHE_HOME/kvm-hil`, by default `~/.cache/kvm-hil` (XDG Base Directory Specification). */
export function cacheRoot(): string {
  return xdgFolder('XDG_CACHE_HOME', '.cache');
}

/** Below `$XDG_CONFIG_HOME/kvm-hil`, by default `~/.config/kvm-hil`. */
export function inConfig(...parts: string[]): string {
  return path.join(xdgFolder('XDG_CONFIG_HOME', '.config'), ...parts);
}

/** Below `$XDG_STATE_HOME/kvm-hil`, by default `~/.local/state/kvm-hil`: what has to outlive a run, and the cache. */
export function inState(...parts: string[]): string {
  return path.join(xdgFolder('XDG_STATE_HOME', '.local/state'), ...parts);
}

export function inCache(...parts: string[]): string {
  return path.join(cacheRoot(), ...parts);
}

// --- internal ---

function xdgFolder(variable: string, otherwise: string): string {
  const xdg = process.env[variable];
  const base = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(homedir(), otherwise);
  return path.join(base, 'kvm-hil');
}
