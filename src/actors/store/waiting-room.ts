/** How much may wait at once: tasks, bytes and classes. Only a submit is ever refused; what comes back is always let in. */
import type { Limits } from '../../protocol/limits.ts';

const PACE_WINDOW_MS = 10_000;
/** What a refusal says at first, before any pace is known, and at most. */
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 10_000;
/** Room for so many, or for a hundredth of all if that is less, is worth to come back for. */
const ROOM_TASKS = 100;

export type WaitingLimits = Pick<Limits, 'waitingTasksMax' | 'waitingBytesMax' | 'classesMax'>;

/** Why a task may not wait, and when to ask again. */
export interface Refusal {
  readonly message: string;
  readonly retryAfterMs: number;
}

/** What is counted. */
export interface WaitingCounts {
  tasks: number;
  bytes: number;
  /** The pace at which tasks leave, for the estimate of a refusal: how many since when. Both are halved as they grow old. */
  left: number;
  sinceMs: number;
  /** How many classes have waiting tasks, and how many a class has. */
  readonly classes: number;
  tasksOf(queue: string): number;
  setTasksOf(queue: string, tasks: number): void;
}

export class WaitingRoom {
  readonly #limits: WaitingLimits;
  readonly #counts: WaitingCounts;

  constructor(limits: WaitingLimits, counts: WaitingCounts) {
    this.#limits = limits;
    this.#counts = counts;
  }

  /** Why a task with this many bytes may not wait in this class, or null. */
  refusal(queue: string, bytes: number, nowMs: number): Refusal | null {
    const { waitingTasksMax, waitingBytesMax, classesMax } = this.#limits;
    const { tasks, bytes: waitingBytes, classes } = this.#counts;
    const refuse = (message: string): Refusal => ({ message, retryAfterMs: this.retryAfterMs(nowMs) });
    if (tasks >= waitingTasksMax) {
      return refuse(`${tasks} tasks are waiting, and waitingTasksMax is ${waitingTasksMax}`);
    }
    if (waitingBytes + bytes > waitingBytesMax) {
      return refuse(
        `${waitingBytes} bytes are waiting, the task has ${bytes}, and waitingBytesMax is ${waitingBytesMax}`,
      );
    }
    if (classes >= classesMax && this.#counts.tasksOf(queue) === 0) {
      return refuse(`tasks of ${classes} classes are waiting, and classesMax is ${classesMax}`);
    }
    return null;
  }

  enter(queue: string, bytes: number): void {
    const counts = this.#counts;
    counts.tasks += 1;
    counts.bytes += bytes;
    counts.setTasksOf(queue, counts.tasksOf(queue) + 1);
  }

  leave(queue: string, bytes: number, nowMs: number): void {
    const counts = this.#counts;
    counts.tasks -= 1;
    counts.bytes -= bytes;
    counts.setTasksOf(queue, counts.tasksOf(queue) - 1);
    const ageMs = nowMs - counts.sinceMs;
    if (ageMs > PACE_WINDOW_MS) {
      counts.left /= 2;
      // However long nobody has left before: that says nothing of now.
      counts.sinceMs = nowMs - Math.min(ageMs, 2 * PACE_WINDOW_MS) / 2;
    }
    counts.left += 1;
  }

  /** How long, at the present pace, until there is room that is worth it; while nobody leaves, the longer the longer that has been so. */
  retryAfterMs(nowMs: number): number {
    const { left, sinceMs } = this.#counts;
    const ageMs = Math.max(1, nowMs - sinceMs);
    const room = Math.min(ROOM_TASKS, this.#limits.waitingTasksMax / 100);
    const estimateMs = left < 1 ? ageMs / 10 : (room * ageMs) / left;
    return Math.ceil(Math.min(RETRY_MS_MAX, Math.max(RETRY_MS_MIN, estimateMs)));
  }
}
