/** What becomes of attempts when a node comes with those that it runs; tasks and store are played by the test. */
import { describe, expect, it } from 'vitest';
import type { Node } from '../../../../src/actors/gateway/nodes/nodes.ts';
import { Reconciliation, type ReconciliationOptions } from '../../../../src/actors/gateway/tasks/reconciliation.ts';
import type { TaskRecord } from '../../../../src/actors/store/store.ts';
import type { Failure } from '../../../../src/protocol/failure.ts';
import type { AttemptRef } from '../../../../src/protocol/identifier.ts';

const ref = (taskId: string, attempt = 1): AttemptRef => ({ taskId, attempt });

/** `held`: what nodes have here. `free`: what the store lets be adopted. */
function sceneOf({ held = {}, free = [] }: { held?: Record<string, AttemptRef[]>; free?: AttemptRef[] }) {
  const said: unknown[][] = [];
  const asked: (readonly AttemptRef[])[] = [];
  /** How many times more the store says that the gateway has no claim on work. */
  const fence = { times: 0 };
  const isIn = (refs: readonly AttemptRef[], { taskId, attempt }: AttemptRef) =>
    refs.some((each) => each.taskId === taskId && each.attempt === attempt);
  /** Of what a node has here what it is told of. */
  const told = (what: string) => (nodeId: string, failure: Failure, kept: (ref: AttemptRef) => boolean) => {
    const hit = (held[nodeId] ?? []).filter((each) => !kept(each)).map(({ taskId }) => taskId);
    if (hit.length > 0) said.push([what, failure.code, ...hit]);
  };
  const records = new Map(free.map(({ taskId, attempt }) => [taskId, { taskId, attempt }]));
  const reconciliation = new Reconciliation({
    gatewayId: () => 'home',
    store: {
      async adopt(gateway: string, nodeId: string, refs: readonly AttemptRef[]) {
        expect(gateway).toBe('home');
        asked.push(refs);
        said.push(['asks', nodeId, ...refs.map(({ taskId }) => taskId)]);
        if (fence.times === 0) return refs.map((each) => isIn(free, each));
        fence.times -= 1;
        return null;
      },
      async get(taskId: string) {
        const record = records.get(taskId);
        return record === undefined ? null : { ...record, queuedMs: 30, runMs: 12, deadlineInMs: 500 };
      },
    },
    tasks: {
      heldBy: (nodeId: string) => held[nodeId] ?? [],
      holds: (wanted: AttemptRef) => Object.values(held).some((refs) => isIn(refs, wanted)),
      adopt: (claimed: { record: TaskRecord; remainingMs: number | null }, nodeId: string) =>
        void said.push(['adopts', claimed.record.taskId, nodeId, claimed.remainingMs]),
      reject: told('rejected'),
      lose: told('lost'),
      flush: () => void said.push(['flushed']),
    },
    verdicts: { judge: async ({ taskId }: AttemptRef) => void said.push(['judged', taskId]) },
    onMissed: (nodeId: string, { code }: Failure, taskIds: readonly string[]) =>
      void said.push(['missed', nodeId, code, ...taskIds]),
    async rejoin() {
      await Promise.resolve();
      said.push(['rejoined']);
    },
  } as unknown as ReconciliationOptions);
  return { reconciliation, said, asked, fence, records };
}

describe('a node that comes with what it runs', () => {
  it('goes on with what it has here, and the store is not asked about that', async () => {
    const { reconciliation, said } = sceneOf({ held: { n: [ref('a')] } });
    expect(await reconciliation.reconcile('n', [ref('a')], true)).toEqual([]);
    expect(said).toEqual([['flushed']]);
  });

  it('has what nobody holds here taken over for it, and is told of what is not its own any more', async () => {
    const { reconciliation, said } = sceneOf({ free: [ref('a', 2)] });
    const gone = await reconciliation.reconcile('n', [ref('a', 2), ref('b')], true);
    expect(gone).toEqual([ref('b')]);
    expect(said).toEqual([['asks', 'n', 'a', 'b'], ['adopts', 'a', 'n', 500], ['flushed'], ['judged', 'b']]);
  });

  it('does not get what another node has, nor an earlier attempt of what it has itself', async () => {
    const { reconciliation, asked } = sceneOf({ held: { n: [ref('b', 2)], m: [ref('a')] }, free: [ref('a')] });
    expect(await reconciliation.reconcile('n', [ref('a'), ref('b')], true)).toEqual([ref('a'), ref('b')]);
    expect(asked).toEqual([[ref('b')]]);
  });

  it('never got what its process does not know of, at no cost; a new process has lost what the old one had', async () => {
    const held = { n: [ref('a'), ref('b'), ref('c')] };
    const same = sceneOf({ held });
    await same.reconciliation.reconcile('n', [ref('b'), ref('c', 2)], true);
    expect(same.said.slice(1, 3)).toEqual([
      ['missed', 'n', 'UNDELIVERED', 'a', 'c'],
      ['rejected', 'UNDELIVERED', 'a', 'c'],
    ]);
    const other = sceneOf({ held });
    await other.reconciliation.reconcile('n', [ref('a'), ref('b')], false);
    expect(other.said).toEqual([['missed', 'n', 'NODE_LOST', 'c'], ['lost', 'NODE_LOST', 'c'], ['flushed']]);
  });

  it('has the gateway make a new claim on work first when the old one has lapsed', async () => {
    const { reconciliation, said, fence } = sceneOf({ free: [ref('a')] });
    fence.times = 1;
    expect(await reconciliation.reconcile('n', [ref('a')], true)).toEqual([]);
    expect(said.map(([what]) => what)).toEqual(['asks', 'rejoined', 'asks', 'adopts', 'flushed']);
    fence.times = 2;
    expect(await reconciliation.reconcile('n', [ref('a')], true)).toEqual([ref('a')]);
  });

  it('keeps what is forgotten while it is taken over, of which there is nothing to hold', async () => {
    const { reconciliation, said, records } = sceneOf({ free: [ref('a'), ref('b')] });
    records.delete('a');
    await reconciliation.reconcile('n', [ref('a'), ref('b')], true);
    expect(said.filter(([what]) => what === 'adopts').map(([, taskId]) => taskId)).toEqual(['b']);
  });
});

describe('a gateway with a new claim on work', () => {
  const nodeWith = (nodeId: string, refs: AttemptRef[], said: unknown[][], isHere = true) =>
    ({
      nodeId,
      slots: new Map(refs.map((each) => [each.taskId, { ref: each }])),
      session: isHere ? { send: (type: string, payload: object) => void said.push([nodeId, type, payload]) } : null,
    }) as unknown as Node;

  it('takes over what its nodes run, and has the rest stopped', async () => {
    const { reconciliation, said } = sceneOf({ free: [ref('a'), ref('c')] });
    const nodes = [
      nodeWith('n', [ref('a'), ref('b', 3)], said),
      nodeWith('m', [ref('c'), ref('d')], said, false),
      nodeWith('o', [], said),
    ];
    await reconciliation.adoptAll(nodes);
    expect(said).toEqual([
      ['asks', 'n', 'a', 'b'],
      ['adopts', 'a', 'n', 500],
      ['n', 'task_cancel', { taskId: 'b', attempt: 3, reason: 'withdrawn' }],
      ['asks', 'm', 'c', 'd'],
      ['adopts', 'c', 'm', 500],
    ]);
  });

  it('that has lapsed, too, is told so', async () => {
    const { reconciliation, said, fence } = sceneOf({ free: [ref('a')] });
    fence.times = 1;
    await expect(reconciliation.adoptAll([nodeWith('n', [ref('a')], said)])).rejects.toMatchObject({ code: 'FENCED' });
    expect(said).toEqual([['asks', 'n', 'a']]);
  });
});
