/** The client of a run: submits at a steady rate, and writes into the ledger what it was told. */
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '../../src/actors/client/client.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import type { Random } from '../../src/protocol/ports.ts';
import { CLIENT_LIMITS } from './fleet.ts';
import type { Ledger } from './ledger.ts';

/** How often the rate is looked at. */
const TICK_MS = 20;
/** Questions under way at once when everything is over. */
const QUESTIONS = 32;

export class Load implements AsyncDisposable {
  readonly #client: ReturnType<typeof createClient>;
  readonly #ledger: Ledger;
  readonly #dice: Random;
  readonly #ends: Promise<void>[] = [];
  readonly acknowledged = new Set<string>();
  #settled = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ urls, ledger, dice }: { urls: readonly string[]; ledger: Ledger; dice: Random }) {
    const [only] = urls;
    this.#client = createClient({
      url: urls.length > 1 ? urls : (only ?? ''),
      id: 'chaos-client',
      limits: CLIENT_LIMITS,
    });
    this.#ledger = ledger;
    this.#dice = dice;
  }

  /** Tasks whose end the client was told. */
  get settled(): number {
    return this.#settled;
  }

  async ready(): Promise<void> {
    await this.#client.ready(20_000);
  }

  /** Submits so many a second until it is paused. */
  start(perSecond: number): void {
    const startedAt = performance.now();
    let submitted = 0;
    this.#timer = setInterval(() => {
      const due = ((performance.now() - startedAt) / 1_000) * perSecond;
      for (; submitted < due; submitted += 1) this.#submit();
    }, TICK_MS);
  }

  /** Submits nothing more. */
  pause(): void {
    clearInterval(this.#timer);
  }

  /** Resolves when all that was submitted has ended, when nothing has for a while, or when it takes too long altogether. */
  async drain({ idleMsMax, inAllMsMax }: { idleMsMax: number; inAllMsMax: number }): Promise<void> {
    const until = performance.now() + inAllMsMax;
    let [settled, since] = [this.#settled, performance.now()];
    while (this.#settled < this.#ends.length) {
      await pause(100);
      const now = performance.now();
      if (this.#settled > settled) [settled, since] = [this.#settled, now];
      if (now > until || now - since > idleMsMax) return;
    }
  }

  /** Asks the cluster for every task that was acknowledged, and writes down what it says. */
  async askForAll(): Promise<void> {
    const left = [...this.acknowledged];
    const worker = async (): Promise<void> => {
      for (let taskId = left.pop(); taskId !== undefined; taskId = left.pop()) await this.#ask(taskId);
    };
    await Promise.all(Array.from({ length: QUESTIONS }, worker));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pause();
    await this.stop();
  }

  /** Hangs up; what has not ended will not. */
  async stop(): Promise<void> {
    await this.#client.stop();
    await Promise.all(this.#ends);
  }

  #submit(): void {
    // Most are short, some are long enough to be there whatever happens meanwhile, and some fail once.
    const ms = this.#dice() < 0.05 ? 500 + this.#dice() * 1_500 : this.#dice() * 40;
    const isFlaky = this.#dice() < 0.02;
    const handle = this.#client.submit(
      'chaos.work',
      { ms: Math.round(ms), isFlaky },
      { attempts: 10, timeoutMs: 20_000 },
    );
    const { taskId } = handle;
    this.#ledger.write({ kind: 'submitted', at: Date.now(), taskId });
    const isKept = handle.accepted().then(
      () => {
        this.acknowledged.add(taskId);
        this.#ledger.write({ kind: 'acknowledged', at: Date.now(), taskId });
      },
      (error: unknown) => this.#ledger.write({ kind: 'refused', at: Date.now(), taskId, code: codeOf(error) }),
    );
    const isOver = handle.outcome().then(
      ({ status, result, error }) => {
        this.#settled += 1;
        const token = typeof result === 'string' ? result : null;
        this.#ledger.write({ kind: 'settled', at: Date.now(), taskId, status, token, code: error?.code ?? null });
      },
      () => {
        // Refused: that is written down already, and it will never end.
        this.#settled += 1;
      },
    );
    this.#ends.push(Promise.all([isKept, isOver]).then(() => {}));
  }

  async #ask(taskId: string): Promise<void> {
    try {
      const { task, result, history } = await this.#client.task(taskId);
      const token = typeof result === 'string' ? result : null;
      this.#ledger.write({ kind: 'found', taskId, status: task.status, token, history });
    } catch (error) {
      // Not found is for the judge to say: nothing is written.
      if (codeOf(error) !== 'TASK_UNKNOWN') throw error;
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof PincerError ? error.code : 'INTERNAL';
}
