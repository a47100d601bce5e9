/** How many rows the memory store looks at for its lists. What they say: the suites of the store. */
import { expect, it } from 'vitest';
import type { MemoryRow } from '../../../src/actors/store/memory/memory-row.ts';
import { TaskList } from '../../../src/actors/store/memory/task-list.ts';
import { TASK_STATUSES, type TaskStatus } from '../../../src/protocol/task-status.ts';

it('looks at each row about once to page through all of them', () => {
  let looked = 0;
  const list = new TaskList();
  for (let seq = 1; seq <= 1_000; seq += 1) {
    const row = {
      ...{ seq, taskId: `t-${seq}`, status: 'pending', type: 'job', needs: [], dependencies: null, limit: null },
      get isForgotten() {
        looked += 1;
        return false;
      },
    };
    list.push(row as unknown as MemoryRow);
  }
  const counts = Object.fromEntries(TASK_STATUSES.map((status) => [status, status === 'pending' ? 1_000 : 0]));
  const found: string[] = [];
  for (let cursor: string | undefined = '1001'; cursor !== undefined; ) {
    const filter = { limit: 10, cursor };
    const page = list.page(filter, { counts: counts as Record<TaskStatus, number>, limit: 10, nowMs: 0 });
    expect(page.total).toBe(1_000);
    found.push(...page.items.map(({ taskId }) => taskId));
    cursor = page.cursor;
  }
  expect(found).toEqual(Array.from({ length: 1_000 }, (_, n) => `t-${1_000 - n}`));
  // One more for each of the hundred pages, to know whether there is a next one.
  expect(looked).toBeLessThanOrEqual(1_100);
});
