/**
 * When the rates of limits open again by time alone. Classes that a limit held back in a claim are heard of anew at that
 * moment, and not with the next sweep: one wait for each limit, whatever number of tasks it holds back.
 */
import type { Store } from '../../store/store.ts';
import type { World } from '../../world/world.ts';

export interface OpeningsOptions {
  readonly store: Pick<Store, 'limit'>;
  /** The limit of these classes is open. */
  onOpened(queues: readonly string[]): void;
  onStoreFailed(error: unknown): void;
}

export class Openings {
  readonly #world: World;
  readonly #options: OpeningsOptions;
  /** The classes that wait for each limit, by its key. */
  readonly #awaited = new Map<string, Set<string>>();

  constructor(world: World, options: OpeningsOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** A claim got less of a class than there was room for: it is empty, or its limit is closed. */
  async look(limitKey: string, queue: string): Promise<void> {
    const awaited = this.#awaited.get(limitKey);
    if (awaited !== undefined) {
      awaited.add(queue);
      return;
    }
    this.#awaited.set(limitKey, new Set([queue]));
    const opensInMs = await this.#opensInMs(limitKey);
    // One that is open held nothing back; one that is used up at once opens with the end of an attempt, and that is told.
    if (opensInMs === null || opensInMs === 0) this.#awaited.delete(limitKey);
    else this.#world.deadlines.set(opensInMs, () => this.#opened(limitKey));
  }

  async #opensInMs(limitKey: string): Promise<number | null> {
    try {
      return (await this.#options.store.limit(limitKey))?.opensInMs ?? null;
    } catch (error) {
      this.#options.onStoreFailed(error);
      return null;
    }
  }

  #opened(limitKey: string): void {
    const queues = this.#awaited.get(limitKey) ?? [];
    this.#awaited.delete(limitKey);
    this.#options.onOpened([...queues]);
  }
}
