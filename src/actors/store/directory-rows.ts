/** Which node is attached to which gateway. One counter serves all nodes, so epochs rise for ever though no row is kept of a node that has gone. */
import type { NodeEntry, NodeRecord } from './cluster.ts';
import { copyOf } from './task-row.ts';

interface DirectoryRow {
  readonly gateway: string;
  readonly epoch: number;
  readonly view: Uint8Array;
  readonly atMs: number;
}

export class DirectoryRows {
  readonly #rows = new Map<string, DirectoryRow>();
  #epoch = 0;

  /** The epoch under which the gateway has the node now; null if it has it no more. */
  put(gateway: string, { nodeId, epoch, view }: NodeEntry, nowMs: number): number | null {
    const row = this.#rows.get(nodeId);
    if (epoch !== null && (row === undefined || row.epoch !== epoch || row.gateway !== gateway)) return null;
    if (epoch === null) this.#epoch += 1;
    const present = epoch ?? this.#epoch;
    this.#rows.set(nodeId, { gateway, epoch: present, view: copyOf(view), atMs: nowMs });
    return present;
  }

  drop(nodeId: string, epoch: number): boolean {
    return this.#rows.get(nodeId)?.epoch === epoch && this.#rows.delete(nodeId);
  }

  /** The gateway is gone, and all that was attached to it. */
  dropAllOf(gateway: string): void {
    for (const [nodeId, row] of this.#rows) if (row.gateway === gateway) this.#rows.delete(nodeId);
  }

  all(nowMs: number): NodeRecord[] {
    const records = Array.from(this.#rows, ([nodeId, { gateway, epoch, view, atMs }]) => {
      return { nodeId, gateway, epoch, view: copyOf(view), ageMs: Math.round(nowMs - atMs) };
    });
    return records.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }
}
