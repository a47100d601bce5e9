/**
 * Links within one process: the twin of WebSocket for tests and for embedding, and the network on which a simulation
 * breaks things. Time and chance come from outside, so that a seed replays every fault. A line (memory-line.ts) carries
 * one link; here is who may reach whom.
 */
import { PincerError } from '../protocol/failure.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { checkOptions, type Names } from '../protocol/options.ts';
import type { Clock, Random } from '../protocol/ports.ts';
import type { Dial, Identity, Link, Listen } from './link.ts';
import { openLine } from './memory-line.ts';
import { delayOf, type Faults, type Weather } from './memory-weather.ts';

export type { Faults } from './memory-weather.ts';

/** A network inside one process, whose faults a test sets. */
export interface MemoryNetwork {
  /** Accepts links to `name`; its URL is `memory:NAME`. Rejects with `OPTION_INVALID` while the name is taken. */
  listen(name: string): Listen;
  /** Dials `name` as `identity`, by default `{ name: 'memory' }`. The name of the identity is the dialling end’s. */
  dial(name: string, identity?: Identity): Dial;
  /** Replaces the faults, also for open links. */
  setFaults(faults: Faults): void;
  /** Parts the named ends from all that are not named: frames, closes and dials vanish both ways, and nobody is told. */
  partition(...names: readonly string[]): void;
  /** Ends every partition. What vanished stays lost. */
  heal(): void;
  /** Ends every link that has an end so named, or all if none is named: both ends get 1006. */
  cut(...names: readonly string[]): void;
}

interface OpenLine {
  readonly ends: readonly [string, string];
  terminate(): void;
}

interface NetworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults?: Faults;
}

const NETWORK_OPTIONS: Names<NetworkOptions> = { clock: true, random: true, faults: true };
const FAULTS: Names<Faults> = { drop: true, duplicate: true, reorder: true, cut: true, delay: true };

/**
 * Makes a network of its own; nothing of it is shared with another one.
 * @throws PincerError `OPTION_INVALID` for faults that there are not: what was to fail would work
 */
export function createMemoryNetwork(options: NetworkOptions): MemoryNetwork {
  checkOptions(options, 'createMemoryNetwork', 'clock and random', NETWORK_OPTIONS);
  const { clock, random } = options;
  const listeners = new Map<string, (link: Link) => void>();
  const lines = new Set<OpenLine>();
  const partitions: ReadonlySet<string>[] = [];
  let faults = checked(options.faults ?? {});
  let dials = 0;

  const weather: Weather = {
    clock,
    random,
    get faults() {
      return faults;
    },
    isParted: (a, b) => partitions.some((names) => names.has(a) !== names.has(b)),
  };

  const connect = (name: string, identity: Identity): Link => {
    const onLink = listeners.get(name);
    if (onLink === undefined) throw new PincerError('GATEWAY_UNREACHABLE', `nobody listens at memory:${name}`);
    dials += 1;
    const near = { name: identity.name, address: `memory:${dials}`, identity };
    const far = { name, address: `memory:${name}`, identity: { name } };
    const line: OpenLine & { links: readonly [Link, Link] } = openLine(near, far, weather, () => lines.delete(line));
    lines.add(line);
    const [dialled, accepted] = line.links;
    onLink(accepted);
    return dialled;
  };

  return {
    listen: (name) => async (onLink) => {
      if (listeners.has(name)) throw new PincerError('OPTION_INVALID', `memory:${name} is taken`);
      listeners.set(name, onLink);
      return {
        url: `memory:${name}`,
        close: async () => {
          if (listeners.get(name) !== onLink) return;
          listeners.delete(name);
          for (const line of [...lines]) if (line.ends[1] === name) line.terminate();
        },
      };
    },
    dial:
      (name, identity = { name: 'memory' }) =>
      (signal) =>
        dialThrough(weather, [identity.name, name], signal, () => connect(name, identity)),
    setFaults(next) {
      faults = checked(next);
    },
    partition(...names) {
      partitions.push(new Set(names));
    },
    heal() {
      partitions.length = 0;
    },
    cut(...names) {
      for (const line of [...lines]) {
        if (names.length === 0 || line.ends.some((end) => names.includes(end))) line.terminate();
      }
    },
  };
}

function checked(faults: Faults): Faults {
  checkOptions(faults, 'faults', 'drop, duplicate, reorder, cut or delay', FAULTS);
  return faults;
}

/** A dial takes one delay; across a partition it is not answered at all. */
function dialThrough(
  weather: Weather,
  [from, to]: readonly [string, string],
  signal: AbortSignal,
  connect: () => Link,
): Promise<Link> {
  const { clock } = weather;
  return new Promise((resolve, reject) => {
    let isOver = false;
    const settle = (how: () => void): void => {
      if (isOver) return;
      isOver = true;
      cancelTimeout();
      signal.removeEventListener('abort', onAbort);
      try {
        how();
      } catch (error) {
        reject(error as Error);
      }
    };
    const onAbort = (): void =>
      settle(() => {
        const { reason } = signal as { reason: unknown };
        throw reason instanceof PincerError
          ? reason
          : new PincerError('STOPPED', `dialling memory:${to} was given up`, { cause: reason });
      });
    const cancelTimeout = clock.schedule(defaultLimits.handshakeMs, () =>
      settle(() => {
        throw new PincerError(
          'GATEWAY_UNREACHABLE',
          `memory:${to} did not answer within ${defaultLimits.handshakeMs} ms`,
        );
      }),
    );
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return onAbort();
    const arrive = (): void => {
      if (!weather.isParted(from, to)) settle(() => resolve(connect()));
    };
    const delayMs = delayOf(weather);
    if (delayMs > 0) clock.schedule(delayMs, arrive);
    else clock.soon(arrive);
  });
}
