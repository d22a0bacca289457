// SPDX-License-Identifier: GPL-2.0-only
// The door of fast-check: properties on random inputs. KVM_HIL_FUZZ_RUNS raises the number of inputs, up to millions;
// KVM_HIL_FUZZ_SEED repeats a run. What fails is shrunk and shown with its seed.
import fc from 'fast-check';
import type { Test } from 'tap';

export { default as fc } from 'fast-check';

const RUNS = 300;
/** The same in every run of the unit tests, so that they do not fail by chance. */
const SEED = 20_250_917;

/** Checks a property, which throws or returns false where it does not hold. */
export function checkProperty<T>(
  t: Test,
  what: string,
  input: fc.Arbitrary<T>,
  holds: (value: T) => boolean | undefined,
): void {
  const numRuns = Number(process.env['KVM_HIL_FUZZ_RUNS'] ?? RUNS);
  const seed = Number(process.env['KVM_HIL_FUZZ_SEED'] ?? SEED);
  const details = fc.check(
    fc.property(input, (value) => holds(value) !== false),
    { numRuns, seed },
  );
  const inputs = `${details.numRuns} inputs`;
  if (!details.failed) return void t.pass(`${what}: ${inputs}`);
  t.fail(`${what}: after ${inputs}`, {
    seed: details.seed,
    counterexample: fc.stringify(details.counterexample),
    error: String(details.errorInstance ?? ''),
  });
}
