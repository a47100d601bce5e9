/**
 * The store in memory: the default in tests and when Pincer is embedded, and the model that every other store is
 * compared to. Nothing outlives the process. What the verbs do is in verbs.ts, what they do it to in memory-tables.ts.
 *
 * Each verb does its work before it returns its promise, so calls take effect in the order in which they were made.
 */
import { PincerError } from '../../../protocol/failure.ts';
import { givenLimits } from '../../../protocol/limit-relations.ts';
import { defaultLimits, type Limits } from '../../../protocol/limits.ts';
import { checkOptions, checkPort } from '../../../protocol/options.ts';
import type { Clock, Ids } from '../../../protocol/ports.ts';
import type * as contract from '../store.ts';
import { copyOf } from '../task-row.ts';
import { VerbStore } from '../verb-store.ts';
import { Verbs } from '../verbs.ts';
import type { MemoryRow } from './memory-row.ts';
import { MemoryTables } from './memory-tables.ts';

/** What a memory store needs. Limits that are left out keep their defaults. */
export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly limits?: Partial<Limits>;
}

/** A store whose tasks live as long as the process. Bounded by waitingTasksMax, waitingBytesMax, classesMax and settledTasksMax. */
export function createMemoryStore(options: MemoryStoreOptions): contract.Store {
  checkOptions<MemoryStoreOptions>(options, 'createMemoryStore', 'clock and ids', {
    clock: true,
    ids: true,
    limits: true,
  });
  checkPort(options.clock, 'createMemoryStore: clock', ['now', 'wallTime']);
  return new MemoryStore(options);
}

class MemoryStore extends VerbStore<MemoryRow> {
  readonly kind = 'memory';
  readonly #verbs: Verbs<MemoryRow>;
  #isOpen = false;

  constructor({ clock, ids, limits }: MemoryStoreOptions) {
    super(clock, ids);
    const all = { ...defaultLimits, ...givenLimits(limits) };
    this.#verbs = new Verbs(clock, all, new MemoryTables(clock.now()));
  }

  async open(): Promise<void> {
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
  }

  publish(topic: string, bytes: Uint8Array): void {
    if (this.#isOpen && this.topics.has(topic)) this.topics.publish(topic, copyOf(bytes));
  }

  protected async change<Answer>(verb: (verbs: Verbs<MemoryRow>) => Answer): Promise<Answer> {
    if (!this.#isOpen) throw new PincerError('STORE_UNAVAILABLE', 'the memory store is not open');
    const answer = verb(this.#verbs);
    this.tell(this.#verbs.takeHints());
    return answer;
  }

  protected read<Answer>(verb: (verbs: Verbs<MemoryRow>) => Answer): Promise<Answer> {
    return this.change(verb);
  }
}
