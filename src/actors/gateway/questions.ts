/** Answers what clients ask: lists, single tasks and nodes, counts, and why a task waits. */
import { requirementOf } from '../../machines/policies/requirement-class.ts';
import { PincerError } from '../../protocol/failure.ts';
import { plainText } from '../../protocol/identifier.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { NodeView } from '../../protocol/node.ts';
import type { Clock } from '../../protocol/ports.ts';
import type { Answer, Query, Verdict } from '../../protocol/query.ts';
import type { TaskStatus, TaskView } from '../../protocol/task.ts';
import { unexpected } from '../../protocol/unexpected.ts';
import { checkup } from '../doctor/checkup.ts';
import type { Store, TaskRecord } from '../store/store.ts';
import { type Counted, census, verdictOn } from './census.ts';
import type { RemoteNode } from './directory.ts';
import type { Nodes } from './nodes.ts';
import type { Schedules } from './schedules.ts';
import type { Tasks } from './tasks.ts';

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
  stats(): Omit<Answer<'stats'>, 'tasks' | 'nodes'>;
}

/**
 * @throws PincerError `TASK_UNKNOWN` or `NODE_UNKNOWN`.
 */
export async function answer(query: Query, sources: QuestionSources): Promise<Answer<Query['what']>> {
  const { store, tasks, limits } = sources;
  switch (query.what) {
    case 'tasks': {
      const { status, limit = 100, ...filter } = query.filter;
      const page = await store.list({
        ...filter,
        ...(status === undefined ? {} : { status }),
        limit: Math.min(limit, limits.listMax),
      });
      const items = page.items.map((record) => viewOf(record, tasks));
      return { items, total: page.total, ...(page.cursor === undefined ? {} : { cursor: page.cursor }) };
    }
    case 'task': {
      const record = await known(query.taskId, store);
      const [result, history] = await Promise.all([store.result(record.taskId), store.history(record.taskId)]);
      return { task: viewOf(record, tasks), history: [...history], ...(result === null ? {} : { result }) };
    }
    case 'why':
      return why(await known(query.taskId, store), sources);
    case 'nodes': {
      const { status } = query;
      const counted = await everywhere(sources);
      const views = [...counted.map(({ view }) => view), ...missing(counted, sources)];
      const items = views.filter((view) => status === undefined || status.includes(view.status));
      items.sort((one, other) => (one.nodeId < other.nodeId ? -1 : 1));
      return { items };
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
      const { byStatus } = await store.stats();
      const byNodeStatus: Record<string, number> = {};
      for (const { view } of await everywhere(sources)) {
        byNodeStatus[view.status] = (byNodeStatus[view.status] ?? 0) + 1;
      }
      return { ...sources.stats(), tasks: { ...byStatus }, nodes: byNodeStatus };
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

function viewOf(record: TaskRecord, tasks: Tasks): TaskView {
  const { key, node, startedAt, finishedAt, error } = record;
  const isOver = finishedAt !== null;
  return {
    taskId: record.taskId,
    type: record.type,
    priority: record.priority,
    status: statusOf(record, tasks),
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

/** The store tells what is durable; the live actor knows what is happening right now. */
function statusOf(record: TaskRecord, tasks: Tasks): TaskStatus {
  const live = tasks.status(record.taskId);
  if ((record.status === 'assigned' || record.status === 'running') && live === 'cancelling') return 'cancelling';
  return record.status;
}

async function why(record: TaskRecord, sources: QuestionSources): Promise<Answer<'why'>> {
  const { tasks, store } = sources;
  const requirement = requirementOf(record.queue);
  const status = statusOf(record, tasks);
  const counted = await everywhere(sources);
  const verdicts: Verdict[] = counted.map((node) => ({ nodeId: node.view.nodeId, ...verdictOn(node, requirement) }));
  for (const { nodeId, reason = '' } of missing(counted, sources)) verdicts.push({ nodeId, fits: false, reason });
  verdicts.sort((one, other) => (one.nodeId < other.nodeId ? -1 : 1));
  const ahead = status === 'pending' ? await store.ahead(record.taskId) : null;
  return {
    taskId: record.taskId,
    status,
    summary: summaryOf(record, status, verdicts, sources, ahead),
    needs: [...record.needs],
    ...(ahead === null ? {} : { ahead }),
    nodes: verdicts,
  };
}

function summaryOf(
  record: TaskRecord,
  status: TaskStatus,
  verdicts: readonly Verdict[],
  sources: QuestionSources,
  ahead: number | null,
): string {
  switch (status) {
    case 'completed':
      return `It completed on ${record.node ?? 'a node'}.`;
    case 'failed':
      return `It failed${record.error === null ? '' : `: ${record.error.code}, ${plainText(record.error.message, 500)}`}.`;
    case 'cancelled':
      return 'It was cancelled.';
    case 'assigned':
      return `It was sent to ${record.node ?? 'a node'}, which has not said that it started.`;
    case 'running':
      return `It runs on ${record.node ?? 'a node'}, attempt ${record.attempt}.`;
    case 'cancelling':
      return `Its attempt on ${record.node ?? 'a node'} was told to stop and has not ended.`;
    case 'delayed':
      return record.error === null
        ? 'It waits for its time.'
        : `It waits before its next attempt; the last one ended with ${record.error.code}.`;
    case 'pending':
      break;
    default:
      return unexpected(status);
  }
  const scheduler = sources.schedulerStatus();
  if (sources.isPaused(record.type)) return `It waits: tasks of type '${record.type}' are paused.`;
  if (scheduler === 'paused' || scheduler === 'draining') return `It waits: the scheduler is ${scheduler}.`;
  const needs = record.needs.length === 0 ? `of type '${record.type}'` : `that needs ${record.needs.join(', ')}`;
  if (sources.nodes.size === 0) return 'It waits: no node is connected.';
  if (verdicts.some((verdict) => verdict.fits)) return 'A node has room: it is placed with the next turn.';
  const able = verdicts.filter((verdict) => /^(is full|is busy|does not drain|has .* free, not)/.test(verdict.reason));
  if (able.length > 0) return `It waits for a slot, with ${ahead ?? 0} tasks of its class before it.`;
  return `It waits: none of ${verdicts.length} nodes can take a task ${needs} now.`;
}
