// SPDX-License-Identifier: GPL-2.0-only
// Archives for the initramfs in the "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst),
// made in memory: keys of a boot never touch a disk.

export interface CpioEntry {
  /** Path without a leading slash. */
  name: string;
  /** Permission bits. */
  mode: number;
  content: { file: Buffer } | { link: string } | 'folder';
}

const TYPE = { file: 0o100000, folder: 0o040000, link: 0o120000 } as const;

/** One archive; several may follow one another in an initramfs, later entries win. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  let inode = 1;
  for (const entry of [...entries, trailer]) {
    const body = bodyOf(entry);
    const name = Buffer.from(`${entry.name}\0`);
    const isTrailer = entry === trailer;
    const fields = [
      isTrailer ? 0 : inode++,
      isTrailer ? 0 : entry.mode | typeOf(entry),
      0, // uid
      0, // gid
      1, // nlink
      0, // mtime: reproducible
      body.length,
      0,
      0,
      0,
      0,
      name.length,
      0,
    ];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    parts.push(padded(Buffer.concat([Buffer.from(header), name])), padded(body));
  }
  return Buffer.concat(parts);
}

// --- internal ---

const trailer: CpioEntry = { name: 'TRAILER!!!', mode: 0, content: { file: Buffer.alloc(0) } };

function typeOf(entry: CpioEntry): number {
  if (entry.content === 'folder') return TYPE.folder;
  return 'link' in entry.content ? TYPE.link : TYPE.file;
}

function bodyOf(entry: CpioEntry): Buffer {
  if (entry.content === 'folder') return Buffer.alloc(0);
  return 'link' in entry.content ? Buffer.from(entry.content.link) : entry.content.file;
}

function padded(buffer: Buffer): Buffer {
  const rest = buffer.length % 4;
  return rest === 0 ? buffer : Buffer.concat([buffer, Buffer.alloc(4 - rest)]);
}
