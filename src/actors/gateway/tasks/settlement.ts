/**
 * What came of attempts, on its way into the store: gathered during a turn, written in one step, told once it is durable.
 * And before it what is noted of them for their history.
 */
import { backoffMs } from '../../../machines/policies/retry.ts';
import type { TaskCommand } from '../../../machines/task.ts';
import { type Failure, PincerError } from '../../../protocol/failure.ts';
import type { Outcome } from '../../../protocol/task.ts';
import type { Completion, CompletionVerdict, Release, ReleaseVerdict, Store, TaskRecord } from '../../store/store.ts';
import type { World } from '../../world/world.ts';
import { Batch } from './batch.ts';

/** What a store is told of an attempt that goes on. */
type Note = Parameters<Store['note']>[0][number];

/** What is known here of an attempt that has ended. */
export interface Ended {
  readonly record: TaskRecord;
  readonly nodeId: string;
  /** When it was heard to start, by the clock. */
  readonly startedAt: number | null;
  /** What the attempt may take: the timeout of its task, or what was left until its total deadline. */
  readonly timeoutMs: number;
}

export interface SettlementOwner<Attempt extends Ended> {
  onCompleted(attempt: Attempt, verdict: CompletionVerdict): void;
  onReleased(attempt: Attempt, verdict: ReleaseVerdict): void;
  onSettled(outcome: Outcome, record: TaskRecord): void;
  /** The store has ended a task of its own accord: its time was up, or it was to be cancelled. Its record says how. */
  onEnded(taskId: string): void;
  onStoreFailed(error: unknown): void;
}

export class Settlement<Attempt extends Ended> {
  readonly #world: World;
  readonly #gatewayId: () => string;
  readonly #notes: Batch<Note>;
  readonly #completions: Batch<{ attempt: Attempt; completion: Completion }>;
  readonly #releases: Batch<{ attempt: Attempt; release: Release }>;

  constructor(world: World, options: { store: Store; gatewayId: () => string; owner: SettlementOwner<Attempt> }) {
    const { clock, deadlines, limits } = world;
    const { store, gatewayId, owner } = options;
    this.#world = world;
    this.#gatewayId = gatewayId;
    const shared = {
      clock,
      deadlines,
      sizeMax: limits.submitBatchMax,
      retryMs: limits.undeliveredRetryMs,
      onFailed: (error: unknown) => owner.onStoreFailed(error),
    };
    this.#notes = new Batch({ ...shared, write: async (notes) => store.note(notes) });
    this.#completions = new Batch({
      ...shared,
      async write(entries) {
        const verdicts = await store.complete(entries.map((entry) => entry.completion));
        for (const [index, { attempt, completion }] of entries.entries()) {
          const verdict = verdicts[index] ?? 'unknown';
          if (typeof verdict === 'number') owner.onSettled(outcomeOf(attempt, completion, verdict), attempt.record);
          owner.onCompleted(attempt, verdict);
        }
      },
    });
    this.#releases = new Batch({
      ...shared,
      async write(entries) {
        const verdicts = await store.release(
          gatewayId(),
          entries.map((entry) => entry.release),
        );
        for (const [index, { attempt, release }] of entries.entries()) {
          const verdict = verdicts[index] ?? 'stale';
          if (verdict === 'cancelled' || verdict === 'failed') owner.onEnded(release.taskId);
          owner.onReleased(attempt, verdict);
        }
      },
    });
  }

  /** An attempt was placed, or has started. */
  note(note: Note): void {
    this.#notes.add(note);
  }

  /** The task has its outcome. */
  settle(attempt: Attempt, end: Omit<Extract<TaskCommand, { type: 'task.settle' }>, 'type'>): void {
    const { status, nodeId, result, failure } = end;
    const { taskId } = attempt.record;
    const runMs = end.runMs || this.#ranMs(attempt);
    const completion: Completion = {
      taskId,
      attempt: end.attempt,
      status,
      runMs,
      // What a node achieved counts whoever has the task now. That the task is over without a result is this gateway’s
      // decision, and another one may have adopted the attempt since.
      owner: status === 'completed' ? undefined : this.#gatewayId(),
      result: result ?? undefined,
      error: failure === null ? undefined : ofDeadline(attempt, failure, runMs),
      node: nodeId ?? undefined,
      costs: end.costs,
    };
    this.#completions.add({ attempt, completion });
  }

  /** The attempt is over and its task is not. */
  giveBack(attempt: Attempt, end: Extract<TaskCommand, { type: 'task.release' }>): void {
    const { costs, failure, nodeId } = end;
    const release: Release = {
      taskId: attempt.record.taskId,
      attempt: end.attempt,
      costs,
      delayMs: this.#delayMs(end),
      ...(failure === null ? {} : { error: failure }),
      ...(nodeId === null ? {} : { node: nodeId }),
    };
    this.#releases.add({ attempt, release });
  }

  /** Writes what was gathered: at the end of the turn, or as soon as somebody asks. */
  flush(): void {
    this.#notes.flush();
    this.#completions.flush();
    this.#releases.flush();
  }

  #ranMs({ startedAt }: Attempt): number {
    return startedAt === null ? 0 : this.#world.clock.now() - startedAt;
  }

  /** A lost node’s tasks run elsewhere at once; what failed waits, jittered; what was never delivered, a moment. */
  #delayMs({ costs, failures }: Extract<TaskCommand, { type: 'task.release' }>): number {
    const { retryBaseMs, retryMaxMs, undeliveredRetryMs } = this.#world.limits;
    if (costs === 'crash') return 0;
    if (costs === 'nothing') return undeliveredRetryMs;
    return backoffMs(failures, { baseMs: retryBaseMs, maxMs: retryMaxMs }, this.#world.random());
  }
}

/** An attempt that was stopped by the total deadline of its task has not taken longer than its timeout: it had less. */
function ofDeadline({ timeoutMs, record }: Ended, failure: Failure, runMs: number): Failure {
  if (failure.code !== 'TASK_TIMED_OUT' || timeoutMs >= record.timeoutMs || runMs < timeoutMs) return failure;
  const why = `the task was not done by its deadline: its last attempt was stopped after ${Math.round(runMs)} ms`;
  return new PincerError('DEADLINE_PASSED', why).toFailure();
}

function outcomeOf({ record, nodeId, startedAt }: Ended, completion: Completion, queuedMs: number): Outcome {
  // Of an attempt that was adopted, the record may have its start already.
  const hasStarted = record.startedAt === null && startedAt !== null;
  return {
    taskId: record.taskId,
    status: completion.status,
    result: completion.result,
    error: completion.error,
    node: nodeId,
    attempts: record.attemptsStarted + (hasStarted ? 1 : 0),
    queuedMs,
    runMs: completion.runMs,
  };
}
