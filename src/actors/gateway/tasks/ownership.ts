/**
 * What the store says this gateway owns, held against what it knows of, now and then. They differ when a claim was made
 * and its answer was lost: such a task would wait for ever, owned by a gateway that has never heard of it. They differ
 * when another gateway has adopted an attempt; and when a cancel was asked for there.
 */
import type { AttemptRef } from '../../../protocol/identifier.ts';
import type { Store } from '../../store/store.ts';
import type { World } from '../../world/world.ts';

export interface OwnershipOptions {
  readonly store: Store;
  readonly gatewayId: () => string;
  /** The attempts that this gateway holds, but for those of which what came is on its way into the store. */
  held(): Iterable<AttemptRef>;
  /** Whether an attempt is known here. */
  isKnown(ref: AttemptRef): boolean;
  /** Claims that were begun, and those that were answered: what an open one gave is owned and not known yet. */
  claims(): { readonly begun: number; readonly answered: number };
  /** The task of an attempt that is held here is to be cancelled. */
  onCancelled(ref: AttemptRef): void;
  /** Another gateway has an attempt that is held here. */
  onTaken(ref: AttemptRef): void;
  onStoreFailed(error: unknown): void;
}

export class Ownership {
  readonly #world: World;
  readonly #options: OwnershipOptions;
  /** Owned and unknown at the last look, or held and not owned: believed if it still is at the next. */
  #unknown = new Set<string>();
  #taken = new Set<string>();
  #begun = 0;

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
    const { store, gatewayId, isKnown, held, onTaken, onCancelled } = this.#options;
    const gateway = gatewayId();
    const { begun } = this.#options.claims();
    const heldBefore = [...held()];
    const owned = await store.owned(gateway);
    const ownedKeys = new Set(owned.map(keyOf));
    for (const ref of owned) if (ref.cancelRequested && isKnown(ref)) onCancelled(ref);
    const taken = heldBefore.filter((ref) => !ownedKeys.has(keyOf(ref)) && isKnown(ref));
    for (const ref of taken) if (this.#taken.has(keyOf(ref))) onTaken(ref);
    this.#taken = new Set(taken.map(keyOf));
    await this.#giveBack(
      gateway,
      owned.filter((ref) => !isKnown(ref)),
    );
    this.#begun = begun;
  }

  /** What was owned and unknown at the last look too, and is of no claim that was open then and is open still. */
  async #giveBack(gateway: string, unknown: readonly AttemptRef[]): Promise<void> {
    const isCertain = this.#options.claims().answered >= this.#begun;
    const given = isCertain ? unknown.filter((ref) => this.#unknown.has(keyOf(ref))) : [];
    this.#unknown = new Set(unknown.map(keyOf));
    if (given.length === 0) return;
    this.#world.log.warn('claim.unanswered', { tasks: given.length });
    await this.#options.store.release(
      gateway,
      given.map(({ taskId, attempt }) => ({ taskId, attempt, costs: 'nothing', delayMs: 0 })),
    );
  }
}

function keyOf({ taskId, attempt }: AttemptRef): string {
  return `${taskId} ${attempt}`;
}
