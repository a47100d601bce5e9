/**
 * What was seen of a run from outside the system under test: append-only files of lines, one file per writer. The client
 * and the handlers write down what they did and what they were told; at the end the driver adds what the cluster says.
 */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { HistoryEntry } from '../../src/protocol/task.ts';

/** Every line. Times are wall-clock milliseconds of the one machine that all of it runs on. */
export type Line =
  /** The client has submitted a task. */
  | { readonly kind: 'submitted'; readonly at: number; readonly taskId: string }
  /** The client was told that the task is kept. */
  | { readonly kind: 'acknowledged'; readonly at: number; readonly taskId: string }
  /** The client was told that it is not, or could not know. */
  | { readonly kind: 'refused'; readonly at: number; readonly taskId: string; readonly code: string }
  /** The client was told how it ended. `token` is the result, `code` the failure. */
  | {
      readonly kind: 'settled';
      readonly at: number;
      readonly taskId: string;
      readonly status: string;
      readonly token: string | null;
      readonly code: string | null;
    }
  /** A handler has begun, has failed on purpose, or has ended with a token of its own as its result. */
  | (Run & { readonly kind: 'began' | 'failed' })
  | (Run & { readonly kind: 'ended'; readonly token: string })
  /** What the cluster says of a task once everything has settled. */
  | {
      readonly kind: 'found';
      readonly taskId: string;
      readonly status: string;
      readonly token: string | null;
      readonly history: readonly HistoryEntry[];
    }
  /** What was done to whom, and for how long. */
  | {
      readonly kind: 'fault';
      readonly at: number;
      readonly fault: string;
      readonly victim: string;
      readonly lastsMs: number;
    }
  /** From here on nobody did any harm. */
  | { readonly kind: 'healed'; readonly at: number };

interface Run {
  readonly at: number;
  readonly taskId: string;
  readonly attempt: number;
  readonly node: string;
  readonly pid: number;
}

/** One writer’s file. Each line is written before the call returns, so that it outlives whatever comes next. */
export class Ledger {
  readonly #file: number;

  constructor(directory: string, writer: string) {
    this.#file = openSync(path.join(directory, `${writer}.jsonl`), 'a');
  }

  write(line: Line): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Every line of every writer in a directory. A line that a kill cut short is passed over. */
export function readLedgers(directory: string): Line[] {
  const lines: Line[] = [];
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.jsonl'))) {
    for (const text of readFileSync(path.join(directory, file), 'utf8').split('\n')) {
      if (text === '') continue;
      try {
        lines.push(JSON.parse(text) as Line);
      } catch {
        // Only a write that never returned can be cut short, and what did not return was not promised.
      }
    }
  }
  return lines;
}
