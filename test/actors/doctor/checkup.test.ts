import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkup, type Patient } from '../../../src/actors/doctor/checkup.ts';
import { createMemoryStore } from '../../../src/actors/store/memory/memory-store.ts';
import type { Store } from '../../../src/actors/store/store.ts';
import type { Finding } from '../../../src/protocol/checkup.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { NodeView } from '../../../src/protocol/node.ts';
import { VERSION } from '../../../src/protocol/version.ts';
import { createTestCluster } from '../../../src/testing/cluster.ts';
import { aTask, type Fixture, fixtureOf, TTL_MS } from '../../conformance/store-fixture.ts';

const view: NodeView = {
  ...{ nodeId: 'n1', type: 'agent', status: 'online', address: '127.0.0.1', incarnation: 'i1', capabilities: [] },
  ...{ maxTasks: 5, tasks: 0, silentMs: 10, running: [], overdue: [] },
};
const facts = {
  ...{ nodeId: 'n1', kind: 'agent', capabilities: new Set<string>(), taskTypes: null, labels: {}, resources: {} },
};

/** A store that is well, with a task in each of the ways a task may be. */
async function well(): Promise<Fixture> {
  let ids = 0;
  const fixture = await fixtureOf(async (clock, limits = {}) => {
    const store = createMemoryStore({ clock, ids: () => `${++ids}`, limits });
    await store.open();
    return store;
  });
  const { store, gateway, claim } = fixture;
  await store.submit(['t1', 't2', 't3', 't4', 't5'].map((taskId) => aTask({ taskId })));
  await store.submit([aTask({ taskId: 't6', delayMs: 5_000 })]);
  await claim(4);
  const ref = { attempt: 1, node: 'n1' };
  store.note([{ ...ref, taskId: 't1', event: 'started' }]);
  const error = { code: 'HANDLER_FAILED', message: 'no', retryable: true };
  await store.complete([{ ...ref, taskId: 't2', status: 'completed', runMs: 5 }]);
  await store.complete([{ ...ref, taskId: 't3', status: 'failed', error, runMs: 5 }]);
  await store.release(gateway, [{ ...ref, taskId: 't4', costs: 'failure', delayMs: 500, error }]);
  await store.cancel(['t5']);
  return fixture;
}

async function examine({ store, clock }: Fixture, patient: Partial<Patient> = {}): Promise<Finding[]> {
  const nodes = async () => [{ facts, view }];
  const answer = await checkup({ what: 'doctor' }, { store, clock, limits: defaultLimits, nodes, ...patient });
  return answer.findings;
}

/** A store that lies in one answer. */
function lying<Verb extends keyof Store>(
  store: Store,
  verb: Verb,
  lie: (truth: never, given: unknown) => unknown,
): Store {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      const call = (...given: unknown[]): unknown => Reflect.apply(member, target, given);
      if (name !== verb) return call;
      return async (...given: unknown[]) => lie((await call(...given)) as never, given[0]);
    },
  });
}

describe('a checkup', () => {
  it('finds nothing wrong where nothing is', async () => {
    expect(await examine(await well())).toEqual([]);
  });

  it('says which version looked, and when', async () => {
    const { store, clock } = await well();
    const { version, at, looked, total } = await checkup(
      { what: 'doctor' },
      { store, clock, limits: defaultLimits, nodes: async () => [] },
    );
    expect([at, looked, total]).toEqual([clock.wallTime(), 6, 6]);
    const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
    expect(version).toBe((JSON.parse(text) as { version: string }).version);
    expect(version).toBe(VERSION);
  });

  it('looks at so many tasks at a time, and at each once', async () => {
    const { store, clock } = await well();
    const patient = { store, clock, limits: defaultLimits, nodes: async () => [] };
    let [looked, pages] = [0, 0];
    let cursor: string | undefined;
    do {
      const page = await checkup({ what: 'doctor', limit: 4, ...(cursor === undefined ? {} : { cursor }) }, patient);
      looked += page.looked;
      pages += 1;
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect([looked, pages]).toEqual([6, 2]);
  });
});

describe('a planted fault', () => {
  it('is found in a record that says otherwise than its history (I6)', async () => {
    const fixture = await well();
    for (const [part, value] of Object.entries({ status: 'completed', attempt: 7, failures: 3, crashes: 1 })) {
      const wrong = (record: { taskId: string } | null) =>
        record?.taskId === 't1' ? { ...record, [part]: value } : record;
      const listed = lying(fixture.store, 'list', (page: { items: { taskId: string }[] }) => ({
        ...page,
        items: page.items.map(wrong),
      }));
      const store = lying(listed, 'get', wrong);
      const findings = await examine(fixture, { store });
      expect(findings[0]).toMatchObject({ check: 'tasks.history', severity: 'bad', about: 't1' });
      expect(findings[0]?.says).toContain(part);
    }
  });

  it.each(['task.claimed', 'task.submitted', 'attempt.started'])(
    'is found in a history without its %s',
    async (lost) => {
      const fixture = await well();
      const store = lying(fixture.store, 'history', (entries: { n: number; event: string }[]) =>
        entries.filter(({ event }) => event !== lost).map((entry, index) => ({ ...entry, n: index + 1 })),
      );
      const found = await examine(fixture, { store });
      expect(new Set(found.map(({ check }) => check))).toEqual(new Set(['tasks.history']));
      expect(found.map(({ about }) => about)).toContain('t1');
    },
  );

  it('is found in a history that was accepted twice (I4)', async () => {
    const fixture = await well();
    const store = lying(fixture.store, 'history', (entries: { n: number; event: string }[]) => {
      const last = entries.at(-1);
      return last?.event === 'task.completed' ? [...entries, { ...last, n: last.n + 1 }] : entries;
    });
    expect(await examine(fixture, { store })).toMatchObject([{ check: 'tasks.history', about: 't2' }]);
  });

  it('is not seen where a task only moved while it was looked at', async () => {
    const fixture = await well();
    let isDone = false;
    const store = lying(fixture.store, 'list', async (page: object) => {
      if (!isDone) await fixture.store.complete([{ taskId: 't1', attempt: 1, status: 'completed', runMs: 5 }]);
      isDone = true;
      return page;
    });
    expect(await examine(fixture, { store })).toEqual([]);
  });

  it('is found in an index: waiting tasks that stand in no line', async () => {
    const fixture = await well();
    await fixture.store.submit([aTask({ taskId: 't9' })]);
    const store = lying(fixture.store, 'stats', (stats: object) => ({ ...stats, ready: new Map() }));
    expect(await examine(fixture, { store })).toMatchObject([{ check: 'tasks.line', severity: 'bad' }]);
  });

  it('is found in an attempt of a gateway that is gone', async () => {
    const fixture = await well();
    const store = lying(fixture.store, 'gateways', () => []);
    expect(await examine(fixture, { store })).toMatchObject([{ check: 'tasks.owner', about: 't1' }]);
  });

  it('is found in a lease that nobody renews', async () => {
    const fixture = await well();
    await fixture.clock.advance(TTL_MS + 1);
    const found = await examine(fixture);
    expect(found).toMatchObject([{ check: 'gateways.lease', about: fixture.gateway }]);
    expect(found[0]?.says).toContain('owns 1 task');
  });

  it('is found in an attempt that runs far beyond its time', async () => {
    const fixture = await well();
    await fixture.clock.advance(200_000);
    await fixture.store.renew(fixture.gateway, TTL_MS);
    const found = await examine(fixture);
    expect(found).toMatchObject([{ check: 'tasks.overdue', severity: 'bad', about: 't1' }]);
  });

  it('is told by no wall clock that was set, forward or back', async () => {
    const fixture = await well();
    fixture.clock.stepWall(24 * 3_600_000);
    expect(await examine(fixture)).toEqual([]);
    fixture.clock.stepWall(-48 * 3_600_000);
    await fixture.clock.advance(200_000);
    await fixture.store.renew(fixture.gateway, TTL_MS);
    expect(await examine(fixture)).toMatchObject([{ check: 'tasks.overdue', about: 't1' }]);
  });

  it('is found in nodes: silent ones, and ones that do not end what they were told to', async () => {
    const fixture = await well();
    const silent = { ...view, status: 'unhealthy', reason: 'silent', silentMs: 20_000 } as const;
    const deaf = { ...view, nodeId: 'n2', overdue: [{ taskId: 't1', attempt: 1 }] };
    const nodes = async () => [silent, deaf].map((each) => ({ facts, view: each }));
    expect(await examine(fixture, { nodes })).toMatchObject([
      { check: 'nodes.health', about: 'n1', says: expect.stringContaining('20000 ms') },
      { check: 'nodes.health', about: 'n2', says: expect.stringContaining('t1') },
    ]);
  });

  it('is found in work that nobody can do', async () => {
    const fixture = await well();
    await fixture.store.submit([aTask({ taskId: 't8', queue: 'draw vision', needs: ['vision'] })]);
    const [found] = await examine(fixture);
    expect(found).toMatchObject({
      check: 'tasks.starved',
      about: 'draw',
      says: expect.stringContaining("lacks 'vision'"),
    });
  });
});

describe('work that nobody takes', () => {
  const draining = { ...view, status: 'draining' } as const;
  const lacking = { facts: { ...facts, taskTypes: new Set(['other']) }, view };

  it.each([
    ['the only one that can, n1, is draining', [{ facts, view: draining }, lacking]],
    [
      'all 2 that can are draining, such as n1',
      [
        { facts, view: draining },
        { facts, view: draining },
      ],
    ],
  ])('is found where %s', async (says, nodes) => {
    const fixture = await well();
    await fixture.store.submit([aTask({ taskId: 't8', queue: 'draw ' })]);
    expect(await examine(fixture, { nodes: async () => nodes })).toMatchObject([
      {
        ...{ check: 'tasks.starved', about: 'draw', says: `1 task waits for a node, and ${says}` },
        mend: expect.stringContaining('pincer nodes resume'),
      },
    ]);
  });

  it('is not, as long as one of those who can takes work', async () => {
    const fixture = await well();
    await fixture.store.submit([aTask({ taskId: 't8', queue: 'draw ' })]);
    const nodes = [{ facts, view: draining }, lacking, { facts, view: { ...view, status: 'busy' } as const }];
    expect(await examine(fixture, { nodes: async () => nodes })).toEqual([]);
  });
});

describe('doctor over a gateway', () => {
  it('is well with a cluster that works, and names what starves', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    expect((await cluster.until(client.doctor())).findings).toEqual([]);
    await cluster.until(client.submit('image-analysis', null).accepted());
    const { findings, total } = await cluster.until(client.doctor());
    expect(total).toBe(1);
    expect(findings).toMatchObject([{ check: 'tasks.starved', says: expect.stringContaining('no node is connected') }]);
  });
});
