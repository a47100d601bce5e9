/**
 * A channel’s hold on its platform: asks the gateway for the lease, renews it three times as often as it lapses, and counts
 * from before it asked, so that it has let go before anybody else can take it.
 */
import type { GatewayCalls } from '../actors/client/calls.ts';
import type { Deadline } from '../actors/world/deadlines.ts';
import type { World } from '../actors/world/world.ts';
import { spreadMs } from '../machines/policies/retry.ts';
import { type PincerError, toFailure } from '../protocol/failure.ts';

export interface HoldOptions {
  readonly gateway: GatewayCalls;
  readonly key: string;
  readonly ttlMs: number;
  onHeld(): void;
  onLost(): void;
  /** The gateway was asked for the first time, whatever it said. */
  onAnswered(): void;
  /** The gateway refuses, and not for now. */
  onRefused(error: PincerError): void;
}

/** Renewals, and the questions of those that wait, within the life of a lease. */
const ASKS_PER_TTL = 3;

/** The share of its time that a holder trusts a lease for: what remains is for letting go. */
const TRUSTED_SHARE = 0.9;

export class Hold {
  readonly #world: World;
  readonly #options: HoldOptions;
  #token: number | null = null;
  #asking: Promise<void> | null = null;
  #next: Deadline | null = null;
  #lapse: Deadline | null = null;
  #isFreed = false;

  constructor(world: World, options: HoldOptions) {
    this.#world = world;
    this.#options = options;
    this.#ask();
  }

  get isHeld(): boolean {
    return this.#lapse !== null;
  }

  /** Gives the lease back; resolves when the gateway knows, or will find out by itself. */
  async free(): Promise<void> {
    if (this.#isFreed) return;
    this.#isFreed = true;
    this.#next?.clear();
    this.#lapse?.clear();
    this.#lapse = null;
    const { gateway, key } = this.#options;
    // An answer under way brings a newer token; without a gateway neither comes, and the lease lapses.
    const freed = Promise.resolve(this.#asking).then(() =>
      this.#token === null ? undefined : gateway.freeLease(key, this.#token),
    );
    await Promise.race([freed.catch(() => {}), this.#after(this.#world.limits.closeMs)]);
  }

  #ask(): void {
    const { deadlines, random } = this.#world;
    const { ttlMs } = this.#options;
    if (this.#isFreed) return;
    this.#next = deadlines.set(spreadMs(ttlMs / ASKS_PER_TTL, random()), () => this.#ask());
    // One question at a time: while the gateway is away, the first is asked again as soon as it is back.
    this.#asking ??= this.#take().finally(() => {
      this.#asking = null;
    });
  }

  async #take(): Promise<void> {
    const { gateway, key, ttlMs, onHeld, onAnswered, onRefused } = this.#options;
    const { clock, deadlines, log } = this.#world;
    const askedAt = clock.now();
    try {
      const lease = await gateway.takeLease(key, ttlMs);
      this.#token = lease?.token ?? null;
      if (this.#isFreed) return;
      const leftMs = askedAt + ttlMs * TRUSTED_SHARE - clock.now();
      if (lease === null || leftMs <= 0) this.#lose(lease === null ? 'another holds it' : 'the answer came too late');
      else {
        const wasHeld = this.#lapse !== null;
        this.#lapse?.clear();
        this.#lapse = deadlines.set(leftMs, () => this.#lose('it was not renewed in time'));
        if (!wasHeld) {
          log.info('lease.held', { key, token: lease.token });
          onHeld();
        }
      }
    } catch (error) {
      const failure = toFailure(error, 'INTERNAL');
      log.warn('lease.refused', { key, code: failure.code, message: failure.message });
      if (!failure.retryable && failure.code !== 'STOPPED') onRefused(error as PincerError);
    } finally {
      onAnswered();
    }
  }

  #lose(why: string): void {
    if (this.#lapse === null) return;
    this.#lapse.clear();
    this.#lapse = null;
    this.#world.log.warn('lease.lost', { key: this.#options.key, why });
    this.#options.onLost();
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.deadlines.set(ms, resolve));
  }
}
