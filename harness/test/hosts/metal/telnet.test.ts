// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import t from 'tap';
import { TelnetText } from '../../../hosts/metal/telnet.ts';

function text(...pieces: number[][]): string {
  const telnet = new TelnetText();
  return pieces.map((piece) => telnet.take(Buffer.from(piece)).toString('latin1')).join('');
}

const A = 65;

t.test('what the server says is no output of the machine', async (t) => {
  t.equal(text([A, A]), 'AA');
  t.equal(text([A, 255, 251, 1, A]), 'AA', 'WILL ECHO');
  t.equal(text([A, 255, 254, 255, A]), 'AA', 'an option that looks like an escape');
  t.equal(text([A, 255, 255, A]), 'A\xffA', 'a byte of the machine');
  t.equal(text([A, 255, 241, A]), 'AA', 'NOP');
  t.equal(text([A, 255, 250, 24, 255, 255, 1, 255, 240, A]), 'AA', 'a subnegotiation');
  t.equal(text([A, 255], [253], [1, A]), 'AA', 'cut anywhere');
});

t.test('any bytes, cut anywhere, come through as in one piece', async () => {
  const bytes = fc.array(
    fc.oneof(fc.constantFrom(255, 250, 240, 251, 254), fc.integer({ min: 0, max: 255 })),
  );
  fc.assert(
    fc.property(bytes, fc.nat(), (all, cut) => {
      const at = all.length === 0 ? 0 : cut % all.length;
      return text(all.slice(0, at), all.slice(at)) === text(all);
    }),
  );
  const printable = fc.array(fc.integer({ min: 0, max: 254 }));
  fc.assert(fc.property(printable, (all) => text(all) === Buffer.from(all).toString('latin1')));
});
