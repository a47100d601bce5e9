/** Who wants to be told how a task ends, and how it gets on. */
import { PincerError } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Session } from './session.ts';

export class Watchers {
  readonly #limits: Pick<Limits, 'watchMax'>;
  readonly #byTask = new Map<string, Set<Session>>();
  readonly #bySession = new Map<Session, Set<string>>();

  constructor(limits: Pick<Limits, 'watchMax'>) {
    this.#limits = limits;
  }

  /** @throws PincerError `RATE_EXCEEDED` beyond `watchMax` tasks of one session. */
  add(taskId: string, session: Session): void {
    const watched = this.#bySession.get(session) ?? new Set<string>();
    if (watched.size >= this.#limits.watchMax && !watched.has(taskId)) {
      throw new PincerError('RATE_EXCEEDED', `a client may watch ${this.#limits.watchMax} tasks at once`);
    }
    this.#bySession.set(session, watched.add(taskId));
    const watchers = this.#byTask.get(taskId) ?? new Set<Session>();
    this.#byTask.set(taskId, watchers.add(session));
  }

  /** How many tasks a session watches. */
  count(session: Session): number {
    return this.#bySession.get(session)?.size ?? 0;
  }

  of(taskId: string): Iterable<Session> {
    return this.#byTask.get(taskId) ?? [];
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
    for (const session of watchers) this.#bySession.get(session)?.delete(taskId);
    return watchers;
  }

  /** Forgets a session that is over. */
  drop(session: Session): void {
    for (const taskId of this.#bySession.get(session) ?? []) {
      const watchers = this.#byTask.get(taskId);
      watchers?.delete(session);
      if (watchers?.size === 0) this.#byTask.delete(taskId);
    }
    this.#bySession.delete(session);
  }
}
