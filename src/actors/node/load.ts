/** How this machine fares, measured: an adapter over node:os and perf_hooks, container-aware where Node is. */
import os from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';

/** Shares in [0, 1], and the 99th percentile of event-loop delay since the last sample in milliseconds. */
export interface LoadSample {
  readonly cpu: number;
  readonly memory: number;
  readonly lagMs: number;
}

export interface LoadMeter {
  /** The load since the last sample; the first covers the time since the meter was made. */
  sample(): LoadSample;
  stop(): void;
}

/** Measures the host’s CPU, and the memory of the container where one is set, else of the host. */
export function createLoadMeter(): LoadMeter {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let last = cpuTimes();
  return {
    sample() {
      const now = cpuTimes();
      const total = now.total - last.total;
      const cpu = total <= 0 ? 0 : 1 - (now.idle - last.idle) / total;
      last = now;
      // The histogram includes its own resolution; what is left is lag.
      const lagMs = Math.max(0, delay.percentile(99) / 1e6 - 10);
      delay.reset();
      return { cpu: share(cpu), memory: share(memoryShare()), lagMs: Number.isFinite(lagMs) ? lagMs : 0 };
    },
    stop() {
      delay.disable();
    },
  };
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
