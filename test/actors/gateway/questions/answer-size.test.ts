/** What gateways answer at the limits of what there may be: a peer must be able to read it. */
import { describe, expect, it } from 'vitest';
import { answerInOneFrame } from '../../../../src/actors/gateway/questions/answer-size.ts';
import { pageOf } from '../../../../src/actors/gateway/questions/page.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import type { NodeView } from '../../../../src/protocol/node.ts';
import { ANSWERS, type Answer, type Query } from '../../../../src/protocol/query.ts';
import type { ScheduleView } from '../../../../src/protocol/schedule.ts';
import { decodeFrame, encodeFrame } from '../../../../src/transport/codec.ts';

type Ask<What extends Query['what']> = Extract<Query, { what: What }>;

/** What a peer has read, and how many answers it took. */
async function read<What extends Query['what']>(
  query: Ask<What>,
  answer: (query: Ask<What>) => unknown,
  limits = defaultLimits,
): Promise<Answer<What>> {
  const ask = async (asked: Query) => answer(asked as Ask<What>) as Answer<Query['what']>;
  const payload = await answerInOneFrame(query, limits, ask);
  const message = { type: 'answer', id: 2 ** 53 - 1, re: 2 ** 53 - 1, timestamp: 1_767_225_600_000.5, payload };
  decodeFrame(new Uint8Array(encodeFrame([message])), limits);
  return ANSWERS[query.what].parse(payload) as Answer<What>;
}

/** As long as an id may be, and in the order of its number. */
const longId = (n: number): string => String(n).padStart(64, '0');

const attempts = (node: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({ taskId: longId(node * 10_000 + n), attempt: 1 }));

function nodeOf(n: number, running = 0): NodeView {
  return {
    nodeId: longId(n),
    type: 'agent',
    status: 'busy',
    reason: 'all of its slots are taken',
    address: '2001:0db8:0000:0000:0000:0000:0000:0001',
    incarnation: longId(n),
    capabilities: ['llm', 'vision'],
    labels: { zone: 'home' },
    resources: { gpu: 1 },
    taken: { gpu: 1 },
    maxTasks: 10_000,
    tasks: running,
    load: { cpu: 0.5, memory: 0.5, tasks: running, lagMs: 12.5 },
    silentMs: 10,
    running: attempts(n, running),
    overdue: [],
  };
}

const answerNodes = (nodes: readonly NodeView[]) => (query: Ask<'nodes'>) =>
  pageOf(nodes, ({ nodeId }) => nodeId, { of: 'nodes', ...query });

async function everyPage<Item>(
  pageAt: (cursor: string | undefined) => Promise<{ items: Item[]; cursor?: string | undefined }>,
) {
  const items: Item[] = [];
  let pages = 0;
  let cursor: string | undefined;
  do {
    const page = await pageAt(cursor);
    items.push(...page.items);
    pages += 1;
    cursor = page.cursor;
  } while (cursor !== undefined);
  return { items, pages };
}

describe('a list of nodes', () => {
  it('has its pages as small as it takes, with all that there is about each node', async () => {
    const nodes = Array.from({ length: 1_000 }, (_, n) => nodeOf(n, 20));
    const { items, pages } = await everyPage((cursor) =>
      read({ what: 'nodes', limit: 1_000, ...(cursor === undefined ? {} : { cursor }) }, answerNodes(nodes)),
    );
    expect(items).toEqual(nodes);
    expect(pages).toBeGreaterThan(1);
  });

  it('that is asked for without a page is given whole, without attempts if it takes that', async () => {
    const few = Array.from({ length: 100 }, (_, n) => nodeOf(n, 10));
    expect(await read({ what: 'nodes' }, answerNodes(few))).toEqual({ items: few });
    const many = Array.from({ length: 1_000 }, (_, n) => nodeOf(n, 100));
    const brief = many.map((node) => ({ ...node, running: [] }));
    expect(await read({ what: 'nodes' }, answerNodes(many))).toEqual({ items: brief });
  });

  it('that is asked for without a page, and is too long for that, goes on where its cursor says', async () => {
    const nodes = Array.from({ length: defaultLimits.nodesMax }, (_, n) => nodeOf(n));
    const { items, pages } = await everyPage((cursor) =>
      read(cursor === undefined ? { what: 'nodes' } : { what: 'nodes', cursor }, answerNodes(nodes)),
    );
    expect(items).toEqual(nodes);
    expect(pages).toBeGreaterThan(1);
  });

  it('has a node without its attempts if there is no room even for that one', async () => {
    const full = [nodeOf(1, 10_000), nodeOf(2, 10_000)].map((node) => ({ ...node, overdue: attempts(3, 10_000) }));
    const { items } = await everyPage((cursor) =>
      read({ what: 'nodes', limit: 10, ...(cursor === undefined ? {} : { cursor }) }, answerNodes(full)),
    );
    expect(items).toEqual(full.map((node) => ({ ...node, running: [], overdue: [] })));
    const node = full[0];
    const { node: shown } = await read({ what: 'node', nodeId: longId(1) }, () => ({ node }));
    expect(shown).toEqual({ ...node, running: [], overdue: [] });
  });
});

describe('the other answers', () => {
  it('tell why a task waits with some of the nodes, and with the rest by a cursor', async () => {
    const nodes = Array.from({ length: 3 * defaultLimits.nodesMax }, (_, n) => ({
      nodeId: longId(n),
      fits: false,
      reason: `does not have the capability ${longId(n)}`,
    }));
    const why = { taskId: 't', status: 'pending', summary: 'It waits.', needs: [] };
    const { items, pages } = await everyPage(async (cursor) => {
      const asked = { what: 'why', taskId: 't', ...(cursor === undefined ? {} : { cursor }) } as const;
      const answer = await read(asked, (query) => {
        return { ...why, nodes: pageOf(nodes, ({ nodeId }) => nodeId, { of: 'nodes', cursor: query.cursor }).items };
      });
      expect(answer).toMatchObject(why);
      const { nodes: part, cursor: next } = answer;
      return next === undefined ? { items: part } : { items: part, cursor: next };
    });
    expect(items).toEqual(nodes);
    expect(pages).toBeGreaterThan(1);
  });

  it('have pages of schedules as small as it takes', async () => {
    const limits = { ...defaultLimits, payloadBytesMax: 65_536, frameBytesMax: 131_072 };
    const schedules: ScheduleView[] = Array.from({ length: 1_000 }, (_, n) => ({
      scheduleId: longId(n),
      type: 'x'.repeat(128),
      priority: 5,
      cron: '*'.repeat(128),
      timezone: 'Z'.repeat(64),
      createdAt: 1_767_225_600_000,
      lastRunAt: 1_767_225_600_000,
      nextRunAt: 1_767_225_600_000,
    }));
    const answer = (query: Ask<'schedules'>) => ({
      ...pageOf(schedules, ({ scheduleId }) => scheduleId, { of: 'schedules', ...query }),
      total: schedules.length,
    });
    const { items } = await everyPage(async (cursor) => {
      const page = await read({ what: 'schedules', ...(cursor === undefined ? {} : { cursor }) }, answer, limits);
      expect(page.total).toBe(1_000);
      return page as { items: ScheduleView[]; cursor?: string };
    });
    expect(items).toEqual(schedules);
    expect((await read({ what: 'schedules' }, answer)).items).toHaveLength(1_000);
  });

  it('count the findings of a checkup that there is no room for', async () => {
    const limits = { ...defaultLimits, payloadBytesMax: 32_768, frameBytesMax: 65_536 };
    const finding = {
      check: 'tasks.owner',
      severity: 'bad',
      about: longId(1),
      says: '…'.repeat(500),
      mend: '…'.repeat(500),
    };
    const findings = Array.from({ length: defaultLimits.doctorFindingsMax }, () => finding);
    const rest = { at: 0, version: '0.1.0', looked: 100, total: 100 };
    const answer = () => ({ ...rest, findings, left: 7 });
    expect(await read({ what: 'doctor' }, answer)).toEqual(answer());
    const shown = await read({ what: 'doctor' }, answer, limits);
    expect(shown.findings.length).toBeGreaterThan(0);
    expect(shown.findings.length + shown.left).toBe(findings.length + 7);
  });

  it('count all there is to count, and name of the paused types as many as there is room for', async () => {
    const types = Array.from({ length: defaultLimits.ordersMax / 2 }, (_, n) =>
      `type/${longId(n)}${longId(n)}`.slice(0, 128),
    );
    const counts = {
      ...{ gatewayId: 'home', status: 'serving', scheduler: 'idle', upMs: 1, tasks: { pending: 7 }, nodes: {} },
      ...{ counters: {}, starved: Object.fromEntries(types.slice(0, 100).map((type) => [type, 1])) },
    };
    const shown = await read({ what: 'stats' }, () => ({ ...counts, paused: types, draining: types }));
    expect(shown).toMatchObject(counts);
    expect(shown.paused.length).toBeGreaterThan(1_000);
    expect(types.slice(0, shown.paused.length)).toEqual(shown.paused);
  });

  it('give a task with the end of its history, beside the largest result', async () => {
    const history = Array.from({ length: defaultLimits.historyMax }, (_, n) => ({
      n: n + 1,
      at: 1_767_225_600_000,
      event: 'attempt.released',
      attempt: n,
      node: longId(n),
      gateway: 'g'.repeat(128),
      detail: 'x'.repeat(400),
    }));
    const task = {
      taskId: longId(1),
      type: 'x'.repeat(128),
      priority: 5,
      status: 'completed',
      needs: Array.from({ length: defaultLimits.capabilitiesMax }, (_, n) => longId(n)),
      ...{ attempts: 512, failures: 100, crashes: 100, timeout: 1, createdAt: 1_767_225_600_000 },
    };
    const result = new Uint8Array(defaultLimits.payloadBytesMax);
    const shown = await read({ what: 'task', taskId: longId(1) }, () => ({ task, timeouts: 1, result, history }));
    expect(shown.history).toEqual(history.slice(-50));
  });
});
