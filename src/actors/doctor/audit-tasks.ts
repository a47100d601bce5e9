/** Looks at tasks one by one: whether each is where its history says, and in good hands. Reads only, page by page. */
import { contradictions, replayHistory } from '../../machines/task-replay.ts';
import type { Finding } from '../../protocol/checkup.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Clock } from '../../protocol/ports.ts';
import { isOutcome } from '../../protocol/task-status.ts';
import type { Store, TaskRecord } from '../store/store.ts';

export interface TaskAudit {
  readonly findings: readonly Finding[];
  /** How many tasks were looked at. */
  readonly looked: number;
  /** How many there are. */
  readonly total: number;
  /** Where to go on; absent when there are no more. */
  readonly cursor?: string;
}

export interface TaskAuditOptions {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Tasks between two breaths, so that whoever else the process serves is not kept waiting. */
const IN_ONE_BREATH = 8;
/** A task may move while it is looked at; then it is looked at again. */
const LOOKS_MAX = 5;

/** Looks at one page of tasks, newest first. */
export async function auditTasks(store: Store, options: TaskAuditOptions): Promise<TaskAudit> {
  const { clock, limit, cursor } = options;
  const page = await store.list({ limit, ...(cursor === undefined ? {} : { cursor }) });
  const gateways = new Set((await store.gateways()).map(({ gateway }) => gateway));
  const findings: Finding[] = [];
  for (const [index, record] of page.items.entries()) {
    findings.push(...(await historyOf(store, record)), ...handsOf(record, gateways, options));
    if (index % IN_ONE_BREATH === IN_ONE_BREATH - 1) await new Promise<void>((resolve) => clock.soon(resolve));
  }
  const counted = { findings, looked: page.items.length, total: page.total };
  return page.cursor === undefined ? counted : { ...counted, cursor: page.cursor };
}

/** Whether the record says what its history tells (invariant I6). */
async function historyOf(store: Store, record: TaskRecord): Promise<Finding[]> {
  let said: string[] = [];
  let before: TaskRecord = record;
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    const replay = replayHistory(await store.history(before.taskId), before);
    said = [...contradictions(before, replay), ...replay.problems];
    if (said.length === 0) return [];
    const after = await store.get(before.taskId);
    if (after === null) return [];
    if (isSame(before, after)) break;
    before = after;
  }
  return said.map((says) => ({
    check: 'tasks.history',
    severity: 'bad',
    about: record.taskId,
    says,
    mend: `Keep a copy of the store and report it with the output of \`pincer story ${record.taskId} --json\`.`,
  }));
}

function isSame(before: TaskRecord, after: TaskRecord): boolean {
  return before.status === after.status && before.attempt === after.attempt && before.owner === after.owner;
}

/** Whether the attempt that holds a task is somebody’s, and within its time. */
function handsOf(record: TaskRecord, gateways: ReadonlySet<string>, { limits }: TaskAuditOptions): Finding[] {
  const { taskId: about, owner, status, timeoutMs, attempt } = record;
  if (status === 'pending' || status === 'delayed' || isOutcome(status)) return [];
  if (owner === null || !gateways.has(owner)) {
    const says = `attempt ${attempt} belongs to ${owner === null ? 'nobody' : `gateway ${owner}, which is gone`}`;
    const mend = 'A gateway that runs gives it back with its next sweep, and places it again: start one.';
    return [{ check: 'tasks.owner', severity: 'warn', about, says, mend }];
  }
  const allowedMs = timeoutMs + limits.cancelGraceMs + 3 * limits.timeoutSlackMs;
  // By the store’s clock: the wall clock may have been set since.
  const { runMs: ranMs } = record;
  if (ranMs <= allowedMs) return [];
  const says = `attempt ${attempt} has run for ${Math.round(ranMs)} ms, and may take ${timeoutMs} ms`;
  const mend = `Look at its node with \`pincer nodes get\`; \`pincer tasks cancel ${about}\` ends it.`;
  return [{ check: 'tasks.overdue', severity: 'bad', about, says, mend }];
}
