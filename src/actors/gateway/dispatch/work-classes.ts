/**
 * Requirement classes as a scheduler sees them: what each asks of a node, and which of the present nodes could ever do it.
 * Found out once for each change of the nodes, and not for each task: there may be hundreds of nodes.
 */
import { misfit } from '../../../machines/policies/fit.ts';
import { type Requirement, requirementOf } from '../../../machines/policies/requirement-class.ts';
import type { Node, Nodes } from '../nodes/nodes.ts';

export interface WorkClass {
  readonly requirement: Requirement;
  /** Nodes that could ever do it, full or not. */
  readonly fitting: readonly Node[];
  readonly isFitting: ReadonlySet<Node>;
}

interface Known extends WorkClass {
  fitting: readonly Node[];
  isFitting: ReadonlySet<Node>;
  /** The version of the nodes of which that holds. */
  version: number;
}

/** Classes that are remembered; beyond that they are found out anew. */
const KNOWN_MAX = 1_024;

export class WorkClasses {
  readonly #nodes: Nodes;
  readonly #known = new Map<string, Known>();

  constructor(nodes: Nodes) {
    this.#nodes = nodes;
  }

  /** The class that is called so. */
  of(queue: string): WorkClass {
    let known = this.#known.get(queue);
    if (known === undefined) {
      if (this.#known.size >= KNOWN_MAX) this.#known.clear();
      known = { requirement: requirementOf(queue), fitting: [], isFitting: NOBODY, version: -1 };
      this.#known.set(queue, known);
    }
    const { version } = this.#nodes;
    if (known.version !== version) {
      const { requirement } = known;
      known.version = version;
      known.fitting = [...this.#nodes.all()].filter((node) => misfit(node, requirement) === null);
      known.isFitting = new Set(known.fitting);
    }
    return known;
  }
}

const NOBODY: ReadonlySet<Node> = new Set();
