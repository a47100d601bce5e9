/**
 * Where a node keeps its results until a gateway has acknowledged them: the contract, and the twin in memory. What one on
 * disk (disk-outbox.ts) promises beyond that is that the next process of the node finds what the last one left.
 */
import { PincerError } from '../../protocol/failure.ts';
import type { AttemptRef } from '../../protocol/identifier.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Payload } from '../../protocol/message.ts';
import { TransitMap } from '../transit-map.ts';
import type { World } from '../world/world.ts';

export type Result = Payload<'task_result'>;

export interface OutboxOwner extends Pick<World, 'clock' | 'log' | 'limits'> {
  /** Whether new work may be taken has changed. */
  onRefusal(): void;
}

/** Where a node keeps results until a gateway has acknowledged them; one process at a time may have it open. */
export interface Outbox {
  /**
   * Opens it. Resolves with the results that an earlier process left, oldest first.
   * @throws PincerError `OUTBOX_IN_USE`, or `OUTBOX_UNAVAILABLE` naming what cannot be used
   */
  open(owner: OutboxOwner): Promise<readonly Result[]>;
  /** Why no new work may be taken now; null while there is room. What is kept is kept all the same. */
  readonly refusal: PincerError | null;
  /** Keeps a result, and calls back, perhaps within the call, when it is as safe as it gets: then it may be reported. */
  keep(key: string, result: Result, onKept: (key: string, result: Result) => void): void;
  /** Forgets a result, if it has it: a gateway has dealt with it, or does not want it. */
  forget(key: string): void;
  /** Lets go of it; what is kept stays. Idempotent. */
  close(): Promise<void>;
}

/** What a result is kept by. */
export function keyOf({ taskId, attempt }: AttemptRef): string {
  return `${taskId} ${attempt}`;
}

/** A result for a gateway: one that is larger than it takes fails, since it would hang up on it, however often it is sent. */
export function resultFor(kept: Result, { payloadBytesMax }: Pick<Limits, 'payloadBytesMax'>): Result {
  const bytes = kept.result?.byteLength ?? 0;
  if (bytes <= payloadBytesMax) return kept;
  const { taskId, attempt, duration } = kept;
  const error = new PincerError('RESULT_TOO_LARGE', `the result has ${bytes} bytes, more than ${payloadBytesMax}`);
  return { taskId, attempt, status: 'failed', duration, error: error.toFailure() };
}

/** What a result takes beside its bytes, roughly. */
const OVERHEAD_BYTES = 256;
/** A full outbox takes new work again when it is no fuller than this, so that it does not flutter. */
const ROOM_AGAIN = 0.75;

/** The results that are kept, and whether there is room for more. */
export class KeptResults {
  readonly #limits: Pick<Limits, 'outboxResultsMax' | 'outboxBytesMax'>;
  readonly #results = new TransitMap<string, Result>();
  #onRefusal = (): void => {};
  #bytes = 0;
  #refusal: PincerError | null = null;

  constructor({ limits, onRefusal }: Pick<OutboxOwner, 'limits' | 'onRefusal'>, left: Iterable<[string, Result]> = []) {
    this.#limits = limits;
    for (const [key, result] of left) this.add(key, result);
    // Only now: who opens it asks when it is open.
    this.#onRefusal = onRefusal;
  }

  get size(): number {
    return this.#results.size;
  }

  get refusal(): PincerError | null {
    return this.#refusal;
  }

  entries(): IterableIterator<[string, Result]> {
    return this.#results[Symbol.iterator]();
  }

  has(key: string): boolean {
    return this.#results.has(key);
  }

  add(key: string, result: Result): void {
    this.remove(key);
    this.#results.set(key, result);
    this.#bytes += bytesOf(result);
    const { outboxResultsMax, outboxBytesMax } = this.#limits;
    if (this.#refusal !== null || (this.#results.size < outboxResultsMax && this.#bytes < outboxBytesMax)) return;
    const held = `${this.#results.size} results of ${this.#bytes} bytes`;
    this.#refusal = new PincerError('NODE_FULL', `the outbox is full: no gateway has acknowledged ${held}`);
    this.#onRefusal();
  }

  /** False: it was not there. */
  remove(key: string): boolean {
    const result = this.#results.get(key);
    if (result === undefined) return false;
    this.#results.delete(key);
    this.#bytes -= bytesOf(result);
    const { outboxResultsMax, outboxBytesMax } = this.#limits;
    const hasRoom = this.#results.size <= outboxResultsMax * ROOM_AGAIN && this.#bytes <= outboxBytesMax * ROOM_AGAIN;
    if (this.#refusal !== null && hasRoom) {
      this.#refusal = null;
      this.#onRefusal();
    }
    return true;
  }
}

/** An outbox in memory. It outlives nodes that are closed and opened with it in one process, and nothing else. */
export function memoryOutbox(): Outbox {
  return new MemoryOutbox();
}

class MemoryOutbox implements Outbox {
  #kept: KeptResults | null = null;
  #left: [string, Result][] = [];

  async open(owner: OutboxOwner): Promise<readonly Result[]> {
    if (this.#kept !== null) throw new PincerError('OUTBOX_IN_USE', 'another node of this process has the outbox open');
    this.#kept = new KeptResults(owner, this.#left);
    return this.#left.map(([, result]) => result);
  }

  get refusal(): PincerError | null {
    return this.#kept?.refusal ?? null;
  }

  keep(key: string, result: Result, onKept: (key: string, result: Result) => void): void {
    this.#kept?.add(key, result);
    onKept(key, result);
  }

  forget(key: string): void {
    this.#kept?.remove(key);
  }

  async close(): Promise<void> {
    if (this.#kept === null) return;
    this.#left = [...this.#kept.entries()];
    this.#kept = null;
  }
}

function bytesOf({ result, error }: Result): number {
  return OVERHEAD_BYTES + (result?.byteLength ?? 0) + (error?.message.length ?? 0);
}
