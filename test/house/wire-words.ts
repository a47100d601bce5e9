/** The schemas of messages in the words of docs/protocol.md: what each field is called, what kind of value it has, whether it must be there. */
import type { z } from 'zod';
import { Finding } from '../../src/protocol/checkup.ts';
import { AttemptRef, Identifier, TaskType } from '../../src/protocol/identifier.ts';
import { Policy } from '../../src/protocol/message.ts';
import { Load, NodeStatus, NodeView } from '../../src/protocol/node.ts';
import { TaskFilter, Verdict } from '../../src/protocol/query.ts';
import { ScheduleView } from '../../src/protocol/schedule.ts';
import { FailureShape, HistoryEntry, Opaque, TaskStatus, TaskView } from '../../src/protocol/task.ts';

/** One field, as a row of the page says it. */
export interface Field {
  readonly name: string;
  readonly kind: string;
  readonly isNeeded: boolean;
}

type Schema = z.ZodType & {
  readonly def: {
    readonly type: string;
    readonly format?: string;
    readonly innerType?: Schema;
    readonly element?: Schema;
    readonly valueType?: Schema;
    readonly items?: readonly Schema[];
    readonly entries?: Readonly<Record<string, string>>;
    readonly values?: readonly string[];
    readonly checks?: readonly { readonly _zod: { readonly def: Bound } }[];
  };
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly options?: readonly Schema[];
};

/** A bound, as zod keeps it. */
interface Bound {
  readonly check: string;
  readonly value?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What a text is at most, if nothing else is said. */
const TEXT_MAX = 2_000;

/** Maps that have a table of their own, by its heading. */
export const SHAPES = {
  attempt: AttemptRef,
  load: Load,
  failure: FailureShape,
  policy: Policy,
  'task filter': TaskFilter,
  'task view': TaskView,
  'node view': NodeView,
  'history entry': HistoryEntry,
  finding: Finding,
  'schedule view': ScheduleView,
  verdict: Verdict,
} as const;

const NAMES = new Map<unknown, string>([
  [Identifier, 'id'],
  [TaskType, 'type name'],
  [Opaque, 'binary'],
  [TaskStatus, 'task status'],
  [NodeStatus, 'node status'],
  ...Object.entries(SHAPES).map(([name, schema]) => [schema, name] as const),
]);

/** The fields of a map. */
export function fieldsOf(schema: z.ZodType): Field[] {
  const shape = (schema as Schema).shape ?? {};
  return Object.entries(shape).map(([name, field]) => {
    const { type, innerType } = field.def;
    const isOptional = type === 'optional' && innerType !== undefined;
    return { name, kind: kindOf(isOptional ? innerType : field), isNeeded: !isOptional };
  });
}

/** The alternatives of a schema that is told apart by `what`, by that word. */
export function alternativesOf(schema: z.ZodType): ReadonlyMap<string, Field[]> {
  return new Map(
    ((schema as Schema).options ?? []).map((option) => {
      const what = option.shape?.['what']?.def.values?.[0] ?? '';
      return [what, fieldsOf(option).filter(({ name }) => name !== 'what')];
    }),
  );
}

function kindOf(schema: Schema): string {
  const named = NAMES.get(schema);
  if (named !== undefined) return named;
  const { def } = schema;
  switch (def.type) {
    case 'string':
      return `text${boundsOf(schema, TEXT_MAX)}`;
    case 'boolean':
      return 'boolean';
    case 'number':
      return `${def.format === 'safeint' ? 'integer' : 'number'}${boundsOf(schema)}`;
    case 'literal':
      return (def.values ?? []).map((value) => `\`${value}\``).join(' · ');
    case 'enum':
      return Object.keys(def.entries ?? {})
        .map((value) => `\`${value}\``)
        .join(' · ');
    case 'array':
      return `list of ${kindOf(def.element as Schema)}${boundsOf(schema)}`;
    case 'record':
      return `map of ${kindOf(def.valueType as Schema)}`;
    case 'tuple':
      return `[${(def.items ?? []).map(kindOf).join(', ')}]`;
    case 'object':
      return 'map';
    default:
      throw new Error(`docs/protocol.md has no word for a ${def.type}`);
  }
}

/** ` (1 to 10)`: what a number lies between, or how much there is of a text or list; nothing where it goes without saying. */
function boundsOf({ def: { checks = [] } }: Schema, usualMax = Number.MAX_SAFE_INTEGER): string {
  let [min, max] = [0, usualMax];
  for (const { _zod: zod } of checks) {
    const { check, value = 0, minimum = 0, maximum = usualMax } = zod.def;
    if (check === 'greater_than' || check === 'min_length') min = Math.max(value, minimum);
    if (check === 'less_than') max = value;
    if (check === 'max_length') max = maximum;
  }
  if (max !== usualMax) return min > 0 ? ` (${spaced(min)} to ${spaced(max)})` : ` (at most ${spaced(max)})`;
  return min > 0 ? ` (at least ${spaced(min)})` : '';
}

function spaced(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}
