import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/actors/world/seeded-random.ts';
import { createSimulatedClock, type SimulatedClock } from '../../src/actors/world/simulated-clock.ts';
import type { Link } from '../../src/transport/link.ts';
import { createMemoryNetwork, type Faults, type MemoryNetwork } from '../../src/transport/memory.ts';

interface World {
  readonly clock: SimulatedClock;
  readonly network: MemoryNetwork;
  readonly near: Link;
  readonly far: Link;
  /** What the ends were told: `far 1`, `near close 1006`. */
  readonly told: string[];
}

const never = new AbortController().signal;

/** A node and a gateway on a network with these faults, their link open. */
async function aWorld(faults: Faults = {}, seed = 1): Promise<World> {
  const clock = createSimulatedClock();
  const network = createMemoryNetwork({ clock, random: seededRandom(seed) });
  const told: string[] = [];
  const attach = (name: string, link: Link): Link => {
    link.attach({
      onFrame: (frame) => told.push(`${name} ${frame[0]}`),
      onClose: (code) => told.push(`${name} close ${code}`),
    });
    return link;
  };
  const accepted: Link[] = [];
  await network.listen('gateway')((link) => accepted.push(attach('far', link)));
  const dialled = network.dial('gateway', { name: 'node' })(never);
  await clock.runSoon();
  const near = attach('near', await dialled);
  await clock.runSoon();
  network.setFaults(faults);
  return { clock, network, near, far: accepted[0] as Link, told };
}

const send = (link: Link, ...numbers: number[]): void => {
  for (const number of numbers) link.send(Uint8Array.of(number));
};
const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

describe('a memory network', () => {
  it('delivers at once, but never within the call that sends', async () => {
    const { clock, near, told } = await aWorld();
    send(near, 1, 2);
    expect(told).toEqual([]);
    await clock.runSoon();
    expect(told).toEqual(['far 1', 'far 2']);
    expect(clock.now()).toBe(0);
  });

  it('copies what it carries', async () => {
    const { clock, near, told } = await aWorld();
    const bytes = Uint8Array.of(1);
    near.send(bytes);
    bytes[0] = 2;
    await clock.runSoon();
    expect(told).toEqual(['far 1']);
  });

  it('keeps the order however long each frame takes', async () => {
    const { clock, near, told } = await aWorld({ delay: { minMs: 5, maxMs: 50 } });
    send(near, ...upTo(100));
    await clock.advance(4.9);
    expect(told).toEqual([]);
    await clock.advance(45.2);
    expect(told).toEqual(upTo(100).map((number) => `far ${number}`));
  });

  it('delivers each frame in its own time', async () => {
    const { clock, near, told } = await aWorld({ delay: { minMs: 10, maxMs: 10 } });
    send(near, 1);
    await clock.advance(5);
    send(near, 2);
    await clock.advance(5);
    expect(told).toEqual(['far 1']);
    await clock.advance(5);
    expect(told).toEqual(['far 1', 'far 2']);
  });

  it('lets a close wait for the frames before it, and the answer take its time', async () => {
    const { clock, near, told } = await aWorld({ delay: { minMs: 10, maxMs: 10 } });
    send(near, 1);
    near.close(1000, 'done');
    await clock.advance(10);
    expect(told).toEqual(['far 1', 'far close 1000']);
    await clock.advance(10);
    expect(told.at(-1)).toBe('near close 1000');
  });

  it.each<[string, Faults, (frames: number) => boolean]>([
    ['drops', { drop: 0.3 }, (frames) => frames > 100 && frames < 180],
    ['duplicates', { duplicate: 0.3 }, (frames) => frames > 220 && frames < 300],
  ])('%s about as many frames as it is told to', async (_verb, faults, isPlausible) => {
    const { clock, near, told } = await aWorld(faults);
    send(near, ...upTo(200));
    await clock.advance(100);
    expect(isPlausible(told.length)).toBe(true);
    expect(near.bufferedBytes).toBe(0);
  });

  it('lets frames overtake each other, losing none', async () => {
    const { clock, near, told } = await aWorld({ reorder: 0.2 });
    send(near, ...upTo(100));
    await clock.advance(100);
    const inOrder = upTo(100).map((number) => `far ${number}`);
    expect(told).not.toEqual(inOrder);
    expect([...told].sort()).toEqual([...inOrder].sort());
  });

  it('cuts links by chance: both ends get 1006', async () => {
    const { clock, near, told } = await aWorld({ cut: 0.5 });
    send(near, ...upTo(50));
    await clock.runSoon();
    expect([...told].sort()).toEqual(['far close 1006', 'near close 1006']);
  });

  it('replays every fault from its seed', async () => {
    const run = async (seed: number): Promise<string[]> => {
      const faults = { drop: 0.1, duplicate: 0.1, reorder: 0.2, cut: 0.002, delay: { minMs: 0, maxMs: 20 } };
      const { clock, near, far, told } = await aWorld(faults, seed);
      for (const number of upTo(100)) {
        send(near, number);
        send(far, number);
        await clock.advance(1);
      }
      await clock.advance(1_000);
      return told;
    };
    expect(await run(7)).toEqual(await run(7));
    expect(await run(7)).not.toEqual(await run(8));
  });

  it('loses what crosses a partition, silently, and carries again once it is healed', async () => {
    const { clock, network, near, far, told } = await aWorld();
    network.partition('node');
    send(near, 1);
    send(far, 1);
    await clock.advance(60_000);
    expect(told).toEqual([]);
    expect([near.isOpen, far.isOpen, near.bufferedBytes]).toEqual([true, true, 0]);
    network.heal();
    send(near, 2);
    await clock.runSoon();
    expect(told).toEqual(['far 2']);
  });

  it('leaves a half-open link behind a partition, which learns of its end when it sends', async () => {
    const { clock, network, near, far, told } = await aWorld();
    network.partition('gateway');
    near.close(1000, 'unheard');
    await clock.advance(2_000);
    expect(told).toEqual(['near close 1006']);
    network.heal();
    await clock.advance(60_000);
    expect(far.isOpen).toBe(true);
    send(far, 1);
    await clock.runSoon();
    expect(told).toEqual(['near close 1006', 'far close 1006']);
  });

  it('parts only those on different sides', async () => {
    const { clock, network, near, told } = await aWorld();
    network.partition('node', 'gateway');
    send(near, 1);
    await clock.runSoon();
    expect(told).toEqual(['far 1']);
  });

  it('cuts the links of an end by name', async () => {
    const { clock, network, told } = await aWorld();
    network.cut('somebody');
    await clock.runSoon();
    expect(told).toEqual([]);
    network.cut('node');
    await clock.runSoon();
    expect([...told].sort()).toEqual(['far close 1006', 'near close 1006']);
  });

  it('shows what a paused reader leaves unread as the sender’s unsent bytes', async () => {
    const { clock, near, far } = await aWorld();
    far.pause();
    send(near, ...upTo(200));
    await clock.advance(1_000);
    expect(near.bufferedBytes).toBe(200);
    far.resume();
    await clock.runSoon();
    expect(near.bufferedBytes).toBe(0);
  });

  it('keeps its order and tells of one end, last, whatever the ends do (random)', async () => {
    const act = fc.constantFrom('send', 'send', 'send', 'pause', 'resume', 'close', 'terminate', 'wait');
    const step = fc.record({ end: fc.boolean(), act });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer(), async (steps, seed) => {
        const { clock, near, far, told } = await aWorld({ delay: { minMs: 0, maxMs: 5 } }, seed);
        let number = 0;
        for (const { end, act: what } of steps) {
          const link = end ? near : far;
          if (what === 'send') send(link, number++);
          else if (what === 'wait') await clock.advance(3);
          else if (what === 'close') link.close(1000, '');
          else link[what as 'pause' | 'resume' | 'terminate']();
        }
        near.resume();
        far.resume();
        await clock.advance(10_000);
        near.terminate();
        await clock.advance(10_000);
        for (const name of ['near', 'far']) {
          const events = told.filter((event) => event.startsWith(name)).map((event) => event.slice(name.length + 1));
          expect(events.filter((event) => event.startsWith('close'))).toHaveLength(1);
          expect(events.at(-1)).toMatch(/^close/);
          const frames = events.slice(0, -1).map(Number);
          expect(frames).toEqual([...frames].sort((a, b) => a - b));
        }
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a memory dial', () => {
  it('fails where nobody listens, and where the listener has closed', async () => {
    const { clock, network, told } = await aWorld();
    const lost = network
      .dial('nowhere')(never)
      .catch((error: unknown) => error);
    await clock.runSoon();
    expect(await lost).toMatchObject({ code: 'GATEWAY_UNREACHABLE', message: 'nobody listens at memory:nowhere' });

    const other = await network.listen('other')(() => {});
    await expect(network.listen('other')(() => {})).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await other.close();
    const closed = network
      .dial('other')(never)
      .catch((error: unknown) => error);
    await clock.runSoon();
    expect(await closed).toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
    expect(told).toEqual([]);
  });

  it('is not answered across a partition, and gives up after 10 s or when it is told to', async () => {
    const { clock, network } = await aWorld();
    network.partition('gateway');
    const controller = new AbortController();
    const patient = network
      .dial('gateway')(never)
      .catch((error: unknown) => error);
    const hasty = network
      .dial('gateway')(controller.signal)
      .catch((error: unknown) => error);
    await clock.advance(9_999);
    controller.abort();
    expect(await hasty).toMatchObject({ code: 'STOPPED' });
    await clock.advance(1);
    expect(await patient).toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
    const late = network
      .dial('gateway')(AbortSignal.abort())
      .catch((error: unknown) => error);
    expect(await late).toMatchObject({ code: 'STOPPED' });
  });

  it('ends with its listener', async () => {
    const clock = createSimulatedClock();
    const network = createMemoryNetwork({ clock, random: seededRandom(1) });
    const listener = await network.listen('gateway')(() => {});
    expect(listener.url).toBe('memory:gateway');
    const dialled = network.dial('gateway')(never);
    await clock.runSoon();
    const link = await dialled;
    await listener.close();
    await listener.close();
    expect(link.isOpen).toBe(false);
  });
});
