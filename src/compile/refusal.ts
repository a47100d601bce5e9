/** What a chart has that the compiler does not know. Whoever compiles decides what then: mostly to interpret it. */

/** Thrown by `compile` for a chart that it cannot run exactly as xstate does; says what it is and where it stands. */
export class CompileRefusal extends Error {
  override readonly name = 'CompileRefusal';
  /** The id of the machine. */
  readonly machine: string;
  /** The id of the state it stands in, such as `task.running`; that of the machine if it belongs to no state. */
  readonly state: string;
  /** What is not compiled: `invoke`, `after`, `the action 'xstate.raise'`. */
  readonly construct: string;

  constructor(machine: string, state: string, construct: string) {
    super(`the chart '${machine}' cannot be compiled: ${construct}, in '${state}'; run it interpreted`);
    this.machine = machine;
    this.state = state;
    this.construct = construct;
  }
}

/** Where a construct was found, and the way to refuse it. */
export interface Site {
  /** The id of the state. */
  readonly state: string;
  refuse(construct: string): never;
}

/** The site of one state of a machine. */
export function siteOf(machine: { readonly id: string }, state: string): Site {
  return {
    state,
    refuse(construct) {
      throw new CompileRefusal(machine.id, state, construct);
    },
  };
}
