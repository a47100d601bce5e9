/**
 * The requirement class of a task: tasks of one type with the same requirements wait in one line, so that what nobody can
 * run never stands in the way of what somebody can.
 */

/** Who may run the tasks of a class. */
export interface Requirement {
  readonly type: string;
  /** Capabilities, sorted. */
  readonly needs: readonly string[];
  /** Labels the node must carry. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Amounts each attempt takes of what the node has, such as `{ gpu: 1 }`. */
  readonly resources?: Readonly<Record<string, number>> | undefined;
  /** The only node that may run it. */
  readonly node?: string | undefined;
  /** The key whose limits the tasks share; in the name because what is held back by a limit waits in a line of its own. */
  readonly limitKey?: string | undefined;
}

/**
 * The name of a class: `type need+need`, and behind another space, where there is more to say, the rest as JSON with
 * sorted keys. No type or capability can contain a space or a plus, so equal requirements and no others have equal names.
 */
export function classOf(requirement: Requirement): string {
  const { type, needs, labels, resources, node, limitKey } = requirement;
  const plain = `${type} ${needs.join('+')}`;
  if (labels === undefined && resources === undefined && node === undefined && limitKey === undefined) return plain;
  const rest = JSON.stringify({
    ...(labels === undefined || isEmpty(labels) ? {} : { labels: sorted(labels) }),
    limitKey,
    node,
    ...(resources === undefined || isEmpty(resources) ? {} : { resources: sorted(resources) }),
  });
  return rest === '{}' ? plain : `${plain} ${rest}`;
}

/** The requirement that a class name stands for. */
export function requirementOf(name: string): Requirement {
  const [type = '', needs = ''] = name.split(' ', 2);
  const rest = name.slice(type.length + needs.length + 2);
  return {
    type,
    needs: needs === '' ? [] : needs.split('+'),
    ...(rest === '' ? {} : (JSON.parse(rest) as Omit<Requirement, 'type' | 'needs'>)),
  };
}

function sorted<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function isEmpty(record: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(record).length === 0;
}
