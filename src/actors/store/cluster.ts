/** What the gateways of one store know of each other, beside the tasks: which nodes are where, what operators have ordered. */

/** What a gateway says of a node that is attached to it. */
export interface NodeEntry {
  readonly nodeId: string;
  /** The epoch under which this gateway has the node; null: the node has just come to it, and gets a new one. */
  readonly epoch: number | null;
  /** What lists show of the node. The store does not look inside. */
  readonly view: Uint8Array;
}

/** Where a node is attached. */
export interface NodeRecord {
  readonly nodeId: string;
  readonly gateway: string;
  /** Of two gateways that say they have the node, the one with the higher epoch has it. */
  readonly epoch: number;
  readonly view: Uint8Array;
  /** How long ago its gateway last spoke of it. */
  readonly ageMs: number;
}

/** An order that holds on every gateway until it is taken back: no more tasks of a type, no more work for a node. */
export interface StandingOrder {
  /** `pause`: no task of the type is placed. `refuse`: none is taken in. `drain`: the node gets no new work. */
  readonly kind: 'pause' | 'refuse' | 'drain';
  /** The task type, or the node’s id. */
  readonly name: string;
}
