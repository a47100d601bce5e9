/** What an in-memory network does to what travels on it. */
import type { Clock, Random } from '../protocol/ports.ts';

/** What goes wrong, each a probability per frame in [0, 1]; absent = never. A real link does only what `cut` and `delay` say. */
export interface Faults {
  readonly drop?: number;
  readonly duplicate?: number;
  /** The frame is up to 10 ms late, and those behind it overtake it. */
  readonly reorder?: number;
  /** The link ends in place of the frame. */
  readonly cut?: number;
  /** How long everything is on its way; order is kept. */
  readonly delay?: { readonly minMs: number; readonly maxMs: number };
}

/** What a line asks of its network. */
export interface Weather {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  /** Whether nothing gets from one of these ends to the other. */
  isParted(a: string, b: string): boolean;
}

/** How long the next thing is on its way, in milliseconds. */
export function delayOf({ faults, random }: Weather): number {
  const { delay } = faults;
  return delay === undefined ? 0 : delay.minMs + random() * (delay.maxMs - delay.minMs);
}

/** Whether something of this probability happens now. Draws nothing for what never happens, so that seeds stay comparable. */
export function happens(probability: number | undefined, random: Random): boolean {
  return probability !== undefined && probability > 0 && random() < probability;
}
