/** What the contract says of the directory of nodes, of orders that stand, and of what a gateway may settle. */
import { describe, expect, it } from 'vitest';
import { aTask, bytesOf, fixtureOf, QUEUE, TTL_MS, textOf } from './store-fixture.ts';
import type { OpenStore } from './store-stream.ts';

export function clusterCases(open: OpenStore): void {
  describe('the directory of nodes', () => {
    const entry = (nodeId: string, epoch: number | null, view = 'view') => ({ nodeId, epoch, view: bytesOf(view) });

    it('tells where each node is, as it was last spoken of, by id', async () => {
      const { store, clock, gateway } = await fixtureOf(open);
      const [second = null, first = null] =
        (await store.putNodes(gateway, [entry('n2', null), entry('n1', null)])) ?? [];
      await clock.advance(40);
      const view = bytesOf('later');
      const put = store.putNodes(gateway, [{ nodeId: 'n2', epoch: second, view }]);
      view.fill(0);
      expect(await put).toEqual([second]);
      await clock.advance(2);
      const nodes = await store.nodes();
      expect(nodes.map((node) => ({ ...node, view: textOf(node.view) }))).toEqual([
        { nodeId: 'n1', gateway, epoch: first, view: 'view', ageMs: 42 },
        { nodeId: 'n2', gateway, epoch: second, view: 'later', ageMs: 2 },
      ]);
    });

    it('believes the gateway to which a node came last, and tells the other that it has it no more', async () => {
      const { store, gateway } = await fixtureOf(open);
      const other = await store.join('other', TTL_MS);
      const [older = null] = (await store.putNodes(gateway, [entry('n1', null)])) ?? [];
      const [newer = null] = (await store.putNodes(other, [entry('n1', null)])) ?? [];
      expect(newer).toBeGreaterThan(older ?? Number.NaN);
      expect(await store.putNodes(gateway, [entry('n1', older), entry('n2', 1_000)])).toEqual([null, null]);
      expect(await store.putNodes(gateway, [entry('n1', newer)])).toEqual([null]);
      expect(await store.dropNode('n1', older ?? 0)).toBe(false);
      expect((await store.nodes()).map((node) => [node.nodeId, node.gateway])).toEqual([['n1', other]]);
      expect(await store.dropNode('n1', newer ?? 0)).toBe(true);
      expect(await store.dropNode('n1', newer ?? 0)).toBe(false);
      expect(await store.putNodes(other, [entry('n1', newer)])).toEqual([null]);
      const [newest = null] = (await store.putNodes(gateway, [entry('n1', null)])) ?? [];
      expect(newest).toBeGreaterThan(newer ?? Number.NaN);
    });

    it('forgets the nodes of a gateway that leaves or is swept, and hears nothing more of it', async () => {
      const { store, clock, gateway } = await fixtureOf(open);
      const leaver = await store.join('leaver', TTL_MS);
      const zombie = await store.join('zombie', TTL_MS);
      await store.putNodes(gateway, [entry('n1', null)]);
      await store.putNodes(leaver, [entry('n2', null)]);
      const [epoch = null] = (await store.putNodes(zombie, [entry('n3', null)])) ?? [];
      await store.leave(leaver);
      expect((await store.nodes()).map(({ nodeId }) => nodeId)).toEqual(['n1', 'n3']);
      await clock.advance(TTL_MS);
      await store.renew(gateway, TTL_MS);
      await clock.advance(1);
      await store.sweep(gateway, 10);
      expect((await store.nodes()).map(({ nodeId }) => nodeId)).toEqual(['n1']);
      expect(await store.putNodes(zombie, [entry('n3', epoch)])).toBeNull();
      expect(await store.putNodes(zombie, [])).toBeNull();
    });
  });

  describe('a standing order', () => {
    it('holds until it is taken back, whoever gave it, and twice is once', async () => {
      const { store, gateway } = await fixtureOf(open);
      await store.putOrder({ kind: 'pause', name: 'echo' });
      await store.putOrder({ kind: 'pause', name: 'echo' });
      await store.putOrder({ kind: 'drain', name: 'echo' });
      await store.leave(gateway);
      expect(await store.orders()).toEqual([
        { kind: 'drain', name: 'echo' },
        { kind: 'pause', name: 'echo' },
      ]);
      expect(await store.dropOrder({ kind: 'pause', name: 'echo' })).toBe(true);
      expect(await store.dropOrder({ kind: 'pause', name: 'echo' })).toBe(false);
      expect(await store.orders()).toEqual([{ kind: 'drain', name: 'echo' }]);
    });

    it('beyond ordersMax is refused', async () => {
      const { store } = await fixtureOf(open, { ordersMax: 1 });
      await store.putOrder({ kind: 'pause', name: 'a' });
      await store.putOrder({ kind: 'pause', name: 'a' });
      await expect(store.putOrder({ kind: 'pause', name: 'b' })).rejects.toMatchObject({ code: 'RATE_EXCEEDED' });
    });
  });

  describe('what a gateway owns', () => {
    it('says of each attempt whether its task is to be cancelled, whoever asked for it', async () => {
      const { store, gateway } = await fixtureOf(open);
      await store.submit([aTask(), aTask({ taskId: 't2' })]);
      await store.claim(gateway, [{ queue: QUEUE, limit: 2 }], 2);
      await store.cancel(['t2']);
      const owned = [...(await store.owned(gateway))].sort((a, b) => (a.taskId < b.taskId ? -1 : 1));
      expect(owned).toEqual([
        { taskId: 't1', attempt: 1, cancelRequested: false },
        { taskId: 't2', attempt: 1, cancelRequested: true },
      ]);
    });

    it('can be settled in its name by nobody else, while what a node reports counts by way of any', async () => {
      const { store, gateway, claimNew, record } = await fixtureOf(open);
      const heir = await store.join('heir', TTL_MS);
      const ref = await claimNew();
      await store.adopt(heir, 'n1', [ref]);
      const failed = { ...ref, status: 'failed', costs: 'crash', runMs: 0 } as const;
      expect(await store.complete([{ ...failed, owner: gateway }])).toEqual(['stale']);
      expect(await record('t1')).toMatchObject({ status: 'assigned', owner: heir, crashes: 0 });
      expect(await store.complete([{ ...failed, owner: heir }])).toEqual([expect.any(Number)]);
      expect(await store.complete([{ ...failed, owner: gateway }])).toEqual(['duplicate']);
      const other = await claimNew({ taskId: 't2' });
      await store.adopt(heir, 'n1', [other]);
      expect(await store.complete([{ ...other, status: 'completed', runMs: 1 }])).toEqual([expect.any(Number)]);
    });
  });

  describe('the origin of a task', () => {
    it('is kept as it was given', async () => {
      const { store, record } = await fixtureOf(open);
      await store.submit([aTask({ origin: 'home' }), aTask({ taskId: 't2' })]);
      expect([(await record('t1')).origin, (await record('t2')).origin]).toEqual(['home', null]);
    });
  });
}
