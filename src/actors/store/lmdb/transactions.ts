/**
 * Runs verbs in transactions, in the order in which they came but for those that are to be last in theirs. All that wait
 * when a transaction begins become part of it (group commit): while one is on its way to the disk the next ones gather, so
 * no timer is needed.
 *
 * A verb that fails otherwise than by a PincerError undoes the whole transaction, and each of its verbs is run again in
 * one of its own, so that only the one at fault fails.
 */
import { PincerError } from '../../../protocol/failure.ts';
import type { Limits } from '../../../protocol/limits.ts';
import type { Clock } from '../../../protocol/ports.ts';
import type { Note } from '../attempts.ts';
import { type Hints, Verbs } from '../verbs.ts';
import type { CommitGate } from './commit-gate.ts';
import { type Databases, reasonOf } from './databases.ts';
import type { LmdbRow } from './head.ts';
import { LmdbTables } from './lmdb-tables.ts';

/** Verbs of one transaction, and for how long it goes on taking verbs: nobody else may write meanwhile. */
const VERBS_MAX = 1_000;
const TAKE_MS_MAX = 8;
/** How long after a failed commit no other one is tried: a full disk is asked four times a second, not ten thousand times. */
const PAUSE_MS = 250;
/** Turns of the microtask queue in which who hears of claimable tasks claims them, if it does so at once. */
const CLAIM_TURNS_MAX = 8;

type Verb<Answer> = (verbs: Verbs<LmdbRow>) => Answer;

interface Job {
  readonly verb: Verb<unknown>;
  /** After the others of its transaction. */
  readonly isLast: boolean;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What became of a job, told when the transaction is durable. */
type Outcome = () => void;

/** The jobs of one transaction. */
interface Batch {
  /** How many it takes at most, and until when. */
  readonly max: number;
  untilMs: number;
  readonly taken: Job[];
  readonly outcomes: Outcome[];
  settled: Hints['settled'];
  /** What a verb has thrown that no verb should. */
  fault: unknown;
}

export interface TransactionOptions {
  readonly gate: CommitGate;
  readonly clock: Clock;
  readonly boot: string;
  /** Names what writes here, unlike all others that do. */
  readonly writer: string;
  readonly limits: Limits;
  /** Told what each transaction has to tell: what has settled after it is durable, what is ready within it, for who claims. */
  readonly tell: (hints: Hints) => void;
}

export class Transactions {
  readonly #dbs: Databases;
  readonly #options: TransactionOptions;
  readonly #writer: Desk;
  readonly #reader: Desk;
  readonly #waiting: Job[] = [];
  /** The job of the notes that came last, and what it has to note. */
  #notes: { readonly job: Job; readonly entries: Note[] } | null = null;
  #running: Promise<void> | null = null;
  #failure: { readonly error: PincerError; readonly untilMs: number } | null = null;

  constructor(dbs: Databases, options: TransactionOptions) {
    this.#dbs = dbs;
    this.#options = options;
    this.#writer = new Desk(dbs, options);
    this.#reader = new Desk(dbs, options);
  }

  /** Resolves when what the verb has changed is durable. */
  change<Answer>(verb: Verb<Answer>, isLast = false): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ verb, isLast, resolve: resolve as Job['resolve'], reject });
      if (this.#running === null) this.#start();
    });
  }

  /** Nobody waits for notes: what cannot be noted is missing in a history, and nowhere else. Those that follow each other are one job. */
  note(entries: readonly Note[]): void {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last === this.#notes?.job) {
      this.#notes.entries.push(...entries);
      return;
    }
    const notes = [...entries];
    this.change((verbs) => verbs.note(notes)).catch(() => {});
    const job = this.#waiting.at(-1);
    this.#notes = job === undefined ? null : { job, entries: notes };
  }

  /** At once if nothing is under way, else in its turn. */
  async read<Answer>(verb: Verb<Answer>): Promise<Answer> {
    if (this.#running !== null) return this.change(verb);
    this.#dbs.root.resetReadTxn();
    this.#reader.sit();
    return verb(this.#reader.verbs);
  }

  /** Resolves when nothing is under way. */
  async rest(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  #start(): void {
    this.#running = this.#run().then(() => {
      this.#running = null;
      if (this.#waiting.length > 0) this.#start();
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const failure = this.#pause();
      if (failure === null) await this.#commit(this.#waiting, VERBS_MAX);
      else for (const { reject } of this.#waiting.splice(0)) reject(failure);
    }
  }

  /** One transaction with the first of these jobs, which are taken off when it begins. */
  async #commit(jobs: Job[], max: number): Promise<void> {
    const batch: Batch = { max, untilMs: 0, taken: [], outcomes: [], settled: [], fault: undefined };
    const { taken } = batch;
    try {
      const wait = this.#options.gate.enter();
      if (wait !== null) await wait;
      await this.#dbs.root.childTransaction(() => {
        try {
          this.#writer.sit();
          batch.untilMs = this.#options.clock.now() + TAKE_MS_MAX;
          this.#perform(jobs, batch);
          const isReady = this.#tellReady(batch);
          // A claim that was part of it has had what it wanted, and one that comes now would come after what waits.
          const mayClaim = jobs === this.#waiting && jobs.length === 0 && !taken.some(isLast);
          if (isReady && mayClaim) return this.#letClaim(batch);
          this.#writer.rise();
        } catch (error) {
          batch.fault = error;
          throw error;
        }
        return undefined;
      });
    } catch (error) {
      this.#options.gate.leave();
      this.#writer.undo();
      if (batch.fault === undefined) this.#fail(taken.length === 0 ? jobs.splice(0) : taken, error);
      else if (taken.length === 0) for (const { reject } of jobs.splice(0)) reject(batch.fault);
      else if (taken.length === 1) taken[0]?.reject(batch.fault);
      else for (const job of taken) await this.#commit([job], 1);
      return;
    }
    this.#options.gate.leave();
    this.#failure = null;
    if (batch.settled.length > 0) this.#options.tell({ ready: [], settled: batch.settled });
    for (const tell of batch.outcomes) tell();
  }

  /** Who claims at once what has just become ready has it in the same transaction: a lone task waits for one less. */
  async #letClaim(batch: Batch): Promise<void> {
    try {
      for (let turns = 0; turns < CLAIM_TURNS_MAX && !this.#waiting.some(isLast); turns += 1) await undefined;
      this.#perform(this.#waiting, batch);
      this.#tellReady(batch);
      this.#writer.rise();
    } catch (error) {
      batch.fault = error;
      throw error;
    }
  }

  /** Tells what is claimable now; that tasks have settled is told when it is durable. Returns whether there was anything to tell. */
  #tellReady(batch: Batch): boolean {
    const { ready, settled } = this.#writer.takeHints();
    batch.settled = [...batch.settled, ...settled];
    if (ready.length > 0) this.#options.tell({ ready, settled: [] });
    return ready.length > 0;
  }

  #perform(jobs: Job[], batch: Batch): void {
    const { taken, outcomes } = batch;
    const last: Job[] = [];
    while (jobs.length > 0 && this.#mayTake(batch)) {
      const job = jobs.shift() as Job;
      taken.push(job);
      if (job.isLast) last.push(job);
      else outcomes.push(this.#writer.perform(job));
    }
    for (const job of last) outcomes.push(this.#writer.perform(job));
  }

  /** One in any case, however the clock stands. */
  #mayTake({ taken, max, untilMs }: Batch): boolean {
    return taken.length === 0 || (taken.length < max && this.#options.clock.now() < untilMs);
  }

  /** Why no transaction is tried now. */
  #pause(): PincerError | null {
    if (this.#failure === null || this.#options.clock.now() >= this.#failure.untilMs) return null;
    return this.#failure.error;
  }

  #fail(jobs: readonly Job[], cause: unknown): void {
    quieten(cause);
    const error = new PincerError('STORE_UNAVAILABLE', `the store could not be written: ${reasonOf(cause)}`, { cause });
    this.#failure = { error, untilMs: this.#options.clock.now() + PAUSE_MS };
    for (const { reject } of jobs) reject(error);
  }
}

function isLast(job: Job): boolean {
  return job.isLast;
}

/** Where verbs are performed: their tables, between the beginning of a transaction and its end. */
class Desk {
  readonly verbs: Verbs<LmdbRow>;
  readonly #tables: LmdbTables;
  readonly #options: TransactionOptions;

  constructor(dbs: Databases, options: TransactionOptions) {
    const { clock, limits, writer } = options;
    const tables = new LmdbTables(dbs, writer);
    // Within a transaction time stands still.
    this.verbs = new Verbs({ ...clock, now: () => tables.nowMs }, limits, tables);
    this.#tables = tables;
    this.#options = options;
  }

  sit(): void {
    this.#tables.begin(this.#options.clock, this.#options.boot);
    // Of a transaction that came to nothing there is nothing to tell.
    this.verbs.takeHints();
  }

  perform({ verb, resolve, reject }: Job): Outcome {
    try {
      const answer = verb(this.verbs);
      return () => resolve(answer);
    } catch (error) {
      if (!(error instanceof PincerError)) throw error;
      return () => reject(error);
    }
  }

  /** What was performed has come to nothing. */
  undo(): void {
    this.#tables.undo();
  }

  takeHints(): Hints {
    return this.verbs.takeHints();
  }

  rise(): void {
    this.#tables.end();
  }
}

/** lmdb says why a commit failed by a promise that it rejects later; nobody else would catch that. */
function quieten(error: unknown): void {
  const { commitError } = error as { commitError?: Promise<unknown> };
  commitError?.catch(() => {});
}
