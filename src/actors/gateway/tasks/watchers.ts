/** Who wants to be told how a task ends, and how it gets on. */
import { PincerError } from '../../../protocol/failure.ts';
import type { Limits } from '../../../protocol/limits.ts';
import { TransitMap } from '../../transit-map.ts';
import type { Session } from '../sessions/session.ts';

/** One session that watches one task: a link in the chain of the task, and in that of the session. */
interface Watch {
  readonly session: Session;
  readonly taskId: string;
  /** The others of its session; null at the ends. */
  before: Watch | null;
  after: Watch | null;
  /** Others that watch the same task, as most tasks have none. */
  beside: Watch | null;
}

/** What one session watches. */
interface Watched {
  count: number;
  first: Watch | null;
}

export class Watchers {
  readonly #limits: Pick<Limits, 'watchMax' | 'sweepMs'>;
  readonly #byTask = new TransitMap<string, Watch>();
  readonly #bySession = new Map<Session, Watched>();

  constructor(limits: Pick<Limits, 'watchMax' | 'sweepMs'>) {
    this.#limits = limits;
  }

  /**
   * All of them or none, with room left for `soon` more that the session is about to watch.
   * @throws PincerError `RATE_EXCEEDED` beyond `watchMax` tasks of one session.
   */
  addAll(taskIds: readonly string[], session: Session, soon = 0): void {
    const unwatched = new Set(taskIds.filter((taskId) => !includes(this.#byTask.get(taskId) ?? null, session)));
    if (unwatched.size > 0) this.expectRoom(session, soon + unwatched.size - 1);
    for (const taskId of unwatched) this.add(taskId, session);
  }

  /** @throws PincerError `RATE_EXCEEDED` beyond `watchMax` tasks of one session. */
  add(taskId: string, session: Session): void {
    const first = this.#byTask.get(taskId) ?? null;
    if (includes(first, session)) return;
    this.expectRoom(session);
    let watched = this.#bySession.get(session);
    if (watched === undefined) {
      watched = { count: 0, first: null };
      this.#bySession.set(session, watched);
    }
    const watch: Watch = { session, taskId, before: null, after: watched.first, beside: first };
    if (watched.first !== null) watched.first.before = watch;
    watched.first = watch;
    watched.count += 1;
    this.#byTask.set(taskId, watch);
  }

  /**
   * Throws unless a session may watch one more task, beside those that are about to be.
   * @throws PincerError `RATE_EXCEEDED` beyond `watchMax`.
   */
  expectRoom(session: Session, soon = 0): void {
    const { watchMax, sweepMs } = this.#limits;
    const watched = this.#bySession.get(session)?.count ?? 0;
    if (watched + soon < watchMax) return;
    const message = `'${session.peerId}' watches ${watchMax} tasks already (watchMax)`;
    throw new PincerError('RATE_EXCEEDED', message, { retryAfterMs: sweepMs });
  }

  of(taskId: string): readonly Session[] {
    return sessionsOf(this.#byTask.get(taskId));
  }

  /** Every task that is watched. */
  all(): Iterable<string> {
    return this.#byTask.keys();
  }

  has(taskId: string): boolean {
    return this.#byTask.has(taskId);
  }

  /** Takes the watchers of a task, which has ended. */
  take(taskId: string): readonly Session[] {
    const first = this.#byTask.get(taskId);
    if (first === undefined) return NOBODY;
    this.#byTask.delete(taskId);
    for (let watch: Watch | null = first; watch !== null; watch = watch.beside) this.#unlink(watch);
    return sessionsOf(first);
  }

  /** Forgets a session that is over. */
  drop(session: Session): void {
    for (let watch = this.#bySession.get(session)?.first ?? null; watch !== null; watch = watch.after) {
      this.#leave(watch);
    }
    this.#bySession.delete(session);
  }

  /** A task has one watcher less. */
  #leave(gone: Watch): void {
    let first: Watch | null = this.#byTask.get(gone.taskId) ?? null;
    if (first === gone) first = gone.beside;
    else {
      for (let watch = first; watch !== null; watch = watch.beside) {
        if (watch.beside === gone) watch.beside = gone.beside;
      }
    }
    if (first === null) this.#byTask.delete(gone.taskId);
    else this.#byTask.set(gone.taskId, first);
  }

  #unlink({ session, before, after }: Watch): void {
    if (after !== null) after.before = before;
    if (before !== null) before.after = after;
    const watched = this.#bySession.get(session);
    if (watched === undefined) return;
    if (before === null) watched.first = after;
    watched.count -= 1;
  }
}

function includes(first: Watch | null, session: Session): boolean {
  for (let watch = first; watch !== null; watch = watch.beside) if (watch.session === session) return true;
  return false;
}

/** The first one to watch comes last in the chain, and is told first. */
function sessionsOf(first: Watch | undefined): readonly Session[] {
  if (first === undefined) return NOBODY;
  if (first.beside === null) return [first.session];
  const sessions: Session[] = [];
  for (let watch: Watch | null = first; watch !== null; watch = watch.beside) sessions.push(watch.session);
  return sessions.reverse();
}

const NOBODY: readonly Session[] = [];
