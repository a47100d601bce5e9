/**
 * The isolates of one module on one node. Each runs one attempt at a time, so what goes wrong in it costs that attempt and
 * nothing else; unless they are to be reused, each runs one attempt in all, and a fresh one is kept ready for the next.
 */
import { checkProgress, type Ended, type Isolation, type Run } from '../actors/node/runner.ts';
import type { World } from '../actors/world/world.ts';
import { type Failure, PincerError, toFailure } from '../protocol/failure.ts';
import { unexpected } from '../protocol/unexpected.ts';
import type { Isolate, StartIsolate } from './isolate.ts';
import type { FromIsolate } from './messages.ts';
import { OutputLog } from './output-log.ts';

export interface IsolatePoolOptions {
  readonly module: string;
  readonly start: StartIsolate;
  readonly memoryBytesMax: number;
  readonly killGraceMs: number;
  /** Whether an isolate runs further attempts after one that ended in order. */
  readonly isReused: boolean;
}

/** What an attempt in an isolate came to; `isLost` if the isolate is of no more use. */
interface Answer {
  readonly ended: Ended;
  readonly isLost: boolean;
}

interface Resident {
  readonly isolate: Isolate;
  readonly output: OutputLog;
  run: Run | null;
  answer: (answer: Answer) => void;
  cancelIdle: () => void;
}

const nothing = (): void => {};

export class IsolatePool implements Isolation {
  readonly #options: IsolatePoolOptions;
  readonly #world: Pick<World, 'clock' | 'log' | 'limits'>;
  readonly #all = new Set<Resident>();
  readonly #idle = new Set<Resident>();
  #isStopping = false;

  constructor(options: IsolatePoolOptions, world: Pick<World, 'clock' | 'log' | 'limits'>) {
    this.#options = options;
    this.#world = world;
  }

  async run(taskType: string, run: Run): Promise<Ended> {
    const { killGraceMs, isReused } = this.#options;
    const { clock, log } = this.#world;
    const { taskId, attempt, payload, signal, limits } = run;
    if (this.#isStopping) return { failure: new PincerError('STOPPED', 'the node was stopped').toFailure() };
    const resident = this.#take();
    const { isolate } = resident;
    // Now, not when the module is loaded: loading is the application’s code too, and must be stoppable.
    run.onStarted();
    let cancelKill = nothing;
    const onAbort = (): void => {
      isolate.post({ type: 'abort', failure: toFailure(signal.reason, 'TASK_CANCELLED') });
      cancelKill = clock.schedule(killGraceMs, () => {
        log.warn('handler.terminated', { taskId, attempt, graceMs: killGraceMs });
        isolate.kill();
      });
    };
    const answered = new Promise<Answer>((resolve) => {
      resident.run = run;
      resident.answer = resolve;
    });
    resident.output.begin(run);
    isolate.post({ type: 'run', taskType, taskId, attempt, payload, limits });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const { ended, isLost } = await answered;
    resident.run = null;
    resident.answer = nothing;
    signal.removeEventListener('abort', onAbort);
    if (isLost) {
      isolate.kill();
      await isolate.ended;
    } else if (isReused && !signal.aborted && !this.#isStopping && this.#all.has(resident)) {
      this.#rest(resident);
    } else {
      isolate.end();
      if (this.#idle.size === 0 && !this.#isStopping) this.#rest(this.#start());
    }
    cancelKill();
    return ended;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const resident of this.#idle) resident.isolate.end();
    const cancel = this.#world.clock.schedule(this.#options.killGraceMs, () => {
      for (const { isolate } of this.#all) isolate.kill();
    });
    await Promise.all([...this.#all].map(({ isolate }) => isolate.ended));
    cancel();
  }

  #take(): Resident {
    const [ready] = this.#idle;
    if (ready === undefined) return this.#start();
    this.#idle.delete(ready);
    ready.cancelIdle();
    return ready;
  }

  #start(): Resident {
    const { module, start, memoryBytesMax, killGraceMs } = this.#options;
    const { clock, log, limits } = this.#world;
    const isolate = start({
      memoryBytesMax,
      killGraceMs,
      clock,
      onMessage: (message) => this.#hear(resident, message),
    });
    const output = new OutputLog(log, limits.isolateOutputBytesMax);
    const resident: Resident = { isolate, output, run: null, answer: nothing, cancelIdle: nothing };
    output.read(isolate.stdout, 'stdout');
    output.read(isolate.stderr, 'stderr');
    isolate.post({ type: 'load', module });
    this.#all.add(resident);
    // Once for each isolate, not for each attempt: what waits for its end is kept until then, with all it has come to.
    void isolate.ended.then((failure) => {
      resident.answer({ ended: { failure }, isLost: true });
      resident.cancelIdle();
      this.#idle.delete(resident);
      this.#all.delete(resident);
    });
    return resident;
  }

  /** Keeps an isolate ready for the next attempt, for a while. */
  #rest(resident: Resident): void {
    this.#idle.add(resident);
    resident.cancelIdle = this.#world.clock.schedule(this.#world.limits.isolateIdleMs, () => {
      this.#idle.delete(resident);
      resident.isolate.end();
    });
  }

  #hear(resident: Resident, message: FromIsolate): void {
    const { run } = resident;
    switch (message.type) {
      case 'progress':
        if (run !== null) void this.#report(resident, run, message.payload);
        break;
      case 'progress.failed':
        run?.onProgressFailed(message.failure);
        break;
      case 'returned':
        resident.answer({ ended: withinLimit(message.result, run), isLost: false });
        break;
      case 'threw':
        resident.answer({ ended: { failure: message.failure }, isLost: false });
        break;
      case 'crashed':
        // What nobody waits for is not worth a line: the next attempt meets the same fault, and reports it.
        if (run === null) resident.isolate.kill();
        else resident.answer({ ended: { failure: message.failure }, isLost: true });
        this.#idle.delete(resident);
        break;
      default:
        unexpected(message);
    }
  }

  // The isolate sends no other report before this one is taken: so it feels how full the link to the gateway is.
  async #report(resident: Resident, run: Run, payload: Uint8Array): Promise<void> {
    let failure: Failure | null = null;
    try {
      // Checked in the isolate already; but what is there is not ours.
      checkProgress(payload, run.limits);
      await run.onProgress(payload);
    } catch (error) {
      failure = toFailure(error, 'INTERNAL');
    }
    if (resident.run === run) resident.isolate.post({ type: 'progress.taken', failure });
  }
}

// Checked in the isolate already; but what is there is not ours.
function withinLimit(result: Uint8Array, run: Run | null): Ended {
  const bytesMax = run?.limits.payloadBytesMax ?? 0;
  if (result.byteLength <= bytesMax) return { result };
  const message = `the result has ${result.byteLength} bytes, more than ${bytesMax}`;
  return { failure: new PincerError('RESULT_TOO_LARGE', message).toFailure() };
}
