/**
 * The place of a task in its line: one integer that gives priority, first in first out, and a bound on waiting. A level
 * of priority is worth `agingMs` of waiting and no more, so an old task of low priority is overtaken for a while, never
 * for ever.
 */

/** What a place depends on. It is given once, at submit, and kept through every retry. */
export interface RankFacts {
  /** When the task was submitted or, if it is delayed, will be due, by the clock that ranks all tasks of one store. */
  readonly nowMs: number;
  /** 1 (first) to 10 (last). */
  readonly priority: number;
  /** What one level of priority is worth, as waiting time. */
  readonly agingMs: number;
}

/** A place: lower ranks first, and of equal ranks the one submitted first. `seq` is unique, so no two places are equal. */
export interface Place {
  readonly rank: number;
  readonly seq: number;
}

/** Priority 5 ranks at its time of submit; each level above or below moves it `agingMs` forward or back. */
export function rankOf({ nowMs, priority, agingMs }: RankFacts): number {
  return Math.floor(nowMs) + (priority - 5) * agingMs;
}

/** What spaces the tasks of one fair key. */
export interface SpacingFacts {
  /** The task’s own time: of its submit, or when it was due. */
  readonly timeMs: number;
  /** The time that the last waiting task of the key was given; −∞ if none waits. */
  readonly lastMs: number;
  readonly spacingMs: number;
  /** How far after its own time a task may be put, however many of its key wait. */
  readonly aheadMsMax: number;
}

/** The time by which a task with a fair key ranks: one spacing after the last of its key, within a bound. */
export function spacedTimeMs({ timeMs, lastMs, spacingMs, aheadMsMax }: SpacingFacts): number {
  return Math.min(Math.max(timeMs, lastMs) + spacingMs, timeMs + aheadMsMax);
}

/** Orders places: negative if `a` comes first. */
export function comparePlaces(a: Place, b: Place): number {
  return a.rank - b.rank || a.seq - b.seq;
}
