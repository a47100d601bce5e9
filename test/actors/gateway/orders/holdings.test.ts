import { describe, expect, it } from 'vitest';
import { Holdings } from '../../../../src/actors/gateway/orders/holdings.ts';
import type { Session } from '../../../../src/actors/gateway/sessions/session.ts';
import type { Store } from '../../../../src/actors/store/store.ts';
import { PincerError } from '../../../../src/protocol/failure.ts';

const session = { kind: 'channel', peerId: 'telegram', incarnation: 'telegram-1' } as Session;

/** Holdings of a store whose leases are granted as long as it does not fail. */
function holdings() {
  const store = { fails: false };
  const lease = async (): Promise<unknown> => {
    if (store.fails) throw new PincerError('STORE_UNAVAILABLE', 'the disk is full');
    return { token: 1 };
  };
  return { store, held: new Holdings({ lease } as unknown as Store, { channelLeasesMax: 1 }) };
}

describe('the leases of a channel', () => {
  it('that the store could not give do not count as held', async () => {
    const { store, held } = holdings();
    store.fails = true;
    await expect(held.take(session, 'first', 1_000)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    store.fails = false;
    expect(await held.take(session, 'second', 1_000)).toEqual({ status: 'held', token: 1 });
  });

  it('that it could not renew do', async () => {
    const { store, held } = holdings();
    await held.take(session, 'first', 1_000);
    store.fails = true;
    await expect(held.take(session, 'first', 1_000)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    store.fails = false;
    await expect(held.take(session, 'second', 1_000)).rejects.toMatchObject({ code: 'RATE_EXCEEDED' });
  });
});
