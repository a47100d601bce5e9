/** A gateway’s claim on its work: joined, renewed, swept for others, and made anew when it has lapsed. */
import type { Store } from '../store/store.ts';
import type { World } from '../world.ts';

export interface LeaseOwner {
  /** The claim has lapsed and a new one was made: what is running is to be adopted under it. */
  onRenewed(): Promise<void>;
  onStoreFailed(error: unknown): void;
}

export class Lease {
  readonly #world: World;
  readonly #store: Store;
  readonly #name: string;
  readonly #owner: LeaseOwner;
  #id = '';
  #isLeft = false;
  #rejoining: Promise<void> | null = null;

  constructor(world: World, options: { store: Store; name: string; owner: LeaseOwner }) {
    this.#world = world;
    this.#store = options.store;
    this.#name = options.name;
    this.#owner = options.owner;
  }

  /** The gateway’s id in the store: another one after each join. */
  get id(): string {
    return this.#id;
  }

  async join(): Promise<void> {
    this.#id = await this.#store.join(this.#name, this.#world.limits.leaseMs);
    this.#keep();
    this.#sweep();
  }

  /** The claim has lapsed. */
  rejoin(): Promise<void> {
    this.#rejoining ??= this.#rejoin().finally(() => {
      this.#rejoining = null;
    });
    return this.#rejoining;
  }

  async leave(): Promise<void> {
    this.#isLeft = true;
    if (this.#id !== '') await this.#store.leave(this.#id);
  }

  async #rejoin(): Promise<void> {
    this.#world.log.warn('gateway.fenced', { gateway: this.#name });
    this.#id = await this.#store.join(this.#name, this.#world.limits.leaseMs);
    await this.#owner.onRenewed();
  }

  #keep(): void {
    const { deadlines, limits } = this.#world;
    deadlines.set(limits.leaseRenewMs, () => {
      if (this.#isLeft) return;
      this.#store
        .renew(this.#id, limits.leaseMs)
        .then((isHeld) => (isHeld ? undefined : this.rejoin()))
        .catch((error: unknown) => this.#owner.onStoreFailed(error))
        .finally(() => this.#keep());
    });
  }

  /** Looks for due delays and dead gateways, a little out of step with the others. */
  #sweep(): void {
    const { deadlines, limits, random } = this.#world;
    deadlines.set(limits.sweepMs * (0.9 + 0.2 * random()), () => {
      if (this.#isLeft) return;
      this.#store
        .sweep(this.#id, limits.listMax)
        .catch((error: unknown) => this.#owner.onStoreFailed(error))
        .finally(() => this.#sweep());
    });
  }
}
