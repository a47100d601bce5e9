/** Who wants to be told how a task ends, and how it gets on. */
import { PincerError } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Session } from './session.ts';

export class Watchers {
  readonly #limits: Pick<Limits, 'watchMax' | 'sweepMs'>;
  /** Most tasks have one watcher: a set for each would take more than all else that is kept of them here. */
  readonly #byTask = new Map<string, Session | Set<Session>>();
  readonly #bySession = new Map<Session, Set<string>>();

  constructor(limits: Pick<Limits, 'watchMax' | 'sweepMs'>) {
    this.#limits = limits;
  }

  /** @throws PincerError `RATE_EXCEEDED` beyond `watchMax` tasks of one session. */
  add(taskId: string, session: Session): void {
    const watched = this.#bySession.get(session) ?? new Set<string>();
    if (!watched.has(taskId)) this.expectRoom(session);
    this.#bySession.set(session, watched.add(taskId));
    const watchers = this.#byTask.get(taskId);
    if (watchers === undefined) this.#byTask.set(taskId, session);
    else if (watchers instanceof Set) watchers.add(session);
    else if (watchers !== session) this.#byTask.set(taskId, new Set([watchers, session]));
  }

  /**
   * Throws unless a session may watch one more task, beside those that are about to be.
   * @throws PincerError `RATE_EXCEEDED` beyond `watchMax`.
   */
  expectRoom(session: Session, soon = 0): void {
    const { watchMax, sweepMs } = this.#limits;
    const watched = this.#bySession.get(session)?.size ?? 0;
    if (watched + soon < watchMax) return;
    const message = `'${session.peerId}' watches ${watchMax} tasks already (watchMax)`;
    throw new PincerError('RATE_EXCEEDED', message, { retryAfterMs: sweepMs });
  }

  of(taskId: string): Iterable<Session> {
    return listOf(this.#byTask.get(taskId));
  }

  /** Every task that is watched. */
  all(): Iterable<string> {
    return this.#byTask.keys();
  }

  has(taskId: string): boolean {
    return this.#byTask.has(taskId);
  }

  /** Takes the watchers of a task, which has ended. */
  take(taskId: string): Iterable<Session> {
    const watchers = this.#byTask.get(taskId);
    if (watchers === undefined) return [];
    this.#byTask.delete(taskId);
    const sessions = listOf(watchers);
    for (const session of sessions) this.#bySession.get(session)?.delete(taskId);
    return sessions;
  }

  /** Forgets a session that is over. */
  drop(session: Session): void {
    for (const taskId of this.#bySession.get(session) ?? []) {
      const watchers = this.#byTask.get(taskId);
      if (watchers instanceof Set) watchers.delete(session);
      if (watchers === session || (watchers instanceof Set && watchers.size === 0)) this.#byTask.delete(taskId);
    }
    this.#bySession.delete(session);
  }
}

function listOf(watchers: Session | Set<Session> | undefined): Iterable<Session> {
  if (watchers === undefined) return NOBODY;
  return watchers instanceof Set ? watchers : [watchers];
}

const NOBODY: readonly Session[] = [];
