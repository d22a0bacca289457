// SPDX-License-Identifier: GPL-2.0-only
// A kernel log that is followed: what is lost of it is counted, and a flood takes no more memory than its bound.
import t from 'tap';
import type { RemoteOptions, RemoteResult } from '../../effects/ssh.ts';
import type { Machine } from '../../hosts/host.ts';
import { KmsgStream } from '../../run/kmsg-stream.ts';
import { simClock } from '../sim-clock.ts';

const line = (seq: number, text: string) => `6,${seq},${seq},-;${text}\n`;

/** A stream that has read these pieces, one start of `cat` each. */
function streamOf(...pieces: string[]): Promise<KmsgStream> {
  return streamFrom(undefined, ...pieces);
}

async function streamFrom(from: string | undefined, ...pieces: string[]): Promise<KmsgStream> {
  const left = [...pieces];
  const exec = async (_command: string, o: RemoteOptions): Promise<Partial<RemoteResult>> => {
    o.onStdout?.(Buffer.from(left.shift() ?? ''));
    return { lost: left.length === 0 };
  };
  const kmsg = new KmsgStream(simClock(), from);
  await kmsg.follow({ exec } as unknown as Machine);
  return kmsg;
}

const texts = (kmsg: KmsgStream, from = 0, end?: number) =>
  kmsg.since(from, end).map((one) => one.record.text);

t.test('records by position', async (t) => {
  const kmsg = await streamOf([0, 1, 2, 3].map((seq) => line(seq, `r${seq}`)).join(''));
  t.same(texts(kmsg), ['r0', 'r1', 'r2', 'r3']);
  t.same(texts(kmsg, 1, 3), ['r1', 'r2']);
  t.equal(kmsg.find('r2', 0), 2);
  t.equal(kmsg.find('r2', 3), undefined);
  kmsg.forget(2);
  t.same(texts(kmsg), ['r2', 'r3']);
  t.equal(kmsg.position(), 4);
  t.equal(kmsg.lostSince({ position: 2, overwritten: 0 }), 0, 'what was forgotten is not lost');
});

t.test("what is before its first record is somebody else's", async (t) => {
  const kmsg = await streamFrom(
    'the mark',
    line(3, 'theirs') + line(7, 'theirs too'),
    line(7, 'theirs too') + line(9, 'here is the mark') + line(10, 'ours') + line(12, 'ours too'),
  );
  t.same(texts(kmsg), ['here is the mark', 'ours', 'ours too']);
  t.equal(kmsg.missed, 0, 'what they lost is not ours');
  t.equal(kmsg.lostSince({ position: 0, overwritten: 0 }), 1, 'what we lost is');
});

t.test(
  'a reader that was overtaken starts again, and what it missed is counted where it is missing',
  async (t) => {
    const kmsg = await streamOf(
      line(5, 'five') + line(6, 'six'),
      line(6, 'six') + line(9, 'nine') + line(10, 'ten'),
    );
    t.same(texts(kmsg), ['five', 'six', 'nine', 'ten']);
    t.equal(kmsg.missed, 5, 'overwritten before it was read for the first time');
    const all = { position: 0, overwritten: 0 };
    t.equal(kmsg.lostSince(all), 2);
    t.equal(kmsg.lostSince(all, 2), 2, 'a gap before the next part may be of this one');
    t.equal(kmsg.lostSince(all, 1), 0);
    t.equal(kmsg.lostSince({ position: 3, overwritten: 2 }), 0);
    t.same(kmsg.mark(), { position: 4, overwritten: 2 });
  },
);

t.test('of a flood the beginning and the end are kept', async (t) => {
  const count = 250_000;
  const flood = Array.from({ length: count }, (_, seq) => line(seq, 'x')).join('');
  const kmsg = await streamOf(line(0, 'first') + flood.slice(flood.indexOf('\n') + 1) + line(count, 'last'));
  const kept = kmsg.since(0);
  t.ok(kept.length <= 100_000, `${kept.length} are kept`);
  t.equal(kept[0]?.record.text, 'first');
  t.equal(kept.at(-1)?.record.text, 'last');
  t.equal(kmsg.lostSince({ position: 0, overwritten: 0 }), count + 1 - kept.length);
  t.equal(kmsg.find('last', 0), count, 'positions stay');
});

t.test('a flood of long records takes no more memory than one of short ones', async (t) => {
  const long = 'y'.repeat(15_000);
  const kmsg = await streamOf(Array.from({ length: 5000 }, (_, seq) => line(seq, long)).join(''));
  const chars = kmsg.since(0).reduce((sum, one) => sum + one.raw.length, 0);
  t.ok(chars <= 32 * 1024 * 1024, `${chars} characters`);
  t.equal(kmsg.lostSince({ position: 0, overwritten: 0 }), 5000 - kmsg.since(0).length);
});

t.test('what is no record at all, and never ends, is let go', async (t) => {
  const kmsg = await streamOf(`${'z'.repeat(1024 * 1024)}\n${line(0, 'after')}`);
  t.equal(texts(kmsg).at(-1), 'after');
});
