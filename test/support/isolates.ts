/** Isolated handlers under test: real ones, run as a node’s attempts would run them, and a stand-in that a test speaks for. */
import { PassThrough } from 'node:stream';
import { systemClock } from '../../src/actors/world/system-clock.ts';
import type { Isolate, IsolateOptions } from '../../src/isolation/isolate.ts';
import { type IsolationOptions, isolatedHandler } from '../../src/isolation/isolated-handler.ts';
import type { FromIsolate, ToIsolate } from '../../src/isolation/messages.ts';
import { defineTask } from '../../src/node.ts';
import type { Failure } from '../../src/protocol/failure.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import type { Log } from '../../src/protocol/ports.ts';
import { decodePayload, encodePayload } from '../../src/transport/payload.ts';

export const fixture = (name: string): URL => new URL(`../fixtures/isolated/${name}.mjs`, import.meta.url);

export interface Outcome {
  readonly result?: unknown;
  readonly failure?: Failure;
}

export interface Isolated extends AsyncDisposable {
  readonly logged: readonly { event: string; fields: Readonly<Record<string, unknown>> }[];
  run(input: unknown, watch?: { signal?: AbortSignal; onProgress?(report: unknown): Promise<void> }): Promise<Outcome>;
}

/** A log that keeps what it is told. */
export function keepingLog(): { log: Log; logged: { event: string; fields: Readonly<Record<string, unknown>> }[] } {
  const logged: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const keep = (event: string, fields: Readonly<Record<string, unknown>> = {}): void =>
    void logged.push({ event, fields });
  return { log: { debug: keep, info: keep, warn: keep, error: keep }, logged };
}

/** The handlers of a fixture in isolates of their own. */
export function isolated(
  options: Partial<IsolationOptions> & Pick<IsolationOptions, 'isolate'>,
  { type = 'misbehave', limits: given = {} }: { type?: string; limits?: Partial<Limits> } = {},
): Isolated {
  const { log, logged } = keepingLog();
  const limits = { ...defaultLimits, ...given };
  const registration = isolatedHandler(defineTask(type), {
    module: fixture('handlers'),
    memoryMbMax: 64,
    killGraceMs: 500,
    ...options,
  });
  const isolation = registration.isolation.open({ clock: systemClock(), log, limits });
  let tasks = 0;
  return {
    logged,
    async run(input, { signal = new AbortController().signal, onProgress = async () => {} } = {}) {
      tasks += 1;
      const ended = await isolation.run(type, {
        taskId: `task-${tasks}`,
        attempt: 1,
        payload: encodePayload(input),
        signal,
        limits,
        onStarted() {},
        onProgress: (report) => onProgress(decodePayload(report)),
        onProgressFailed: ({ code, message }) => log.warn('progress.failed', { code, message }),
      });
      return 'result' in ended ? { result: decodePayload(ended.result) } : ended;
    },
    [Symbol.asyncDispose]: () => isolation.stop(),
  };
}

/** An isolate that is nothing but what a test says in its name. */
export class StandIn implements Isolate {
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly posted: ToIsolate[] = [];
  readonly ended: Promise<Failure>;
  /** What was asked of it last. */
  asked: 'end' | 'kill' | null = null;
  readonly #options: IsolateOptions;
  #resolveEnded: (failure: Failure) => void = () => {};

  constructor(options: IsolateOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  post(message: ToIsolate): void {
    this.posted.push(message);
  }

  end(): void {
    this.asked = 'end';
  }

  kill(): void {
    this.asked = 'kill';
  }

  say(message: FromIsolate): void {
    this.#options.onMessage(message);
  }

  finish(failure: Failure): void {
    this.#resolveEnded(failure);
  }
}
