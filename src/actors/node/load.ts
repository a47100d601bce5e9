/** How this machine fares, measured: an adapter over node:os and perf_hooks, container-aware where Node is. */
import os from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import { PincerError } from '../../protocol/failure.ts';
import type { Log } from '../../protocol/ports.ts';

/** Shares in [0, 1], and the 99th percentile of event-loop delay since the last sample in milliseconds. */
export interface LoadSample {
  readonly cpu: number;
  readonly memory: number;
  readonly lagMs: number;
}

export interface LoadMeter {
  /** The load since the last sample that any meter of this process took, if that is not a moment ago. */
  sample(): LoadSample;
  stop(): void;
}

/**
 * The load of a node as its gateway may be told it, which would hang up on anything else. A meter that fails later on takes
 * no node down: what it said last is said again, and the log has why.
 */
export class NodeLoad {
  readonly #meter: LoadMeter;
  readonly #log: Log;
  #last: LoadSample;
  #isFailing = false;

  /** @throws PincerError `OPTION_INVALID`, naming what of its first sample is out of range */
  constructor(meter: LoadMeter, log: Log) {
    this.#meter = meter;
    this.#log = log;
    this.#last = checked(meter.sample());
  }

  sample(): LoadSample {
    try {
      this.#last = checked(this.#meter.sample());
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#log.warn('load.failed', { error: String(error) });
      this.#isFailing = true;
    }
    return this.#last;
  }

  stop(): void {
    this.#meter.stop();
  }
}

/** Nothing but the three: a gateway takes no others. */
function checked({ cpu, memory, lagMs }: LoadSample): LoadSample {
  checkRange('cpu', cpu, 1);
  checkRange('memory', memory, 1);
  checkRange('lagMs', lagMs, Number.MAX_VALUE);
  return { cpu, memory, lagMs };
}

function checkRange(name: string, value: unknown, max: number): void {
  if (typeof value === 'number' && value >= 0 && value <= max) return;
  const range = max === 1 ? 'a number from 0 to 1' : 'a number of at least 0';
  throw new PincerError('OPTION_INVALID', `createNode: load.${name} is ${String(value)}, must be ${range}`);
}

/** What was measured this short a time ago is the load still: all nodes of a process share it. */
const FRESH_MS = 1_000;

/** Measures the host’s CPU, and the memory of the container where one is set, else of the host. */
export function createLoadMeter(): LoadMeter {
  shared ??= new ProcessLoad();
  const load = shared;
  load.users += 1;
  let isStopped = false;
  return {
    sample: () => load.sample(),
    stop() {
      if (isStopped) return;
      isStopped = true;
      load.users -= 1;
      if (load.users > 0) return;
      load.stop();
      shared = null;
    },
  };
}

// A timer that wakes the process a hundred times a second, and what the system says of its processors: once, not for each node.
let shared: ProcessLoad | null = null;

/** The load of this process and its machine. */
class ProcessLoad {
  /** Meters that read it. */
  users = 0;
  readonly #delay = monitorEventLoopDelay({ resolution: 10 });
  #times = cpuTimes();
  #last: LoadSample | null = null;

  constructor() {
    this.#delay.enable();
  }

  sample(): LoadSample {
    // What was recorded is the time between two turns, so all of it together is the time since the last sample.
    const passedMs = this.#delay.count === 0 ? 0 : (this.#delay.mean * this.#delay.count) / 1e6;
    if (this.#last !== null && passedMs < FRESH_MS) return this.#last;
    const before = this.#times;
    this.#times = cpuTimes();
    const total = this.#times.total - before.total;
    const cpu = total <= 0 ? 0 : 1 - (this.#times.idle - before.idle) / total;
    // The histogram includes its own resolution; what is left is lag.
    const lagMs = Math.max(0, this.#delay.percentile(99) / 1e6 - 10);
    this.#delay.reset();
    this.#last = { cpu: share(cpu), memory: share(memoryShare()), lagMs: Number.isFinite(lagMs) ? lagMs : 0 };
    return this.#last;
  }

  stop(): void {
    this.#delay.disable();
  }
}

function cpuTimes(): { idle: number; total: number } {
  let idle = 0;
  let total = 0;
  for (const { times } of os.cpus()) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { idle, total };
}

function memoryShare(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  const host = os.totalmem();
  if (limit > 0 && limit < host) return process.memoryUsage.rss() / limit;
  return 1 - os.freemem() / host;
}

function share(value: number): number {
  return Math.min(1, Math.max(0, Number.isFinite(value) ? value : 0));
}
