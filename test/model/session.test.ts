/** The session chart as a model of the real thing: every path through it is walked by raw peers at a real gateway. */
import { describe, expect, it } from 'vitest';
import { type SessionEvent, sessionMachine } from '../../src/machines/session.ts';
import { coverageOf, type PathActs, pathsOf, runPath } from '../../src/testing/paths.ts';
import { eventually, ModelGateway } from '../support/model-gateway.ts';
import type { RawPeer } from '../support/raw-peer.ts';

/** Transitions that nobody outside can bring about, and why. */
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  'handshaking · protocol.violated → closed':
    'A frame that is not well-formed is refused by the transport, and the session hears that its link is closed.',
};

const paths = pathsOf(sessionMachine, {
  events: ({ value }): SessionEvent[] => [
    { type: 'register.accepted' },
    { type: 'register.refused', code: 'PROTOCOL_VERSION' },
    { type: 'register.merged' },
    { type: 'handshake.expired' },
    { type: 'link.closed' },
    { type: 'link.resumed' },
    { type: 'resume.expired' },
    ...(value === 'handshaking' ? [] : [{ type: 'protocol.violated', code: 'MESSAGE_UNEXPECTED' } as const]),
    { type: 'session.superseded' },
    { type: 'session.evict' },
    { type: 'session.stop' },
    { type: 'peer.left' },
  ],
});

class SessionSystem implements AsyncDisposable {
  readonly #model: ModelGateway;
  #link: RawPeer;
  #session = '';
  /** Sessions that are not the one under test: the client’s, and those that the test opened beside it. */
  #others = 1;
  /** How the link must have been closed, once the session is. */
  #end: { code: number; said?: string } | null = null;

  private constructor(model: ModelGateway, link: RawPeer) {
    this.#model = model;
    this.#link = link;
  }

  static async start(): Promise<SessionSystem> {
    const model = await ModelGateway.start();
    return new SessionSystem(model, await model.dial());
  }

  readonly acts: PathActs<typeof sessionMachine> = {
    events: {
      'register.accepted': async () => {
        const { payload } = await this.#link.register('n');
        this.#session = String(payload['session']);
      },
      'register.refused': () => {
        this.#link.say('register', registerOf({ protocol: [8, 9] }));
        this.#end = { code: 4406, said: 'reject' };
      },
      'register.merged': async () => {
        const first = await this.#model.dial();
        const { payload } = await first.register('n');
        first.cut();
        await eventually(() => this.#nodeStatus()).toBe('unhealthy');
        // The link under test belongs to that session from now on, and its own is over.
        this.#others += 1;
        const resume = { session: payload['session'], received: 0 };
        expect((await this.#link.register('n', { resume })).payload).toMatchObject({ resumed: true });
      },
      'handshake.expired': () => {
        this.#model.pass(this.#model.limits.handshakeMs);
        this.#end = { code: 4408, said: 'reject' };
      },
      'link.closed': () => this.#link.cut(),
      'link.resumed': async () => {
        const next = await this.#model.dial();
        const { payload } = await next.register('n', { resume: { session: this.#session, received: 0 } });
        expect(payload).toMatchObject({ resumed: true, session: this.#session });
        await this.#link.closed();
        this.#link = next;
      },
      'resume.expired': () => this.#model.pass(this.#model.limits.resumeWindowMs),
      'protocol.violated': () => {
        this.#link.say('welcome', {});
        this.#end = { code: 4400 };
      },
      'session.superseded': async () => {
        const wasOpen = this.#link.end === null;
        const newer = await this.#model.dial();
        await newer.register('n', { incarnation: 'n-2' });
        this.#others += 1;
        if (wasOpen) this.#end = { code: 4410, said: 'goodbye' };
      },
      'session.evict': async () => {
        const wasOpen = this.#link.end === null;
        await this.#model.client.order({ what: 'node.evict', nodeId: 'n' });
        if (wasOpen) this.#end = { code: 4411, said: 'goodbye' };
      },
      'session.stop': async () => {
        const isWelcome = this.#session !== '';
        if (this.#link.end === null) this.#end = { code: 4412, said: isWelcome ? 'goodbye' : 'reject' };
        await this.#model.gateway.stop();
      },
      'peer.left': async () => {
        if (this.#link.end === null) {
          this.#link.say('unregister', { reason: 'stopped' });
          this.#end = { code: 1000 };
          return;
        }
        // The same process, without its session: the older one is over.
        const again = await this.#model.dial();
        expect((await again.register('n')).payload).toMatchObject({ resumed: false });
        this.#others += 1;
      },
    },
    states: {
      handshaking: async () => {
        await eventually(() => this.#sessions()).toBe(1);
        expect([this.#link.heard, this.#link.end]).toEqual([[], null]);
      },
      attached: async () => {
        await eventually(() => this.#sessions()).toBe(1);
        this.#link.say('query', { what: 'node', nodeId: 'n' });
        const { payload } = await this.#link.next('answer');
        expect(payload['node']).toMatchObject({ status: 'online', incarnation: 'n-1' });
      },
      detached: async () => {
        await eventually(() => this.#nodeStatus()).toBe('unhealthy');
        expect(await this.#sessions()).toBe(1);
      },
      closed: async () => {
        const end = this.#end;
        if (end !== null) {
          expect(await this.#link.closed()).toMatchObject({ code: end.code });
          if (end.said !== undefined) expect(this.#link.heard.at(-1)?.type).toBe(end.said);
        }
        if (this.#model.gateway.status === 'stopped') return;
        await eventually(() => this.#sessions()).toBe(0);
        if (this.#session === '') return;
        const late = await this.#model.dial();
        const resume = { session: this.#session, received: 0 };
        expect((await late.register('n', { incarnation: 'n-1', resume })).payload).toMatchObject({ resumed: false });
      },
    },
  };

  [Symbol.asyncDispose](): Promise<void> {
    return this.#model[Symbol.asyncDispose]();
  }

  async #sessions(): Promise<number> {
    return (await this.#model.counter('sessions')) - this.#others;
  }

  async #nodeStatus(): Promise<string> {
    return (await this.#model.client.node('n')).status;
  }
}

describe('a session at a real gateway', () => {
  it.each(paths.map((path) => [path.description, path] as const))('%s', async (_description, path) => {
    await using system = await SessionSystem.start();
    await runPath(path, system.acts);
  });

  it('goes through every state and transition of its chart but those out of reach', () => {
    const { states, transitions, events } = coverageOf(sessionMachine, paths);
    expect(transitions.missing).toEqual(Object.keys(OUT_OF_REACH));
    expect([states.missing, events.missing]).toEqual([[], []]);
  });
});

function registerOf(claim: object): object {
  const honest = { protocol: [1, 1], nodeId: 'n', nodeType: 'agent', incarnation: 'n-1' };
  return { ...honest, capabilities: [], maxTasks: 1, running: [], ...claim };
}
