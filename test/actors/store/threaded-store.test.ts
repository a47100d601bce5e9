/** A store at the other end of a port keeps the contract; here both ends are in one thread, as they are never in use. */
import { MessageChannel } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { createSimulatedClock } from '../../../src/actors/simulated-clock.ts';
import { serveStore } from '../../../src/actors/store/lmdb/store-server.ts';
import { threadedStore } from '../../../src/actors/store/lmdb/threaded-store.ts';
import { createMemoryStore } from '../../../src/actors/store/memory.ts';
import type { Store } from '../../../src/actors/store/store.ts';
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
