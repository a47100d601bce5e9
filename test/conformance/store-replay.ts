/** The history of a task, read from its first entry to its last, must tell the same as its record (invariant I6). */
import type { TaskRecord } from '../../src/actors/store/store.ts';
import type { HistoryEntry, TaskStatus } from '../../src/protocol/task.ts';

/** The part of a record that its history tells. */
export type Replayed = Pick<
  TaskRecord,
  | 'status'
  | 'attempt'
  | 'attemptsStarted'
  | 'failures'
  | 'crashes'
  | 'cancelRequested'
  | 'owner'
  | 'node'
  | 'startedAt'
  | 'finishedAt'
>;

/** What a history tells. Throws at an entry that cannot follow the ones before it. */
export function replay(history: readonly HistoryEntry[]): Replayed {
  const told = {
    ...{ status: 'pending' as TaskStatus, attempt: 0, attemptsStarted: 0, failures: 0, crashes: 0 },
    ...{ cancelRequested: false, owner: null as string | null, node: null as string | null },
    ...{ startedAt: null as number | null, finishedAt: null as number | null },
  };
  const expectStatus = (entry: HistoryEntry, ...allowed: TaskStatus[]): void => {
    if (!allowed.includes(told.status))
      throw new Error(`${entry.event} cannot happen to a task that is ${told.status}`);
  };
  const held = (): TaskStatus => {
    if (told.cancelRequested) return 'cancelling';
    return told.startedAt === null ? 'assigned' : 'running';
  };

  for (const [at, entry] of history.entries()) {
    if (entry.n !== at + 1) throw new Error(`${entry.event} is entry ${entry.n}, not ${at + 1}`);
    if ((at === 0) !== (entry.event === 'task.submitted')) throw new Error(`${entry.event} is entry ${at}`);
    if (at > 0 && entry.at < (history[at - 1]?.at ?? 0)) throw new Error(`${entry.event} goes back in time`);
    const attempt = told.attempt + (entry.event === 'task.claimed' ? 1 : 0);
    if (entry.attempt !== attempt) throw new Error(`${entry.event} names attempt ${entry.attempt}, not ${attempt}`);
    const isTakeover = entry.event === 'task.claimed' || entry.event === 'task.adopted';
    if (!isTakeover && (entry.gateway ?? null) !== told.owner)
      throw new Error(`${entry.event} names gateway ${entry.gateway}, and ${told.owner} owned the task`);
    switch (entry.event) {
      case 'task.submitted':
        told.status = isDelayed(entry) ? 'delayed' : 'pending';
        break;
      case 'task.due':
        expectStatus(entry, 'delayed');
        told.status = 'pending';
        break;
      case 'task.claimed':
        expectStatus(entry, 'pending');
        Object.assign(told, { attempt, owner: entry.gateway ?? null, startedAt: null, status: 'assigned' });
        break;
      case 'task.assigned':
      case 'task.adopted':
        expectStatus(entry, 'assigned', 'running', 'cancelling');
        told.node = entry.node ?? null;
        if (entry.event === 'task.adopted') told.owner = entry.gateway ?? null;
        break;
      case 'attempt.started':
        expectStatus(entry, 'assigned', 'cancelling');
        // Where the note of a start was lost, its result tells it, later.
        told.startedAt = entry.at - Number(/(\d+) ms later$/.exec(entry.detail ?? '')?.[1] ?? 0);
        told.node = entry.node ?? null;
        told.attemptsStarted += 1;
        told.status = held();
        break;
      case 'attempt.released':
        expectStatus(entry, 'assigned', 'running', 'cancelling');
        if (entry.detail?.startsWith('failure')) told.failures += 1;
        if (entry.detail?.startsWith('crash')) told.crashes += 1;
        Object.assign(told, { status: isDelayed(entry) ? 'delayed' : 'pending', owner: null, node: null });
        break;
      case 'task.expired':
      case 'dependency.settled':
        // Why the task is about to become pending or failed.
        expectStatus(entry, 'delayed', 'pending', 'assigned', 'running');
        break;
      case 'task.redriven':
        expectStatus(entry, 'failed', 'cancelled');
        Object.assign(told, { status: isDelayed(entry) ? 'delayed' : 'pending', failures: 0, crashes: 0 });
        Object.assign(told, { cancelRequested: false, node: null, startedAt: null, finishedAt: null });
        break;
      case 'cancel.requested':
        told.cancelRequested = true;
        if (told.status === 'assigned' || told.status === 'running') told.status = 'cancelling';
        break;
      case 'task.completed':
      case 'task.failed':
      case 'task.cancelled':
        expectStatus(entry, 'delayed', 'pending', 'assigned', 'running', 'cancelling');
        if (entry.detail?.startsWith('failure')) told.failures += 1;
        if (entry.detail?.startsWith('crash')) told.crashes += 1;
        Object.assign(told, { status: entry.event.slice('task.'.length), owner: null, node: entry.node ?? null });
        told.finishedAt = entry.at;
        break;
      default:
        throw new Error(`${entry.event} is not an event of a task`);
    }
  }
  return told;
}

/** The same part of the record itself. */
export function replayable(record: TaskRecord): Replayed {
  const { status, attempt, attemptsStarted, failures, crashes, cancelRequested, owner, node, startedAt, finishedAt } =
    record;
  return { status, attempt, attemptsStarted, failures, crashes, cancelRequested, owner, node, startedAt, finishedAt };
}

function isDelayed(entry: HistoryEntry): boolean {
  return /waits (\d+ ms|for \d+ tasks?)( and for \d+ tasks?)?$/.test(entry.detail ?? '');
}
