/**
 * The store contract (src/actors/store/store.ts) as a suite: named cases for every verb and for the invariants I1–I7,
 * and seeded streams of calls beside a naive model. Each store has a test file of a few lines that calls this.
 */
import { describe } from 'vitest';
import { attemptCases } from './store-attempt-cases.ts';
import { clusterCases } from './store-cluster-cases.ts';
import { gatewayCases } from './store-gateway-cases.ts';
import { orderCases } from './store-order-cases.ts';
import { questionCases } from './store-question-cases.ts';
import { redriveCases } from './store-redrive-cases.ts';
import type { OpenStore } from './store-stream.ts';
import { submitCases } from './store-submit-cases.ts';
import { waitCases } from './store-wait-cases.ts';

export { differential, type OpenStore } from './store-stream.ts';

/**
 * Declares the named cases for one store. `open` makes an open and empty one on the clock each time. The streams are run
 * with `differential`, beside another store: it asks each of the two all that could be asked of it alone.
 */
export function storeConformance(name: string, open: OpenStore): void {
  describe(`${name} keeps the store contract`, () => {
    submitCases(open);
    attemptCases(open);
    gatewayCases(open);
    clusterCases(open);
    questionCases(open);
    orderCases(open);
    waitCases(open);
    redriveCases(open);
  });
}
