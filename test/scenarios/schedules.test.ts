/** Tasks that come by themselves: at their times, once each, across gateways that die and clocks that are set. */
import { Cron } from 'croner';
import { describe, expect, it, vi } from 'vitest';
import type { Client } from '../../src/actors/client/client.ts';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import { defineHandler } from '../../src/actors/node/runner.ts';
import { defineTask } from '../../src/actors/task-definition.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { tampered } from '../support/gateways.ts';
import { Puppets } from '../support/puppets.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** The keys of the tasks there are, oldest first: `schedule:ID:TIME`. */
async function keysOf(cluster: TestCluster, client: Client): Promise<string[]> {
  const { items } = await cluster.until(client.tasks({ limit: 1_000 }));
  return items.map((task) => task.key ?? '').reverse();
}

/** The nominal times of the runs of a schedule, from the start of the simulation. */
async function runsOf(cluster: TestCluster, client: Client, start: number): Promise<number[]> {
  return (await keysOf(cluster, client)).map((key) => Number(key.split(':')[2]) - start);
}

describe('a schedule', () => {
  it('submits its task at each of its times, and says when it did and will', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const start = cluster.clock.wallTime();
    const options = { priority: 2, limit: { key: 'db', concurrency: 1 } };
    await cluster.until(client.schedule('hourly', { cron: '0 * * * *' }, 'report', { n: 1 }, options));
    await cluster.until(client.schedule('often', { everyMs: 20 * 60_000 }, 'sweep'));
    await cluster.until(client.schedule('yearly', { cron: '0 0 1 7 *', timezone: 'Asia/Tokyo' }, 'party'));
    expect((await cluster.until(client.schedules())).items).toEqual([
      {
        ...{ scheduleId: 'hourly', type: 'report', priority: 2, cron: '0 * * * *' },
        ...{ createdAt: expect.any(Number), nextRunAt: Math.ceil((start + 1) / HOUR) * HOUR },
      },
      expect.objectContaining({ scheduleId: 'often', everyMs: 1_200_000 }),
      expect.objectContaining({ cron: '0 0 1 7 *', timezone: 'Asia/Tokyo', nextRunAt: Date.UTC(2026, 5, 30, 15) }),
    ]);
    await cluster.advance(3 * HOUR + 60_000);
    const { items, total } = await cluster.until(client.tasks());
    expect(items.filter(({ type }) => type === 'report').map(({ priority }) => priority)).toEqual([2, 2, 2]);
    expect(items.filter(({ type }) => type === 'sweep')).toHaveLength(9);
    expect(total).toBe(12);
    const [hourly] = (await cluster.until(client.schedules())).items;
    expect(hourly?.nextRunAt).toBe((hourly?.lastRunAt ?? 0) + HOUR);
  });

  it('makes its task run as any other', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const seen: unknown[] = [];
    const task = defineTask('report');
    await cluster.node('n', { handlers: [defineHandler(task, ({ input }) => void seen.push(input))] });
    await cluster.until(client.schedule('s', { everyMs: 5_000 }, task, { day: 'monday' }));
    await cluster.advance(11_000);
    expect(seen).toEqual([{ day: 'monday' }, { day: 'monday' }]);
  });

  it('runs at its time, however many others have the same', async () => {
    await using cluster = await createTestCluster({ limits: { submitBatchMax: 2 } });
    const client = await cluster.client();
    for (const id of ['a', 'b', 'c', 'd', 'e']) await cluster.until(client.schedule(id, { everyMs: 1_000 }, id));
    await cluster.advance(10_000);
    const { items } = await cluster.until(client.tasks({ limit: 1_000 }));
    for (const id of ['a', 'e']) expect(items.filter(({ type }) => type === id).length).toBeGreaterThanOrEqual(9);
  });

  it('is not late for others that are due with it, however long the store takes to note each run', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    for (let n = 0; n < 20; n += 1) await cluster.until(client.schedule(`s-${n}`, { everyMs: 1_000 }, 'x'));
    const { noteScheduleRun } = cluster.store;
    tampered(cluster, {
      async noteScheduleRun(id, runAt) {
        await new Promise<void>((resolve) => cluster.clock.schedule(100, resolve));
        return noteScheduleRun.call(cluster.store, id, runAt);
      },
    });
    await cluster.advance(10_000);
    expect((await cluster.until(client.tasks())).total).toBeGreaterThan(8 * 20);
  });

  it('waits while tasks of its type are not taken in, and makes up for that with one run', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    await cluster.until(client.schedule('s', { everyMs: 2_000 }, 'report'));
    await cluster.until(client.order({ what: 'type.drain', type: 'report' }));
    await cluster.advance(9_000);
    expect(await keysOf(cluster, client)).toEqual([]);
    await cluster.until(client.order({ what: 'type.resume', type: 'report' }));
    await cluster.advance(1_100);
    expect(await keysOf(cluster, client)).toHaveLength(1);
  });

  it('makes no task at a gateway that drains', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const puppets = new Puppets();
    await cluster.node('n', { handlers: [puppets.on('n')] });
    client.submit(puppets.task, null);
    await cluster.until(() => puppets.running.length === 1);
    await cluster.until(client.schedule('s', { everyMs: 2_000 }, 'report'));
    const drained = cluster.gateway.drain();
    await cluster.advance(9_000);
    expect(await cluster.store.list({ limit: 1, type: 'report' })).toMatchObject({ total: 0 });
    puppets.only.finish();
    await cluster.until(drained);
  });

  it('is asked for of the store when something has changed, and else now and then', async () => {
    await using cluster = await createTestCluster({ limits: { scheduleRefreshMs: 20_000 } });
    const client = await cluster.client();
    await cluster.until(client.schedule('s', { everyMs: 3_000 }, 'x'));
    await cluster.advance(5_000);
    let reads = 0;
    const { schedules } = cluster.store;
    tampered(cluster, {
      schedules() {
        reads += 1;
        return schedules.call(cluster.store);
      },
    });
    await cluster.advance(60_000);
    expect(reads).toBeLessThan(4);
    // One of which nobody has told.
    const [record] = await cluster.store.schedules();
    if (record !== undefined) await cluster.store.putSchedule({ ...record, id: 'untold', everyMs: 1_000 });
    await cluster.advance(23_000);
    expect(await keysOf(cluster, client)).toContainEqual(expect.stringMatching(/^schedule:untold:/));
  });

  it('is replaced by another of its id, and ends when it is dropped', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    await cluster.until(client.schedule('s', { everyMs: 2_000 }, 'one'));
    await cluster.until(client.schedule('s', { everyMs: 5_000 }, 'two'));
    await cluster.advance(6_500);
    const { items } = await cluster.until(client.tasks());
    expect(items.map(({ type }) => type)).toEqual(['two']);
    await cluster.until(client.unschedule('s'));
    await cluster.advance(60_000);
    expect(await cluster.until(client.tasks())).toMatchObject({ total: 1 });
    expect(await cluster.until(client.schedules())).toEqual({ items: [], total: 0 });
    await expect(cluster.until(client.unschedule('s'))).rejects.toMatchObject({ code: 'SCHEDULE_UNKNOWN' });
  });

  it('is refused when its times cannot be, its payload is too large, or there are too many', async () => {
    await using cluster = await createTestCluster({ limits: { schedulesMax: 1 } });
    const client = await cluster.client();
    const refused = (promise: Promise<unknown>) => expect(cluster.until(promise)).rejects;
    await refused(client.schedule('s', { cron: '0 0 30 2 *' }, 'x')).toMatchObject({ code: 'SCHEDULE_INVALID' });
    await refused(client.schedule('s', {}, 'x')).toMatchObject({ code: 'SCHEDULE_INVALID' });
    await refused(client.schedule('s', { everyMs: 10 }, 'x')).toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/^schedule: everyMs .*1000/),
    });
    await refused(client.schedule('s', { everyMs: 1_000 }, 'x', 'y'.repeat(20_000))).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      message: expect.stringContaining('a schedule keeps 16384'),
    });
    await cluster.until(client.schedule('one', { everyMs: 1_000_000 }, 'x'));
    await refused(client.schedule('two', { everyMs: 1_000_000 }, 'x')).toMatchObject({ code: 'RATE_EXCEEDED' });
  });

  it('is listed page by page', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    for (const id of ['c', 'a', 'b', 'd']) await cluster.until(client.schedule(id, { everyMs: 1_000_000 }, 'x'));
    const ids: string[] = [];
    let pages = 0;
    let cursor: string | undefined;
    do {
      pages += 1;
      const page = await cluster.until(client.schedules({ limit: 2, ...(cursor === undefined ? {} : { cursor }) }));
      expect(page.total).toBe(4);
      ids.push(...page.items.map(({ scheduleId }) => scheduleId));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect([ids, pages]).toEqual([['a', 'b', 'c', 'd'], 2]);
    expect(await cluster.until(client.schedules({ cursor: 'd' }))).toEqual({ items: [], total: 4 });
    await expect(cluster.until(client.schedules({ cursor: 'no id' }))).rejects.toMatchObject({
      code: 'MESSAGE_INVALID',
      message: "cursor 'no id' is not one that a list of schedules gave",
    });
  });
});

describe('a run that was missed', () => {
  it('is made up for once, by the newest, when a gateway is up again', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    await cluster.until(client.schedule('minutely', { cron: '* * * * *' }, 'report'));
    await cluster.until(client.schedule('often', { everyMs: 20_000 }, 'sweep'));
    const start = cluster.clock.wallTime();
    await cluster.until(cluster.gateway.stop());
    await cluster.advance(5 * 60_000 + 5_000);
    await cluster.restartGateway();
    await cluster.advance(5_000);
    const runs = await runsOf(cluster, client, start);
    // The fifth minute, and the newest multiple of twenty seconds.
    expect(runs.map((ms) => Math.round(ms / 1_000)).sort((one, other) => one - other)).toEqual([300, 300]);
    await cluster.advance(20_000);
    expect(await keysOf(cluster, client)).toHaveLength(3);
  });

  it('is not lost when the gateway is killed between its submit and its note, nor made twice', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    await cluster.until(client.schedule('s', { everyMs: 5_000 }, 'x'));
    const { noteScheduleRun } = cluster.store;
    // Submitted, and the note never comes to the store.
    cluster.store.noteScheduleRun = () => new Promise(() => {});
    await cluster.advance(6_000);
    expect(await keysOf(cluster, client)).toHaveLength(1);
    cluster.store.noteScheduleRun = noteScheduleRun;
    await cluster.restartGateway();
    await cluster.advance(2_000);
    expect(await keysOf(cluster, client)).toHaveLength(1);
    await cluster.advance(4_000);
    expect(new Set(await keysOf(cluster, client)).size).toBe(2);
  });

  it('of a schedule that was replaced meanwhile does not bring the old one back', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    await cluster.until(client.schedule('s', { everyMs: 5_000 }, 'old'));
    const { noteScheduleRun } = cluster.store;
    let goOn = (): void => {};
    const restore = tampered(cluster, {
      async noteScheduleRun(id, runAt) {
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        return noteScheduleRun.call(cluster.store, id, runAt);
      },
    });
    await cluster.advance(6_000);
    restore();
    await cluster.until(client.schedule('s', { everyMs: 2_000 }, 'new'));
    await cluster.until(client.schedules());
    goOn();
    await cluster.advance(7_000);
    const { items } = await cluster.until(client.tasks());
    expect(items.map(({ type }) => type)).toEqual(['new', 'new', 'new', 'old']);
  });

  it('waits for room when the queue is full', async () => {
    await using cluster = await createTestCluster({ limits: { waitingTasksMax: 1 } });
    const client = await cluster.client();
    const filler = client.submit('filler');
    await cluster.until(filler.accepted());
    await cluster.until(client.schedule('s', { everyMs: 5_000 }, 'x'));
    await cluster.advance(8_000);
    await cluster.until(filler.cancel());
    await cluster.advance(1_500);
    expect(await cluster.until(client.tasks({ type: 'x' }))).toMatchObject({ total: 1 });
  });
});

describe('several gateways of one store', () => {
  it('make one task of each run, and go on when one of them dies', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const { clock, random, store } = cluster;
    let ids = 0;
    const other = await cluster.until(
      createGateway({ id: 'other', listen: null, clock, random, store, ids: () => `other-${++ids}` }),
    );
    await cluster.until(client.schedule('s', { everyMs: 5_000 }, 'x'));
    await cluster.advance(26_000);
    expect(await keysOf(cluster, client)).toHaveLength(5);
    await cluster.until(cluster.gateway.stop());
    await cluster.advance(25_000);
    const { total } = await store.list({ limit: 1 });
    expect(total).toBe(10);
    await cluster.until(other.stop());
  });

  it.each([
    [2, { everyMs: 2_000 }],
    [3, { cron: '*/2 * * * * *' }],
  ])('make one task of each run, however soon it is forgotten: %i of them', async (gateways, when) => {
    await using cluster = await createTestCluster({ gateways, limits: { settledTasksMax: 1 } });
    // Each looks at another time of the second.
    for (let number = 2; number <= gateways; number += 1) {
      await cluster.advance(300);
      await cluster.restartGateway(number);
    }
    const ran: unknown[] = [];
    const handlers = ['job', 'other'].map((type) => defineHandler({ type }, () => void ran.push(type)));
    await cluster.node('n', { handlers });
    const client = await cluster.client();
    await cluster.until(client.schedule('s', when, 'job'));
    for (let count = 0; count < 100; count += 1) {
      client.submit('other', count);
      await cluster.advance(200);
    }
    const { length } = ran.filter((type) => type === 'job');
    expect([9, 10]).toContain(length);
  });

  it('follow at once when one of them replaces a schedule or drops it', async () => {
    await using cluster = await createTestCluster({ gateways: 2 });
    const client = await cluster.client('near', { via: [1] });
    const far = await cluster.client('far', { via: [2] });
    await cluster.until(client.schedule('s', { everyMs: 10_000 }, 'old'));
    await cluster.until(client.schedule('t', { everyMs: 10_000 }, 'dropped'));
    await cluster.advance(5_000);
    await cluster.until(far.schedule('s', { everyMs: 2_000 }, 'new'));
    await cluster.until(far.unschedule('t'));
    // From now on the first does it alone.
    cluster.killGateway(2);
    await cluster.advance(7_500);
    const { items } = await cluster.until(client.tasks());
    expect(items.map(({ type }) => type)).toEqual(['new', 'new', 'new']);
  });
});

describe('a wall clock that is set', () => {
  it('back by an hour: no run twice, and none of a span is late', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    await cluster.until(client.schedule('hourly', { cron: '0 * * * *' }, 'report'));
    await cluster.until(client.schedule('often', { everyMs: 10 * 60_000 }, 'sweep'));
    await cluster.advance(HOUR + 60_000);
    cluster.clock.stepWall(-HOUR);
    await cluster.advance(HOUR - 120_000);
    const keys = await keysOf(cluster, client);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.filter((key) => key.startsWith('schedule:hourly'))).toHaveLength(1);
    // Twelve times ten minutes have passed, but for a minute.
    expect(keys.filter((key) => key.startsWith('schedule:often'))).toHaveLength(11);
  });

  it('forward by five hours: one run for all that was passed over', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    await cluster.until(client.schedule('hourly', { cron: '0 * * * *' }, 'report'));
    await cluster.advance(60_000);
    cluster.clock.stepWall(5 * HOUR);
    await cluster.advance(60_000);
    expect(await keysOf(cluster, client)).toHaveLength(1);
  });

  it('forward, as by a machine that slept: what comes every so often comes once, and goes on', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    await cluster.until(client.schedule('often', { everyMs: 24 * MINUTE }, 'report'));
    await cluster.advance(9 * MINUTE);
    // The monotonic clock of a machine that sleeps may stand still.
    cluster.clock.stepWall(30 * MINUTE);
    await cluster.advance(1_500);
    const start = cluster.clock.wallTime() - 39 * MINUTE - 1_500;
    expect(await runsOf(cluster, client, start)).toEqual([24 * MINUTE]);
    await cluster.advance(9 * MINUTE);
    expect(await runsOf(cluster, client, start)).toEqual([24 * MINUTE, 48 * MINUTE]);
    cluster.clock.stepWall(-30 * MINUTE);
    await cluster.advance(24 * MINUTE);
    expect(await runsOf(cluster, client, start)).toEqual([24 * MINUTE, 48 * MINUTE, 72 * MINUTE]);
  });

  it('#18 changes nothing else: nodes stay online, and every wait is as long as it was', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    await cluster.node('n', {});
    const late = client.submit('nobody', null, { ttlMs: 60_000 });
    const delayed = client.submit('nobody', null, { delayMs: 60_000 });
    await cluster.until(Promise.all([late.accepted(), delayed.accepted()]));
    const { total } = await cluster.until(client.tasks({ status: ['pending', 'delayed'] }));
    expect(total).toBe(2);
    for (const ms of [10 * HOUR, -20 * HOUR, 30 * HOUR]) {
      cluster.clock.stepWall(ms);
      await cluster.advance(15_000);
      expect(await cluster.until(client.node('n'))).toMatchObject({ status: 'online' });
      expect(await cluster.until(client.tasks({ status: ['pending', 'delayed'] }))).toMatchObject({ total: 2 });
    }
    await cluster.advance(17_000);
    expect(await cluster.until(late.outcome())).toMatchObject({ error: { code: 'TASK_EXPIRED' } });
    expect((await cluster.until(client.task(delayed.taskId))).task.status).toBe('pending');
  });
});

describe('hundreds of schedules', () => {
  it('are read, and run together, some in each turn, so that nobody waits for all of them', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const puts = Array.from({ length: 200 }, (_, n) => client.schedule(`s-${n}`, { cron: '* * * * *' }, 'job', n));
    await cluster.until(Promise.all(puts));
    const { soon } = cluster.clock;
    const workedOut = [0];
    const turn = (run: () => void) => () => {
      workedOut.push(0);
      run();
    };
    Object.assign(cluster.clock, { soon: (run: () => void) => soon(turn(run)) });
    const nextRun = vi.spyOn(Cron.prototype, 'nextRun').mockImplementation(function (this: Cron, from) {
      workedOut[workedOut.length - 1] = (workedOut.at(-1) ?? 0) + 1;
      return this.nextRuns(1, from as Date)[0] ?? null;
    });
    await cluster.restartGateway();
    await cluster.advance(62_000);
    nextRun.mockRestore();
    expect(await cluster.until(client.tasks({ limit: 1 }))).toMatchObject({ total: 200 });
    // Of those that run, when they are due is worked out before, and when again after.
    expect(Math.max(...workedOut)).toBeLessThanOrEqual(2 * 64);
    expect(workedOut.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(400);
  });
});
