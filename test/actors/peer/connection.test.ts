/** The way to a gateway: how often it is dialled when its links do not last. */
import { describe, expect, it } from 'vitest';
import { createClient } from '../../../src/actors/client/client.ts';
import { seededRandom } from '../../../src/actors/world/seeded-random.ts';
import { createSimulatedClock } from '../../../src/actors/world/simulated-clock.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { Payload } from '../../../src/protocol/message.ts';
import { encodeFrame } from '../../../src/transport/codec.ts';
import { createMemoryNetwork } from '../../../src/transport/memory.ts';

/** Gateways that welcome everybody, and close the link so long after that (never: null); `dialled` has who was dialled when. */
async function atGateways(heldMs: Record<string, number | null>) {
  const clock = createSimulatedClock();
  const network = createMemoryNetwork({ clock, random: seededRandom(1) });
  const dialled: { name: string; at: number }[] = [];
  const names = Object.keys(heldMs);
  for (const name of names) {
    await network.listen(name)((link) => {
      dialled.push({ name, at: clock.now() });
      link.attach({ onFrame() {}, onClose() {} });
      const welcome: Payload<'welcome'> = {
        ...{ protocol: 1, gatewayId: name, session: 's', resumed: false, received: 0, capabilities: [], drop: [] },
        policy: {
          ...{ heartbeatMs: 10_000, offlineAfterMs: 900_000, resumeWindowMs: 3_000 },
          ...{ frameBytesMax: defaultLimits.frameBytesMax, payloadBytesMax: defaultLimits.payloadBytesMax },
        },
      };
      link.send(encodeFrame([{ type: 'welcome', payload: welcome }]));
      const ms = heldMs[name] ?? null;
      if (ms !== null) clock.schedule(ms, () => link.close(4400, 'MESSAGE_INVALID: hello is no message'));
    });
  }
  let ids = 0;
  const ports = { clock, random: seededRandom(1), ids: () => `id-${++ids}` };
  const client = createClient({ dial: names.map((name) => network.dial(name)), ...ports });
  const stop = async (): Promise<void> => {
    const stopped = client.stop();
    await clock.advance(defaultLimits.closeMs);
    await stopped;
  };
  return { stop, clock, network, dialled };
}

describe('a connection', () => {
  it('is dialled less and less often where each link is closed right after its welcome', async () => {
    const { stop, clock, dialled } = await atGateways({ gw: 10 });
    await clock.advance(600_000);
    // One wait in two of 5 s, at the most twice as many.
    expect(dialled.length).toBeLessThan(500);
    const lately = dialled.filter(({ at }) => at > 60_000).length;
    expect(lately).toBeGreaterThan(100);
    await stop();
  });

  it('is dialled at once again when a link is cut that had held', async () => {
    const { stop, clock, network, dialled } = await atGateways({ gw: null });
    for (let cuts = 1; cuts <= 30; cuts += 1) {
      await clock.advance(defaultLimits.reconnectMaxMs + 1_000);
      network.cut();
      await clock.advance(defaultLimits.reconnectMinMs);
      expect(dialled).toHaveLength(cuts + 1);
    }
    await stop();
  });

  it('goes to another gateway at once when the one it came to does not keep it', async () => {
    const { stop, clock, dialled } = await atGateways({ bad: 10, good: null });
    await clock.advance(600_000);
    const last = dialled.at(-1);
    expect(last?.name).toBe('good');
    expect(last?.at).toBeLessThan(200);
    await stop();
  });
});
