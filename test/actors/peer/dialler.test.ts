/** Which gateway is dialled when, and how long it may take to answer. */
import { describe, expect, it } from 'vitest';
import { Dialler } from '../../../src/actors/peer/dialler.ts';
import { createSimulatedClock } from '../../../src/actors/world/simulated-clock.ts';
import { createWorld } from '../../../src/actors/world/world.ts';
import { PincerError } from '../../../src/protocol/failure.ts';
import type { Dial, Link } from '../../../src/transport/link.ts';

/** Gateways by name, each with its dial; `silent` never answers, `gone` refuses, any other gives its link. */
function aDialler(...names: readonly string[]) {
  const clock = createSimulatedClock();
  const dialled: string[] = [];
  const ended: string[] = [];
  const linkOf = (name: string) => ({ name, terminate: () => ended.push(name) }) as unknown as Link;
  const late = new Map<string, () => void>();
  const dials = names.map(
    (name): Dial =>
      () => {
        dialled.push(name);
        if (name === 'gone') return Promise.reject(new Error('no such host'));
        if (name !== 'silent') return Promise.resolve(linkOf(name));
        return new Promise((resolve) => late.set(name, () => resolve(linkOf(name))));
      },
  );
  // The order of the dials is the order in which they are named.
  const world = createWorld({}, { clock, random: () => 0, ids: () => 'id' });
  const dialler = new Dialler(dials, world);
  const dial = async (ms = 0): Promise<string> => {
    let said = 'nothing';
    dialler.dial({
      onLink: (link) => {
        said = Reflect.get(link, 'name') as string;
      },
      onFailure: (error) => {
        said = `${error.code} ${error.message}`;
      },
    });
    await clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
    return said;
  };
  return { dialler, dial, dialled, ended, clock, late };
}

describe('gateways', () => {
  it('are dialled one after the other, round and round', async () => {
    const { dial, dialled } = aDialler('a', 'gone', 'c');
    expect(await dial()).toBe('a');
    expect(await dial()).toBe('GATEWAY_UNREACHABLE Error: no such host');
    expect(await dial()).toBe('c');
    expect(await dial()).toBe('a');
    expect(dialled).toEqual(['a', 'gone', 'c', 'a']);
  });

  it('of which there are several have a second to answer, twice as long in each round', async () => {
    const { dialler, dial } = aDialler('silent', 'gone');
    for (const ms of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      expect(await dial(ms - 1)).toBe('nothing');
      dialler.giveUp();
      await dial();
    }
    dialler.welcomed();
    expect(await dial(1_000)).toBe('GATEWAY_UNREACHABLE a gateway did not answer within 1000 ms');
  });

  it('of which there is one has all its time', async () => {
    const { dial } = aDialler('silent');
    // It fails by itself, after handshakeMs.
    expect(await dial(60_000)).toBe('nothing');
  });

  it('that answer too late, or after they were given up, are hung up on', async () => {
    const { dialler, dial, ended, late } = aDialler('silent', 'b');
    expect(await dial(1_000)).toMatch(/did not answer/);
    late.get('silent')?.();
    await dial();
    await dial();
    dialler.giveUp();
    late.get('silent')?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toEqual(['silent', 'silent']);
  });

  it('of which there is none cannot be dialled', () => {
    const { dialler } = aDialler();
    expect(() => dialler.dial({ onLink: () => {}, onFailure: () => {} })).toThrow(PincerError);
  });
});
