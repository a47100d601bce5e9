/**
 * The store contract (src/actors/store/store.ts) as a suite: named cases for every verb and for the invariants I1–I7,
 * and seeded streams of calls beside a naive model. Each store has a test file of a few lines that calls this.
 */
import { describe, it } from 'vitest';
import { attemptCases } from './store-attempt-cases.ts';
import { clusterCases } from './store-cluster-cases.ts';
import { gatewayCases } from './store-gateway-cases.ts';
import { orderCases } from './store-order-cases.ts';
import { questionCases } from './store-question-cases.ts';
import { redriveCases } from './store-redrive-cases.ts';
import { type OpenStore, runStream } from './store-stream.ts';
import { submitCases } from './store-submit-cases.ts';
import { waitCases } from './store-wait-cases.ts';

export { differential, type OpenStore } from './store-stream.ts';

/** Seeds in groups, so that a slow store is not cut off by the timeout of one test. */
const GROUPS = 8;
const SEEDS_PER_GROUP = 25;

/**
 * Declares the suite for one store. `open` makes an open and empty one on the clock each time. Without `streams` for a
 * store that runs them beside another one.
 */
export function storeConformance(name: string, open: OpenStore, { streams = true } = {}): void {
  describe(`${name} keeps the store contract`, () => {
    submitCases(open);
    attemptCases(open);
    gatewayCases(open);
    clusterCases(open);
    questionCases(open);
    orderCases(open);
    waitCases(open);
    redriveCases(open);

    for (let group = 0; streams && group < GROUPS; group += 1) {
      const first = 1 + group * SEEDS_PER_GROUP;
      const last = first + SEEDS_PER_GROUP - 1;
      it(`answers as the model does and keeps the invariants, seeds ${first}–${last}`, async () => {
        for (let seed = first; seed <= last; seed += 1) await runStream([open], seed);
      });
    }
  });
}
