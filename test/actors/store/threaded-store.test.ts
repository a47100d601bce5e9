/** A store at the other end of a port keeps the contract; here both ends are in one thread, as they are never in use. */
import { MessageChannel } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { serveStore } from '../../../src/actors/store/lmdb/store-server.ts';
import { threadedStore } from '../../../src/actors/store/lmdb/threaded-store.ts';
import { createMemoryStore } from '../../../src/actors/store/memory/memory-store.ts';
import type { Store } from '../../../src/actors/store/store.ts';
import { createSimulatedClock } from '../../../src/actors/world/simulated-clock.ts';
import { PincerError } from '../../../src/protocol/failure.ts';
import type { Limits } from '../../../src/protocol/limits.ts';
import type { Clock } from '../../../src/protocol/ports.ts';
import { type OpenStore, storeConformance } from '../../conformance/store.ts';

const openThreaded: OpenStore = async (clock, limits = {}) => {
  const store = over(inMemory(limits, clock), clock);
  await store.open();
  return store;
};

function inMemory(limits: Partial<Limits> = {}, clock: Clock = createSimulatedClock()): Store {
  let ids = 0;
  return createMemoryStore({ clock, ids: () => `${++ids}`, limits });
}

function over(inner: Store, clock: Clock = createSimulatedClock()): Store {
  return threadedStore({
    kind: 'lmdb',
    clock,
    start() {
      const { port1, port2 } = new MessageChannel();
      serveStore(port2, inner, () => port2.close());
      return port1;
    },
  });
}

storeConformance('a store in another thread', openThreaded);

it('has the message, the hint and the code of what went wrong there', async () => {
  const store = over(inMemory({ ordersMax: 0 }));
  await store.open();
  const refused = store.putOrder({ kind: 'drain', name: 'build' });
  await expect(refused).rejects.toMatchObject({ code: 'RATE_EXCEEDED', message: expect.stringContaining('0') });
  await expect(refused).rejects.toBeInstanceOf(PincerError);
  await store.close();
});

it('refuses what is asked before it is open and after it is closed', async () => {
  const store = over(inMemory());
  await expect(store.stats()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await store.open();
  await store.open();
  const late = store.stats();
  await store.close();
  await store.close();
  await expect(late).resolves.toMatchObject({ ready: new Map() });
  await expect(store.stats()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
});

it('passes on what could not be opened, and can be opened again', async () => {
  const inner = inMemory();
  let refuses = true;
  const open = inner.open.bind(inner);
  inner.open = async () => {
    if (refuses) throw new PincerError('STORE_UNAVAILABLE', 'the disk is away');
    return open();
  };
  const store = over(inner);
  await expect(store.open()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', message: 'the disk is away' });
  refuses = false;
  await store.open();
  await expect(store.gateways()).resolves.toEqual([]);
  await store.close();
});

it('refuses a call that cannot be told to another thread, and goes on with the next', async () => {
  const store = over(inMemory());
  await store.open();
  const task = { taskId: 't1', type: 'echo', queue: 'echo ', needs: [], priority: 5, timeoutMs: 1_000, attemptsMax: 3 };
  const odd = { ...task, payload: new Uint8Array(0), createdAt: (2n ** 70n) as unknown as number };
  await expect(store.submit([odd])).rejects.toThrow();
  expect(await store.submit([{ ...odd, createdAt: 0 }])).toHaveLength(1);
  expect((await store.get('t1'))?.type).toBe('echo');
  await store.close();
});

it('is closed once it is open, when it is closed meanwhile', async () => {
  const inner = inMemory();
  const said: string[] = [];
  const [open, close] = [inner.open.bind(inner), inner.close.bind(inner)];
  inner.open = () => open().then(() => void said.push('open'));
  inner.close = () => close().then(() => void said.push('closed'));
  const store = over(inner);
  const opened = [store.open(), store.open()];
  await store.close();
  await Promise.all(opened);
  expect(said).toEqual(['open', 'closed']);
});

it('ends also when it cannot be closed', async () => {
  const inner = inMemory();
  inner.close = () => Promise.reject(new PincerError('STORE_UNAVAILABLE', 'the disk is away'));
  let hasEnded = false;
  const store = threadedStore({
    kind: 'lmdb',
    clock: createSimulatedClock(),
    start() {
      const { port1, port2 } = new MessageChannel();
      serveStore(port2, inner, () => {
        hasEnded = true;
        port2.close();
      });
      return port1;
    },
  });
  await store.open();
  await expect(store.close()).rejects.toMatchObject({ message: 'the disk is away' });
  expect(hasEnded).toBe(true);
});

it('answers who waits when its thread ends, and can be opened again', async () => {
  let end: () => void = () => {};
  const store = threadedStore({
    kind: 'lmdb',
    clock: createSimulatedClock(),
    start() {
      const { port1, port2 } = new MessageChannel();
      const inner = inMemory();
      inner.stats = () => new Promise(() => {});
      serveStore(port2, inner, () => port2.close());
      end = () => port2.close();
      return port1;
    },
  });
  await store.open();
  const waiting = store.stats();
  end();
  const lost = { code: 'STORE_UNAVAILABLE', message: 'the thread of the store has ended' };
  await expect(waiting).rejects.toMatchObject(lost);
  await expect(store.gateways()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await store.open();
  expect(await store.gateways()).toEqual([]);
  await store.close();
});
