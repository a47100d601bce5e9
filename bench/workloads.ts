/** What a client process is asked to do: many at once, a window of them at a time. The same for every contestant. */
import { randomBytes } from 'node:crypto';
import type { Answers } from './child.ts';

/** The payload of every task: 200 bytes that do not compress. */
export const PAYLOAD = randomBytes(200);

/** Runs one task to its end and calls back with it. */
export type RunOne = (onResult: () => void) => void;

/** How many W3 has under way. */
export const WINDOW = 100;

export interface Rate {
  readonly perSecond: number;
}

export interface Latencies extends Rate {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export function answersOf(run: RunOne): Answers {
  return {
    /** All at once: from the first submit to the last result. */
    many: ({ tasks }: { tasks: number }): Promise<Rate> =>
      new Promise((resolve) => {
        let left = tasks;
        const startedAt = performance.now();
        const onResult = (): void => {
          left -= 1;
          if (left === 0) resolve({ perSecond: (tasks / (performance.now() - startedAt)) * 1_000 });
        };
        for (let index = 0; index < tasks; index += 1) run(onResult);
      }),
    /** `window` at a time: each result makes room for the next. */
    windowed: ({ tasks, window }: Windowed): Promise<Latencies> => windowed(run, tasks, window),
  };
}

/** How many, and how many of them at a time. */
export interface Windowed {
  readonly tasks: number;
  readonly window: number;
}

/** Runs `window` at a time: each that is done makes room for the next. */
export function windowed(run: RunOne, tasks: number, window: number): Promise<Latencies> {
  return new Promise((resolve) => {
    const latencies: number[] = [];
    let begun = 0;
    const startedAt = performance.now();
    const next = (): void => {
      if (begun === tasks) return;
      begun += 1;
      const from = performance.now();
      run(() => {
        latencies.push(performance.now() - from);
        if (latencies.length < tasks) next();
        else {
          const perSecond = (tasks / (performance.now() - startedAt)) * 1_000;
          resolve({ perSecond, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) });
        }
      });
    };
    for (let index = 0; index < Math.min(window, tasks); index += 1) next();
  });
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
