/** Which node is attached to which gateway. One counter serves all nodes, so epochs rise for ever though no row is kept of a node that has gone. */
import type { NodeEntry, NodeRecord } from './cluster.ts';
import type { DirectoryRow } from './rows.ts';
import type { Table } from './tables.ts';
import { copyOf } from './task-row.ts';

export class DirectoryRows {
  readonly #rows: Table<DirectoryRow>;
  readonly #nextEpoch: () => number;

  constructor(rows: Table<DirectoryRow>, nextEpoch: () => number) {
    this.#rows = rows;
    this.#nextEpoch = nextEpoch;
  }

  /** The epoch under which the gateway has the node now; null if it has it no more. */
  put(gateway: string, { nodeId, epoch, view }: NodeEntry, nowMs: number): number | null {
    const row = this.#rows.get(nodeId);
    if (epoch !== null && (row === undefined || row.epoch !== epoch || row.gateway !== gateway)) return null;
    const present = epoch ?? this.#nextEpoch();
    this.#rows.set(nodeId, { nodeId, gateway, epoch: present, view: copyOf(view), atMs: nowMs });
    return present;
  }

  drop(nodeId: string, epoch: number): boolean {
    return this.#rows.get(nodeId)?.epoch === epoch && this.#rows.delete(nodeId);
  }

  /** The gateway is gone, and all that was attached to it. */
  dropAllOf(gateway: string): void {
    for (const row of Array.from(this.#rows.values())) if (row.gateway === gateway) this.#rows.delete(row.nodeId);
  }

  all(nowMs: number): NodeRecord[] {
    const records = Array.from(this.#rows.values(), ({ nodeId, gateway, epoch, view, atMs }) => {
      return { nodeId, gateway, epoch, view: copyOf(view), ageMs: Math.round(nowMs - atMs) };
    });
    return records.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }
}
