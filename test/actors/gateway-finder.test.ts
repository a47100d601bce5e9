import { afterEach, describe, expect, it } from 'vitest';
import { findGateways, type GatewayFinderOptions } from '../../src/actors/gateway-finder.ts';
import { memoryNodes } from '../../src/transport/discovery/memory.ts';
import type { Candidate } from '../../src/transport/discovery/source.ts';
import type { Link } from '../../src/transport/link.ts';
import { createHandClock } from '../support/hand-clock.ts';

const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

const gateway = (nodeId: string, address: string, more: Partial<Candidate> = {}): Candidate => ({
  nodeId,
  type: 'gateway',
  address,
  capabilities: [],
  via: 'mdns',
  ...more,
});

function aFinder(options: Partial<GatewayFinderOptions> = {}) {
  const source = memoryNodes();
  const clock = createHandClock();
  const dialled: string[] = [];
  const dialUrl = (url: string) => async () => {
    dialled.push(url);
    return {} as Link;
  };
  const finder = findGateways({ sources: [source], clock, random: () => 0.5, dialUrl, ...options });
  endings.push(() => finder.stop());
  const dial = (signal = new AbortController().signal) => finder.dial(signal);
  return { source, clock, dialled, finder, dial };
}

describe('a way to gateways that nobody has named', () => {
  it('dials one after the other, and no agents', async () => {
    const { source, dialled, dial } = aFinder();
    source.announce(gateway('g1', '127.0.0.1:1'));
    source.announce(gateway('g2', '127.0.0.1:2', { url: 'wss://g2.example/' }));
    source.announce(gateway('a1', '127.0.0.1:3', { type: 'agent' }));
    for (let dials = 0; dials < 4; dials += 1) await dial();
    expect(dialled).toEqual(['ws://127.0.0.1:1', 'wss://g2.example/', 'ws://127.0.0.1:1', 'wss://g2.example/']);
  });

  it('waits until one is found', async () => {
    const { source, clock, dialled, dial } = aFinder();
    const dialling = dial();
    clock.pass(4_000);
    expect(dialled).toEqual([]);
    source.announce(gateway('g1', '127.0.0.1:1'));
    await dialling;
    expect(dialled).toEqual(['ws://127.0.0.1:1']);
  });

  it('says where each source stands when none was found', async () => {
    const { source, clock, dial } = aFinder();
    source.break('the cable is out');
    const dialling = expect(dial()).rejects.toMatchObject({
      code: 'GATEWAY_UNREACHABLE',
      message: 'no gateway was found within 5000 ms (memory is degraded: memory: the cable is out)',
    });
    clock.pass(5_000);
    await dialling;
  });

  it('sends no token to whoever claims to be a gateway on the network', async () => {
    const { source, clock, dialled, dial } = aFinder({ token: 'secret' });
    source.announce(gateway('forged', '192.168.1.66:7443'));
    source.announce(gateway('odd', '127.evil.com:7443'));
    const dialling = expect(dial()).rejects.toMatchObject({
      code: 'GATEWAY_UNREACHABLE',
      message: expect.stringMatching(/^2 gateways were found, but anybody could have announced them/),
    });
    clock.pass(5_000);
    await dialling;
    expect(dialled).toEqual([]);
    source.announce(gateway('mine', '127.0.0.1:7443'));
    source.announce(gateway('listed', '192.168.1.7:7443', { via: 'static' }));
    await dial();
    await dial();
    await dial();
    expect(new Set(dialled)).toEqual(new Set(['ws://127.0.0.1:7443', 'ws://192.168.1.7:7443']));
  });

  it('sends it where it is told to', async () => {
    const { source, dialled, dial } = aFinder({ token: 'secret', isTokenSentToAll: true });
    source.announce(gateway('g1', '192.168.1.7:7443'));
    await dial();
    expect(dialled).toEqual(['ws://192.168.1.7:7443']);
  });

  it('gives up when it is told to, and leaves nothing behind', async () => {
    const { finder, clock, dial, source } = aFinder();
    const abort = new AbortController();
    const dialling = expect(dial(abort.signal)).rejects.toMatchObject({ code: 'STOPPED' });
    abort.abort();
    await dialling;
    await expect(dial(AbortSignal.abort())).rejects.toMatchObject({ code: 'STOPPED' });
    await finder.stop();
    expect(clock.scheduled).toBe(0);
    expect(source.running).toBe(0);
  });
});
