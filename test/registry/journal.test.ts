import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { journalLeases } from '../../src/registry/journal.ts';
import type { JournalEntry, LeaseStore } from '../../src/registry/lease.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pincer-journal-'));
  folders.push(folder);
  return folder;
}

const put = (id: string, lease = `lease-${id}`): JournalEntry => ({
  op: 'put',
  lease,
  node: { id, type: 'agent', capabilities: [] },
});

async function opened(folder: string, linesMin?: number): Promise<{ store: LeaseStore; ids: string[] }> {
  const store = journalLeases(folder, linesMin === undefined ? {} : { linesMin });
  const ids = (await store.open()).map(({ node, lease }) => `${node.id}:${lease}`).sort();
  return { store, ids };
}

async function reopened(folder: string): Promise<string[]> {
  const { store, ids } = await opened(folder);
  await store.close();
  return ids;
}

describe('the journal of leases', () => {
  it('keeps what it acknowledged, and forgets what was dropped', async () => {
    const folder = await aFolder();
    const { store, ids } = await opened(folder);
    expect(ids).toEqual([]);
    await Promise.all([store.append(put('a')), store.append(put('b')), store.append(put('a', 'again'))]);
    await store.append({ op: 'drop', id: 'b', lease: 'lease-b' });
    await store.append({ op: 'drop', id: 'a', lease: 'lease-a' });
    await store.close();
    expect(await reopened(folder)).toEqual(['a:again']);
  });

  it('goes on after a line that a crash tore off, at whichever byte', async () => {
    const folder = await aFolder();
    const { store } = await opened(folder);
    await store.append(put('a'));
    await store.append(put('b'));
    await store.close();
    const file = join(folder, 'journal-0.log');
    const whole = await readFile(file);
    const first = whole.indexOf(10) + 1;
    for (let bytes = first; bytes < whole.length; bytes += 1) {
      await writeFile(file, whole.subarray(0, bytes));
      const { store: again, ids } = await opened(folder);
      expect(ids).toEqual(['a:lease-a']);
      await again.append(put('c'));
      await again.close();
      expect(await reopened(folder)).toEqual(['a:lease-a', 'c:lease-c']);
    }
  });

  it('takes a last line whose bytes are wrong for torn, and refuses when lines follow it', async () => {
    const folder = await aFolder();
    const { store } = await opened(folder);
    await store.append(put('a'));
    await store.append(put('b'));
    await store.close();
    const file = join(folder, 'journal-0.log');
    const whole = await readFile(file, 'utf8');
    await writeFile(file, whole.replace('lease-b', 'lease-x'));
    expect(await reopened(folder)).toEqual(['a:lease-a']);
    await writeFile(file, whole.replace('lease-a', 'lease-x'));
    await expect(opened(folder)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/journal-0\.log:1 is damaged/),
    });
  });

  it('writes a snapshot when the journal has grown, and goes on from it', async () => {
    const folder = await aFolder();
    const { store } = await opened(folder, 20);
    for (let n = 0; n < 100; n += 1) await store.append(put('a', `lease-${n}`));
    await store.append(put('b'));
    await store.close();
    const files = await readdir(folder);
    expect(files).toContain('snapshot.json');
    expect(files.filter((name) => name.startsWith('journal-'))).toHaveLength(1);
    expect(files).not.toContain('journal-0.log');
    expect(await reopened(folder)).toEqual(['a:lease-99', 'b:lease-b']);
  });

  it('holds after a crash at any step of a new snapshot', async () => {
    const folder = await aFolder();
    const { store } = await opened(folder);
    await store.append(put('a'));
    await store.close();
    // The next journal is there and the snapshot half written, not yet in its place.
    await writeFile(join(folder, 'journal-1.log'), '');
    await writeFile(join(folder, 'snapshot.json.draft'), '{"generation":1,"lea');
    expect(await reopened(folder)).toEqual(['a:lease-a']);
    expect((await readdir(folder)).sort()).toEqual(['journal-0.log']);
    // The snapshot is in its place, the old journal not yet gone.
    const leases = [{ lease: 'lease-b', node: { id: 'b', type: 'agent', capabilities: [] } }];
    await writeFile(join(folder, 'snapshot.json'), JSON.stringify({ generation: 1, leases }));
    expect(await reopened(folder)).toEqual(['b:lease-b']);
    expect((await readdir(folder)).sort()).toEqual(['journal-1.log', 'snapshot.json']);
  });

  it('says which file is damaged, and where it cannot write', async () => {
    const folder = await aFolder();
    await writeFile(join(folder, 'snapshot.json'), '{"generation":-1}');
    await expect(opened(folder)).rejects.toMatchObject({ message: expect.stringMatching(/snapshot\.json is damaged/) });
    await writeFile(join(folder, 'file'), '');
    await expect(opened(join(folder, 'file'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    const { store } = await opened(await aFolder());
    await store.close();
    await store.close();
    await expect(store.append(put('a'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('is one registry’s at a time: what that one writes, no other takes for a torn end', async () => {
    const folder = await aFolder();
    const { store } = await opened(folder);
    await store.append(put('a'));
    await appendFile(join(folder, 'journal-0.log'), 'half a li');
    await expect(opened(folder)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: `another registry has the leases in ${folder} open`,
    });
    expect(await readFile(join(folder, 'journal-0.log'), 'utf8')).toMatch(/half a li$/);
    await store.close();
    // One that cannot be opened is not held.
    await writeFile(join(folder, 'snapshot.json'), 'nonsense');
    await expect(opened(folder)).rejects.toThrow(/snapshot\.json is damaged/);
    await rm(join(folder, 'snapshot.json'));
    expect(await reopened(folder)).toEqual(['a:lease-a']);
  });

  it('never loses what it acknowledged nor invents what it was not told, wherever it is cut', async () => {
    const step = fc.record({ id: fc.constantFrom('a', 'b', 'c'), isDrop: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), fc.nat(400), async (steps, torn) => {
        const folder = await aFolder();
        const { store } = await opened(folder, 8);
        const held = new Map<string, string>();
        for (const [n, { id, isDrop }] of steps.entries()) {
          const lease = held.get(id);
          if (isDrop && lease !== undefined) await store.append({ op: 'drop', id, lease });
          else await store.append(put(id, `lease-${n}`));
          if (isDrop && lease !== undefined) held.delete(id);
          else held.set(id, `lease-${n}`);
        }
        await store.close();
        // What was being written when the process died.
        const [journal = ''] = (await readdir(folder)).filter((name) => name.startsWith('journal-'));
        const tail = `00000000 ${JSON.stringify(put('z'))}`.slice(0, torn);
        await appendFile(join(folder, journal), tail);
        expect(await reopened(folder)).toEqual([...held].map(([id, lease]) => `${id}:${lease}`).sort());
      }),
      { numRuns: 40, verbose: fc.VerbosityLevel.Verbose },
    );
  });

  it('may find its journal empty', async () => {
    const folder = await aFolder();
    const { store } = await opened(folder);
    await store.append(put('a'));
    await store.close();
    await truncate(join(folder, 'journal-0.log'), 0);
    expect(await reopened(folder)).toEqual([]);
  });
});
