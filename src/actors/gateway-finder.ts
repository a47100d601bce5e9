/**
 * A way to a gateway that nobody has named: asks discovery sources and dials what they find, one after the other. What is
 * found may be a trap, so a token goes only where it cannot be caught.
 */
import { PincerError } from '../protocol/failure.ts';
import { type Candidate, type DiscoverySource, gatewayUrlOf, type Self } from '../transport/discovery/source.ts';
import type { Dial } from '../transport/link.ts';
import { isLoopback } from '../transport/upgrade.ts';
import { dialWebSocket } from '../transport/websocket.ts';
import { createDiscovery, type Discovery } from './discovery.ts';
import type { World } from './world.ts';

export interface GatewayFinder {
  /** Waits for a gateway to be found, for `discoveryDialMs`, and dials it; the next call tries the next one. */
  readonly dial: Dial;
  readonly discoveries: readonly Discovery[];
  /** Never rejects. */
  stop(): Promise<void>;
}

export function findGateways(
  world: World,
  options: {
    readonly sources: readonly DiscoverySource[];
    /** Whom to announce and not to discover. */
    readonly self?: (() => Self | null) | undefined;
    readonly token?: string | undefined;
    /** Send the token also to gateways that anybody on the network could have announced. Default false. */
    readonly isTokenSentToAll?: boolean | undefined;
    /** How to dial a URL. Default: over WebSocket, with the token. */
    readonly dialUrl?: ((url: string) => Dial) | undefined;
  },
): GatewayFinder {
  const { deadlines, limits, clock } = world;
  const { sources, self, token, isTokenSentToAll = false } = options;
  const dialUrl =
    options.dialUrl ?? ((url) => dialWebSocket(url, { clock, limits, ...(token === undefined ? {} : { token }) }));
  const waiters = new Set<() => void>();
  let turn = 0;

  const discoveries = sources.map((source) => {
    const onNews = (): void => {
      for (const wake of [...waiters]) wake();
    };
    return createDiscovery(world, { source, self, onNews });
  });

  const isSafe = ({ via }: Candidate, url: string): boolean =>
    token === undefined || isTokenSentToAll || via !== 'mdns' || isLoopback(new URL(url).hostname);

  function found(): { safe: string[]; unsafe: number } {
    const gateways = discoveries.flatMap(({ candidates }) =>
      candidates.flatMap((candidate) => {
        const url = gatewayUrlOf(candidate);
        return url === null ? [] : [{ url, isSafe: isSafe(candidate, url) }];
      }),
    );
    const safe = [...new Set(gateways.filter((gateway) => gateway.isSafe).map(({ url }) => url))];
    return { safe, unsafe: gateways.filter((gateway) => !gateway.isSafe).length };
  }

  function next(): string | null {
    const { safe } = found();
    const url = safe[turn % Math.max(1, safe.length)];
    turn += 1;
    return url ?? null;
  }

  function whenFound(signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        waiters.delete(look);
        late.clear();
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const look = (): void => {
        const url = next();
        if (url !== null) end(() => resolve(url));
      };
      const late = deadlines.set(limits.discoveryDialMs, () => end(() => reject(nothingFound())));
      const onAbort = (): void => end(() => reject(new PincerError('STOPPED', 'the dial was given up')));
      waiters.add(look);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else look();
    });
  }

  function nothingFound(): PincerError {
    const { unsafe } = found();
    if (unsafe > 0) {
      const message = `${unsafe} gateways were found, but anybody could have announced them: none was sent the token`;
      return new PincerError('GATEWAY_UNREACHABLE', message, { hint: 'Name the gateway by its URL.' });
    }
    const states = discoveries.map(({ kind, state, reason }) => {
      return reason === null ? `${kind} is ${state}` : `${kind} is ${state}: ${reason.message}`;
    });
    const message = `no gateway was found within ${limits.discoveryDialMs} ms (${states.join('; ')})`;
    return new PincerError('GATEWAY_UNREACHABLE', message);
  }

  for (const discovery of discoveries) discovery.start();
  return {
    discoveries,
    async dial(signal) {
      return dialUrl(await whenFound(signal))(signal);
    },
    async stop() {
      await Promise.all(discoveries.map((discovery) => discovery.stop()));
    },
  };
}
