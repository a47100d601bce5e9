/** The node chart as a model of the real thing: every path through it is walked by a raw node at a real gateway. */
import { describe, expect, it } from 'vitest';
import { type NodeContext, type NodeEvent, nodeMachine } from '../../src/machines/node.ts';
import { coverageOf, type PathActs, pathsOf, runPath } from '../../src/testing/paths.ts';
import { eventually, ModelGateway } from '../support/model-gateway.ts';
import type { RawPeer } from '../support/raw-peer.ts';

const FIRST_FRAME = 'Only what the node says changes its slots or its lag, and its first frame ends its silence.';

/** Transitions that nobody outside can bring about, and why. */
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  'unhealthy · slots.filled → itself': FIRST_FRAME,
  'unhealthy · slots.freed → itself': FIRST_FRAME,
  'unhealthy · heartbeat.received → itself': FIRST_FRAME,
  'unhealthy · breaker.opened → itself':
    'By an assignment that never arrived; here the node always has what it was given.',
  'offline · breaker.opened → itself': 'By another process under its id; here it is always the same.',
};

/** Where the node has an attempt in hand whose end can be a fault. */
const AT_FAULT: ReadonlySet<string> = new Set(['online', 'busy', 'draining', 'probing']);

const paths = pathsOf(nodeMachine, {
  input: { nodeId: 'n' },
  events: ({ value, context }): NodeEvent[] => [
    // A gateway tells of slots only what has changed.
    ...(value === 'unhealthy' ? [] : [{ type: context.isFull ? 'slots.freed' : 'slots.filled' } as const]),
    ...(value === 'unhealthy'
      ? []
      : [true, false].map((isLagging) => ({ type: 'heartbeat.received', isLagging }) as const)),
    { type: 'silence.suspected' },
    { type: 'silence.broken' },
    { type: 'silence.passed' },
    { type: 'session.detached' },
    { type: 'session.attached' },
    { type: 'session.closed' },
    { type: 'node.drain' },
    { type: 'node.resume' },
    { type: 'absence.passed' },
    ...(value === 'unhealthy' ? [] : [{ type: 'rest.passed' } as const]),
    ...(AT_FAULT.has(String(value)) && (value !== 'probing' || hasRoom(context))
      ? [{ type: 'breaker.opened' } as const]
      : []),
    ...(value === 'probing' && hasRoom(context) ? [{ type: 'breaker.closed' } as const] : []),
  ],
});

/** While it is full or lags, nothing is tried on it. */
function hasRoom({ isFull, isLagging }: NodeContext): boolean {
  return !isFull && !isLagging;
}

/** Longer than a silence that is only suspected, so that none of the waits below is part of another. */
const LIMITS = {
  ...{ breakerFaultsMax: 1, breakerRestMs: 20_000, offlineAfterMs: 100_000, removeAfterMs: 300_000 },
  ...{ resumeWindowMs: 90_000, assignMs: 1e9, crashesMax: 1e6 },
};

/**
 * One node with one attempt in hand, wherever it may have one: to be rejected or finished. When it is over, the task
 * comes back or another one does.
 */
class NodeSystem implements AsyncDisposable {
  readonly #model: ModelGateway;
  #link: RawPeer;
  #session: string;
  #maxTasks = 2;
  #lagMs = 0;

  private constructor(model: ModelGateway, link: RawPeer, session: string) {
    this.#model = model;
    this.#link = link;
    this.#session = session;
  }

  static async start(): Promise<NodeSystem> {
    const model = await ModelGateway.start(LIMITS);
    const link = await model.dial();
    const { payload } = await link.register('n', { maxTasks: 2 });
    const system = new NodeSystem(model, link, String(payload['session']));
    await system.#giveWork();
    return system;
  }

  readonly acts: PathActs<typeof nodeMachine> = {
    events: {
      'slots.filled': async () => this.#beat({ maxTasks: (await this.#held()).length }),
      'slots.freed': () => this.#beat({ maxTasks: 2 }),
      'heartbeat.received': ({ isLagging }) => this.#beat({ lagMs: isLagging ? 5_000 : 0 }),
      'silence.suspected': async () => {
        await this.#spoken();
        this.#model.pass(this.#model.limits.suspectAfterMs);
      },
      'silence.broken': () => this.#link.ack(),
      'silence.passed': async () => {
        this.#model.pass(this.#model.limits.offlineAfterMs);
        expect(await this.#link.closed()).toMatchObject({ code: 1006 });
      },
      'session.detached': async () => {
        await this.#spoken();
        this.#link.cut();
      },
      'session.attached': async () => {
        const isResumed = (await this.#status()) === 'unhealthy';
        const { lastId } = this.#link;
        this.#link = await this.#model.dial();
        if (isResumed) this.#link.lastId = lastId;
        this.#maxTasks = isResumed ? this.#maxTasks : 2;
        const resume = { session: this.#session, received: 0 };
        const running = await this.#held();
        const { payload } = await this.#link.register('n', { resume, running, maxTasks: this.#maxTasks });
        expect(payload).toMatchObject({ resumed: isResumed });
        this.#session = String(payload['session']);
        if ((await this.#status()) === 'online') await this.#hasWork();
      },
      'session.closed': async () => {
        await this.#spoken();
        await this.#model.client.order({ what: 'node.evict', nodeId: 'n' });
      },
      'node.drain': async () => {
        await this.#spoken();
        await this.#model.client.order({ what: 'node.drain', nodeId: 'n' });
      },
      'node.resume': async () => {
        await this.#spoken();
        await this.#model.client.order({ what: 'node.resume', nodeId: 'n' });
      },
      'absence.passed': () => {
        const { removeAfterMs, offlineAfterMs } = this.#model.limits;
        this.#model.pass(removeAfterMs - offlineAfterMs);
      },
      'breaker.opened': async () => {
        const ref = await this.#hasWork();
        const isFull = this.#maxTasks < 2;
        // In one frame, so that a full node stays full.
        this.#link.sayAll(
          ...(isFull ? [this.#heartbeat({ maxTasks: 0 })] : []),
          this.#link.message('task_reject', { ...ref, code: 'NODE_FULL', message: 'no' }),
        );
      },
      'breaker.closed': async () => {
        const ref = await this.#hasWork();
        this.#link.say('task_result', { ...ref, status: 'success', duration: 1 });
        await this.#giveWork();
      },
      'rest.passed': async () => {
        await this.#spoken();
        const { breakerRestMs } = this.#model.limits;
        this.#model.pass(breakerRestMs / 2);
        // Longer without a word, and it would be the silence that counts.
        this.#link.ack();
        await eventually(async () => ((await this.#model.client.node('n')).silentMs ?? 0) < breakerRestMs / 4).toBe(
          true,
        );
        this.#model.pass(breakerRestMs / 2);
      },
    },
    states: {
      online: async () => {
        await this.#becomes('online');
        // One or two: what was rejected is away for a moment.
        const reason = expect.stringMatching(/^has [12] of 2 slots free$/);
        expect(await this.#verdict()).toEqual({ nodeId: 'n', fits: true, reason });
      },
      busy: () => this.#isWithheld('busy'),
      unhealthy: () => this.#isWithheld('unhealthy'),
      tripped: async () => {
        await this.#isWithheld('unhealthy');
        expect(await this.#model.client.node('n')).toMatchObject({
          breaker: 'open',
          reason: expect.stringMatching(/^breaker open: 1 faults in a row|^breaker open: the attempt on trial/),
        });
      },
      probing: async () => {
        await this.#becomes('unhealthy');
        await eventually(async () => (await this.#model.client.node('n')).breaker).toBe('half-open');
      },
      draining: () => this.#isWithheld('draining'),
      offline: () => this.#isWithheld('offline'),
      removed: () => eventually(() => this.#model.client.nodes()).toEqual([]),
    },
  };

  [Symbol.asyncDispose](): Promise<void> {
    return this.#model[Symbol.asyncDispose]();
  }

  /** What the node has in hand, by the gateway’s count. */
  async #held(): Promise<{ taskId: string; attempt: number }[]> {
    return (await this.#model.client.node('n')).running;
  }

  async #hasWork(): Promise<{ taskId: string; attempt: number }> {
    await eventually(() => this.#held()).toHaveLength(1);
    const [ref] = await this.#held();
    return ref as { taskId: string; attempt: number };
  }

  async #giveWork(): Promise<void> {
    await this.#model.client.submit('work').accepted();
    await this.#hasWork();
  }

  #beat(change: { maxTasks?: number; lagMs?: number }): void {
    this.#link.sayAll(this.#heartbeat(change));
  }

  #heartbeat(change: { maxTasks?: number; lagMs?: number }): object {
    this.#maxTasks = change.maxTasks ?? this.#maxTasks;
    this.#lagMs = change.lagMs ?? this.#lagMs;
    const load = { cpu: 0, memory: 0, tasks: 0, lagMs: this.#lagMs };
    const [nodeId, status] = ['n', 'healthy'];
    return this.#link.message('heartbeat', { nodeId, status, load, capabilities: [], maxTasks: this.#maxTasks });
  }

  /** What the node said last has been taken. */
  async #spoken(): Promise<void> {
    if (this.#link.end !== null) return;
    await eventually(async () => (await this.#model.client.node('n')).maxTasks).toBe(this.#maxTasks);
  }

  async #status(): Promise<string> {
    return (await this.#model.client.node('n')).status;
  }

  #becomes(status: string): Promise<void> {
    return eventually(() => this.#status()).toBe(status);
  }

  async #isWithheld(status: string): Promise<void> {
    await this.#becomes(status);
    expect(await this.#verdict()).toMatchObject({ fits: false });
  }

  /** What the gateway says of the node to a task that any node could do; withdrawn before it is placed. */
  async #verdict(): Promise<unknown> {
    const { client } = this.#model;
    await client.order({ what: 'type.pause', type: 'probe' });
    const probe = client.submit('probe');
    await probe.accepted();
    const [verdict] = (await client.why(probe.taskId)).nodes;
    this.#model.held.open();
    await probe.cancel();
    return verdict;
  }
}

describe('a node at a real gateway', () => {
  it.each(paths.map((path) => [path.description, path] as const))('%s', async (_description, path) => {
    await using system = await NodeSystem.start();
    await runPath(path, system.acts);
  });

  it('goes through every state and transition of its chart but those out of reach', () => {
    const { states, transitions, events } = coverageOf(nodeMachine, paths);
    expect(transitions.missing).toEqual(Object.keys(OUT_OF_REACH));
    expect([states.missing, events.missing]).toEqual([[], []]);
  });
});
