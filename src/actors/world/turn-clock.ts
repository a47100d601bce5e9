/**
 * A clock that looks at the time once in each step of the event loop: what one frame brings happens at one time. A gateway
 * asks for the time ten times for a task, and a hundred tasks come in a frame; asking the machine is a call out of
 * JavaScript. Not for what measures work of its own kind, such as a node the time that a handler takes.
 */
import type { Clock } from '../../protocol/ports.ts';

/** The same clock, its time standing still until what runs now has returned. Waits are counted from the time itself. */
export function turnClock(clock: Clock): Clock {
  let isRead = false;
  let nowMs = 0;
  let wallMs = 0;

  function read(): void {
    isRead = true;
    nowMs = clock.now();
    wallMs = clock.wallTime();
    queueMicrotask(forget);
  }

  function forget(): void {
    isRead = false;
  }

  return {
    now() {
      if (!isRead) read();
      return nowMs;
    },
    wallTime() {
      if (!isRead) read();
      return wallMs;
    },
    schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
    soon: (callback) => clock.soon(callback),
  };
}
