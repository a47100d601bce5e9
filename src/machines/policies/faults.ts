/**
 * When the faults of a node are its own. Only what a node’s runtime did to an attempt counts, never what a handler did
 * with it; and what one task can bring about by itself counts once for that task, so that no task marks a node.
 */
import type { FailureCode } from '../../protocol/failure.ts';
import { spreadMs } from './retry.ts';

/**
 * `refusal`: an assignment was rejected, never arrived or was not answered; no task has a hand in that. `crash`: the
 * process died, or the isolate of the handler could not be started; a task may have done it.
 */
export type FaultKind = 'refusal' | 'crash';

export interface Fault {
  readonly kind: FaultKind;
  readonly nowMs: number;
  /** The tasks whose attempts it cost. */
  readonly taskIds: readonly string[];
}

/** The faults of a node since its last success. */
export interface FaultRow {
  readonly count: number;
  /** When the last incident began: what follows at once belongs to it. */
  readonly incidentMs: number;
  /** When the last fault was. */
  readonly lastMs: number;
  /** Tasks that may have had a hand in a crash that counted. */
  readonly suspects: readonly string[];
}

export interface FaultLimits {
  readonly breakerWindowMs: number;
  readonly breakerIncidentMs: number;
}

export const NO_FAULTS: FaultRow = Object.freeze({
  count: 0,
  incidentMs: Number.NEGATIVE_INFINITY,
  lastMs: Number.NEGATIVE_INFINITY,
  suspects: [],
});

const SUSPECTS_MAX = 1_000;

/** How a failure that a node reported counts against it; null if it does not. */
export function faultKindOf(code: FailureCode | (string & {})): FaultKind | null {
  switch (code) {
    case 'NODE_FULL':
    case 'UNDELIVERED':
      return 'refusal';
    case 'HANDLER_NOT_LOADED':
    case 'NODE_LOST':
      return 'crash';
    default:
      return null;
  }
}

/** The row with one more fault. Its count is what it was if the fault belongs to an incident, or to a task, that counts already. */
export function withFault(row: FaultRow, { kind, nowMs, taskIds }: Fault, limits: FaultLimits): FaultRow {
  const before = nowMs - row.lastMs > limits.breakerWindowMs ? NO_FAULTS : row;
  if (nowMs - before.incidentMs <= limits.breakerIncidentMs) return { ...before, lastMs: nowMs };
  if (kind === 'refusal') return { ...before, count: before.count + 1, incidentMs: nowMs, lastMs: nowMs };
  if (taskIds.some((taskId) => before.suspects.includes(taskId))) return { ...before, lastMs: nowMs };
  const suspects = [...before.suspects, ...taskIds].slice(-SUSPECTS_MAX);
  return { count: before.count + 1, incidentMs: nowMs, lastMs: nowMs, suspects };
}

/** How long a breaker stays open for the nth time in a row, from 1: doubled each time, capped, ± 10 %. */
export function restMs(
  trips: number,
  limits: { readonly breakerRestMs: number; readonly breakerRestMaxMs: number },
  random: number,
): number {
  const exponent = Math.min(Math.max(trips, 1) - 1, 30);
  return spreadMs(Math.min(limits.breakerRestMaxMs, limits.breakerRestMs * 2 ** exponent), random);
}
