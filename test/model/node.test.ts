/** The node chart as a model of the real thing: every path through it is walked by a raw node at a real gateway. */
import { describe, expect, it } from 'vitest';
import { type NodeEvent, nodeMachine } from '../../src/machines/node.ts';
import { coverageOf, type PathActs, pathsOf, runPath } from '../../src/testing/paths.ts';
import { eventually, ModelGateway } from '../support/model-gateway.ts';
import type { RawPeer } from '../support/raw-peer.ts';

const FIRST_FRAME = 'Only what the node says changes its slots or its lag, and its first frame ends its silence.';

/** Transitions that nobody outside can bring about, and why. */
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  'unhealthy · slots.filled → itself': FIRST_FRAME,
  'unhealthy · slots.freed → itself': FIRST_FRAME,
  'unhealthy · heartbeat.received → itself': FIRST_FRAME,
};

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
  ],
});

class NodeSystem implements AsyncDisposable {
  readonly #model: ModelGateway;
  #link: RawPeer;
  #session: string;
  #maxTasks = 1;
  #lagMs = 0;

  private constructor(model: ModelGateway, link: RawPeer, session: string) {
    this.#model = model;
    this.#link = link;
    this.#session = session;
  }

  static async start(): Promise<NodeSystem> {
    const model = await ModelGateway.start({ resumeWindowMs: 10_000 });
    const link = await model.dial();
    const { payload } = await link.register('n');
    return new NodeSystem(model, link, String(payload['session']));
  }

  readonly acts: PathActs<typeof nodeMachine> = {
    events: {
      'slots.filled': () => this.#beat({ maxTasks: 0 }),
      'slots.freed': () => this.#beat({ maxTasks: 1 }),
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
        this.#link = await this.#model.dial();
        this.#maxTasks = isResumed ? this.#maxTasks : 1;
        const resume = { session: this.#session, received: 0 };
        const { payload } = await this.#link.register('n', { resume });
        expect(payload).toMatchObject({ resumed: isResumed });
        this.#session = String(payload['session']);
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
    },
    states: {
      online: async () => {
        await this.#becomes('online');
        expect(await this.#verdict()).toEqual({ nodeId: 'n', fits: true, reason: 'has 1 of 1 slots free' });
      },
      busy: () => this.#isWithheld('busy'),
      unhealthy: () => this.#isWithheld('unhealthy'),
      draining: () => this.#isWithheld('draining'),
      offline: () => this.#isWithheld('offline'),
      removed: () => eventually(() => this.#model.client.nodes()).toEqual([]),
    },
  };

  [Symbol.asyncDispose](): Promise<void> {
    return this.#model[Symbol.asyncDispose]();
  }

  #beat(change: { maxTasks?: number; lagMs?: number }): void {
    this.#maxTasks = change.maxTasks ?? this.#maxTasks;
    this.#lagMs = change.lagMs ?? this.#lagMs;
    const load = { cpu: 0, memory: 0, tasks: 0, lagMs: this.#lagMs };
    const [nodeId, status] = ['n', 'healthy'];
    this.#link.say('heartbeat', { nodeId, status, load, capabilities: [], maxTasks: this.#maxTasks });
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
