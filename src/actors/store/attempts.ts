/**
 * What an attempt may do to the task that it holds, in any store. The fence is asked here and nowhere else: an
 * attempt that is not the present one changes nothing.
 */
import { type Failure, PincerError } from '../../protocol/failure.ts';
import type { AttemptRef } from '../../protocol/identifier.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Clock } from '../../protocol/ports.ts';
import type { GatewayRows } from './gateway-rows.ts';
import { lapseOf } from './lapse.ts';
import type { GatewayRow } from './rows.ts';
import type { Claimed, Completion, CompletionVerdict, Release, ReleaseVerdict } from './store.ts';
import { isHeldBy, NO_BYTES, recordOf, type TaskRow } from './task-row.ts';
import { type TaskTable, waits } from './task-table.ts';

export type Note = AttemptRef & { readonly event: 'assigned' | 'started'; readonly node: string };

export class Attempts<Row extends TaskRow> {
  readonly #clock: Clock;
  readonly #tasks: TaskTable<Row>;
  readonly #gateways: GatewayRows<Row>;
  readonly #crashesMax: number;

  constructor(
    { clock, limits }: { clock: Clock; limits: Pick<Limits, 'crashesMax'> },
    tasks: TaskTable<Row>,
    gateways: GatewayRows<Row>,
  ) {
    this.#clock = clock;
    this.#crashesMax = limits.crashesMax;
    this.#tasks = tasks;
    this.#gateways = gateways;
  }

  /** Gives an attempt that was just taken out of its line to its owner. */
  begin(owner: GatewayRow, row: Row): Claimed {
    this.#gateways.own(row, owner);
    this.#tasks.tell(row, 'task.claimed');
    const nowMs = this.#clock.now();
    const record = recordOf(row, nowMs);
    const payload = this.#tasks.rows.body(row, 'payload') ?? NO_BYTES;
    const checkpoint = this.#tasks.rows.body(row, 'checkpoint');
    return { record, payload, checkpoint, remainingMs: record.deadlineInMs };
  }

  note(note: Note): void {
    const row = this.#tasks.get(note.taskId);
    if (!isHeldBy(row, note)) return;
    const isNew = note.event === 'started' ? row.startedAt === null : row.node !== note.node;
    if (!isNew) return;
    row.node = note.node;
    if (note.event === 'started') this.#tasks.start(row);
    else this.#tasks.tell(row, 'task.assigned', { node: note.node });
  }

  adopt(owner: GatewayRow, node: string, ref: AttemptRef): boolean {
    const row = this.#tasks.get(ref.taskId);
    if (!isHeldBy(row, ref)) return false;
    // What one node was given is no other's, whoever says so. Before it is known who was given it, it may be anybody's.
    if (row.node !== null && row.node !== node) return false;
    this.#gateways.own(row, owner);
    row.node = node;
    this.#tasks.tell(row, 'task.adopted', { node });
    return true;
  }

  checkpoint(ref: AttemptRef, bytes: Uint8Array): boolean {
    const row = this.#tasks.get(ref.taskId);
    if (!isHeldBy(row, ref)) return false;
    this.#tasks.rows.setBody(row, 'checkpoint', bytes);
    return true;
  }

  complete(completion: Completion): CompletionVerdict {
    const { taskId, attempt, status, runMs } = completion;
    const row = this.#tasks.get(taskId);
    if (row === undefined) return 'unknown';
    if (row.settledBy === attempt) return 'duplicate';
    // Who owns the task does not matter, unless it is said: a result may come by way of any gateway.
    if (!isHeldBy(row, completion)) return 'stale';
    if (completion.owner !== undefined && completion.owner !== row.owner) return 'stale';
    row.node = completion.node ?? row.node;
    // The note of its start may have been lost. An attempt that was cancelled before it ran never started, though.
    if (row.startedAt === null && (status !== 'cancelled' || runMs > 0)) this.#tasks.start(row, runMs);
    row.runMs = runMs;
    const cost = status === 'failed' ? (completion.costs ?? 'failure') : undefined;
    if (cost === 'failure') row.failures += 1;
    if (cost === 'crash') row.crashes += 1;
    if (status === 'completed' && completion.result !== undefined) {
      this.#tasks.rows.setBody(row, 'result', completion.result);
    }
    this.#tasks.settle(row, status, attempt, status === 'completed' ? null : failureOf(completion.error), cost);
    this.#gateways.disown(row);
    return row.queuedMs;
  }

  release(owner: GatewayRow, release: Release): ReleaseVerdict {
    const row = this.#tasks.get(release.taskId);
    if (!isHeldBy(row, release) || row.owner !== owner.gateway) return 'stale';
    row.node = release.node ?? row.node;
    return this.giveBack(row, release, release.error?.code);
  }

  /**
   * Ends the attempt that holds the task: it waits again, is cancelled if that was asked for, or fails if its time has
   * passed or it has had crashesMax crashes.
   */
  giveBack(
    row: Row,
    { costs, delayMs, error }: Pick<Release, 'costs' | 'delayMs' | 'error'>,
    code: string | undefined,
  ): Exclude<ReleaseVerdict, 'stale'> {
    if (costs === 'failure') row.failures += 1;
    if (costs === 'crash') row.crashes += 1;
    if (costs === 'nothing' && row.node === null) this.#tasks.lines.limits.unclaim(row, this.#clock.now());
    if (costs !== 'nothing') row.lastNode = row.node ?? row.lastNode;
    if (row.startedAt !== null) row.runMs = Math.round(this.#clock.now() - row.startedMs);
    const isOver = row.cancelRequested || lapseOf(row, this.#clock.now()) !== null;
    if (!isOver && costs === 'crash' && row.crashes >= this.#crashesMax) {
      this.#tasks.settle(row, 'failed', 0, failureOf(error) ?? tooManyCrashes(row.crashes), 'crash');
      this.#gateways.disown(row);
      return 'failed';
    }
    const isDelayed = delayMs > 0 && !isOver;
    const detail = `${costs}${code === undefined ? '' : `: ${code}`}${isDelayed ? `; ${waits(delayMs)}` : ''}`;
    this.#tasks.tell(row, 'attempt.released', { node: row.node, detail });
    this.#gateways.disown(row);
    if (row.cancelRequested) {
      this.#tasks.settle(row, 'cancelled', 0, failureOf(error));
      return 'cancelled';
    }
    if (error !== undefined) row.error = failureOf(error);
    if (this.#tasks.settleLapsed(row)) return 'failed';
    row.node = null;
    this.#tasks.wait(row, delayMs);
    return isDelayed ? 'delayed' : 'pending';
  }
}

/** A failure of the store’s own; the caller's may be part of a decoded frame, or change. */
function failureOf(failure: Failure | undefined): Failure | null {
  if (failure === undefined) return null;
  return Object.freeze({ code: failure.code, message: failure.message, retryable: failure.retryable });
}

/** The charts of gateways end such a task themselves (machines/task.ts); this is for one that takes its gateway along. */
function tooManyCrashes(crashes: number): Failure {
  const message = `the task has lost ${crashes} nodes or gateways under itself (crashesMax); the last was its gateway`;
  return Object.freeze(new PincerError('NODE_LOST', message).toFailure());
}
