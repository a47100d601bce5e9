/** The progress of one attempt on its way to the node: one report under way, one that waits, the latest of all wins. */
import { type Failure, PincerError } from '../protocol/failure.ts';

interface Waiting {
  report: Uint8Array;
  readonly settled: ((failure: Failure | null) => void)[];
}

export class ProgressReports {
  readonly #send: (report: Uint8Array) => void;
  #underWay: Waiting | null = null;
  #next: Waiting | null = null;
  #isClosed = false;

  constructor(send: (report: Uint8Array) => void) {
    this.#send = send;
  }

  /** Resolves when the node has taken this report or a later one; rejects if it could not. */
  report(report: Uint8Array): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settled = (failure: Failure | null): void => {
        if (failure === null) resolve();
        else reject(PincerError.from(failure));
      };
      if (this.#underWay === null) {
        this.#underWay = { report, settled: [settled] };
        this.#send(report);
      } else if (this.#next === null) {
        this.#next = { report, settled: [settled] };
      } else {
        this.#next.report = report;
        this.#next.settled.push(settled);
      }
    });
  }

  /** The node has taken the report under way, or says why it could not. */
  taken(failure: Failure | null): void {
    const done = this.#underWay;
    this.#underWay = this.#next;
    this.#next = null;
    if (this.#underWay !== null) this.#send(this.#underWay.report);
    for (const settled of done?.settled ?? []) settled(failure);
  }

  /** The attempt has ended: whoever still waits need not. The last report goes out all the same. */
  close(): void {
    this.#isClosed = true;
    if (this.#next !== null) this.#send(this.#next.report);
    const waiting = [...(this.#underWay?.settled ?? []), ...(this.#next?.settled ?? [])];
    this.#underWay = null;
    this.#next = null;
    for (const settled of waiting) settled(null);
  }
}
