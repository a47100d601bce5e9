/** What nodes are granted of what they claim: within what was declared for them, where anything was. */
import { grant } from '../../machines/policies/grant.ts';
import { PincerError } from '../../protocol/failure.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { GatewayOptions } from './gateway-options.ts';
import type { Session } from './session.ts';

/** What a peer may do, of what it claims. Throws FORBIDDEN for one that is not welcome. */
export type Granting = (
  session: Session,
  claim: { readonly capabilities: readonly string[]; readonly maxTasks?: number | undefined },
) => { readonly capabilities: readonly string[]; readonly maxTasks: number };

/** The gateway’s way of granting, by its `nodes` and `strictNodes`. */
export function grantingOf({ nodes = [], strictNodes = false }: GatewayOptions): Granting {
  const declared = new Map(nodes.map((node) => [node.nodeId, node]));
  return ({ peerId, kind }, { capabilities, maxTasks = defaultLimits.maxTasks }) => {
    const claim = { nodeId: peerId, type: kind, capabilities, maxTasks };
    const granted = grant(claim, declared.get(peerId) ?? null, { isStrict: strictNodes });
    if (!granted.isGranted) throw new PincerError('FORBIDDEN', granted.reason);
    return granted;
  };
}
