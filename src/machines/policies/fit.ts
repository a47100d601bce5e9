/** Whether a node can do the work of a class, how much of it at once, and if not, why: the words that `pincer why` prints. */
import { isChannelWork } from '../../protocol/task.ts';
import type { Requirement } from './requirement-class.ts';

/** What placement knows of a node, apart from how it fares. */
export interface NodeFacts {
  readonly nodeId: string;
  readonly kind: string;
  readonly capabilities: ReadonlySet<string>;
  /** Task types it has handlers for; null = any. */
  readonly taskTypes: ReadonlySet<string> | null;
  readonly labels: Readonly<Record<string, string>>;
  /** What it has, in all. */
  readonly resources: Readonly<Record<string, number>>;
}

/** Why a node could never do the work of a class, or null if it could. */
export function misfit(node: NodeFacts, requirement: Requirement): string | null {
  const isForChannels = isChannelWork(requirement.type);
  if (isForChannels !== (node.kind === 'channel')) {
    return `is ${node.kind === 'agent' ? 'an agent, not a channel' : `a ${node.kind}, not an agent`}`;
  }
  if (requirement.node !== undefined && requirement.node !== node.nodeId) return `is not '${requirement.node}'`;
  const missing = requirement.needs.filter((need) => !node.capabilities.has(need));
  if (missing.length > 0) return `lacks ${missing.map((need) => `'${need}'`).join(', ')}`;
  // A channel that names no types takes none: what is sent out goes to who connects that platform.
  if (isForChannels ? node.taskTypes?.has(requirement.type) !== true : node.taskTypes?.has(requirement.type) === false)
    return `has no handler for '${requirement.type}'`;
  for (const [label, wanted] of Object.entries(requirement.labels ?? {})) {
    const found = ownValue(node.labels, label);
    if (found !== wanted)
      return `its label '${label}' is ${found === undefined ? 'not set' : `'${found}'`}, not '${wanted}'`;
  }
  for (const [resource, wanted] of Object.entries(requirement.resources ?? {})) {
    const found = ownValue(node.resources, resource) ?? 0;
    if (found < wanted) return `has ${found} ${resource} in all, not ${wanted}`;
  }
  return null;
}

/** Of amounts that may be fractions, what rounding may add or take, as a share. */
const HAIR = 1e-9;

/** How many more attempts of a class a node’s free slots and free resources have room for. */
export function roomFor(
  requirement: Requirement,
  freeSlots: number,
  resources: Readonly<Record<string, number>>,
  taken: Readonly<Record<string, number>>,
): number {
  // Most classes take nothing but a slot, and this is asked for each node.
  if (requirement.resources === undefined) return freeSlots;
  let room = freeSlots;
  for (const [resource, wanted] of Object.entries(requirement.resources)) {
    if (wanted <= 0) continue;
    const free = (ownValue(resources, resource) ?? 0) - (ownValue(taken, resource) ?? 0);
    // Amounts may be fractions; a hair of rounding must not cost a whole attempt.
    room = Math.min(room, Math.floor(free / wanted + HAIR));
  }
  return Math.max(0, room);
}

/** The first resource of which too little is free for one more attempt, or null. */
export function shortage(
  requirement: Requirement,
  resources: Readonly<Record<string, number>>,
  taken: Readonly<Record<string, number>>,
): string | null {
  for (const [resource, wanted] of Object.entries(requirement.resources ?? {})) {
    const free = (ownValue(resources, resource) ?? 0) - (ownValue(taken, resource) ?? 0);
    if (free + HAIR * wanted < wanted) return `has ${Math.max(0, free)} ${resource} free, not ${wanted}`;
  }
  return null;
}

/** What stays taken of a resource when an attempt gives back its part: never a hair more or less than nothing. */
export function stillTaken(taken: number, amount: number): number {
  const left = taken - amount;
  return left > HAIR * amount ? left : 0;
}

function ownValue<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
