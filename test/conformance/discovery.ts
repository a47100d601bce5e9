/**
 * The contract of src/transport/discovery/source.ts as a suite, through the chart that runs every source: what a gateway
 * or node gets to see of it. `open` gives a source and the world it looks at.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { createDiscovery, type Discovery, type DiscoveryNews } from '../../src/actors/discovery/discovery.ts';
import { createWorld } from '../../src/actors/world/world.ts';
import type { Limits } from '../../src/protocol/limits.ts';
import type { Candidate, DiscoverySource, Self } from '../../src/transport/discovery/source.ts';
import { createHandClock, type HandClock } from '../support/hand-clock.ts';

/** What a test wants to be found. */
export interface Announced {
  readonly nodeId: string;
  readonly address: string;
  readonly capabilities?: readonly string[];
}

export interface DiscoveryFixture {
  readonly source: DiscoverySource;
  /** Makes it so that exactly these can be found. */
  offer(announced: readonly Announced[]): Promise<void>;
  /** Puts something there that is no candidate, beside what is offered. The source goes on or is degraded; never worse. */
  spoil(): Promise<void>;
  /** Makes the source fail; if it must be told at its start, this is called before. */
  break(): Promise<void>;
  mend(): Promise<void>;
  close(): Promise<void>;
  /** How much time passes between two looks. Default 500: fifty times as fast as it is. */
  readonly stepMs?: number;
}

export function discoveryConformance(
  name: string,
  open: (clock: HandClock) => Promise<DiscoveryFixture>,
  limits: Partial<Limits> = {},
): void {
  describe(`${name} keeps the discovery contract`, () => {
    const endings: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const end of endings.splice(0).reverse()) await end();
    });

    async function begin(more: Partial<Limits> = {}, self: Self | null = null) {
      const clock = createHandClock();
      const fixture = await open(clock);
      endings.push(() => fixture.close());
      const world = createWorld({ limits: { ...limits, ...more } }, { clock, random: () => 0.5, ids: () => 'an-id' });
      const news: DiscoveryNews[] = [];
      const discovery = createDiscovery(world, {
        source: fixture.source,
        self: () => self,
        onNews: (one) => news.push(one),
      });
      endings.push(() => discovery.stop());
      /** Lets time pass until it holds. */
      const until = (holds: () => void): Promise<void> =>
        expect
          .poll(
            () => {
              clock.pass(fixture.stepMs ?? 500);
              try {
                holds();
                return 'it holds';
              } catch (error) {
                return String(error);
              }
            },
            { timeout: 10_000, interval: 20 },
          )
          .toBe('it holds');
      return { fixture, discovery, news, until, clock, deadlines: world.deadlines };
    }

    const idsOf = ({ candidates }: Discovery): string[] => candidates.map(({ nodeId }) => nodeId).sort();
    const states = (news: readonly DiscoveryNews[]): string[] =>
      news.flatMap((one) => (one.type === 'state' ? [one.state] : []));
    const changesOf = (news: readonly DiscoveryNews[], nodeId: string): string[] =>
      news.flatMap((one) => (one.type !== 'state' && one.candidate.nodeId === nodeId ? [one.type] : []));
    const one: Announced = { nodeId: 'agent-01', address: '127.0.0.1:18790', capabilities: ['llm', 'tools'] };
    const two: Announced = { nodeId: 'agent-02', address: '127.0.0.1:18791', capabilities: [] };

    it('says nothing before it is started', async () => {
      const { fixture, discovery, news, clock } = await begin();
      await fixture.offer([one]);
      clock.pass(60_000);
      await new Promise((resolve) => setImmediate(resolve));
      expect(discovery.state).toBe('off');
      expect(news).toEqual([]);
      expect(discovery.candidates).toEqual([]);
    });

    it('may be stopped without having been started, and is not started after that', async () => {
      const { fixture, discovery, news, clock } = await begin();
      await fixture.offer([one]);
      await discovery.stop();
      discovery.start();
      clock.pass(60_000);
      expect(discovery.state).toBe('stopped');
      expect(news).toEqual([]);
    });

    it('names a candidate once, whoever starts it how often', async () => {
      const { fixture, discovery, news, until } = await begin();
      await fixture.offer([one]);
      discovery.start();
      discovery.start();
      await until(() => expect(idsOf(discovery)).toEqual(['agent-01']));
      const candidate: Partial<Candidate> = {
        nodeId: 'agent-01',
        type: 'agent',
        address: '127.0.0.1:18790',
        capabilities: ['llm', 'tools'],
        via: fixture.source.kind,
      };
      expect(discovery.candidates[0]).toMatchObject(candidate);
      await until(() => expect(discovery.state).toBe('watching'));
      expect(changesOf(news, 'agent-01')).toEqual(['up']);
      expect(states(news)).toEqual(['searching', 'watching']);
    });

    it('tells when a candidate changes, and when it goes', async () => {
      const { fixture, discovery, news, until } = await begin();
      await fixture.offer([one, two]);
      discovery.start();
      await until(() => expect(idsOf(discovery)).toEqual(['agent-01', 'agent-02']));
      await fixture.offer([{ ...one, capabilities: ['llm'] }, two]);
      await until(() => expect(changesOf(news, 'agent-01')).toEqual(['up', 'update']));
      expect(discovery.candidates.find(({ nodeId }) => nodeId === 'agent-01')?.capabilities).toEqual(['llm']);
      await fixture.offer([two]);
      await until(() => expect(idsOf(discovery)).toEqual(['agent-02']));
      expect(changesOf(news, 'agent-01')).toEqual(['up', 'update', 'down']);
      expect(changesOf(news, 'agent-02')).toEqual(['up']);
    });

    it('never names the one it belongs to', async () => {
      const self: Self = { nodeId: 'agent-01', type: 'agent', capabilities: [] };
      const { fixture, discovery, news, until } = await begin({}, self);
      await fixture.offer([one, two]);
      discovery.start();
      await until(() => expect(idsOf(discovery)).toEqual(['agent-02']));
      expect(changesOf(news, 'agent-01')).toEqual([]);
    });

    it('keeps a bounded number of candidates, and says how many it left out', async () => {
      const { fixture, discovery, until } = await begin({ discoveryCandidatesMax: 3 });
      const crowd = Array.from({ length: 8 }, (_, n) => ({ nodeId: `agent-1${n}`, address: `127.0.0.1:${2_000 + n}` }));
      await fixture.offer(crowd);
      discovery.start();
      await until(() => expect(discovery.candidates).toHaveLength(3));
      await until(() => expect(discovery.dropped).toBeGreaterThan(0));
      expect(discovery.candidates).toHaveLength(3);
    });

    it('keeps what it knows when it is fed nonsense', async () => {
      const { fixture, discovery, until } = await begin();
      await fixture.offer([one]);
      discovery.start();
      await until(() => expect(idsOf(discovery)).toEqual(['agent-01']));
      await fixture.spoil();
      await until(() => expect(discovery.dropped > 0 || discovery.state === 'degraded').toBe(true));
      expect(idsOf(discovery)).toEqual(['agent-01']);
      await fixture.offer([one, two]);
      await until(() => expect(idsOf(discovery)).toEqual(['agent-01', 'agent-02']));
      await until(() => expect(discovery.state).toBe('watching'));
    });

    it('is degraded with a reason when it cannot see (#26), keeps what it knows, and recovers', async () => {
      const { fixture, discovery, news, until } = await begin();
      await fixture.offer([one]);
      discovery.start();
      await until(() => expect(idsOf(discovery)).toEqual(['agent-01']));
      await fixture.break();
      await until(() => expect(states(news)).toContain('degraded'));
      const told = news.find((item) => item.type === 'state' && item.state === 'degraded');
      expect(told).toMatchObject({ reason: { message: expect.stringMatching(/\S{3}/) } });
      expect(idsOf(discovery)).toEqual(['agent-01']);
      await fixture.mend();
      await fixture.offer([one, two]);
      await until(() => expect(idsOf(discovery)).toEqual(['agent-01', 'agent-02']));
      await until(() => expect(discovery.state).toBe('watching'));
      expect(discovery.reason).toBeNull();
      expect(changesOf(news, 'agent-01')).toEqual(['up']);
    });

    it('is silent once it is stopped, also while it starts', async () => {
      const { fixture, discovery, news, until, clock } = await begin();
      await fixture.offer([one]);
      discovery.start();
      await until(() => expect(discovery.state).toBe('watching'));
      const ending = discovery.stop();
      const told = news.length;
      await fixture.offer([two]);
      clock.pass(60_000);
      await ending;
      clock.pass(60_000);
      await new Promise((resolve) => setImmediate(resolve));
      expect(discovery.state).toBe('stopped');
      expect(news.slice(told)).toEqual([]);

      const early = await begin();
      early.discovery.start();
      const toldEarly = early.news.length;
      await early.discovery.stop();
      early.clock.pass(60_000);
      expect(early.news.slice(toldEarly)).toEqual([]);
    });

    it('leaves no timer behind when it is stopped', async () => {
      const { fixture, discovery, until, clock, deadlines } = await begin();
      await fixture.offer([one]);
      discovery.start();
      await until(() => expect(discovery.state).toBe('watching'));
      await discovery.stop();
      expect(deadlines.size).toBe(0);
      deadlines.stop();
      expect(clock.scheduled).toBe(0);
    });
  });
}
