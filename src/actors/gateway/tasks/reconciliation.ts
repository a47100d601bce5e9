/** What a node says it is running, held against what the gateway knows: what it still has goes on, the rest is placed again. */
import { type Failure, PincerError } from '../../../protocol/failure.ts';
import type { AttemptRef } from '../../../protocol/identifier.ts';
import type { Store } from '../../store/store.ts';
import type { Node } from '../nodes/nodes.ts';
import type { Tasks } from './tasks.ts';
import type { Verdicts } from './verdicts.ts';

export interface ReconciliationOptions {
  readonly store: Store;
  readonly tasks: Tasks;
  readonly gatewayId: () => string;
  readonly verdicts: Verdicts;
  /** A node has come back without attempts that it was given: they never reached it, or died with its last process. */
  onMissed(nodeId: string, failure: Failure, taskIds: readonly string[]): void;
  /** Makes a new claim on work; the old one has lapsed. */
  rejoin(): Promise<void>;
}

export class Reconciliation {
  readonly #options: ReconciliationOptions;

  constructor(options: ReconciliationOptions) {
    this.#options = options;
  }

  /** A node registers. Returns the attempts that are not its own any more. */
  async reconcile(nodeId: string, running: readonly AttemptRef[], isSameProcess: boolean): Promise<AttemptRef[]> {
    const { tasks } = this.#options;
    const held = tasks.heldBy(nodeId);
    const others = running.filter((ref) => !includes(held, ref));
    // What another node has here was given to that one and no other.
    const unheld = others.filter((ref) => !tasks.holds(ref));
    // Fenced without knowing it yet: what the node runs is nobody’s, and need not be lost.
    const adopted = (await this.#adopt(nodeId, unheld)) ?? (await this.#adoptAfterRejoining(nodeId, unheld));
    const isRunning = (ref: AttemptRef): boolean => includes(running, ref);
    const missed = held.filter((ref) => !isRunning(ref)).map((ref) => ref.taskId);
    const undelivered = new PincerError('UNDELIVERED', `the assignment never reached node ${nodeId}`).toFailure();
    const lost = new PincerError('NODE_LOST', `node ${nodeId} returned without the attempt`).toFailure();
    if (missed.length > 0) this.#options.onMissed(nodeId, isSameProcess ? undelivered : lost, missed);
    // What a process that lives does not know of never reached it; what a new process does not know of died with the old.
    if (isSameProcess) tasks.reject(nodeId, undelivered, isRunning);
    tasks.lose(nodeId, lost, isRunning);
    tasks.flush();
    const gone = others.filter((ref) => !includes(adopted, ref));
    for (const ref of gone) void this.#options.verdicts.judge(ref);
    return gone;
  }

  /**
   * Takes over all that nodes are running, under a new claim on work. What others were given meanwhile is stopped: it would
   * run beside them, and keep a slot, until it ended by itself.
   * @throws PincerError `FENCED` if that has lapsed, too
   */
  async adoptAll(nodes: Iterable<Node>): Promise<void> {
    for (const { nodeId, slots, session } of [...nodes]) {
      const refs = [...slots.values()].map((slot) => slot.ref);
      const adopted = await this.#adopt(nodeId, refs);
      if (adopted === null) throw new PincerError('FENCED', 'the new claim on work has lapsed, too');
      for (const ref of refs) {
        if (!includes(adopted, ref)) session?.send('task_cancel', { ...ref, reason: 'withdrawn' });
      }
    }
  }

  async #adoptAfterRejoining(nodeId: string, refs: readonly AttemptRef[]): Promise<AttemptRef[]> {
    await this.#options.rejoin();
    return (await this.#adopt(nodeId, refs)) ?? [];
  }

  /** Null: the gateway is fenced. */
  async #adopt(nodeId: string, refs: readonly AttemptRef[]): Promise<AttemptRef[] | null> {
    if (refs.length === 0) return [];
    const { store, tasks, gatewayId } = this.#options;
    const verdicts = await store.adopt(gatewayId(), nodeId, refs);
    if (verdicts === null) return null;
    const adopted = refs.filter((_, index) => verdicts[index] === true);
    const records = await Promise.all(adopted.map(({ taskId }) => store.get(taskId)));
    for (const record of records) {
      if (record === null) continue;
      // The payload is with the node; only a further attempt needs it, and that comes through a claim.
      tasks.adopt(
        {
          record,
          payload: new Uint8Array(),
          checkpoint: null,
          remainingMs: record.deadlineInMs,
        },
        nodeId,
      );
    }
    return adopted;
  }
}

/** Whether one of the attempts is the wanted one. */
export function includes(refs: readonly AttemptRef[], wanted: AttemptRef): boolean {
  return refs.some((ref) => ref.taskId === wanted.taskId && ref.attempt === wanted.attempt);
}
