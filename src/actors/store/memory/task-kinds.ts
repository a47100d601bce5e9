/** What tasks have in common: one object for all of a kind, instead of the same eight fields in each row. */
import type { NewTask } from '../new-task.ts';

type Shared = Pick<NewTask, 'type' | 'queue' | 'needs' | 'priority' | 'timeoutMs' | 'attemptsMax'>;

export interface Kind extends Readonly<Shared> {
  readonly origin: string | null;
  readonly client: string | null;
}

/** A new task, or a row, of some kind. */
type Sample = Shared & {
  readonly origin?: string | null | undefined;
  readonly client?: string | null | undefined;
};

/** Only to share them: beyond this many, the next ones share anew. */
const KINDS_MAX = 10_000;

export class Kinds {
  readonly #kinds = new Map<string, Kind>();
  #last: Kind | null = null;

  of(task: Sample): Kind {
    // Tasks of one kind come one after another.
    if (this.#last === null || !isOf(this.#last, task)) this.#last = this.#shared(task);
    return this.#last;
  }

  #shared({ type, queue, needs, priority, timeoutMs, attemptsMax, origin, client }: Sample): Kind {
    const name = `${priority} ${timeoutMs} ${attemptsMax} ${origin ?? ''} ${client ?? ''} ${type} ${needs.join('+')} ${queue}`;
    let kind = this.#kinds.get(name);
    if (kind === undefined) {
      const shared = { type, queue, needs: Object.freeze([...needs]), priority, timeoutMs, attemptsMax };
      kind = { ...shared, origin: origin ?? null, client: client ?? null };
      if (this.#kinds.size >= KINDS_MAX) this.#kinds.clear();
      this.#kinds.set(name, kind);
    }
    return kind;
  }
}

function isOf(kind: Kind, task: Sample): boolean {
  const { type, queue, needs, priority, timeoutMs, attemptsMax, origin, client } = task;
  if (kind.queue !== queue || kind.type !== type || kind.priority !== priority) return false;
  if (kind.timeoutMs !== timeoutMs || kind.attemptsMax !== attemptsMax) return false;
  if (kind.origin !== (origin ?? null) || kind.client !== (client ?? null)) return false;
  return kind.needs.length === needs.length && kind.needs.every((need, index) => need === needs[index]);
}
