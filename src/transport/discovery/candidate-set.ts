/**
 * What is known of one source: takes what the source says now and tells what has changed. Bounded, whoever speaks: at
 * most `max` candidates, each checked; who is already known stays before who is new.
 */
import { isDeepStrictEqual } from 'node:util';
import { Candidate } from './source.ts';

/** A candidate that has come, changed or gone. */
export interface CandidateChange {
  readonly type: 'up' | 'update' | 'down';
  readonly candidate: Candidate;
}

export interface Settled {
  readonly changes: readonly CandidateChange[];
  /** False: there are more changes than were asked for. Settle the same again later. */
  readonly isComplete: boolean;
  /** Candidates that do not count: malformed, or more than `max`. */
  readonly dropped: number;
}

export class CandidateSet {
  readonly #max: number;
  readonly #self: string | null;
  readonly #known = new Map<string, Candidate>();

  /** `self` is the node id that is never a candidate. */
  constructor(max: number, self: string | null) {
    this.#max = max;
    this.#self = self;
  }

  /** In the order in which they came. */
  get candidates(): readonly Candidate[] {
    return [...this.#known.values()];
  }

  /** Moves towards what the source says now, by at most `changesMax` changes; who has gone makes room first. */
  settle(said: readonly unknown[], changesMax: number): Settled {
    const { present, dropped } = this.#check(said);
    const changes: CandidateChange[] = [];
    let isComplete = true;
    const make = (change: CandidateChange, apply: () => void): void => {
      if (changes.length >= changesMax) {
        isComplete = false;
        return;
      }
      apply();
      changes.push(change);
    };
    for (const [key, candidate] of [...this.#known]) {
      if (!present.has(key)) make({ type: 'down', candidate }, () => this.#known.delete(key));
    }
    for (const [key, candidate] of present) {
      const known = this.#known.get(key);
      if (known !== undefined && isDeepStrictEqual(known, candidate)) continue;
      const type = known === undefined ? 'up' : 'update';
      make({ type, candidate }, () => this.#known.set(key, candidate));
    }
    return { changes, isComplete, dropped };
  }

  #check(said: readonly unknown[]): { present: Map<string, Candidate>; dropped: number } {
    const known = new Map<string, Candidate>();
    const fresh = new Map<string, Candidate>();
    let dropped = 0;
    for (const one of said) {
      const { data: candidate } = Candidate.safeParse(one);
      if (candidate === undefined) dropped += 1;
      if (candidate === undefined || candidate.nodeId === this.#self) continue;
      // Two that claim one id are two candidates: the later must not be able to take the place of the first.
      const key = `${candidate.nodeId}@${candidate.address ?? ''}`;
      if (this.#known.has(key)) known.set(key, candidate);
      else if (!fresh.has(key)) fresh.set(key, candidate);
    }
    for (const [key, candidate] of fresh) {
      if (known.size < this.#max) known.set(key, candidate);
      else dropped += 1;
    }
    return { present: known, dropped };
  }
}
