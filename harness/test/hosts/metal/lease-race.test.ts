// SPDX-License-Identifier: GPL-2.0-only
// lease.sh itself, by many shells at once: whoever believes to have the machine is alone there.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { inPackage } from '../../../effects/dirs.ts';
import { withTemp } from '../../temp.ts';

const LEASE = inPackage('infra', 'provision', 'host', 'lease.sh');
const TAKERS = 6;
const TURNS = 4;

// Takes it when it is free, is alone in there, gives it back: so often, or as long as it may try.
const TAKER = `
lease=$1 folder=$2 me=$3 turns=$4
for try in $(seq 2000); do
	[ "$turns" -gt 0 ] || break
	seen=$(sh "$lease" "$folder" read)
	case $seen in *state=held*) continue ;; esac
	token=\${seen#token=}; token=\${token%%?state=*}
	count=\${seen##*count=}; count=\${count%%?owner=*}
	mine=$(sh "$lease" "$folder" take "$token" "$count" "$me" race) || continue
	mkdir "$folder/../inside" || { echo "not alone: $me"; exit 1; }
	token=\${mine#token=}; token=\${token%%?state=*}
	echo "$token"
	sh "$lease" "$folder" refresh "$token" 1 || { echo "lost: $me"; exit 1; }
	rmdir "$folder/../inside"
	sh "$lease" "$folder" drop "$token" || { echo "not dropped: $me"; exit 1; }
	turns=$((turns - 1))
done
[ "$turns" -eq 0 ]
`;

function run(script: string, ...args: string[]): Promise<{ status: number | null; lines: string[] }> {
  const child = spawn('sh', ['-c', script, 'sh', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (piece: Buffer) => {
    text += piece.toString();
  });
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({ status, lines: text.split('\n').filter((one) => one !== '') }));
  });
}

t.test('who has it is alone', (t) =>
  withTemp(async (folder) => {
    const lease = path.join(folder, 'lease');
    const all = await Promise.all(
      Array.from({ length: TAKERS }, (_, at) => run(TAKER, LEASE, lease, `taker-${at}`, String(TURNS))),
    );
    for (const { status, lines } of all) t.equal(status, 0, lines.join(' '));
    const tokens = all.flatMap((one) => one.lines.map(Number)).sort((a, b) => a - b);
    t.same(
      tokens,
      Array.from({ length: TAKERS * TURNS }, (_, at) => at + 1),
      'every number was given once, and none was left out',
    );
    t.notOk(existsSync(path.join(folder, 'inside')));
  }),
);

t.test('a lease that is expired is taken by one of those who saw it so', (t) =>
  withTemp(async (folder) => {
    const lease = path.join(folder, 'lease');
    const take = 'sh "$1" "$2" take "$3" "$4" "$5" race';
    t.equal((await run(take, LEASE, lease, '0', '0', 'first')).status, 0);
    for (let token = 1; token <= 12; token++) {
      const all = await Promise.all(
        Array.from({ length: TAKERS }, (_, at) => run(take, LEASE, lease, String(token), '0', `taker-${at}`)),
      );
      t.equal(all.filter((one) => one.status === 0).length, 1, `after ${token}`);
      t.ok(all.every((one) => one.status === 0 || one.status === 75));
    }
    t.same(readdirSync(lease), ['13'], 'nothing of those before is left, not across 9 and 10 either');
  }),
);

t.test('who wakes up late does not take a number that is long past', (t) =>
  withTemp(async (folder) => {
    const lease = path.join(folder, 'lease');
    // It stands still after its look, while others take the machine twice.
    const late = `
sleepy=$2/../sleepy.sh
sed 's/^\\tmine=/\\t: >"$folder\\/..\\/looked"; while [ ! -e "$folder\\/..\\/go" ]; do sleep 0.05; done; mine=/' "$1" >"$sleepy"
sh "$sleepy" "$2" take 0 0 late race`;
    mkdirSync(lease);
    const sleeper = run(late, LEASE, lease);
    for (let tries = 0; tries < 500 && !existsSync(path.join(folder, 'looked')); tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const step = (...args: string[]) => run('sh "$@"', LEASE, lease, ...args);
    t.equal((await step('take', '0', '0', 'a', 'race')).status, 0);
    t.equal((await step('drop', '1')).status, 0);
    t.equal((await step('take', '1', '0', 'b', 'race')).status, 0);
    await run(': >"$1"', path.join(folder, 'go'));
    const { status, lines } = await sleeper;
    t.equal(status, 75);
    t.match(lines, ['token=2', 'state=held', 'count=0', 'owner=b']);
    t.equal((await step('refresh', '2', '1')).status, 0, 'who has it notices nothing');
    t.same(
      readdirSync(lease).filter((name) => /^\d+$/.test(name)),
      ['2'],
    );
  }),
);
