/**
 * Requirement classes as a scheduler sees them: what each asks of a node, and which of the present nodes could ever do it.
 * Found out once for each change of the nodes, and not for each task: there may be hundreds of nodes.
 */
import { misfit } from '../../../machines/policies/fit.ts';
import { classOf, type Requirement, requirementOf } from '../../../machines/policies/requirement-class.ts';
import type { Node, Nodes } from '../nodes/nodes.ts';

export interface WorkClass {
  readonly requirement: Requirement;
  /** Nodes that could ever do it, full or not. */
  readonly fitting: readonly Node[];
  readonly isFitting: ReadonlySet<Node>;
}

/** Nodes that could do the work of some classes, and the version of the nodes of which that holds. */
interface Group {
  readonly requirement: Requirement;
  fitting: readonly Node[];
  isFitting: ReadonlySet<Node>;
  version: number;
}

interface Known extends WorkClass {
  /** What all classes have in common that differ in nothing but their limit, which no node knows of: there may be one for each user. */
  readonly group: Group;
}

/** Classes that are remembered: more than there may be in a store, as each claim looks at all that wait. Beyond that they are found out anew. */
const KNOWN_MAX = 16_384;

export class WorkClasses {
  readonly #nodes: Nodes;
  readonly #known = new Map<string, Known>();
  readonly #groups = new Map<string, Group>();

  constructor(nodes: Nodes) {
    this.#nodes = nodes;
  }

  /** The class that is called so. */
  of(queue: string): WorkClass {
    const known = this.#known.get(queue) ?? this.#learn(queue);
    if (known.group.version !== this.#nodes.version) this.#find(known.group);
    return known;
  }

  #learn(queue: string): Known {
    if (this.#known.size >= KNOWN_MAX) {
      this.#known.clear();
      this.#groups.clear();
    }
    const requirement = requirementOf(queue);
    const name = requirement.limitKey === undefined ? queue : classOf({ ...requirement, limitKey: undefined });
    const group = this.#groups.get(name) ?? { requirement, fitting: [], isFitting: NOBODY, version: -1 };
    this.#groups.set(name, group);
    const known: Known = {
      ...{ requirement, group },
      get fitting() {
        return group.fitting;
      },
      get isFitting() {
        return group.isFitting;
      },
    };
    this.#known.set(queue, known);
    return known;
  }

  #find(group: Group): void {
    const { requirement } = group;
    const named = requirement.node === undefined ? undefined : this.#nodes.get(requirement.node);
    const asked = requirement.node === undefined ? [...this.#nodes.all()] : named === undefined ? [] : [named];
    group.version = this.#nodes.version;
    group.fitting = asked.filter((node) => misfit(node, requirement) === null);
    group.isFitting = new Set(group.fitting);
  }
}

const NOBODY: ReadonlySet<Node> = new Set();
