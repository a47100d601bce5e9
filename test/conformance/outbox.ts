/** What every outbox of a node must do, wherever it keeps results. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Outbox, Result } from '../../src/actors/node/outbox.ts';
import { anOwner, aResult, keepAll } from '../support/results.ts';

/** A place for an outbox. Each call gives the outbox that another process would have there. */
export type OutboxPlace = () => Outbox;

export function outboxConformance(name: string, place: () => OutboxPlace): void {
  describe(`${name} keeps the outbox contract`, () => {
    async function opened(at: OutboxPlace, owner = anOwner()) {
      const outbox = at();
      const left = await outbox.open(owner);
      onTestFinished(() => outbox.close());
      return { outbox, left };
    }

    it('has nothing at first', async () => {
      const { outbox, left } = await opened(place());
      expect([left, outbox.refusal]).toEqual([[], null]);
    });

    it('hands on what was kept and not forgotten, oldest first and as it was', async () => {
      const at = place();
      const { outbox } = await opened(at);
      const error = { code: 'HANDLER_FAILED', message: 'no “luck”\n', retryable: true };
      const results: Result[] = [
        aResult('t-1', { result: new Uint8Array([0xc0]) }),
        aResult('t-2'),
        { taskId: 't-3', attempt: 2, status: 'failed', duration: 0, error },
        { taskId: 't-4', attempt: 1, status: 'cancelled', duration: 3 },
        aResult('t-5', { result: new Uint8Array(20_000).fill(7) }),
      ];
      await keepAll(outbox, results);
      outbox.forget('t-2 1');
      await outbox.close();
      expect((await opened(at)).left).toEqual(results.filter(({ taskId }) => taskId !== 't-2'));
    });

    it('hands on what is still not forgotten, process after process', async () => {
      const at = place();
      const first = await opened(at);
      await keepAll(first.outbox, [aResult('t-1'), aResult('t-2')]);
      await first.outbox.close();
      const second = await opened(at);
      second.outbox.forget('t-1 1');
      await keepAll(second.outbox, [aResult('t-3')]);
      await second.outbox.close();
      expect((await opened(at)).left).toEqual([aResult('t-2'), aResult('t-3')]);
    });

    it('tells attempts of one task apart, and takes the last word of each', async () => {
      const at = place();
      const { outbox } = await opened(at);
      await keepAll(outbox, [aResult('t-1'), aResult('t-1', { attempt: 2 })]);
      await keepAll(outbox, [aResult('t-1', { duration: 99 })]);
      await outbox.close();
      expect((await opened(at)).left).toEqual([aResult('t-1', { attempt: 2 }), aResult('t-1', { duration: 99 })]);
    });

    it('takes it in good part to forget what it does not have', async () => {
      const at = place();
      const { outbox } = await opened(at);
      outbox.forget('t-1 1');
      await keepAll(outbox, [aResult('t-1')]);
      outbox.forget('t-1 1');
      outbox.forget('t-1 1');
      await outbox.close();
      expect((await opened(at)).left).toEqual([]);
    });

    it('forgets what is forgotten before it was safe', async () => {
      const at = place();
      const { outbox } = await opened(at);
      outbox.keep('t-1 1', aResult('t-1'), () => {});
      outbox.forget('t-1 1');
      await keepAll(outbox, [aResult('t-2')]);
      await outbox.close();
      expect((await opened(at)).left).toEqual([aResult('t-2')]);
    });

    it('is of one process at a time', async () => {
      const at = place();
      const { outbox } = await opened(at);
      await expect(at().open(anOwner())).rejects.toMatchObject({ code: 'OUTBOX_IN_USE' });
      await keepAll(outbox, [aResult('t-1')]);
      await outbox.close();
      await outbox.close();
      expect((await opened(at)).left).toHaveLength(1);
    });

    it.each([
      ['results', { outboxResultsMax: 4 }],
      ['bytes', { outboxBytesMax: 4 * (1_000 + 256) }],
    ])(
      'refuses new work at its limit of %s, loses nothing, and takes work again at three quarters',
      async (_, limit) => {
        const at = place();
        let changes = 0;
        const owner = anOwner({ limit, onRefusal: () => (changes += 1) });
        const { outbox } = await opened(at, owner);
        const results = ['t-1', 't-2', 't-3', 't-4', 't-5'].map((id) => aResult(id, { result: new Uint8Array(1_000) }));
        await keepAll(outbox, [aResult('t-0')]);
        outbox.forget('t-0 1');
        await keepAll(outbox, results.slice(0, 3));
        expect([outbox.refusal, changes]).toEqual([null, 0]);
        await keepAll(outbox, results.slice(3));
        expect([outbox.refusal?.code, changes]).toEqual(['NODE_FULL', 1]);
        expect(outbox.refusal?.message).toContain('the outbox is full');
        outbox.forget('t-1 1');
        expect(outbox.refusal).not.toBeNull();
        outbox.forget('t-2 1');
        expect([outbox.refusal, changes]).toEqual([null, 2]);
        await outbox.close();
        expect((await opened(at)).left).toHaveLength(3);
      },
    );

    it('is full from the start if what it has says so', async () => {
      const at = place();
      const { outbox } = await opened(at);
      await keepAll(outbox, [aResult('t-1'), aResult('t-2')]);
      await outbox.close();
      const again = await opened(at, anOwner({ limit: { outboxResultsMax: 2 } }));
      expect(again.outbox.refusal?.code).toBe('NODE_FULL');
    });
  });
}
