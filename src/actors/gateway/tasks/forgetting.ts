/**
 * Forgets tasks that settled longer ago than `retentionMs`, now and then and some at a time. Every gateway does so: the
 * store forgets each task once, whoever asks.
 */
import type { Store } from '../../store/store.ts';
import type { World } from '../../world/world.ts';

export interface ForgettingOptions {
  readonly store: Store;
  onStoreFailed(error: unknown): void;
}

/** Begins to forget, until the deadlines stop. */
export function forgetSettled(world: World, { store, onStoreFailed }: ForgettingOptions): void {
  const { deadlines, limits } = world;
  const { retentionMs, purgeMs, purgeTasksMax, sweepMs } = limits;
  if (retentionMs === 0) return;
  const look = (): void => {
    store
      .purge(retentionMs, purgeTasksMax)
      // As many as may be forgotten in one step: there are probably more.
      .then((forgotten) => deadlines.set(forgotten < purgeTasksMax ? purgeMs : sweepMs, look))
      .catch((error: unknown) => {
        onStoreFailed(error);
        deadlines.set(purgeMs, look);
      });
  };
  deadlines.set(purgeMs, look);
}
