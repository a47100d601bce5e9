/**
 * What each entry of a task’s history means to the task chart: the events that lead it from the state before the entry
 * to the state after it. A history tells what the store has made durable, so it leaves out what only the gateway saw
 * (grace, withdrawals), and it goes on where one gateway’s chart ends and another’s begins.
 */
import { FAILURES, type Failure } from '../protocol/failure.ts';
import { codeOf, costOf, eventOf, isDelayedBy } from '../protocol/history.ts';
import type { HistoryEntry } from '../protocol/task.ts';
import type { TaskEvent } from './task.ts';

/** Where the chart is before an entry. */
export interface Before {
  /** The state of the chart. */
  readonly value: string;
  /** The node of the attempt that begins with this entry, as a later entry names it; null if none does. */
  readonly nodeAhead: string | null;
  /** Whether the task is to be cancelled. */
  readonly isCancelled: boolean;
}

/** What an entry makes of the chart. */
export interface Step {
  /**
   * Where the events are sent: to the chart as it is, to a new one (a task that is submitted, redriven, or taken over
   * by another gateway), or to the chart as it was before the task was to be cancelled, when the wish came too late.
   */
  readonly from: 'here' | 'new' | 'before-cancel';
  readonly events: readonly TaskEvent[];
}

/** The step of one entry. */
export function stepOf(entry: HistoryEntry, before: Before): Step {
  const { attempt, node = '' } = entry;
  const event = eventOf(entry);
  switch (event) {
    case 'task.submitted':
    case 'task.redriven':
      return { from: 'new', events: [] };
    case 'task.due':
      return here({ type: 'task.due' });
    case 'task.claimed':
      return here({ type: 'task.placed', nodeId: before.nodeAhead ?? '', attempt });
    case 'attempt.started':
      // Of an attempt that was taken over or told to stop, the chart need not hear that it has started.
      return before.value === 'assigned' ? here({ type: 'attempt.started' }) : here();
    case 'task.adopted': {
      const adopted: TaskEvent = { type: 'task.adopted', nodeId: node, attempt };
      return { from: 'new', events: before.isCancelled ? [adopted, { type: 'task.cancel' }] : [adopted] };
    }
    case 'attempt.released':
      return here(...endOf(entry, true), ...(isReadyAtOnce(entry, before) ? [{ type: 'task.due' } as const] : []));
    case 'cancel.requested':
      return here({ type: 'task.cancel' });
    case 'task.completed':
      return here({ type: 'attempt.succeeded', result: NO_BYTES, runMs: 0 }, { type: 'outcome.stored' });
    case 'task.failed': {
      if (!isHeld(entry)) return here({ type: 'task.lapsed', failure: failureOf(entry, false) });
      const from = before.value === 'cancelling' ? 'before-cancel' : 'here';
      return { from, events: [...endOf(entry, false), { type: 'outcome.stored' }] };
    }
    case 'task.cancelled':
      if (before.value === 'settling') return here({ type: 'outcome.stored' });
      return here({ type: 'attempt.stopped', runMs: 0 }, { type: 'outcome.stored' });
    case 'task.assigned':
    case 'dependency.settled':
    case 'task.expired':
    case null:
      // They tell more about an entry before or after them.
      return here();
    default:
      return event satisfies never;
  }
}

/** Whether an attempt held the task when the entry was written. */
export function isHeld({ gateway }: HistoryEntry): boolean {
  return gateway !== undefined;
}

const NO_BYTES = new Uint8Array(0);

function here(...events: readonly TaskEvent[]): Step {
  return { from: 'here', events };
}

/** How an attempt ended, by what it has cost. `isRetried`: the task goes on. */
function endOf(entry: HistoryEntry, isRetried: boolean): TaskEvent[] {
  const failure = failureOf(entry, isRetried);
  switch (costOf(entry)) {
    case 'crash':
      return [{ type: 'node.lost', failure }];
    case 'nothing':
      return [{ type: 'attempt.stopped', runMs: 0 }];
    default:
      return [{ type: 'attempt.failed', failure, runMs: 0 }];
  }
}

/** The chart lets what failed wait for its time; a store that gave it no time lets it wait for its turn at once. */
function isReadyAtOnce(entry: HistoryEntry, { value }: Before): boolean {
  return value !== 'cancelling' && costOf(entry) !== 'crash' && !isDelayedBy(entry);
}

function failureOf(entry: HistoryEntry, retryable: boolean): Failure {
  const code = codeOf(entry) ?? 'INTERNAL';
  const known: Readonly<Record<string, { readonly means: string } | undefined>> = FAILURES;
  return { code, message: known[code]?.means ?? 'the history does not say why', retryable };
}
