/** How much a limit remembers. That it holds and opens: the suites of the store. */
import { expect, it } from 'vitest';
import { type LimitRow, LimitRows } from '../../../src/actors/store/limit-rows.ts';
import { MemoryLimits } from '../../../src/actors/store/memory/memory-limits.ts';
import { newRow, type TaskRow } from '../../../src/actors/store/task-row.ts';
import { aTask } from '../../conformance/store-fixture.ts';

const KEY = 'api';

function limited() {
  const rows = new MemoryLimits();
  const waiting = new Set<string>();
  const asked: string[] = [];
  const opened: string[] = [];
  const limits = new LimitRows(rows, {
    hasWaiting: (queue) => asked.push(queue) > 0 && waiting.has(queue),
    onOpened: (queues) => opened.push(...queues),
  });
  let tasks = 0;
  /** A task of the limit comes in and waits in its class. */
  const enter = (queue: string, concurrency = 100, rate: { perMinute?: number } = {}): TaskRow => {
    const task = aTask({ taskId: `task-${++tasks}`, queue, limit: { key: KEY, concurrency, ...rate } });
    const row = newRow(task, { rank: 0, seq: tasks }, 0);
    limits.admit(row, 0);
    waiting.add(queue);
    limits.enter(row);
    return row;
  };
  /** It gets its turn, and is over. */
  const finish = (row: TaskRow): void => {
    waiting.delete(row.queue);
    limits.claim(row, 0);
    limits.free(row, 0);
    limits.leave(row, 0);
  };
  const remembered = (): readonly string[] => (rows.get(KEY) as LimitRow).queues;
  return { limits, enter, finish, remembered, asked, opened };
}

it('is never many more than the classes that wait, also of a limit that is never closed', () => {
  const { enter, finish, remembered, asked } = limited();
  const stay = Array.from({ length: 20 }, (_, n) => enter(`stays-${n}`).queue);
  asked.length = 0;
  for (let n = 0; n < 1_000; n += 1) {
    finish(enter(`passes-${n}`));
    expect(remembered().length).toBeLessThanOrEqual(2 * stay.length + 1);
  }
  expect(remembered()).toEqual(expect.arrayContaining(stay));
  // A few questions for each class that came, not one for each that is remembered.
  expect(asked.length).toBeLessThan(3 * 1_000);
});

it('is enough to tell every class that waits when the limit opens', () => {
  const { limits, enter, finish, opened } = limited();
  for (let n = 0; n < 100; n += 1) finish(enter(`passes-${n}`, 1));
  const running = enter('runs', 1);
  limits.claim(running, 0);
  const held = Array.from({ length: 30 }, (_, n) => enter(`held-${n}`, 1).queue);
  opened.length = 0;
  limits.free(running, 0);
  expect(opened).toEqual(expect.arrayContaining(held));
});

it('is told by time alone of a rate that opens while what was claimed runs on', () => {
  const { limits, enter, opened } = limited();
  const rate = { perMinute: 2 };
  const [first, second] = [enter('runs', 100, rate), enter('runs', 100, rate)];
  const waits = enter('waits', 100, rate);
  limits.claim(first, 0);
  limits.claim(second, 10_000);
  opened.length = 0;
  limits.wakeDue(59_999);
  expect([opened, limits.isOpen(waits, 59_999)]).toEqual([[], false]);
  limits.wakeDue(60_000);
  expect([opened, limits.isOpen(waits, 60_000)]).toEqual([['runs', 'waits'], true]);
});
