// SPDX-License-Identifier: GPL-2.0-only
import t from 'tap';
import { lostRecords, parseKmsg, parseKmsgLine, stripConsoleStamp } from '../../model/kmsg.ts';
import { findSplats } from '../../model/splat.ts';
import { fixture } from '../temp.ts';

function check(
  line: string,
  level: number | undefined,
  seq: number | undefined,
  us: number | undefined,
  text: string,
) {
  t.same(parseKmsgLine(line), { level, seq, us, text }, JSON.stringify(line));
}

check('6,339,5140900,-;NET: Registered PF_INET', 6, 339, 5140900, 'NET: Registered PF_INET');
check('30,340,5690716,c,caller=T512;udevd[80]: starting', 6, 340, 5690716, 'udevd[80]: starting');
check('0,0,0,-;', 0, 0, 0, '');
check('3,1,2,-;a;b;c', 3, 1, 2, 'a;b;c');
check('3,1,2,-; kvm_vm_ioctl+0x10/0x20', 3, 1, 2, ' kvm_vm_ioctl+0x10/0x20');
check('11,4294967296,1,-;x', 3, 4294967296, 1, 'x');
check('3,1,2,-,caller=C1,new=field;x', 3, 1, 2, 'x');
check('', undefined, undefined, undefined, '');
check('not a record', undefined, undefined, undefined, 'not a record');
check('3,1,2', undefined, undefined, undefined, '3,1,2');
check('3,1,-1,-;x', undefined, undefined, undefined, '3,1,-1,-;x');
check(' SUBSYSTEM=acpi', undefined, undefined, undefined, ' SUBSYSTEM=acpi');

const text = (escaped: string) => parseKmsgLine(`3,1,2,-;${escaped}`).text;
t.equal(text('a\\x5cb'), 'a\\b', 'a backslash');
t.equal(text('a\\x5cx41b'), 'a\\x41b', 'an escape is undone once, not twice');
t.equal(text('\\x09tab\\x0aline'), '\ttab\nline');
t.equal(text('caf\\xc3\\xa9'), 'café', 'UTF-8 comes byte by byte');
t.equal(text('\\xf0\\x9f\\x90\\xa7!'), '\u{1f427}!');
t.equal(text('\\xff\\xfe'), '\ufffd\ufffd', 'what is no UTF-8 is shown as such');
t.equal(text('\\xC3\\xA9'), 'é');
t.equal(text('\\x5'), '\\x5', 'half an escape');
t.equal(text('\\xzz\\'), '\\xzz\\');
t.equal(text('\\x00'), '\0');

t.test('a drained log: dictionaries, an escaped line break, a record that was cut', async (t) => {
  const records = parseKmsg(fixture('model', 'fixtures', 'escapes-and-dictionaries.kmsg'));
  t.same(
    records.map(({ level, seq, text }) => [level, seq, text]),
    [
      [6, 100, 'virtio_net virtio1: Assigned random MAC address'],
      [3, 101, 'kvm-hil: start gmem/bind 0123456789ab'],
      [4, 102, 'first line\nsecond line'],
      [4, 103, 'name=ünïcode\\path'],
      [0, 107, 'BUG: KASAN: slab-use-after-free in kvm_gmem_unbind+0x2b5/0x420'],
      [undefined, undefined, '3,1'],
    ],
  );
  t.equal(lostRecords(records), 3);
  t.equal(findSplats(records.map((one) => one.text)).length, 1);
});

function checkLost(seqs: (number | undefined)[], expected: number): void {
  const records = seqs.map((seq) => ({ level: 6, seq, us: 0, text: '' }));
  t.equal(lostRecords(records), expected, JSON.stringify(seqs));
}

checkLost([], 0);
checkLost([7], 0);
checkLost([7, 8, 9], 0);
checkLost([7, 9], 1);
checkLost([0, 1000], 999);
checkLost([1, undefined, 2], 0);
checkLost([1, undefined, 3], 1);
checkLost([5, 5, 6], 0);
checkLost([1, 3, 5], 2);

function checkStamp(line: string, expected: string): void {
  t.equal(stripConsoleStamp(line), expected, JSON.stringify(line));
}

checkStamp('[   12.345678] text', 'text');
checkStamp('[    0.000000] text\r', 'text');
checkStamp('[   12.345678][  T512] text', 'text');
checkStamp('[   12.345678][    C1] text', 'text');
checkStamp('<4>[   12.345678] text', 'text');
checkStamp('[   12.345678]  kvm_vm_ioctl+0x1/0x2', ' kvm_vm_ioctl+0x1/0x2');
checkStamp('[123456789.345678] text', 'text');
checkStamp('[   12.345678] [ BUG: Invalid wait context ]', '[ BUG: Invalid wait context ]');
checkStamp('[   12.345678]', '');
checkStamp('text', 'text');
checkStamp('[kvm] text', '[kvm] text');
checkStamp('', '');
