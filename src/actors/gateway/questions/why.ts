/** Why a task is where it is: one sentence about the task, and one about each node. */
import { misfit } from '../../../machines/policies/fit.ts';
import { requirementOf } from '../../../machines/policies/requirement-class.ts';
import { plainText } from '../../../protocol/identifier.ts';
import type { NodeView } from '../../../protocol/node.ts';
import type { Answer, Verdict } from '../../../protocol/query.ts';
import type { TaskStatus } from '../../../protocol/task.ts';
import { unexpected } from '../../../protocol/unexpected.ts';
import type { LimitUse, Store, TaskRecord } from '../../store/store.ts';
import { type Counted, verdictOn } from './census.ts';

export interface WhySources {
  readonly store: Store;
  /** The nodes of all gateways. */
  readonly counted: readonly Counted[];
  /** Nodes that are expected and at no gateway. */
  readonly missing: readonly NodeView[];
  schedulerStatus(): string;
  isPaused(type: string): boolean;
}

/** What is known of a task that is pending. */
interface Waiting {
  readonly record: TaskRecord;
  readonly verdicts: readonly Verdict[];
  readonly ahead: number;
  readonly limit: LimitUse | null;
}

/** `happening` is the status, or that its attempt is being stopped, which the store need not know. */
export async function why(record: TaskRecord, happening: TaskStatus, sources: WhySources): Promise<Answer<'why'>> {
  const { status } = record;
  const { store, counted, missing } = sources;
  const requirement = requirementOf(record.queue);
  const verdicts: Verdict[] = counted.map((node) => ({ nodeId: node.view.nodeId, ...verdictOn(node, requirement) }));
  for (const { nodeId, reason = '' } of missing) verdicts.push({ nodeId, fits: false, reason });
  verdicts.sort((one, other) => (one.nodeId < other.nodeId ? -1 : 1));
  const ahead = status === 'pending' ? await store.ahead(record.taskId) : null;
  const limit = status === 'pending' && record.limitKey !== null ? await store.limit(record.limitKey) : null;
  const summary =
    happening === 'pending'
      ? `${pending({ record, verdicts, ahead: ahead ?? 0, limit }, sources)}${outlook(record)}`
      : settledOrHeld(record, happening);
  return {
    ...{ taskId: record.taskId, status, summary, needs: [...record.needs] },
    ...(ahead === null ? {} : { ahead }),
    nodes: verdicts,
  };
}

function settledOrHeld(record: TaskRecord, status: Exclude<TaskStatus, 'pending'>): string {
  const node = record.node ?? 'a node';
  switch (status) {
    case 'completed':
      return `It completed on ${node}.`;
    case 'failed':
      return `It failed${record.error === null ? '' : `: ${record.error.code}, ${plainText(record.error.message, 500)}`}.`;
    case 'cancelled':
      return 'It was cancelled.';
    case 'assigned':
      return `It was sent to ${node}, which has not said that it started.`;
    case 'running':
      return `It runs on ${node}, attempt ${record.attempt}.`;
    case 'cancelling':
      return `Its attempt on ${node} was told to stop and has not ended.`;
    case 'delayed':
      return `${delayed(record)}${outlook(record)}`;
    default:
      return unexpected(status);
  }
}

function delayed({ dueInMs, waitsFor, waitsForTotal, error, failures }: TaskRecord): string {
  const time = dueInMs === null ? null : `its time, in ${span(dueInMs)}`;
  if (waitsForTotal > 0) {
    const [shown, more] = [waitsFor.slice(0, 5).join(', '), waitsForTotal - Math.min(5, waitsFor.length)];
    const tasks = `${counted(waitsForTotal, 'task')} that must settle first: ${shown}`;
    return `It waits for ${tasks}${more > 0 ? ` and ${more} more` : ''}${time === null ? '' : `; and for ${time}`}.`;
  }
  if (error === null) return `It waits for ${time ?? 'its time'}.`;
  return `It waits ${span(dueInMs ?? 0)} before its next attempt, after ${counted(failures, 'failure')}; the last one ended with ${error.code}.`;
}

function pending(
  { record, verdicts, ahead, limit }: Waiting,
  { schedulerStatus, isPaused, counted: nodes }: WhySources,
): string {
  const { type, needs, queue } = record;
  if (isPaused(type)) return `It waits: tasks of type '${type}' are paused.`;
  const scheduler = schedulerStatus();
  if (scheduler === 'paused' || scheduler === 'draining') return `It waits: the scheduler is ${scheduler}.`;
  if (limit !== null && limit.opensInMs !== 0) return `It waits for the limit '${limit.key}': ${useOf(limit)}.`;
  if (nodes.length === 0) return 'It waits: no node is connected.';
  if (verdicts.some((verdict) => verdict.fits)) return 'A node has room: it is placed with the next turn.';
  const wanted = needs.length === 0 ? `of type '${type}'` : `that needs ${needs.join(', ')}`;
  const requirement = requirementOf(queue);
  const able = nodes.filter(({ facts }) => misfit(facts, requirement) === null);
  if (able.length === 0)
    return `It is starved: none of ${counted(nodes.length, 'node')} can ever do a task ${wanted} like this one.`;
  const there = able.filter(({ view }) => view.status === 'online' || view.status === 'busy');
  const line = `with ${counted(ahead, 'task')} of its class before it`;
  // A free slot is not all that it may need: a resource may be taken, or the node be busy.
  const roomy = there.find(({ view }) => view.tasks < view.maxTasks);
  if (roomy !== undefined)
    return `It waits for room, ${line}: '${roomy.view.nodeId}' ${verdictOn(roomy, requirement).reason}.`;
  if (there.length > 0) return `It waits for a slot, ${line}.`;
  return `It waits: of ${counted(able.length, 'node')} that could do it none may take work now.`;
}

function useOf({ concurrency, perMinute, claimed, claimedInMinute, opensInMs }: LimitUse): string {
  if (concurrency !== null && claimed >= concurrency) return `${claimed} of ${concurrency} at once`;
  const opens = opensInMs === null ? '' : `; it opens in ${span(opensInMs)}`;
  return `${claimedInMinute} of ${perMinute ?? 0} in the last minute${opens}`;
}

/** What will end the wait whatever comes. */
function outlook({ expiresInMs, deadlineInMs }: TaskRecord): string {
  const expires = expiresInMs === null ? '' : ` It fails in ${span(expiresInMs)} if no attempt has started by then.`;
  return `${expires}${deadlineInMs === null ? '' : ` Its deadline is in ${span(deadlineInMs)}.`}`;
}

function span(ms: number): string {
  return ms < 1_000 ? `${Math.ceil(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** `1 task`, `2 tasks`. */
function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
