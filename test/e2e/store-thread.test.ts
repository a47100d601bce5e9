/** A store in a thread of its own, as it was built: what it acknowledged is there for the next one, in whichever thread. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const dir = mkdtempSync(join(tmpdir(), 'pincer-thread-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it('keeps in a thread of its own what is found in the caller’s, and the other way round', async () => {
  const built = new URL('../../dist/store.js', import.meta.url).href;
  const { lmdbStore } = (await import(built)) as typeof import('../../src/store.ts');
  for (const [round, thread] of [true, false, true].entries()) {
    const store = lmdbStore(dir, { thread });
    await store.open();
    const task = { type: 'note', queue: 'note', needs: [], priority: 5, timeoutMs: 1_000, attemptsMax: 1 };
    const payload = new Uint8Array([round]);
    await store.submit([{ ...task, taskId: `task-${round}`, createdAt: 0, payload }]);
    expect((await store.stats()).byStatus.pending).toBe(round + 1);
    await store.close();
  }
  await expect(lmdbStore(join(dir, '\0'), { thread: true }).open()).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  });
});
