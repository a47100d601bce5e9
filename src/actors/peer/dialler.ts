/**
 * Dials the gateways of a connection, one after the other. Where there are several, none is waited for longer than it takes
 * to try another: one that is stopped or cut off keeps a socket open and never answers.
 */
import { PincerError } from '../../protocol/failure.ts';
import type { Dial, Link } from '../../transport/link.ts';
import type { Deadline } from '../world/deadlines.ts';
import type { World } from '../world/world.ts';

export interface DialEvents {
  onLink(link: Link): void;
  onFailure(error: PincerError): void;
}

export class Dialler {
  readonly #dials: readonly Dial[];
  readonly #world: World;
  #turn = 0;
  /** Dials since the last welcome. */
  #tries = 0;
  #dialling: AbortController | null = null;
  #late: Deadline | null = null;
  #isFound = false;
  #tellAnswer: Dial['onAnswered'];

  constructor(dials: readonly Dial[], world: World) {
    // In an order of its own, so that those whom one gateway loses spread over all the others.
    this.#dials = shuffled(dials, world.random);
    this.#world = world;
  }

  get hasOthers(): boolean {
    return this.#dials.length > 1;
  }

  /** True until the welcome of a gateway that was found, not named: its refusals say nothing of the one that is meant. */
  get isFound(): boolean {
    return this.#isFound;
  }

  /** How long the gateway whose turn it is may take to answer: twice as long in each round. */
  get #answerMs(): number {
    const { handshakeMs, answerMs } = this.#world.limits;
    const round = Math.floor((this.#tries - 1) / this.#dials.length);
    return this.hasOthers ? Math.min(handshakeMs, answerMs * 2 ** round) : handshakeMs;
  }

  /** Dials whose turn it is. One of the two is called, unless it is given up before. */
  dial({ onLink, onFailure }: DialEvents): void {
    const attempt = new AbortController();
    const dial = this.#dials[this.#turn++ % this.#dials.length];
    if (dial === undefined) throw new PincerError('OPTION_INVALID', 'there is no gateway to dial');
    this.#tries += 1;
    this.#dialling = attempt;
    this.#isFound = dial.onAnswered !== undefined;
    const answerMs = this.#answerMs;
    if (this.hasOthers) {
      this.#late = this.#world.deadlines.set(answerMs, () => {
        attempt.abort();
        onFailure(new PincerError('GATEWAY_UNREACHABLE', `a gateway did not answer within ${answerMs} ms`));
      });
    }
    dial(attempt.signal).then(
      (link) => {
        if (attempt.signal.aborted) return link.terminate();
        this.#late?.clear();
        this.#tellAnswer = dial.onAnswered;
        onLink(link);
      },
      (error: unknown) => {
        if (attempt.signal.aborted) return;
        this.#late?.clear();
        onFailure(
          error instanceof PincerError
            ? error
            : new PincerError('GATEWAY_UNREACHABLE', String(error), { cause: error }),
        );
      },
    );
  }

  welcomed(): void {
    this.#isFound = false;
    this.#tries = 0;
  }

  /** Whether the link has held (null), or why not. What comes of it later is not told. */
  answered(refusal: PincerError | null): void {
    this.#tellAnswer?.(refusal);
    this.#tellAnswer = undefined;
  }

  giveUp(): void {
    this.#late?.clear();
    this.#dialling?.abort();
  }
}

function shuffled(dials: readonly Dial[], random: World['random']): readonly Dial[] {
  const left = [...dials];
  return dials.flatMap(() => left.splice(Math.floor(random() * left.length), 1));
}
