/** How a chart ends: what a final state gives out, and what is done on the way out. */
import type { AnyEventObject, AnyStateMachine, AnyStateNode, MachineContext } from 'xstate';
import type { Scope, Step } from './actions.ts';
import type { DoingsOf } from './moves.ts';
import { type Face, faceOf } from './snapshots.ts';

/** The end of a chart in one final state. */
export interface End {
  readonly face: Face;
  /** The output of the whole chart. */
  output(context: MachineContext, event: AnyEventObject, scope: Scope): unknown;
  /** What is done after that: the exit actions of the state, then those of the chart. */
  readonly exits: readonly Step[];
}

type Mapper = (given: { context: unknown; event: AnyEventObject; self: unknown }) => unknown;

/** The end of a chart in this state. */
export function endOf({ root }: AnyStateMachine, leaf: AnyStateNode, doingsOf: DoingsOf): End {
  const ofState = mapperOf(leaf.output);
  const ofChart = mapperOf(root.output);
  const type = `xstate.done.state.${leaf.id}`;
  return {
    // xstate turns the order of the active states round when a chart is done.
    face: faceOf(leaf.key, [leaf, root]),
    output(context, event, scope) {
      const { self } = scope;
      // Asked once for the event that nobody will hear and once for the chart: an impure function sees both.
      ofState?.({ context, event, self });
      if (ofChart === null) return undefined;
      const output = ofState?.({ context, event, self });
      return ofChart({ context, event: { type, output }, self });
    },
    exits: [leaf, root].flatMap((node) => doingsOf(node).exit),
  };
}

function mapperOf(output: unknown): Mapper | null {
  if (output === undefined) return null;
  return typeof output === 'function' ? (output as Mapper) : () => output;
}
