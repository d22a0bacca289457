// SPDX-License-Identifier: GPL-2.0-only
// What infra/provision/host/lease.sh does, on a folder that is in memory. lease-race.test.ts tries the real one.

export class PlayedLease {
  /** By number; only the newest is left after one was taken. */
  private leases = new Map<number, { owner: string; purpose: string; count: number; over: boolean }>();

  copy(): PlayedLease {
    const copy = new PlayedLease();
    for (const [token, one] of this.leases) copy.leases.set(token, { ...one });
    return copy;
  }

  held(): boolean {
    return this.newest()?.[1].over === false;
  }

  token(): number {
    return this.newest()?.[0] ?? 0;
  }

  count(): number {
    return this.newest()?.[1].count ?? 0;
  }

  /** As `[ -e N ] && [ ! -e N.over ] && [ ! -e N+1 ]` of HeldLease.guard(). */
  isValid(token: number): boolean {
    return this.token() === token && this.held();
  }

  /** @returns standard output and exit status; `canWrite` is false where the disk is full or read-only */
  run(args: readonly string[], canWrite: boolean): { text: string; status: number } {
    const [verb = '', ...rest] = args;
    const [newest] = this.newest() ?? [0];
    const [token = 0, count = 0] = rest.map(Number);
    const lost = { text: this.show(), status: 75 };
    if (verb === 'read') return { text: this.show(), status: 0 };
    if (verb === 'take') {
      if (newest !== token || (this.held() && this.count() !== count)) return lost;
      if (!canWrite) return { text: '', status: 1 };
      const [, , owner = '', purpose = ''] = rest;
      this.leases = new Map([[token + 1, { owner, purpose, count: 0, over: false }]]);
      return { text: this.show(), status: 0 };
    }
    if (verb === 'refresh') {
      if (!this.isValid(token)) return lost;
      const one = this.leases.get(token);
      if (one === undefined || !canWrite) return { text: '', status: 1 };
      one.count = count;
      return { text: '', status: 0 };
    }
    if (newest !== token) return lost;
    const one = this.leases.get(token);
    if (one === undefined || !canWrite) return { text: '', status: 1 };
    one.over = true;
    return { text: '', status: 0 };
  }

  private newest() {
    return [...this.leases].sort(([a], [b]) => b - a)[0];
  }

  private show(): string {
    const [token, one] = this.newest() ?? [0, undefined];
    const lines = [`token=${token}`, `state=${this.held() ? 'held' : 'free'}`, `count=${one?.count ?? 0}`];
    if (one !== undefined) lines.push(`owner=${one.owner}`, `purpose=${one.purpose}`);
    return `${lines.join('\n')}\n`;
  }
}
