/**
 * What the store says this gateway owns, held against what it knows of. They differ when a claim was made and its answer
 * was lost: such a task would wait for ever, owned by a gateway that has never heard of it.
 */
import type { AttemptRef } from '../../protocol/identifier.ts';
import type { Store } from '../store/store.ts';
import type { World } from '../world.ts';

export interface OwnershipOptions {
  readonly store: Store;
  readonly gatewayId: () => string;
  /** Whether an attempt is known here. */
  isKnown(ref: AttemptRef): boolean;
  /** While a claim is under way, what it gave is owned and not known yet. */
  isClaiming(): boolean;
  onStoreFailed(error: unknown): void;
}

export class Ownership {
  readonly #world: World;
  readonly #options: OwnershipOptions;
  /** Owned and unknown when it was last looked at: given back if it still is the next time. */
  #suspects = new Set<string>();

  constructor(world: World, options: OwnershipOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Compares now and then, until the deadlines stop. */
  watch(): void {
    const { deadlines, limits } = this.#world;
    deadlines.set(limits.sweepMs, () => {
      this.#compare()
        .catch((error: unknown) => this.#options.onStoreFailed(error))
        .finally(() => this.watch());
    });
  }

  async #compare(): Promise<void> {
    const { store, gatewayId, isKnown, isClaiming } = this.#options;
    if (isClaiming()) return;
    const gateway = gatewayId();
    const unknown = (await store.owned(gateway)).filter((ref) => !isKnown(ref));
    const given = unknown.filter((ref) => this.#suspects.has(keyOf(ref)));
    this.#suspects = new Set(unknown.map(keyOf));
    if (given.length === 0) return;
    this.#world.log.warn('claim.unanswered', { tasks: given.length });
    await store.release(
      gateway,
      given.map(({ taskId, attempt }) => ({ taskId, attempt, costs: 'nothing', delayMs: 0 })),
    );
  }
}

function keyOf({ taskId, attempt }: AttemptRef): string {
  return `${taskId} ${attempt}`;
}
