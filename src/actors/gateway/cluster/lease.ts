/** A gateway’s claim on its work: joined, renewed, swept for others, and made anew when it has lapsed. */
import { PincerError } from '../../../protocol/failure.ts';
import type { Store } from '../../store/store.ts';
import type { World } from '../../world/world.ts';

export interface LeaseOwner {
  /** The claim has lapsed and a new one was made: what is running is to be adopted under it. Called again if it fails. */
  onRenewed(): Promise<void>;
  /** Nobody has swept the claim while it could not be trusted. */
  onHeldAgain(): void;
  onStoreFailed(error: unknown): void;
}

export class Lease {
  readonly #world: World;
  readonly #store: Store;
  readonly #name: string;
  readonly #owner: LeaseOwner;
  #id = '';
  #isLeft = false;
  /** When the last renewal was asked for that was granted. */
  #goodAt = Number.NEGATIVE_INFINITY;
  #rejoining: Promise<void> | null = null;
  /** The claim that is being made. */
  #joining: Promise<void> | null = null;

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

  /**
   * Whether the claim can be trusted: by the gateway’s own monotonic clock, and early enough that no other gateway may
   * have swept it. Without it nothing is claimed and nothing placed.
   */
  get isHeld(): boolean {
    return this.#world.clock.now() - this.#goodAt < this.#world.limits.fenceMs;
  }

  async join(): Promise<void> {
    await this.#join();
    this.#keep();
    this.#sweep();
  }

  #join(): Promise<void> {
    const askedAt = this.#world.clock.now();
    this.#joining = this.#store.join(this.#name, this.#world.limits.leaseMs).then((id) => {
      this.#id = id;
      this.#goodAt = askedAt;
    });
    return this.#joining;
  }

  /** While a new claim is made and what is running is adopted under it: until that is over, nobody knows what is held. */
  get rejoining(): Promise<void> | null {
    return this.#rejoining;
  }

  /**
   * The claim has lapsed.
   * @throws PincerError `FENCED` once the gateway has left: it makes no new one
   */
  rejoin(): Promise<void> {
    if (this.#isLeft) return Promise.reject(new PincerError('FENCED', 'the gateway has left its store'));
    this.#rejoining ??= this.#rejoin().finally(() => {
      this.#rejoining = null;
    });
    return this.#rejoining;
  }

  async leave(): Promise<void> {
    this.#isLeft = true;
    // One that is being made would stay behind.
    await this.#joining?.catch(() => {});
    if (this.#id !== '') await this.#store.leave(this.#id);
  }

  async #rejoin(): Promise<void> {
    this.#world.log.warn('gateway.fenced', { gateway: this.#name });
    await this.#join();
    while (!this.#isLeft && !(await this.#isRenewed())) {
      await new Promise<void>((resolve) => this.#world.deadlines.set(this.#world.limits.sweepMs, resolve));
    }
  }

  async #isRenewed(): Promise<boolean> {
    try {
      // It may have lapsed again while it was tried. If nobody has swept it, another one would leave it behind.
      if (!this.isHeld && !(await this.#isStillThere())) await this.#join();
      await this.#owner.onRenewed();
      return true;
    } catch (error) {
      this.#owner.onStoreFailed(error);
      return false;
    }
  }

  #keep(): void {
    const { deadlines, limits } = this.#world;
    deadlines.set(limits.leaseRenewMs, () => {
      if (this.#isLeft) return;
      this.#renew()
        .catch((error: unknown) => this.#owner.onStoreFailed(error))
        .finally(() => this.#keep());
    });
  }

  async #renew(): Promise<void> {
    const wasHeld = this.isHeld;
    if (await this.#isStillThere()) {
      if (!wasHeld) this.#owner.onHeldAgain();
    } else if (!this.#isLeft) await this.rejoin();
  }

  /** Renews the claim, unless it has been swept. */
  async #isStillThere(): Promise<boolean> {
    const askedAt = this.#world.clock.now();
    const isThere = await this.#store.renew(this.#id, this.#world.limits.leaseMs);
    if (isThere) this.#goodAt = askedAt;
    return isThere;
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
