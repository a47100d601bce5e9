/**
 * What a node that registers is granted: what it claims, within what was declared for it beforehand. A claim alone is
 * believed only where nothing was declared and the gateway is not strict.
 */

/** What a node says of itself. */
export interface Claim {
  readonly nodeId: string;
  readonly type: string;
  readonly capabilities: readonly string[];
  readonly maxTasks: number;
}

/** What was declared for a node before it came. */
export interface Declared {
  readonly type: string;
  readonly capabilities: readonly string[];
  readonly maxTasks: number;
}

export type Grant =
  | {
      readonly isGranted: true;
      /** Claimed and declared, in the order of the claim. */
      readonly capabilities: readonly string[];
      readonly maxTasks: number;
      /** Claimed, but not declared. */
      readonly withheld: readonly string[];
    }
  | { readonly isGranted: false; readonly reason: string };

/** Decides on a claim. `declared` is null for a node that nobody expected: refused if `isStrict`, else taken at its word. */
export function grant(claim: Claim, declared: Declared | null, options: { readonly isStrict: boolean }): Grant {
  const { nodeId, type, maxTasks } = claim;
  const capabilities = [...new Set(claim.capabilities)];
  if (declared === null) {
    if (options.isStrict) return { isGranted: false, reason: `node ${nodeId} is not in the list of nodes` };
    return { isGranted: true, capabilities, maxTasks, withheld: [] };
  }
  if (declared.type !== type) {
    return { isGranted: false, reason: `node ${nodeId} is declared as ${declared.type}, but registers as ${type}` };
  }
  const isDeclared = (capability: string): boolean => declared.capabilities.includes(capability);
  return {
    isGranted: true,
    capabilities: capabilities.filter(isDeclared),
    maxTasks: Math.min(maxTasks, declared.maxTasks),
    withheld: capabilities.filter((capability) => !isDeclared(capability)),
  };
}
