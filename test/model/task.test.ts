/**
 * The task chart as a model of the real thing: every path through it is walked with a real client, raw nodes and, where
 * another gateway has a hand in it, a second gateway on the same store.
 */
import { describe, expect, it } from 'vitest';
import type { TaskHandle } from '../../src/actors/client/handle.ts';
import { classOf } from '../../src/machines/policies/requirement-class.ts';
import { type TaskInput, taskMachine } from '../../src/machines/task.ts';
import { contradictions, replayHistory } from '../../src/machines/task-replay.ts';
import { assertCovered, type Path, type PathActs, runPath } from '../../src/testing/paths.ts';
import { eventually, ModelGateway } from '../support/model-gateway.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { aTask, reach } from '../support/reach.ts';

const TASK_ID = 't1';
const TIMEOUT_MS = 60_000;
const DELAY_MS = 20_000;
/** Longer than all that passes on any path before it is to have passed. */
const DEADLINE_MS = 10_000_000;
const SEVEN = new Uint8Array([7]);
const NINE = new Uint8Array([9]);
const LIMITS = {
  crashesMax: aTask().crashesMax,
  retryBaseMs: DELAY_MS,
  undeliveredRetryMs: DELAY_MS,
  ...{ suspectAfterMs: 1e9, offlineAfterMs: 1e9, removeAfterMs: 1e9 },
};

const paths = reach('task') as unknown as Path<typeof taskMachine>[];

class TaskSystem implements AsyncDisposable {
  readonly #model: ModelGateway;
  readonly #input: TaskInput;
  #handle: TaskHandle | null = null;
  /** The node that has the attempt, or had the last one. */
  #node: { readonly link: RawPeer; readonly nodeId: string } | null = null;
  #nodes = 0;
  #attempt = 0;
  /** The node at the other gateway, once that has the task. */
  #rival: RawPeer | null = null;
  #isCancelled = false;

  private constructor(model: ModelGateway, input: TaskInput) {
    this.#model = model;
    this.#input = input;
  }

  static async start(input: TaskInput): Promise<TaskSystem> {
    const system = new TaskSystem(await ModelGateway.start(LIMITS), input);
    await system.#submit();
    return system;
  }

  readonly acts: PathActs<typeof taskMachine> = {
    events: {
      'task.due': () => this.#model.pass(2 * DELAY_MS),
      'task.placed': async () => {
        if (this.#node === null) this.#node = await this.#join(this.#model.url);
        else this.#grant(1);
        await this.#isAssigned(this.#node.link);
        // Once is enough: what comes back is to wait until the path says otherwise.
        this.#grant(0);
      },
      'task.adopted': async () => {
        const other = await this.#model.other();
        const { link, nodeId } = await this.#join(other.gateway.url);
        await this.#isAssigned(link);
        link.say('task_started', this.#ref);
        await this.#becomes('running');
        other.kill();
        link.cut();
        this.#node = await this.#join(this.#model.url, { nodeId, running: [this.#ref], maxTasks: 0 });
      },
      'task.cancel': () => {
        this.#isCancelled = true;
        // Its answer may be held back with the outcome.
        this.#model.client.cancel(TASK_ID).catch(() => {});
      },
      'task.superseded': () => this.#supersede(),
      'task.lapsed': () => this.#model.pass(DEADLINE_MS),
      'attempt.started': () => this.#say('task_started'),
      'attempt.succeeded': () => this.#say('task_result', { status: 'success', result: SEVEN, duration: 5 }),
      'attempt.failed': ({ failure }) => this.#say('task_result', { status: 'failed', error: failure, duration: 5 }),
      'attempt.stopped': () => this.#say('task_result', { status: 'cancelled', duration: 5 }),
      'attempt.rejected': ({ failure: { code, message } }) => this.#say('task_reject', { code, message }),
      'node.lost': () => this.#lose(),
      'deadline.passed': async () => {
        const { assignMs, timeoutSlackMs } = this.#model.limits;
        this.#model.pass((await this.#status()) === 'assigned' ? assignMs : TIMEOUT_MS + timeoutSlackMs);
      },
      'grace.passed': () => this.#model.pass(this.#model.limits.cancelGraceMs + this.#model.limits.timeoutSlackMs),
      'outcome.stored': () => this.#model.held.letGo(),
    },
    states: {
      delayed: () => this.#becomes('delayed'),
      pending: () => this.#becomes('pending'),
      assigned: () => this.#isHeldAs('assigned'),
      running: () => this.#isHeldAs('running'),
      cancelling: async ({ context }) => {
        await this.#isBeingStopped();
        // It was told when it came here; a second wish changes the reason, and is not said again.
        const told = () => this.#node?.link.heard.filter(({ type }) => type === 'task_cancel') ?? [];
        await eventually(() => told().length).toBe(1);
        expect(told()[0]?.payload).toMatchObject({ ...this.#ref, reason: context.stopReason });
      },
      settling: async () => {
        await eventually(() => this.#model.held.size).toBe(1);
        expect(['completed', 'failed', 'cancelled']).not.toContain(await this.#status());
      },
      completed: () => this.#endsAs({ status: 'completed', result: 7 }),
      failed: async ({ context }) => {
        await this.#endsAs({ status: 'failed', error: { code: context.failure?.code } });
      },
      cancelled: () => this.#endsAs({ status: 'cancelled', error: { code: 'TASK_CANCELLED' } }),
      superseded: () => this.#isOurs(false),
    },
  };

  [Symbol.asyncDispose](): Promise<void> {
    return this.#model[Symbol.asyncDispose]();
  }

  get #ref(): { taskId: string; attempt: number } {
    return { taskId: TASK_ID, attempt: this.#attempt };
  }

  async #submit(): Promise<void> {
    const { attemptsMax: attempts, isDelayed } = this.#input;
    if (!isDelayed) {
      const times = { timeoutMs: TIMEOUT_MS, deadlineMs: DEADLINE_MS };
      this.#handle = this.#model.client.submit('job', null, { taskId: TASK_ID, attempts, ...times });
      await this.#handle.accepted();
      return;
    }
    const queue = classOf({ type: 'job', needs: [] });
    const task = { taskId: TASK_ID, type: 'job', queue, needs: [], priority: 5, timeoutMs: TIMEOUT_MS, createdAt: 0 };
    const payload = new Uint8Array([0xc0]);
    await this.#model.store.submit([
      { ...task, attemptsMax: attempts, payload, delayMs: DELAY_MS, deadlineMs: DEADLINE_MS },
    ]);
    this.#handle = this.#model.client.follow(TASK_ID);
  }

  async #join(url: string, claim: { nodeId?: string; running?: object[]; maxTasks?: number } = {}) {
    this.#nodes += 1;
    const { nodeId = `n${this.#nodes}`, ...rest } = claim;
    const link = await this.#model.dial(url);
    expect((await link.register(nodeId, rest)).payload).toMatchObject({ drop: [] });
    return { link, nodeId };
  }

  async #isAssigned(link: RawPeer): Promise<void> {
    const { payload } = await link.next('task_assign');
    expect(payload).toMatchObject({ taskId: TASK_ID, type: 'job' });
    expect(payload['attempt']).toBeGreaterThan(this.#attempt);
    this.#attempt = Number(payload['attempt']);
    link.ack();
  }

  /** How many slots the node has from now on. */
  #grant(maxTasks: number): void {
    const load = { cpu: 0, memory: 0, tasks: 0 };
    const nodeId = this.#node?.nodeId;
    this.#node?.link.say('heartbeat', { nodeId, status: 'healthy', load, capabilities: [], maxTasks });
  }

  #say(type: string, report: object = {}): void {
    this.#node?.link.say(type, { ...this.#ref, ...report });
  }

  /** The node goes, and does not come back in time. */
  async #lose(): Promise<void> {
    const node = this.#node;
    if (node === null) throw new Error('there is no node to lose');
    this.#node = null;
    node.link.cut();
    await eventually(async () => (await this.#model.client.node(node.nodeId)).status).toBe('unhealthy');
    this.#model.pass(this.#model.limits.resumeWindowMs);
  }

  /** The node is gone from this gateway, which need not see it as unhealthy first: another one has it. */
  async #forsake(link: RawPeer): Promise<void> {
    this.#node = null;
    link.cut();
    // Let go, or on its way into the store, which will refuse it.
    await eventually(async () => {
      this.#model.pass(this.#model.limits.sweepMs);
      return this.#model.held.size > 0 || (await this.#model.counter('liveTasks')) === 0;
    }).toBe(true);
  }

  /** Another gateway gets hold of the task, by way of the node that runs it or by claiming it. */
  async #supersede(): Promise<void> {
    const node = this.#node;
    const { url } = (await this.#model.other()).gateway;
    const holder = (await this.#model.store.get(TASK_ID))?.owner;
    if (holder === null || node === null) {
      // It waits: whoever has room may claim it, once it is due.
      this.#rival = (await this.#join(url)).link;
      this.#model.pass(2 * DELAY_MS);
      await this.#isAssigned(this.#rival);
    } else {
      const { nodeId } = node;
      this.#rival = (await this.#join(url, { nodeId, running: [this.#ref] })).link;
      if (this.#isCancelled) await this.#rival.next('task_cancel');
      // What is being stored will be refused; what is still held is let go with the node.
      if (this.#model.held.size === 0) await this.#forsake(node.link);
    }
    if (this.#model.held.size === 0) return;
    await this.#rivalFinishes();
    await this.#model.held.letGo();
  }

  async #rivalFinishes(): Promise<void> {
    this.#rival?.say('task_result', { ...this.#ref, status: 'success', result: NINE, duration: 1 });
    await this.#becomes('completed');
  }

  /** The gateway has nothing to do with the task any more, and nothing it has done shows. */
  async #isOurs(expected: boolean): Promise<void> {
    await eventually(() => this.#model.counter('liveTasks')).toBe(expected ? 1 : 0);
    if (expected) return;
    const before = await this.#model.store.get(TASK_ID);
    if (before?.finishedAt === null) await this.#rivalFinishes();
    const { task, result } = await this.#model.client.task(TASK_ID);
    expect([task.status, result, task.crashes]).toEqual(['completed', 9, 0]);
  }

  async #isHeldAs(status: string): Promise<void> {
    await this.#becomes(status);
    await this.#isHeld();
  }

  /** That somebody wants it cancelled is its status, everywhere; that its time is up only its gateway knows, and says why. */
  async #isBeingStopped(): Promise<void> {
    const summary = async (): Promise<string> => (await this.#model.client.why(TASK_ID)).summary;
    await eventually(summary).toMatch(/ was told to stop and has not ended\.$/);
    if (this.#isCancelled) await this.#becomes('cancelling');
    await this.#isHeld();
  }

  async #isHeld(): Promise<void> {
    await this.#isOurs(true);
    const { nodeId } = this.#node ?? {};
    const { running } = await this.#model.client.node(nodeId ?? '');
    expect(running).toEqual([this.#ref]);
  }

  /** The outcome that the store has is the one that the client is told. */
  async #endsAs(outcome: { status: string; result?: unknown; error?: object }): Promise<void> {
    expect(await this.#handle?.outcome()).toMatchObject(outcome);
    await this.#becomes(outcome.status);
    await this.#isOursNoMore();
  }

  async #isOursNoMore(): Promise<void> {
    await eventually(() => this.#model.counter('liveTasks')).toBe(0);
  }

  /** Wherever the path has ended, what the store tells of the way there leads the chart to the same place (I6). */
  async historyReplays(): Promise<void> {
    const record = await this.#model.store.get(TASK_ID);
    if (record === null) throw new Error('the task is not known');
    const replay = replayHistory(await this.#model.store.history(TASK_ID), record);
    expect(replay.problems).toEqual([]);
    expect(contradictions(record, replay)).toEqual([]);
  }

  async #status(): Promise<string> {
    return (await this.#model.client.task(TASK_ID)).task.status;
  }

  #becomes(status: string): Promise<void> {
    return eventually(() => this.#status()).toBe(status);
  }
}

describe('a task at a real gateway', () => {
  it.each(paths.map((path) => [path.description, path] as const))('%s', async (_description, path) => {
    await using system = await TaskSystem.start(path.input as TaskInput);
    await runPath(path, system.acts);
    await system.historyReplays();
  });

  it('goes through every state and transition of its chart', async () => {
    await using system = await TaskSystem.start(aTask());
    assertCovered(taskMachine, paths, system.acts);
  });
});
