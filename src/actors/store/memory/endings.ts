/**
 * What the memory store keeps of the course of a task that has settled: the same, in less room and in few objects, since
 * there are very many of them for long, and each young collection copies what is new. Numbers lie beside those of other
 * tasks in a slab, and a history that went as others did has its lines in common with them.
 */
import type { Failure } from '../../../protocol/failure.ts';
import type { Line, PackedHistory } from './packed-history.ts';
import type { Course } from './row-parts.ts';

/** Numbers in one slab, which lives as long as anything in it. */
const SLAB = 1_024;
/** More numbers than this have a slab of their own: too much of another one would be left unused. */
const SMALL_MAX = SLAB / 8;
/** Lines in a list that may be shared: longer histories are hardly ever alike. */
const LINES_MAX = 8;
/** Lists that are looked through for one to share, and last lines that have such. */
const SHARED_MAX = 8;
const LAST_LINES_MAX = 1_024;

/** Where each number of an ending stands; behind them are the times of its history. */
const ATTEMPT = 0;
const ATTEMPTS_STARTED = 1;
const FAILURES = 2;
const CRASHES = 3;
const FLAGS = 4;
const STARTED_AT = 5;
const FINISHED_AT = 6;
const QUEUED_MS = 7;
const RUN_MS = 8;
const STARTED_MS = 9;
const FINISHED_MS = 10;
const SETTLED_BY = 11;
const RESULT_BYTES = 12;
const RESULT_AT = 13;
const ENTRIES = 14;
const TIMES = 15;

const CANCEL_REQUESTED = 1;
const HAS_STARTED = 2;

/** The course of a settled task. Only who owns it may still change: it is let go after it has settled. */
export class Ending implements Course {
  owner: string | null;
  readonly node: string | null;
  readonly lastNode: string | null;
  readonly error: Failure | null;
  readonly result: ArrayBufferLike | null;
  /** Those of its history, which others may have, too. */
  readonly lines: readonly Line[];
  readonly #numbers: Float64Array;
  readonly #at: number;

  constructor(course: Course, numbers: Float64Array, at: number, lines: readonly Line[]) {
    this.owner = course.owner;
    this.node = course.node;
    this.lastNode = course.lastNode;
    this.error = course.error;
    this.result = course.result;
    this.#numbers = numbers;
    this.#at = at;
    this.lines = lines;
    numbers[at + ATTEMPT] = course.attempt;
    numbers[at + ATTEMPTS_STARTED] = course.attemptsStarted;
    numbers[at + FAILURES] = course.failures;
    numbers[at + CRASHES] = course.crashes;
    numbers[at + FLAGS] = (course.cancelRequested ? CANCEL_REQUESTED : 0) | (course.hasStarted ? HAS_STARTED : 0);
    numbers[at + STARTED_AT] = course.startedAt ?? Number.NaN;
    numbers[at + FINISHED_AT] = course.finishedAt ?? Number.NaN;
    numbers[at + QUEUED_MS] = course.queuedMs;
    numbers[at + RUN_MS] = course.runMs;
    numbers[at + STARTED_MS] = course.startedMs;
    numbers[at + FINISHED_MS] = course.finishedMs;
    numbers[at + SETTLED_BY] = course.settledBy;
    numbers[at + RESULT_BYTES] = course.resultBytes;
    numbers[at + RESULT_AT] = course.resultAt;
    numbers[at + ENTRIES] = course.entries;
    for (let index = 0; index < lines.length; index += 1) {
      numbers[at + TIMES + index] = course.history[index * 2 + 1] as number;
    }
  }

  get attempt(): number {
    return this.#number(ATTEMPT);
  }

  get attemptsStarted(): number {
    return this.#number(ATTEMPTS_STARTED);
  }

  get failures(): number {
    return this.#number(FAILURES);
  }

  get crashes(): number {
    return this.#number(CRASHES);
  }

  get cancelRequested(): boolean {
    return (this.#number(FLAGS) & CANCEL_REQUESTED) !== 0;
  }

  get hasStarted(): boolean {
    return (this.#number(FLAGS) & HAS_STARTED) !== 0;
  }

  get startedAt(): number | null {
    return numberOrNull(this.#number(STARTED_AT));
  }

  get finishedAt(): number | null {
    return numberOrNull(this.#number(FINISHED_AT));
  }

  get queuedMs(): number {
    return this.#number(QUEUED_MS);
  }

  get runMs(): number {
    return this.#number(RUN_MS);
  }

  get startedMs(): number {
    return this.#number(STARTED_MS);
  }

  get finishedMs(): number {
    return this.#number(FINISHED_MS);
  }

  get settledBy(): number {
    return this.#number(SETTLED_BY);
  }

  get resultBytes(): number {
    return this.#number(RESULT_BYTES);
  }

  get resultAt(): number {
    return this.#number(RESULT_AT);
  }

  get entries(): number {
    return this.#number(ENTRIES);
  }

  /** Made anew each time. */
  get history(): PackedHistory {
    return this.lines.flatMap((line, index) => [line, this.#number(TIMES + index)]);
  }

  #number(place: number): number {
    return this.#numbers[this.#at + place] as number;
  }
}

export class Endings {
  #slab = new Float64Array(0);
  #end = 0;
  /** Lists of lines, by their last one. */
  readonly #shared = new Map<Line, Line[][]>();

  /** What is kept of a course to which nothing more happens. */
  of(course: Course): Ending {
    const lines = this.#linesOf(course.history);
    const count = TIMES + lines.length;
    if (count > SMALL_MAX) return new Ending(course, new Float64Array(count), 0, lines);
    if (this.#end + count > this.#slab.length) {
      this.#slab = new Float64Array(SLAB);
      this.#end = 0;
    }
    const at = this.#end;
    this.#end += count;
    return new Ending(course, this.#slab, at, lines);
  }

  #linesOf(history: PackedHistory): readonly Line[] {
    if (history.length > LINES_MAX * 2) return linesIn(history);
    const last = history[history.length - 2] as Line;
    let lists = this.#shared.get(last);
    if (lists === undefined) {
      if (this.#shared.size >= LAST_LINES_MAX) this.#shared.clear();
      lists = [];
      this.#shared.set(last, lists);
    }
    for (const list of lists) if (isOf(list, history)) return list;
    const lines = linesIn(history);
    if (lists.length >= SHARED_MAX) lists.shift();
    lists.push(lines);
    return lines;
  }
}

function linesIn(history: PackedHistory): Line[] {
  return history.filter((_, index) => index % 2 === 0) as Line[];
}

function isOf(lines: readonly Line[], history: PackedHistory): boolean {
  if (lines.length * 2 !== history.length) return false;
  for (let index = 0; index < lines.length; index += 1) if (lines[index] !== history[index * 2]) return false;
  return true;
}

function numberOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
