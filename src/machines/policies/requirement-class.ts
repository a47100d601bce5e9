/**
 * The requirement class of a task: tasks of one type with the same needs wait in one line, so that what nobody can run
 * never stands in the way of what somebody can.
 */

/** Who may run the tasks of a class. */
export interface Requirement {
  readonly type: string;
  readonly needs: readonly string[];
}

/** The name of a class, `type need+need`: neither part can contain a space or a plus. `needs` is sorted. */
export function classOf(requirement: Requirement): string {
  return `${requirement.type} ${requirement.needs.join('+')}`;
}

/** The requirement that a class name stands for. */
export function requirementOf(name: string): Requirement {
  const space = name.indexOf(' ');
  const needs = name.slice(space + 1);
  return { type: name.slice(0, space), needs: needs === '' ? [] : needs.split('+') };
}
