/** The shape that a machine must have to be compiled: states directly in the chart, without timers and children. */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { siteOf } from './refusal.ts';

/**
 * The states of a machine of the right shape.
 * @throws CompileRefusal for any other.
 */
export function flatStatesOf(machine: AnyStateMachine): AnyStateNode[] {
  const { root } = machine;
  const site = siteOf(machine, root.id);
  if (root.type === 'parallel') site.refuse('parallel states');
  if (root.type !== 'compound') site.refuse('a chart without states');
  const states = Object.values(root.states) as AnyStateNode[];
  for (const node of [root, ...states]) refuseShape(machine, node);
  return states;
}

function refuseShape(machine: AnyStateMachine, node: AnyStateNode): void {
  const site = siteOf(machine, node.id);
  if (node.type === 'history') site.refuse('a history state');
  if (node.type === 'parallel') site.refuse('parallel states');
  if (node.type === 'compound' && node !== machine.root) site.refuse('states within a state');
  if (node.invoke.length > 0) site.refuse('invoke');
  if (node.after.length > 0) site.refuse('after');
  const { output } = node;
  if (
    typeof output === 'object' &&
    output !== null &&
    Object.values(output).some((value) => typeof value === 'function')
  )
    site.refuse('an output with a function for each of its properties');
}
