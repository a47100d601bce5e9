/**
 * The history of a task, played through the task chart: where the chart was after every entry, and what in the history
 * could not have happened. What a store says of a task must be what its history tells (invariant I6).
 */
import { createActor, type SnapshotFrom } from 'xstate';
import { PincerError } from '../protocol/failure.ts';
import { costOf, eventOf, isDelayedBy } from '../protocol/history.ts';
import { checkOptions } from '../protocol/options.ts';
import type { HistoryEntry, TaskStatus } from '../protocol/task.ts';
import { isHeld, stepOf } from './history-events.ts';
import { type TaskContext, type TaskEvent, taskMachine } from './task.ts';

/** Every event of the chart; its own list has the wildcards of XState in its type. */
const EVENTS = taskMachine.events as readonly TaskEvent['type'][];

type Snapshot = SnapshotFrom<typeof taskMachine>;
/** Where a chart is played without anything being done: what it would command is in the history anyhow. */
type Scope = Parameters<typeof taskMachine.transition>[2];

/** Where the chart was after one entry. */
export interface ReplayTurn {
  readonly entry: HistoryEntry;
  /** What the entry made the chart hear. */
  readonly events: readonly TaskEvent['type'][];
  /** The state of the chart. */
  readonly value: string;
  readonly context: TaskContext;
  /** The events that the chart would take now. */
  readonly takes: readonly TaskEvent['type'][];
  /** Why the entry cannot have followed the ones before it; null if it can. */
  readonly problem: string | null;
}

/** The part of a record that its history tells. */
export interface Told {
  readonly status: TaskStatus;
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
}

/** What a history tells, entry by entry and in all. */
export interface Replay {
  readonly turns: readonly ReplayTurn[];
  /** False: entries are missing, so that what was counted in them is not known. */
  readonly isWhole: boolean;
  readonly told: Told;
  /** What its status may be: that which is told, and others where the entries are missing that would rule them out. */
  readonly statuses: readonly TaskStatus[];
  /** What cannot have happened, as sentences. */
  readonly problems: readonly string[];
}

/** What is known of the task beside its history. Left out: as many failures as the history has may be had. */
export interface ReplayOptions {
  readonly taskId?: string;
  readonly attemptsMax?: number;
}

/**
 * Plays a history, or the beginning of one, through the task chart. What does not fit is a problem, and not thrown.
 * @throws PincerError `OPTION_INVALID` for what is no list of entries.
 */
export function replayHistory(history: readonly HistoryEntry[], options: ReplayOptions = {}): Replay {
  if (!Array.isArray(history))
    throw new PincerError('OPTION_INVALID', 'replayHistory: history must be the entries of a task, as a list');
  checkOptions(options, 'replayHistory', 'options, or nothing');
  const player = new Player(history, options);
  const turns = history.map((entry, index) => player.take(entry, index));
  const problems = turns.flatMap(({ entry, problem }) =>
    problem === null ? [] : [`entry ${entry.n}, ${entry.event}: ${problem}`],
  );
  return { turns, isWhole: player.isWhole, told: player.told, statuses: player.statuses, problems };
}

/** What a record says otherwise than its history tells, as sentences. Of a history with gaps only what can be known. */
export function contradictions(record: Told, { told, isWhole, statuses }: Replay): string[] {
  const said: string[] = [];
  const compare = (what: string, inRecord: unknown, inHistory: unknown): void => {
    if (inRecord !== inHistory) said.push(`the record has ${what} ${inRecord}, its history tells ${inHistory}`);
  };
  if (!statuses.includes(record.status)) compare('status', record.status, told.status);
  compare('attempt', record.attempt, told.attempt);
  if (isWhole) {
    compare('failures', record.failures, told.failures);
    compare('crashes', record.crashes, told.crashes);
  }
  return said;
}

class Player {
  isWhole = true;
  readonly #history: readonly HistoryEntry[];
  readonly #options: ReplayOptions;
  // One for a whole history: xstate’s own `transition` makes an actor for each event, which is most of what that costs.
  readonly #scope: Scope = inertScope();
  #snapshot: Snapshot;
  /** The chart as it was when the task was to be cancelled. */
  #beforeCancel: Snapshot | null = null;
  #isCancelled = false;
  /** Whether the present attempt is known to have started: the chart takes an adopted one for running either way. */
  #hasStarted = false;
  /** Of the present attempt: whether it is missing if it has started, and if it is to be cancelled. */
  #missing = { start: false, cancel: false };
  #failures = 0;
  #crashes = 0;
  #attempt = 0;

  constructor(history: readonly HistoryEntry[], options: ReplayOptions) {
    this.#history = history;
    this.#options = options;
    this.#snapshot = this.#fresh(0, false, 0);
  }

  get told(): Told {
    const value = this.#snapshot.value as string;
    const isPlaced = value === 'assigned' || value === 'running';
    const held = this.#hasStarted ? 'running' : 'assigned';
    const status = (isPlaced ? held : value) as TaskStatus;
    return { status, attempt: this.#attempt, failures: this.#failures, crashes: this.#crashes };
  }

  get statuses(): TaskStatus[] {
    const { status } = this.told;
    if (status !== 'assigned' && status !== 'running') return [status];
    const { start, cancel } = this.#missing;
    const held: TaskStatus[] = start ? ['assigned', 'running'] : [status];
    return cancel ? [...held, 'cancelling'] : held;
  }

  take(entry: HistoryEntry, index: number): ReplayTurn {
    const previous = this.#history[index - 1];
    const hasGap = entry.n !== (previous?.n ?? 0) + 1;
    let problem: string | null = null;
    if (hasGap && entry.n > (previous?.n ?? 0)) this.#skipTo(entry, index);
    else problem = this.#misfit(entry, previous);
    const events = this.#move(entry, index);
    problem ??= events.problem;
    const { value, context, status } = this.#snapshot;
    const isOver = status !== 'active';
    const takes = isOver ? [] : EVENTS.filter((type) => this.#snapshot.can({ type } as TaskEvent));
    return { entry, events: events.sent, value: value as string, context, takes, problem };
  }

  #move(entry: HistoryEntry, index: number): { sent: TaskEvent['type'][]; problem: string | null } {
    const before = this.#snapshot;
    const step = stepOf(entry, {
      value: before.value as string,
      nodeAhead: this.#nodeAhead(index),
      isCancelled: this.#isCancelled,
    });
    this.#count(entry);
    if (step.from === 'new') {
      this.#snapshot = this.#fresh(index, isDelayedBy(entry), entry.attempt - (isHeld(entry) ? 1 : 0));
    }
    if (step.from === 'before-cancel') this.#snapshot = this.#beforeCancel ?? this.#snapshot;
    if (entry.event === 'cancel.requested') this.#beforeCancel = before;
    const sent: TaskEvent['type'][] = [];
    let problem: string | null = eventOf(entry) === null ? 'this version does not know it' : null;
    for (const event of step.events) {
      if (!this.#snapshot.can(event)) problem ??= `a task that is ${this.#snapshot.value} does not take ${event.type}`;
      sent.push(event.type);
      this.#play(event);
    }
    if (entry.event === 'attempt.released' && this.#snapshot.value === 'settling' && !this.#isCancelled)
      problem ??= 'the task waits again, and it had no attempts left';
    return { sent, problem };
  }

  /** What is wrong with an entry beside the chart’s own opinion. */
  #misfit(entry: HistoryEntry, previous: HistoryEntry | undefined): string | null {
    if (entry.n <= (previous?.n ?? 0)) return `it comes after entry ${previous?.n}`;
    if ((previous === undefined) !== (entry.event === 'task.submitted')) return `it is entry ${entry.n}`;
    const expected = this.#attempt + (entry.event === 'task.claimed' ? 1 : 0);
    if (entry.attempt !== expected) return `it names attempt ${entry.attempt}, and attempt ${expected} was next`;
    return null;
  }

  /** Entries are missing: the chart goes on from where this one can be taken. */
  #skipTo(entry: HistoryEntry, index: number): void {
    this.isWhole = false;
    const { event, attempt, node = '' } = entry;
    const isWaiting = event === 'task.claimed' || event === 'task.due' || !isHeld(entry);
    const isDelayed = event === 'task.due' || event === 'dependency.settled';
    this.#snapshot = this.#fresh(index, isDelayed, attempt - 1);
    this.#attempt = event === 'task.claimed' ? attempt - 1 : attempt;
    this.#hasStarted = false;
    this.#isCancelled = false;
    if (isWaiting && event !== 'task.cancelled') return;
    if (!isWaiting) this.#play({ type: 'task.placed', nodeId: node, attempt });
    this.#isCancelled = this.#endsCancelled(index);
    this.#missing = { start: true, cancel: !this.#isCancelled };
    if (!this.#isCancelled) return;
    this.#beforeCancel = this.#snapshot;
    this.#play({ type: 'task.cancel' });
  }

  /** Whether the attempt of an entry ends as one that was to be cancelled before that entry. */
  #endsCancelled(index: number): boolean {
    const { attempt } = this.#history[index] as HistoryEntry;
    for (const { event, ...entry } of this.#history.slice(index)) {
      if (event === 'task.cancelled') return true;
      if (entry.attempt !== attempt || event === 'cancel.requested' || event === 'task.redriven') return false;
    }
    return false;
  }

  #play(event: TaskEvent): void {
    this.#snapshot = taskMachine.transition(this.#snapshot, event, this.#scope);
  }

  #count(entry: HistoryEntry): void {
    const { event, attempt } = entry;
    this.#attempt = attempt;
    if (event === 'task.redriven') [this.#failures, this.#crashes, this.#isCancelled] = [0, 0, false];
    if (event === 'task.claimed') this.#hasStarted = false;
    if (event === 'task.claimed') this.#missing = { start: false, cancel: false };
    if (event === 'attempt.started') [this.#hasStarted, this.#missing.start] = [true, false];
    if (event === 'cancel.requested') [this.#isCancelled, this.#missing.cancel] = [true, false];
    if (event !== 'attempt.released' && event !== 'task.failed') return;
    const cost = costOf(entry);
    if (cost === 'failure') this.#failures += 1;
    if (cost === 'crash') this.#crashes += 1;
  }

  /** The node that an attempt which begins at an entry went to, as far as the history has come. */
  #nodeAhead(index: number): string | null {
    const attempt = this.#history[index]?.attempt;
    for (let at = index + 1; at < this.#history.length && this.#history[at]?.attempt === attempt; at += 1) {
      const node = this.#history[at]?.node;
      if (node !== undefined) return node;
    }
    return null;
  }

  /** A chart that has heard nothing yet. How many crashes a gateway allows is its own setting; the history shows it. */
  #fresh(index: number, isDelayed: boolean, attempt: number): Snapshot {
    const { taskId = '', attemptsMax = Number.POSITIVE_INFINITY } = this.#options;
    const [failures, crashes] = [this.#failures, this.#crashes];
    const crashesMax = this.#crashesMax(index);
    const input = { taskId, attempt, failures, crashes, attemptsMax, crashesMax, isDelayed };
    return taskMachine.getInitialSnapshot(this.#scope, input);
  }

  /** As many as the life that the entry belongs to has, if it ends by one of them. */
  #crashesMax(index: number): number {
    const life = lifeAt(this.#history, index);
    const last = life.at(-1);
    if (last?.event !== 'task.failed' || costOf(last) !== 'crash') return Number.POSITIVE_INFINITY;
    return life.filter((entry) => costOf(entry) === 'crash').length;
  }
}

function inertScope(): Scope {
  const input = { taskId: '', attempt: 0, failures: 0, crashes: 0, attemptsMax: 1, crashesMax: 1, isDelayed: false };
  const self = createActor(taskMachine, { input });
  const { id, sessionId, system } = self;
  const nothing = (): void => {};
  return {
    ...{ self, id, sessionId, system, logger: nothing },
    ...{ defer: nothing, emit: nothing, stopChild: nothing, actionExecutor: nothing },
  };
}

/** The entries from a submit or redrive to the next. */
function lifeAt(history: readonly HistoryEntry[], index: number): readonly HistoryEntry[] {
  const isStart = (entry: HistoryEntry): boolean => entry.event === 'task.redriven';
  const start = Math.max(0, history.slice(0, index + 1).findLastIndex(isStart));
  const next = history.findIndex((entry, at) => at > start && isStart(entry));
  return history.slice(start, next < 0 ? history.length : next);
}
