/** How much may wait at once: tasks, bytes and classes. Only a submit is ever refused; what comes back is always let in. */
import type { Limits } from '../../protocol/limits.ts';

const PACE_WINDOW_MS = 10_000;
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 30_000;

export type WaitingLimits = Pick<Limits, 'waitingTasksMax' | 'waitingBytesMax' | 'classesMax'>;

/** Why a task may not wait, and when to ask again. */
export interface Refusal {
  readonly message: string;
  readonly retryAfterMs: number;
}

export class WaitingRoom {
  readonly #limits: WaitingLimits;
  readonly #classes = new Map<string, number>();
  #tasks = 0;
  #bytes = 0;
  // The pace at which tasks leave, for the estimate of a refusal: how many since when. Both are halved as they grow old.
  #left = 0;
  #sinceMs: number;

  constructor(limits: WaitingLimits, nowMs: number) {
    this.#limits = limits;
    this.#sinceMs = nowMs;
  }

  /** Why a task with this many bytes may not wait in this class, or null. */
  refusal(queue: string, bytes: number, nowMs: number): Refusal | null {
    const { waitingTasksMax, waitingBytesMax, classesMax } = this.#limits;
    const refuse = (message: string): Refusal => ({ message, retryAfterMs: this.#retryAfterMs(nowMs) });
    if (this.#tasks >= waitingTasksMax) {
      return refuse(`${this.#tasks} tasks are waiting, and waitingTasksMax is ${waitingTasksMax}`);
    }
    if (this.#bytes + bytes > waitingBytesMax) {
      return refuse(
        `${this.#bytes} bytes are waiting, the task has ${bytes}, and waitingBytesMax is ${waitingBytesMax}`,
      );
    }
    if (this.#classes.size >= classesMax && !this.#classes.has(queue)) {
      return refuse(`tasks of ${this.#classes.size} classes are waiting, and classesMax is ${classesMax}`);
    }
    return null;
  }

  enter(queue: string, bytes: number): void {
    this.#tasks += 1;
    this.#bytes += bytes;
    this.#classes.set(queue, (this.#classes.get(queue) ?? 0) + 1);
  }

  leave(queue: string, bytes: number, nowMs: number): void {
    this.#tasks -= 1;
    this.#bytes -= bytes;
    const others = (this.#classes.get(queue) ?? 1) - 1;
    if (others > 0) this.#classes.set(queue, others);
    else this.#classes.delete(queue);
    this.#left += 1;
    if (nowMs - this.#sinceMs > PACE_WINDOW_MS) {
      this.#left /= 2;
      this.#sinceMs = nowMs - (nowMs - this.#sinceMs) / 2;
    }
  }

  /** How long, at the present pace, until a hundredth of the room has been left. */
  #retryAfterMs(nowMs: number): number {
    const tasksPerMs = this.#left / Math.max(1, nowMs - this.#sinceMs);
    const estimateMs = this.#limits.waitingTasksMax / 100 / tasksPerMs;
    return Math.ceil(Math.min(RETRY_MS_MAX, Math.max(RETRY_MS_MIN, estimateMs)));
  }
}
