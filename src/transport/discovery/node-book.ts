/**
 * The nodes that are expected, from however many lists: what a gateway grants by, and what it shows as absent. Knows
 * lists, not links; who is there is for its owner to say.
 */
import type { ExpectedNode } from './nodes-file.ts';

/** Which nodes are expected. Empty until a list was read. */
export class NodeBook {
  #nodes: ReadonlyMap<string, ExpectedNode> = new Map();

  /** Takes the place of the list before. */
  replace(nodes: readonly ExpectedNode[]): void {
    this.#nodes = new Map(nodes.map((node) => [node.nodeId, node]));
  }

  /** What was declared for a node, or null if it is not expected. */
  get(nodeId: string): ExpectedNode | null {
    return this.#nodes.get(nodeId) ?? null;
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** In the order of the list. */
  get nodes(): readonly ExpectedNode[] {
    return [...this.#nodes.values()];
  }

  /** The agents and channels that are expected and not there, in the order of the list. */
  absent(isPresent: (nodeId: string) => boolean): readonly ExpectedNode[] {
    return this.nodes.filter(({ nodeId, type }) => type !== 'gateway' && !isPresent(nodeId));
  }
}
