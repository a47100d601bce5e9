/**
 * What nodes are granted of what they claim: within what is declared for them, where anything is. What is declared may
 * change while they are here.
 */
import { grant } from '../../../machines/policies/grant.ts';
import { PincerError } from '../../../protocol/failure.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { NodeView } from '../../../protocol/node.ts';
import { NodeBook } from '../../../transport/discovery/node-book.ts';
import { checkNodes, type ExpectedNode } from '../../../transport/discovery/nodes-file.ts';
import type { GatewayOptions } from '../gateway-options.ts';
import type { Session } from '../sessions/session.ts';

interface Claim {
  readonly capabilities: readonly string[];
  readonly maxTasks?: number | undefined;
}

export interface Granted {
  readonly capabilities: readonly string[];
  readonly maxTasks: number;
}

/** The gateway’s way of granting, by its `nodes` and `strictNodes`. */
export class Granting {
  readonly #expected = new NodeBook();
  readonly #isStrict: boolean;
  /** What each session claimed last. */
  readonly #claims = new WeakMap<Session, Claim>();

  /** @throws PincerError `OPTION_INVALID` for nodes that are none */
  constructor({ nodes = [], strictNodes = false }: Pick<GatewayOptions, 'nodes' | 'strictNodes'>) {
    this.#expected.replace(checkNodes(nodes));
    this.#isStrict = strictNodes;
  }

  /**
   * Takes the place of what was declared before; `again` then says what that means for who is here.
   * @throws PincerError `OPTION_INVALID` for nodes that are none; what was declared before stays
   */
  expect(nodes: readonly ExpectedNode[]): void {
    this.#expected.replace(checkNodes(nodes));
  }

  /**
   * What a peer may do, of what it claims.
   * @throws PincerError `FORBIDDEN` for one that is not welcome
   */
  of(session: Session, claim: Claim): Granted {
    this.#claims.set(session, claim);
    const { peerId: nodeId, kind: type } = session;
    const { capabilities, maxTasks = defaultLimits.maxTasks } = claim;
    const declared = this.#expected.get(nodeId);
    const granted = grant({ nodeId, type, capabilities, maxTasks }, declared, { isStrict: this.#isStrict });
    if (!granted.isGranted) throw new PincerError('FORBIDDEN', granted.reason);
    return granted;
  }

  /** The same claim, by what is declared now. */
  again(session: Session): Granted {
    return this.of(session, this.#claims.get(session) ?? { capabilities: [] });
  }

  /** The nodes that are expected and not here, as lists show them. */
  absent(isPresent: (nodeId: string) => boolean): NodeView[] {
    return this.#expected.absent(isPresent).map(({ nodeId, type, address, capabilities, maxTasks }) => ({
      nodeId,
      type: type === 'channel' ? 'channel' : 'agent',
      status: 'offline',
      reason: 'it is expected, and has not joined',
      address,
      capabilities: [...capabilities].sort(),
      maxTasks,
      tasks: 0,
      running: [],
      overdue: [],
    }));
  }
}
