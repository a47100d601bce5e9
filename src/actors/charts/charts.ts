/** How charts are run: compiled, unless somebody wants xstate to interpret them. Either way they do the same. */
import type { AnyStateMachine } from 'xstate';
import { compile } from '../../compile/compile.ts';
import { CompileRefusal } from '../../compile/refusal.ts';
import { PincerError } from '../../protocol/failure.ts';

const WAYS = ['compiled', 'interpreted'] as const;

/** `compiled`, or `interpreted` by xstate: slower, and otherwise the same. */
export type Charts = (typeof WAYS)[number];

/** @throws PincerError `OPTION_INVALID` for any other word. */
export function chartsOf(word: string = 'compiled'): Charts {
  const way = WAYS.find((one) => one === word);
  if (way === undefined) {
    throw new PincerError(
      'OPTION_INVALID',
      `charts is '${word}', must be ${WAYS.map((one) => `'${one}'`).join(' or ')}`,
    );
  }
  return way;
}

/** Each machine is compiled once; one that cannot be is kept as it is, and runs interpreted. */
const compiled = new WeakMap<AnyStateMachine, AnyStateMachine>();

/** What actors of a chart are made from. */
export function logicOf<Machine extends AnyStateMachine>(machine: Machine, charts: Charts): Machine {
  if (charts === 'interpreted') return machine;
  let logic = compiled.get(machine);
  if (logic === undefined) {
    logic = compiledIfPossible(machine);
    compiled.set(machine, logic);
  }
  return logic as Machine;
}

function compiledIfPossible(machine: AnyStateMachine): AnyStateMachine {
  try {
    return compile(machine);
  } catch (error) {
    if (error instanceof CompileRefusal) return machine;
    throw error;
  }
}
