/**
 * A registry as a discovery source: registers who it belongs to, keeps the lease with heartbeats, and asks for the nodes
 * of a region. Every answer is checked for status, size and shape; any failure ends the run, which is started anew after
 * a backoff.
 */
import type { z } from 'zod';
import { PincerError } from '../../protocol/failure.ts';
import { plainText } from '../../protocol/identifier.ts';
import { checkOptions, type Names } from '../../protocol/options.ts';
import { checkToken } from '../upgrade.ts';
import { Lease, NodePage, Refusal } from './registry-messages.ts';
import { createSafeFetch, judgedUrl, type SafeAnswer, type SafeFetch, type SafeRequest } from './safe-fetch.ts';
import {
  type Candidate,
  type CandidateKind,
  type DiscoverySource,
  Region,
  type SourceEvents,
  type SourceRun,
  type SourceWorld,
} from './source.ts';

/** What `registryNodes` takes beside the URL. */
export interface RegistryOptions {
  /** Sent as `Authorization: Bearer …`, to this registry alone. */
  readonly apiKey: string;
  /** Only nodes of this region, and in which to register. Default: all, and none. */
  readonly region?: string | undefined;
  /** Only nodes of this type. Default: all. */
  readonly type?: CandidateKind | undefined;
  /** Whether the registry may be at a private address (10/8, 172.16/12, 192.168/16, fc00::/7). Default false. */
  readonly isPrivateAllowed?: boolean | undefined;
  /** Resolves a name to all its addresses. Default: the system’s resolver. */
  readonly resolve?: ((host: string) => Promise<readonly string[]>) | undefined;
}

const REGISTRY_OPTIONS: Names<RegistryOptions> = {
  apiKey: true,
  region: true,
  type: true,
  isPrivateAllowed: true,
  resolve: true,
};

/** A heartbeat is sent this many times in the life of a lease. */
const BEATS_PER_LEASE = 3;

/**
 * A registry as a source. The URL is https, or http to a loopback address.
 * @throws PincerError `ADDRESS_REFUSED` for any other URL, `OPTION_INVALID` for a key that no header can carry and a region that is none
 */
export function registryNodes(url: string, options: RegistryOptions): DiscoverySource {
  checkOptions(options, 'registryNodes', 'apiKey, the key of the registry', REGISTRY_OPTIONS);
  checkToken(options.apiKey, 'key');
  const { region } = options;
  if (region !== undefined && !Region.safeParse(region).success) {
    throw new PincerError(
      'OPTION_INVALID',
      `region '${plainText(String(region), 64)}' must be 1–64 of A-Z a-z 0-9 . _ : -`,
    );
  }
  const isPrivateAllowed = options.isPrivateAllowed === true;
  const base = judgedUrl(url, { isLoopbackAllowed: true, isPrivateAllowed });
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  base.search = '';
  base.hash = '';
  return { kind: 'registry', start: (events, world) => new RegistryRun(base, options, events, world) };
}

class RegistryRun implements SourceRun {
  readonly #base: URL;
  readonly #options: RegistryOptions;
  readonly #events: SourceEvents;
  readonly #world: SourceWorld;
  readonly #web: SafeFetch;
  readonly #abort = new AbortController();
  #lease: z.infer<typeof Lease> | null = null;
  #listDueAt = 0;
  #cancelTurn: () => void = () => {};
  #turn: Promise<void>;
  #stopped: Promise<void> | null = null;

  constructor(base: URL, options: RegistryOptions, events: SourceEvents, world: SourceWorld) {
    this.#base = base;
    this.#options = options;
    this.#events = events;
    this.#world = world;
    this.#web = createSafeFetch({
      clock: world.clock,
      timeoutMs: world.limits.registryRequestMs,
      bytesMax: world.limits.registryAnswerBytesMax,
      isLoopbackAllowed: true,
      isPrivateAllowed: options.isPrivateAllowed === true,
      resolve: options.resolve,
    });
    this.#listDueAt = world.clock.now();
    this.#turn = this.#takeTurn();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #end(): Promise<void> {
    this.#cancelTurn();
    this.#abort.abort();
    await this.#turn;
    const { self } = this.#world;
    try {
      if (self !== null && this.#lease !== null) {
        await this.#ask('DELETE', `nodes/${encodeURIComponent(self.nodeId)}`, { lease: this.#lease.lease });
      }
    } catch {
      // The lease runs out by itself.
    } finally {
      await this.#web.close();
    }
  }

  /** Keeps the lease and, when it is time, asks who is there. Never rejects. */
  async #takeTurn(): Promise<void> {
    const { clock, limits, random } = this.#world;
    try {
      await this.#keepLease();
      if (clock.now() >= this.#listDueAt) {
        const candidates = await this.#list();
        if (this.#stopped !== null) return;
        this.#listDueAt = clock.now() + limits.discoveryRefreshMs;
        this.#events.onCandidates(candidates);
      }
    } catch (error) {
      if (this.#stopped !== null) return;
      const fault = error instanceof PincerError ? error : new PincerError('DISCOVERY_FAILED', String(error));
      this.#events.onFault(fault);
      return;
    }
    if (this.#stopped !== null) return;
    const beatMs = this.#lease === null ? limits.discoveryRefreshMs : this.#lease.ttlMs / BEATS_PER_LEASE;
    // Earlier by up to a tenth: what started together does not ask together, and no beat is late.
    const delayMs = Math.min(beatMs, limits.discoveryRefreshMs) * (1 - random() / 10);
    this.#cancelTurn = clock.schedule(delayMs, () => {
      this.#turn = this.#takeTurn();
    });
  }

  async #keepLease(): Promise<void> {
    const { self } = this.#world;
    // Who does not listen has nothing to be found at.
    if (self === null || (self.address === undefined && self.url === undefined)) return;
    if (this.#lease !== null) {
      const path = `nodes/${encodeURIComponent(self.nodeId)}/heartbeat`;
      const answer = await this.#ask('POST', path, { lease: this.#lease.lease }, undefined, [404, 409]);
      if (answer.status !== 404 && answer.status !== 409) {
        this.#lease = parse(Lease, answer);
        return;
      }
      // It lapsed, or somebody else has registered the id: say again who is here.
    }
    const { nodeId: id, type, address, url, capabilities, maxTasks, version } = self;
    const { region } = this.#options;
    const registration = { id, type, address, url, capabilities, maxTasks, version, region };
    this.#lease = parse(Lease, await this.#ask('POST', 'nodes', {}, registration));
  }

  async #list(): Promise<readonly Candidate[]> {
    const { region, type } = this.#options;
    const { discoveryCandidatesMax, registryPageMax, registryAnswerBytesMax, registryBodyBytesMax } =
      this.#world.limits;
    // As many as fit into one answer, however much each of them said when it registered.
    const fitting = Math.max(1, Math.floor(registryAnswerBytesMax / registryBodyBytesMax));
    const limit = String(Math.min(registryPageMax, fitting));
    const candidates: Candidate[] = [];
    let cursor: string | undefined;
    do {
      const answer = await this.#ask('GET', 'nodes', { region, type, cursor, limit });
      const page = parse(NodePage, answer);
      candidates.push(...page.nodes.map(({ id, ...rest }) => ({ nodeId: id, ...rest, via: 'registry' })));
      // A registry that does not come to an end would be asked for ever.
      if (page.cursor !== undefined && (page.nodes.length === 0 || page.cursor === cursor)) {
        throw new PincerError('DISCOVERY_FAILED', `the pages of ${this.#base.origin} do not come to an end`);
      }
      cursor = page.cursor;
    } while (cursor !== undefined && candidates.length <= discoveryCandidatesMax);
    return candidates;
  }

  async #ask(
    method: SafeRequest['method'],
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    body?: unknown,
    expected: readonly number[] = [],
  ): Promise<SafeAnswer> {
    const url = new URL(path, this.#base);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    const answer = await this.#web.fetch(url.href, {
      method,
      headers: {
        authorization: `Bearer ${this.#options.apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // What takes leave is not cut short by taking leave.
      ...(method === 'DELETE' ? {} : { signal: this.#abort.signal }),
    });
    const isSuccess = answer.status >= 200 && answer.status < 300;
    if (isSuccess || expected.includes(answer.status)) return answer;
    throw refusalOf(`${method} ${url.origin}${url.pathname}`, answer);
  }
}

function refusalOf(what: string, { status, text }: SafeAnswer): PincerError {
  const { data } = Refusal.safeParse(jsonOf(text));
  const said = data === undefined ? '' : `: ${plainText(data.message)}`;
  const code = status === 401 ? 'UNAUTHENTICATED' : status === 403 ? 'FORBIDDEN' : 'DISCOVERY_FAILED';
  return new PincerError(code, `${what} was answered ${status}${said}`, { retryable: true });
}

function parse<Schema extends z.ZodType>(schema: Schema, { text }: SafeAnswer): z.infer<Schema> {
  const checked = schema.safeParse(jsonOf(text));
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const field = issue?.path.join('.') || 'the whole';
  throw new PincerError('DISCOVERY_FAILED', `the registry’s answer is not valid: ${field}: ${issue?.message}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
