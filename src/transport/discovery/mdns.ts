/**
 * The local network as a discovery source: announces who it belongs to, and hears who announces themselves. Anybody on
 * the network can say anything, so what is heard is bounded by count, rate and sender, and is believed for a while only.
 */
import { networkInterfaces } from 'node:os';
import { PincerError } from '../../protocol/failure.ts';
import { checkOptions, type Names } from '../../protocol/options.ts';
import { TokenBucket } from '../token-bucket.ts';
import { isNearby, splitAddress } from './address.ts';
import { type Advert, type DnsRecord, type DnsResponse, readAdverts, recordsOf, SERVICE_NAME } from './mdns-adverts.ts';
import { type MdnsSocket, openMdnsSocket } from './mdns-socket.ts';
import type { Candidate, DiscoverySource, SourceEvents, SourceRun, SourceWorld } from './source.ts';

/** What `mdnsNodes` may be told. */
export interface MdnsOptions {
  /** The IPv4 address of the interface to speak and listen on. Default 127.0.0.1: this machine alone. */
  readonly interface?: string | undefined;
  /** Also hear senders that are neither on this machine nor at a private address, and link-local ones. Default false. */
  readonly isForeignHeard?: boolean | undefined;
  /** The UDP port of mDNS. Default 5353; another one makes a network of its own. */
  readonly port?: number | undefined;
}

const MDNS_OPTIONS: Names<MdnsOptions> = { interface: true, isForeignHeard: true, port: true };

/** Intervals between the first questions and announcements; after them, `discoveryRefreshMs`. */
const FIRST_REPEATS_MS = [1_000, 2_000, 4_000, 8_000];
/** How long what was heard may lie before it is told: packets come in bursts. */
const SETTLE_MS = 100;

/** The local network as a source, by multicast DNS: service type `openclaw`. Off unless it is asked for. */
export function mdnsNodes(options: MdnsOptions = {}): DiscoverySource {
  checkOptions(options, 'mdnsNodes', 'options, or nothing', MDNS_OPTIONS);
  return { kind: 'mdns', start: (events, world) => new MdnsRun(options, events, world) };
}

interface Heard {
  readonly candidate: Candidate;
  readonly sender: string;
  readonly expiresAt: number;
}

class MdnsRun implements SourceRun {
  readonly #events: SourceEvents;
  readonly #world: SourceWorld;
  readonly #address: string;
  readonly #isForeignHeard: boolean;
  readonly #own: ReadonlySet<string>;
  readonly #packets: TokenBucket;
  readonly #socket: MdnsSocket;
  readonly #records: readonly DnsRecord[];
  readonly #heard = new Map<string, Heard>();
  #congestedUntil = 0;
  #wasCongested = false;
  #isReady = false;
  #repeats = 0;
  /** Whether a question of our own has come back since the last one was asked: proof that multicast works. */
  #hasEcho = false;
  #isWatching = false;
  #cancelRepeat: () => void = () => {};
  #cancelTell: (() => void) | null = null;
  #stopped: Promise<void> | null = null;

  constructor(options: MdnsOptions, events: SourceEvents, world: SourceWorld) {
    const { interface: address = '127.0.0.1', isForeignHeard = false, port = 5_353 } = options;
    const { clock, limits } = world;
    this.#events = events;
    this.#world = world;
    this.#address = address;
    this.#isForeignHeard = isForeignHeard;
    this.#own = ownAddresses();
    this.#packets = new TokenBucket(limits.discoveryPacketsPerSecondMax, clock.now());
    this.#records = this.#ownRecords();
    if (!this.#own.has(address)) throw this.#failure(`this machine has no interface with the address ${address}`);
    this.#socket = openMdnsSocket({
      address,
      port,
      admit: () => this.#admit(),
      onReady: () => {
        this.#isReady = true;
        this.#repeat();
      },
      onResponse: (response, sender) => this.#hear(response, sender),
      onQuestion: (sender) => this.#hearQuestion(sender),
      onDropped: (why) => this.#events.onDropped(why),
      onFault: (error) => this.#fail(error.message),
    });
  }

  async stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #end(): Promise<void> {
    this.#cancelRepeat();
    this.#cancelTell?.();
    if (this.#isReady && this.#records.length > 0) await this.#socket.withdraw(this.#records);
    await this.#socket.close();
  }

  #ownRecords(): readonly DnsRecord[] {
    const { self } = this.#world;
    const listening = self?.address === undefined ? null : splitAddress(self.address);
    // Who does not listen cannot be dialled, and has nothing to announce.
    if (self === null || listening === null) return [];
    const { records, isWhole } = recordsOf(self, this.#address, listening.port);
    if (!isWhole) this.#events.onDropped('capabilities that do not fit into a TXT record');
    return records;
  }

  /** Asks and announces: often at first, then as often as what was heard needs it. */
  #repeat(): void {
    if (this.#stopped !== null) return;
    const { clock, limits } = this.#world;
    const why = this.#impairment();
    if (why !== null) {
      this.#fail(why);
      return;
    }
    this.#hasEcho = false;
    this.#socket.ask(SERVICE_NAME);
    if (this.#records.length > 0) this.#socket.announce(this.#records);
    this.#forgetStale();
    const delayMs = FIRST_REPEATS_MS[this.#repeats] ?? limits.discoveryRefreshMs;
    this.#repeats += 1;
    this.#cancelRepeat = clock.schedule(delayMs, () => this.#repeat());
  }

  /** Why it cannot hear the network, or null. Where packets had to be dropped, the missing echo may be one of them. */
  #impairment(): string | null {
    if (!ownAddresses().has(this.#address)) return `the interface ${this.#address} is gone`;
    const isDeaf = this.#isWatching && !this.#hasEcho && !this.#wasCongested;
    this.#wasCongested = false;
    return isDeaf ? 'its own questions do not come back: multicast does not work here' : null;
  }

  #admit(): boolean {
    const now = this.#world.clock.now();
    // An empty bucket is left alone until it has refilled: what is dropped costs nothing.
    if (now < this.#congestedUntil) {
      this.#wasCongested = true;
      return false;
    }
    this.#congestedUntil = now + this.#packets.take(1, now);
    return true;
  }

  #hearQuestion(sender: string): void {
    if (!this.#own.has(sender)) return;
    this.#hasEcho = true;
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#tellSoon();
  }

  #hear(response: DnsResponse, sender: string): void {
    if (!this.#isForeignHeard && !this.#own.has(sender) && !isNearby(sender)) {
      this.#events.onDropped('a sender that is link-local or foreign');
      return;
    }
    const adverts = readAdverts(response, sender);
    for (const advert of adverts) this.#take(advert, sender);
    if (adverts.length > 0) this.#tellSoon();
  }

  #take(advert: Advert, sender: string): void {
    switch (advert.type) {
      case 'malformed':
        this.#events.onDropped(advert.why);
        break;
      case 'down':
        // Only who has announced a node can take it back.
        for (const [key, heard] of this.#heard) {
          if (heard.sender === sender && heard.candidate.nodeId === advert.nodeId) this.#heard.delete(key);
        }
        break;
      case 'up':
        this.#keep(advert.candidate, advert.ttlMs, sender);
    }
  }

  #keep(candidate: Candidate, ttlMs: number, sender: string): void {
    if (candidate.nodeId === this.#world.self?.nodeId) return;
    const key = `${candidate.nodeId}@${candidate.address}`;
    if (this.#heard.has(key) || this.#hasRoom(sender)) {
      const { clock, limits } = this.#world;
      const expiresAt = clock.now() + Math.min(ttlMs, limits.discoveryStaleMs);
      this.#heard.set(key, { candidate, sender, expiresAt });
    } else this.#events.onDropped('more adverts than are kept');
  }

  #hasRoom(sender: string): boolean {
    const { discoveryCandidatesMax, discoveryPerAddressMax } = this.#world.limits;
    if (this.#heard.size >= discoveryCandidatesMax) return false;
    let ofSender = 0;
    for (const heard of this.#heard.values()) if (heard.sender === sender) ofSender += 1;
    return ofSender < discoveryPerAddressMax;
  }

  #forgetStale(): void {
    const now = this.#world.clock.now();
    for (const [key, { expiresAt }] of this.#heard) {
      if (expiresAt > now) continue;
      this.#heard.delete(key);
      this.#tellSoon();
    }
  }

  #tellSoon(): void {
    if (!this.#isWatching || this.#stopped !== null || this.#cancelTell !== null) return;
    this.#cancelTell = this.#world.clock.schedule(SETTLE_MS, () => {
      this.#cancelTell = null;
      this.#events.onCandidates([...this.#heard.values()].map(({ candidate }) => candidate));
    });
  }

  #fail(why: string): void {
    if (this.#stopped === null) this.#events.onFault(this.#failure(why));
  }

  #failure(why: string): PincerError {
    return new PincerError('DISCOVERY_FAILED', `on ${this.#address}: ${why}`);
  }
}

function ownAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .map(({ address }) => address),
  );
}
