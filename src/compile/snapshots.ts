/**
 * Snapshots exactly as xstate makes them, with the same keys in the same order and its own methods, so that either can
 * go on from a snapshot of the other. What depends on the state alone is made once for each state and shared.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode, MachineContext } from 'xstate';

/** What every snapshot in one state has in common. None of it may be changed. */
export interface Face {
  readonly value: string;
  readonly nodes: AnyStateNode[];
  readonly tags: Set<string>;
}

/** Makes the snapshots of one machine. */
export interface Snapshots {
  /** The first one of an actor, before it has entered any state. */
  first(context: MachineContext): AnyMachineSnapshot;
  /** The one that follows, in a state and with a context. */
  next(before: AnyMachineSnapshot, face: Face, context: MachineContext): AnyMachineSnapshot;
  /** The last one of an actor that has come to its end. */
  done(before: AnyMachineSnapshot, face: Face, context: MachineContext, output: unknown): AnyMachineSnapshot;
  /** The one of an actor that failed before it had entered any state. */
  failed(before: AnyMachineSnapshot, error: unknown): AnyMachineSnapshot;
}

/** The face of a snapshot in which these states are active. */
export function faceOf(value: string, nodes: AnyStateNode[]): Face {
  return { value, nodes, tags: new Set(nodes.flatMap((node) => node.tags)) };
}

/** How to make the snapshots of a machine that begins with this face. */
export function snapshotsOf(machine: AnyStateMachine, beginning: Face): Snapshots {
  const { matches, hasTag, can, getMeta, toJSON } = machine.resolveState({
    value: beginning.value,
    context: {},
  } as never) as AnyMachineSnapshot;

  function make(
    status: AnyMachineSnapshot['status'],
    output: unknown,
    error: unknown,
    face: Face,
    context: MachineContext,
    before: Pick<AnyMachineSnapshot, 'children' | 'historyValue'>,
  ): AnyMachineSnapshot {
    return {
      status,
      output,
      error,
      machine,
      context,
      _nodes: face.nodes,
      value: face.value,
      tags: face.tags,
      children: before.children,
      historyValue: before.historyValue,
      matches,
      hasTag,
      can,
      getMeta,
      toJSON,
    } as unknown as AnyMachineSnapshot;
  }

  return {
    first: (context) => make('active', undefined, undefined, beginning, context, NOTHING),
    next: (before, face, context) => make('active', before.output, before.error, face, context, before),
    done: (before, face, context, output) => make('done', output, before.error, face, context, before),
    failed: (before, error) => make('error', undefined, error, beginning, before.context, before),
  };
}

const NOTHING = { children: Object.freeze({}), historyValue: Object.freeze({}) };
