/** Answers what clients ask: lists, single tasks and nodes, counts, and why a task waits. */
import { misfit, shortage } from '../../machines/policies/fit.ts';
import { type Requirement, requirementOf } from '../../machines/policies/requirement-class.ts';
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
import { nodeView, reasonOf } from './node-view.ts';
import type { Node, Nodes } from './nodes.ts';
import type { Tasks } from './tasks.ts';

export interface QuestionSources {
  readonly store: Store;
  readonly nodes: Nodes;
  /** Nodes that are expected and not here. */
  absent(): NodeView[];
  readonly tasks: Tasks;
  readonly limits: Limits;
  readonly clock: Clock;
  schedulerStatus(): string;
  isPaused(type: string): boolean;
  stats(): Omit<Answer<'stats'>, 'tasks' | 'nodes'>;
}

/**
 * @throws PincerError `TASK_UNKNOWN` or `NODE_UNKNOWN`.
 */
export async function answer(query: Query, sources: QuestionSources): Promise<Answer<Query['what']>> {
  const { store, nodes, tasks, limits } = sources;
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
      const all = [...[...nodes.all()].map((node) => nodeView(node, sources.clock.now())), ...sources.absent()];
      const items = all.filter(({ status }) => query.status === undefined || query.status.includes(status));
      items.sort((one, other) => (one.nodeId < other.nodeId ? -1 : 1));
      return { items };
    }
    case 'node': {
      const node = nodes.get(query.nodeId);
      if (node !== undefined) return { node: nodeView(node, sources.clock.now()) };
      const absent = sources.absent().find(({ nodeId }) => nodeId === query.nodeId);
      if (absent === undefined) throw new PincerError('NODE_UNKNOWN', `no node '${query.nodeId}'`);
      return { node: absent };
    }
    case 'stats': {
      const { byStatus } = await store.stats();
      const byNodeStatus: Record<string, number> = {};
      for (const node of nodes.all()) byNodeStatus[node.status] = (byNodeStatus[node.status] ?? 0) + 1;
      return { ...sources.stats(), tasks: { ...byStatus }, nodes: byNodeStatus };
    }
    case 'doctor': {
      const all = () =>
        Promise.resolve([...nodes.all()].map((node) => ({ facts: node, view: nodeView(node, sources.clock.now()) })));
      return checkup(query, { store, limits, clock: sources.clock, nodes: all });
    }
    default:
      return unexpected(query);
  }
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
  const { nodes, tasks, store } = sources;
  const requirement = requirementOf(record.queue);
  const status = statusOf(record, tasks);
  const verdicts: Verdict[] = [];
  for (const node of nodes.all()) verdicts.push({ nodeId: node.nodeId, ...verdictOn(node, requirement, nodes) });
  for (const { nodeId, reason = '' } of sources.absent()) verdicts.push({ nodeId, fits: false, reason });
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

function verdictOn(node: Node, requirement: Requirement, nodes: Nodes): { fits: boolean; reason: string } {
  const reason = misfit(node, requirement);
  if (reason !== null) return { fits: false, reason };
  const { status, slots, maxTasks } = node;
  const why = reasonOf(node);
  if (status === 'offline' || (status === 'unhealthy' && nodes.freeSlots(node) === 0)) {
    return { fits: false, reason: `is ${status}${why === null ? '' : `: ${why}`}` };
  }
  if (status === 'draining') return { fits: false, reason: 'is draining' };
  const overdue = [...slots.values()].filter((slot) => slot.isOverdue).length;
  if (slots.size >= maxTasks) {
    return {
      fits: false,
      reason: `is full: ${slots.size} of ${maxTasks} slots taken${overdue === 0 ? '' : `, ${overdue} by overdue attempts`}`,
    };
  }
  const short = shortage(requirement, node.resources, node.taken);
  if (short !== null) return { fits: false, reason: short };
  if (node.isLagging) return { fits: false, reason: 'is busy: its event loop lags' };
  if (node.session?.isFull === true) return { fits: false, reason: 'does not drain what it is sent' };
  if (status === 'unhealthy') return { fits: true, reason: 'has room for one attempt, on trial' };
  return { fits: true, reason: `has ${maxTasks - slots.size} of ${maxTasks} slots free` };
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
