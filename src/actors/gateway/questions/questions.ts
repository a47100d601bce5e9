/** Answers what clients ask: lists, single tasks and nodes, counts, and why a task waits. */
import { misfit } from '../../../machines/policies/fit.ts';
import { requirementOf } from '../../../machines/policies/requirement-class.ts';
import { PincerError } from '../../../protocol/failure.ts';
import { plainText } from '../../../protocol/identifier.ts';
import type { Limits } from '../../../protocol/limits.ts';
import type { NodeView } from '../../../protocol/node.ts';
import type { Clock } from '../../../protocol/ports.ts';
import type { Answer, Query } from '../../../protocol/query.ts';
import type { HistoryEntry, TaskStatus, TaskView } from '../../../protocol/task.ts';
import { unexpected } from '../../../protocol/unexpected.ts';
import { checkup } from '../../doctor/checkup.ts';
import type { Store, TaskRecord } from '../../store/store.ts';
import type { RemoteNode } from '../cluster/directory.ts';
import type { Nodes } from '../nodes/nodes.ts';
import type { Schedules } from '../orders/schedules.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { type Counted, census } from './census.ts';
import type { OwnStats } from './own-stats.ts';
import { pageOf } from './page.ts';
import { why } from './why.ts';

export interface QuestionSources {
  readonly store: Store;
  readonly nodes: Nodes;
  /** Nodes that are expected and not at this gateway. */
  absent(): NodeView[];
  readonly tasks: Tasks;
  readonly schedules: Schedules;
  readonly limits: Limits;
  readonly clock: Clock;
  /** The nodes of the other gateways. */
  readonly others: () => Promise<readonly RemoteNode[]>;
  schedulerStatus(): string;
  isPaused(type: string): boolean;
  stats(): OwnStats;
}

/**
 * @throws PincerError `TASK_UNKNOWN` or `NODE_UNKNOWN`.
 */
export async function answer(query: Query, sources: QuestionSources): Promise<Answer<Query['what']>> {
  const { store, limits } = sources;
  switch (query.what) {
    case 'tasks': {
      const { status, limit = 100, ...filter } = query.filter;
      const page = await store.list({
        ...filter,
        ...(status === undefined ? {} : { status }),
        limit: Math.min(limit, limits.listMax),
      });
      const items = page.items.map(viewOf);
      return { items, total: page.total, ...(page.cursor === undefined ? {} : { cursor: page.cursor }) };
    }
    case 'task': {
      const record = await known(query.taskId, store);
      const [result, history] = await Promise.all([store.result(record.taskId), store.history(record.taskId)]);
      const timeouts = timeoutsIn(history);
      return { task: viewOf(record), timeouts, history: [...history], ...(result === null ? {} : { result }) };
    }
    case 'why':
      return whyOf(await known(query.taskId, store), query.cursor, sources);
    case 'nodes': {
      const { status, cursor } = query;
      const views = viewsOf(await everywhere(sources), sources);
      const wanted = views.filter((view) => status === undefined || status.includes(view.status));
      wanted.sort((one, other) => (one.nodeId < other.nodeId ? -1 : 1));
      const limit = query.limit === undefined ? undefined : Math.min(query.limit, limits.listMax);
      return pageOf(wanted, ({ nodeId }) => nodeId, { of: 'nodes', limit, cursor });
    }
    case 'node': {
      const counted = await everywhere(sources);
      const node = counted.find(({ view }) => view.nodeId === query.nodeId);
      if (node !== undefined) return { node: node.view };
      const absent = missing(counted, sources).find(({ nodeId }) => nodeId === query.nodeId);
      if (absent === undefined) throw new PincerError('NODE_UNKNOWN', `no node '${query.nodeId}'`);
      return { node: absent };
    }
    case 'stats': {
      const { byStatus, ready } = await store.stats();
      const counted = await everywhere(sources);
      const byNodeStatus: Record<string, number> = {};
      for (const { status } of viewsOf(counted, sources)) byNodeStatus[status] = (byNodeStatus[status] ?? 0) + 1;
      return {
        ...sources.stats(),
        tasks: { ...byStatus },
        nodes: byNodeStatus,
        starved: starved(ready, counted, limits),
      };
    }
    case 'schedules':
      return sources.schedules.page(Math.min(query.limit ?? 100, limits.listMax), query.cursor);
    case 'doctor':
      return checkup(query, { store, limits, clock: sources.clock, nodes: () => everywhere(sources) });
    default:
      return unexpected(query);
  }
}

/** The nodes of all gateways. */
async function everywhere({ nodes, others, clock }: QuestionSources): Promise<Counted[]> {
  return census(nodes, await others(), clock.now());
}

/** The nodes of all gateways, and those that are expected: what is listed is what is counted. */
function viewsOf(counted: readonly Counted[], sources: QuestionSources): NodeView[] {
  return [...counted.map(({ view }) => view), ...missing(counted, sources)];
}

/** Nodes that are expected and at no gateway. */
function missing(counted: readonly Counted[], { absent }: QuestionSources): NodeView[] {
  const present = new Set(counted.map(({ view }) => view.nodeId));
  return absent().filter(({ nodeId }) => !present.has(nodeId));
}

async function known(taskId: string, store: Store): Promise<TaskRecord> {
  const record = await store.get(taskId);
  if (record === null) throw new PincerError('TASK_UNKNOWN', `no task '${taskId}'`);
  return record;
}

function viewOf(record: TaskRecord): TaskView {
  const { key, node, startedAt, finishedAt, error } = record;
  const isOver = finishedAt !== null;
  return {
    taskId: record.taskId,
    type: record.type,
    priority: record.priority,
    // The store’s, by which tasks are filtered and counted, whichever gateway is asked.
    status: record.status,
    needs: [...record.needs],
    attempts: record.attemptsStarted,
    failures: record.failures,
    crashes: record.crashes,
    timeout: record.timeoutMs,
    createdAt: record.createdAt,
    ...(node === null ? {} : { node }),
    ...(key === null ? {} : { key }),
    ...(startedAt === null ? {} : { startedAt }),
    ...(isOver ? { finishedAt, queuedMs: record.queuedMs, runMs: record.runMs } : {}),
    ...(error === null ? {} : { error: { ...error, message: plainText(error.message, 2_000) } }),
  };
}

/** What is happening right now, as the live actor knows it: an attempt may have been told to stop because its time was up. */
function happening(record: TaskRecord, tasks: Tasks): TaskStatus {
  const live = tasks.status(record.taskId);
  if ((record.status === 'assigned' || record.status === 'running') && live === 'cancelling') return 'cancelling';
  return record.status;
}

async function whyOf(record: TaskRecord, cursor: string | undefined, sources: QuestionSources): Promise<Answer<'why'>> {
  const counted = await everywhere(sources);
  const known = { ...sources, counted, missing: missing(counted, sources) };
  const { nodes, ...said } = await why(record, happening(record, sources.tasks), known);
  const page = pageOf(nodes, ({ nodeId }) => nodeId, { of: 'nodes', cursor });
  return { ...said, nodes: page.items };
}

/** Classes with waiting tasks that no node could ever do, and how many; the largest first, if they are many. */
function starved(
  ready: ReadonlyMap<string, number>,
  counted: readonly Counted[],
  { keyBytesMax }: Limits,
): Record<string, number> {
  const classes = [...ready].filter(([queue]) => {
    const requirement = requirementOf(queue);
    return counted.every(({ facts }) => misfit(facts, requirement) !== null);
  });
  const shown: Record<string, number> = {};
  for (const [queue, waiting] of classes.sort(([, one], [, other]) => other - one).slice(0, STARVED_SHOWN)) {
    const name = shortened(queue, keyBytesMax);
    shown[name] = (shown[name] ?? 0) + waiting;
  }
  return shown;
}

const STARVED_SHOWN = 100;

/** The name of a class says all that it asks for, and what names a count has no room for more than a key. */
function shortened(name: string, keyBytesMax: number): string {
  if (Buffer.byteLength(name) <= keyBytesMax) return name;
  const kept = Buffer.from(name).subarray(0, keyBytesMax - Buffer.byteLength('…'));
  // What is left of a character that was cut through is none.
  return `${kept.toString().replace(/\uFFFD+$/, '')}…`;
}

/** How many failures were timeouts, since the task was submitted or last redriven: as its history tells. */
function timeoutsIn(history: readonly HistoryEntry[]): number {
  let timeouts = 0;
  for (const { event, detail = '' } of history) {
    if (event === 'task.redriven') timeouts = 0;
    else if (detail.startsWith('failure: TASK_TIMED_OUT')) timeouts += 1;
  }
  return timeouts;
}
