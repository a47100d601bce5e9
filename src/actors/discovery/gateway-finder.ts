/**
 * A way to a gateway that nobody has named: hears of gateways from discovery sources, dials those that may be trusted, one
 * after the other, and remembers which did not answer as a gateway should. What a source says costs a refused dial at most.
 */
import { backoffMs } from '../../machines/policies/retry.ts';
import { PincerError } from '../../protocol/failure.ts';
import { checkOptions, type Names } from '../../protocol/options.ts';
import { type Trust, trustOf } from '../../transport/discovery/gateway-trust.ts';
import type { DiscoverySource } from '../../transport/discovery/source.ts';
import type { Dial, Link } from '../../transport/link.ts';
import { dialWebSocket } from '../../transport/websocket.ts';
import { realPorts } from '../world/real-ports.ts';
import { createWorld, WORLD_OPTIONS, type World, type WorldOptions } from '../world/world.ts';
import { createDiscovery, type Discovery } from './discovery.ts';

/** What `findGateways` takes. Only `sources` has no default. */
export interface FinderOptions extends WorldOptions {
  /** Where to hear of gateways: `mdnsNodes()`, `registryNodes(url, …)`, `staticNodes(file)` … */
  readonly sources: readonly DiscoverySource[];
  /** The gateway’s token. It is sent to gateways that are trusted, and to no other. */
  readonly token?: string;
  /**
   * Gateways that are trusted wherever they were heard of: `192.168.1.10`, `192.168.1.0/24`, `gw.example.com`, with or
   * without `:port`. Default: those of a nodes.json; of a registry over `wss:` or on this network; any other on this
   * machine, if there is no token.
   */
  readonly trust?: readonly string[];
}

const FINDER_OPTIONS: Names<FinderOptions> = { sources: true, token: true, trust: true, ...WORLD_OPTIONS };

/** A gateway that was heard of. */
export interface GatewayCandidate {
  readonly nodeId: string;
  /** What would be dialled. */
  readonly url: string;
  /** The kind of the source that named it. */
  readonly via: string;
  /** Why it is not dialled, or not now; null if it may be. */
  readonly refusal: string | null;
}

/** Finds gateways. Pass `dial` to `createNode({ join })` or `createClient({ url })`, and stop it after them. */
export interface GatewayFinder {
  /** Opens a link to a gateway that was found and may be trusted. Rejects with `GATEWAY_UNREACHABLE` and the reason. */
  readonly dial: Dial;
  /** What is known at present, in the order in which it came. */
  readonly candidates: readonly GatewayCandidate[];
  /** Stops looking. Idempotent; dials reject from then on. */
  stop(): Promise<void>;
}

/** How a gateway fared that was dialled. */
interface Record {
  failures: number;
  /** Not dialled before then, on the clock. */
  restsUntil: number;
  why: string;
}

/**
 * Starts to look for gateways.
 * @throws PincerError `OPTION_INVALID` for no sources, or for a token or a trusted name that cannot be one
 */
export function findGateways(options: FinderOptions): GatewayFinder {
  checkOptions(options, 'findGateways', 'sources, where gateways are heard of', FINDER_OPTIONS);
  return new Finder(createWorld(options, realPorts()), options);
}

class Finder implements GatewayFinder {
  readonly dial: Dial;
  readonly #world: World;
  readonly #token: string | undefined;
  readonly #trust: Trust;
  readonly #discoveries: readonly Discovery[];
  readonly #records = new Map<string, Record>();
  readonly #waiting = new Set<() => void>();
  /** The gateway whose link held last: it may still hold the session. */
  #lastGood: string | null = null;
  #dialled: string | null = null;
  #isStopped = false;

  constructor(world: World, { sources, token, trust = [] }: FinderOptions) {
    if (!Array.isArray(sources) || sources.length === 0)
      throw new PincerError('OPTION_INVALID', 'findGateways: no source is named');
    this.#world = world;
    this.#token = token;
    this.#trust = trustOf(trust, { hasToken: token !== undefined });
    this.dial = Object.assign((signal: AbortSignal) => this.#dial(signal), {
      onAnswered: (refusal: PincerError | null) => this.#judge(refusal),
    });
    this.#discoveries = sources.map((source) =>
      createDiscovery(world, { source, type: 'gateway', onNews: () => this.#wake() }),
    );
    for (const discovery of this.#discoveries) discovery.start();
  }

  get candidates(): readonly GatewayCandidate[] {
    const found = new Map<string, GatewayCandidate>();
    for (const { kind, candidates } of this.#discoveries) {
      for (const { nodeId, type, address, url = `ws://${address}` } of candidates) {
        // Heard of twice, it is what the source says that is trusted.
        if (type !== 'gateway' || !URL.canParse(url) || found.get(url)?.refusal === null) continue;
        found.set(url, { nodeId, url, via: kind, refusal: this.#trust({ kind, url }) });
      }
    }
    const now = this.#world.clock.now();
    return [...found.values()].map((candidate) => {
      const record = this.#records.get(candidate.url);
      const isResting = candidate.refusal === null && record !== undefined && record.restsUntil > now;
      return isResting ? { ...candidate, refusal: record.why } : candidate;
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    await Promise.all(this.#discoveries.map((discovery) => discovery.stop()));
    this.#world.deadlines.stop();
  }

  async #dial(signal: AbortSignal): Promise<Link> {
    const { limits, clock } = this.#world;
    await this.#somebody(signal);
    let failure: PincerError | null = null;
    for (let tries = 0; tries < limits.discoveryDialsMax && !signal.aborted && !this.#isStopped; tries += 1) {
      const next = this.#next();
      if (next === undefined) break;
      this.#dialled = next;
      try {
        const handshakeMs = Math.min(limits.handshakeMs, limits.discoveryDialMs);
        const token = this.#token === undefined ? {} : { token: this.#token };
        return await dialWebSocket(next, { clock, limits: { ...limits, handshakeMs }, ...token })(signal);
      } catch (error) {
        failure = error instanceof PincerError ? error : new PincerError('GATEWAY_UNREACHABLE', String(error));
        if (!signal.aborted) this.#judge(failure);
      }
    }
    if (signal.aborted || this.#isStopped)
      throw failure ?? new PincerError('STOPPED', 'looking for a gateway was given up');
    throw failure ?? new PincerError('GATEWAY_UNREACHABLE', this.#explain());
  }

  /** Resolves when a gateway may be dialled, and at the latest after `discoveryDialMs`. */
  async #somebody(signal: AbortSignal): Promise<void> {
    const { deadlines, limits } = this.#world;
    let isLate = false;
    const late = deadlines.set(limits.discoveryDialMs, () => {
      isLate = true;
      this.#wake();
    });
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    while (!isLate && !signal.aborted && !this.#isStopped && this.#next() === undefined) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    late.clear();
    signal.removeEventListener('abort', wake);
  }

  /** The one that failed least; among those the one whose link held last, else the one that came first. */
  #next(): string | undefined {
    const failures = (url: string): number => this.#records.get(url)?.failures ?? 0;
    return this.candidates
      .filter(({ refusal }) => refusal === null)
      .map(({ url }) => url)
      .sort(
        (one, other) =>
          failures(one) - failures(other) || Number(other === this.#lastGood) - Number(one === this.#lastGood),
      )
      .at(0);
  }

  #judge(refusal: PincerError | null): void {
    const url = this.#dialled;
    if (url === null) return;
    if (refusal === null) {
      this.#lastGood = url;
      this.#records.delete(url);
      return;
    }
    const { clock, random, limits, deadlines, log } = this.#world;
    this.#forget();
    const failures = (this.#records.get(url)?.failures ?? 0) + 1;
    const backoff = { baseMs: limits.discoveryRetryMinMs, maxMs: limits.discoveryRetryMaxMs };
    const restMs = backoffMs(failures, backoff, random());
    this.#records.set(url, { failures, restsUntil: clock.now() + restMs, why: refusal.message });
    deadlines.set(restMs, () => this.#wake());
    log.info('gateway.refused', { url, code: refusal.code, message: refusal.message, failures });
  }

  /** Keeps records of those alone who are still named: what comes and goes would fill them. */
  #forget(): void {
    const present = new Set(this.candidates.map(({ url }) => url));
    for (const url of this.#records.keys()) if (!present.has(url)) this.#records.delete(url);
  }

  #wake(): void {
    for (const resolve of [...this.#waiting]) resolve();
    this.#waiting.clear();
  }

  /** Why nobody was dialled, in words. */
  #explain(): string {
    const heard = this.candidates.map(({ url, refusal }) => `${url} was, but ${refusal}`);
    const faults = this.#discoveries.flatMap(({ reason }) => (reason === null ? [] : [reason.message]));
    const kinds = this.#discoveries.map(({ kind }) => kind).join(' or ');
    const said = [`no gateway to dial was found by ${kinds}`, ...heard.slice(0, 3), ...faults];
    return said.join('; ');
  }
}
