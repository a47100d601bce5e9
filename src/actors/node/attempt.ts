/** One attempt as its node knows it, and as whoever runs its handler sees it. attempts.ts decides what becomes of it. */
import type { Failure } from '../../protocol/failure.ts';
import type { AttemptRef } from '../../protocol/identifier.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Payload } from '../../protocol/message.ts';
import type { Deadline } from '../world/deadlines.ts';
import type { Registration, Run } from './runner.ts';
import { StopSignal } from './stop-signal.ts';

/** Who is told what the handler of an attempt does. */
export interface AttemptOwner {
  onStarted(attempt: Attempt): void;
  onProgress(attempt: Attempt, payload: Uint8Array): Promise<void>;
  onProgressFailed(attempt: Attempt, failure: Failure): void;
}

export class Attempt implements Run {
  readonly key: string;
  readonly ref: AttemptRef;
  readonly assignment: Payload<'task_assign'>;
  readonly registration: Registration;
  readonly limits: Limits;
  readonly arrivedAt: number;
  readonly stop = new StopSignal();
  deadline: Deadline | null = null;
  hasSlot = true;
  isStarted = false;
  /** Its start is to be said at the end of this turn, unless its success says it before. */
  isStartUnsaid = false;
  isProgressFailureTold = false;
  /** What was last reported and is not acknowledged: said again in a new session. */
  report:
    | { type: 'task_result'; payload: Payload<'task_result'> }
    | { type: 'task_ended'; payload: AttemptRef }
    | null = null;
  readonly #owner: AttemptOwner;

  constructor(
    owner: AttemptOwner,
    facts: Pick<Attempt, 'key' | 'ref' | 'assignment' | 'registration' | 'limits' | 'arrivedAt'>,
  ) {
    this.#owner = owner;
    this.key = facts.key;
    this.ref = facts.ref;
    this.assignment = facts.assignment;
    this.registration = facts.registration;
    this.limits = facts.limits;
    this.arrivedAt = facts.arrivedAt;
  }

  get taskId(): string {
    return this.ref.taskId;
  }

  get attempt(): number {
    return this.ref.attempt;
  }

  get payload(): Uint8Array {
    return this.assignment.payload;
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  onStarted(): void {
    this.#owner.onStarted(this);
  }

  onProgress(payload: Uint8Array): Promise<void> {
    return this.#owner.onProgress(this, payload);
  }

  /** Of an attempt whose every report fails one line is enough. */
  onProgressFailed(failure: Failure): void {
    if (this.isProgressFailureTold) return;
    this.isProgressFailureTold = true;
    this.#owner.onProgressFailed(this, failure);
  }
}
