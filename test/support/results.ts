/** Results for outboxes, and what an outbox needs of its node. */
import { keyOf, type Outbox, type OutboxOwner, type Result } from '../../src/actors/node/outbox.ts';
import { createSimulatedClock } from '../../src/actors/world/simulated-clock.ts';
import { silentLog } from '../../src/actors/world/world.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';

export function aResult(taskId: string, given: Partial<Result> = {}): Result {
  return { taskId, attempt: 1, status: 'success', duration: 12.5, result: new Uint8Array([1, 2, 3]), ...given };
}

export function anOwner(given: Partial<OutboxOwner> & { limit?: Partial<Limits> } = {}): OutboxOwner {
  const { limit, ...owner } = given;
  const limits = { ...defaultLimits, ...limit };
  return { clock: createSimulatedClock(), log: silentLog, limits, onRefusal: () => {}, ...owner };
}

/** Keeps results and resolves when all are as safe as they get. */
export async function keepAll(outbox: Outbox, results: readonly Result[]): Promise<void> {
  await Promise.all(
    results.map((result) => new Promise<void>((resolve) => outbox.keep(keyOf(result), result, () => resolve()))),
  );
}
