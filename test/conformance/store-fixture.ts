/** An open store with one gateway, and short ways to say what the cases of the suite say over and over. */

import type { Claimed, NewTask, Store, TaskRecord } from '../../src/actors/store/store.ts';
import { createSimulatedClock, type SimulatedClock } from '../../src/actors/world/simulated-clock.ts';
import type { AttemptRef } from '../../src/protocol/identifier.ts';
import type { Limits } from '../../src/protocol/limits.ts';
import type { OpenStore } from './store-stream.ts';

export const TTL_MS = 10_000;
export const QUEUE = 'echo ';

export interface Fixture {
  readonly clock: SimulatedClock;
  readonly store: Store;
  readonly gateway: string;
  /** Claims from the class of `aTask`, by default one task. */
  claim(limit?: number, queue?: string): Promise<readonly Claimed[]>;
  /** Submits a task and claims it. */
  claimNew(task?: Partial<NewTask>): Promise<AttemptRef>;
  /** The record of a task that must be known. */
  record(taskId: string): Promise<TaskRecord>;
  /** The names of what happened to a task. */
  events(taskId: string): Promise<readonly string[]>;
}

export async function fixtureOf(open: OpenStore, limits?: Partial<Limits>): Promise<Fixture> {
  const clock = createSimulatedClock();
  const store = await open(clock, limits);
  const gateway = await store.join('home', TTL_MS);
  const claim = async (limit = 1, queue = QUEUE): Promise<readonly Claimed[]> =>
    (await store.claim(gateway, [{ queue, limit }], limit)) ?? [];
  return {
    clock,
    store,
    gateway,
    claim,
    async claimNew(task = {}) {
      await store.submit([aTask(task)]);
      const [claimed] = await claim(1, task.queue);
      if (claimed === undefined) throw new Error('nothing could be claimed');
      return { taskId: claimed.record.taskId, attempt: claimed.record.attempt };
    },
    async record(taskId) {
      const record = await store.get(taskId);
      if (record === null) throw new Error(`${taskId} is not known`);
      return record;
    },
    events: async (taskId) => (await store.history(taskId)).map(({ event }) => event),
  };
}

export function aTask(task: Partial<NewTask> = {}): NewTask {
  return {
    ...{ taskId: 't1', type: 'echo', queue: QUEUE, needs: [], priority: 5, timeoutMs: 60_000, attemptsMax: 3 },
    ...{ payload: bytesOf('hello'), createdAt: 1_000 },
    ...task,
  };
}

export function idsOf(claimed: readonly Claimed[] | null): string[] {
  return (claimed ?? []).map(({ record }) => record.taskId);
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text));
}

export function textOf(bytes: Uint8Array | null | undefined): string | null {
  return bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString();
}
