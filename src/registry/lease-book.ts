/** Who is registered at present, by region and type, and until when. Holds what the journal keeps; decides nothing about who may ask. */
import { PincerError } from '../protocol/failure.ts';
import type { Clock, Ids } from '../protocol/ports.ts';
import type { Registration } from '../transport/discovery/registry-messages.ts';
import type { CandidateKind } from '../transport/discovery/source.ts';
import type { LeaseRecord, LeaseStore } from './lease.ts';

interface Held extends LeaseRecord {
  expiresAt: number;
}

export interface LeaseBookOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: LeaseStore;
  readonly ttlMs: number;
  readonly nodesMax: number;
}

export interface NodeFilter {
  readonly region?: string | undefined;
  readonly type?: CandidateKind | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export class LeaseBook {
  readonly #options: LeaseBookOptions;
  readonly #held = new Map<string, Held>();
  /** The ids in order, for pages; null once somebody has come or gone. */
  #order: readonly string[] | null = null;

  constructor(options: LeaseBookOptions) {
    this.#options = options;
  }

  /** Everybody who was there before gets a whole TTL: a restart must cost nobody the lease. */
  async open(): Promise<void> {
    const expiresAt = this.#options.clock.now() + this.#options.ttlMs;
    for (const record of await this.#options.store.open()) this.#held.set(record.node.id, { ...record, expiresAt });
    this.#order = null;
  }

  get size(): number {
    return this.#held.size;
  }

  /**
   * Registers a node, or registers it anew. Resolves with the lease when it is durable.
   * @throws PincerError `RATE_EXCEEDED` when as many nodes as allowed are registered, `STORE_UNAVAILABLE`
   */
  async put(node: Registration): Promise<string> {
    const { clock, ids, store, ttlMs, nodesMax } = this.#options;
    if (!this.#held.has(node.id) && this.#held.size >= nodesMax) this.sweep();
    if (!this.#held.has(node.id) && this.#held.size >= nodesMax) {
      const message = `${nodesMax} nodes are registered, as many as this registry takes`;
      throw new PincerError('RATE_EXCEEDED', message, { retryAfterMs: ttlMs });
    }
    const lease = ids();
    this.#held.set(node.id, { lease, node, expiresAt: clock.now() + ttlMs });
    this.#order = null;
    await store.append({ op: 'put', lease, node });
    // The TTL counts from the answer, not from the question.
    this.#extend(node.id, lease);
    return lease;
  }

  /** `unknown`: there is no such lease any more, register again. `foreign`: somebody else has registered the id. */
  beat(id: string, lease: string | undefined): { readonly lease: string } | 'unknown' | 'foreign' {
    const held = this.#find(id);
    if (held === null) return 'unknown';
    if (lease !== undefined && lease !== held.lease) return 'foreign';
    this.#extend(id, held.lease);
    return { lease: held.lease };
  }

  /** Resolves when it is durable that the node is not registered. */
  async drop(id: string, lease: string | undefined): Promise<'dropped' | 'unknown' | 'foreign'> {
    const held = this.#find(id);
    if (held === null) return 'unknown';
    if (lease !== undefined && lease !== held.lease) return 'foreign';
    this.#held.delete(id);
    this.#order = null;
    await this.#options.store.append({ op: 'drop', lease: held.lease, id });
    return 'dropped';
  }

  /** One page, in the order of ids. */
  list({ region, type, cursor, limit }: NodeFilter): { nodes: Registration[]; cursor?: string } {
    this.#order ??= [...this.#held.keys()].sort();
    const now = this.#options.clock.now();
    const nodes: Registration[] = [];
    for (const id of this.#order) {
      if (cursor !== undefined && id <= cursor) continue;
      const held = this.#held.get(id);
      if (held === undefined || held.expiresAt <= now) continue;
      if (region !== undefined && held.node.region !== region) continue;
      if (type !== undefined && held.node.type !== type) continue;
      const last = nodes.at(-1);
      if (nodes.length === limit && last !== undefined) return { nodes, cursor: last.id };
      nodes.push(held.node);
    }
    return { nodes };
  }

  /** Forgets whose lease has run out. Returns how many. */
  sweep(): number {
    const { clock, store } = this.#options;
    const now = clock.now();
    let swept = 0;
    for (const [id, { lease, expiresAt }] of this.#held) {
      if (expiresAt > now) continue;
      this.#held.delete(id);
      this.#order = null;
      swept += 1;
      // If that is not written down, the lease returns with a restart, and runs out again.
      store.append({ op: 'drop', lease, id }).catch(() => {});
    }
    return swept;
  }

  #find(id: string): Held | null {
    const held = this.#held.get(id);
    return held === undefined || held.expiresAt <= this.#options.clock.now() ? null : held;
  }

  #extend(id: string, lease: string): void {
    const held = this.#held.get(id);
    if (held?.lease === lease) held.expiresAt = this.#options.clock.now() + this.#options.ttlMs;
  }
}
