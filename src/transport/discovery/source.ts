/**
 * The contract of a discovery source: a node list, the local network, a registry. It names candidates and nothing more.
 * What it says is a hint of unknown origin: nothing is granted before the handshake, and no gateway dials any of it.
 * test/conformance/discovery.ts is this page as a suite.
 */
import { z } from 'zod';
import type { PincerError } from '../../protocol/failure.ts';
import { Capabilities, Identifier } from '../../protocol/identifier.ts';
import type { Limits } from '../../protocol/limits.ts';
import { MaxTasks } from '../../protocol/node.ts';
import type { Clock, Random } from '../../protocol/ports.ts';
import { Address } from './address.ts';

export const CandidateKind = z.enum(['gateway', 'agent', 'channel']);
export type CandidateKind = z.infer<typeof CandidateKind>;

export const GatewayUrl = z
  .string()
  .max(2_048)
  .refine((url) => URL.canParse(url) && ['ws:', 'wss:'].includes(new URL(url).protocol), 'must be a ws: or wss: URL');

export const Region = Identifier;

export const Version = z.string().regex(/^[\x20-\x7e]{1,64}$/, 'must be 1–64 printable ASCII characters');

export const Candidate = z.strictObject({
  nodeId: Identifier,
  type: CandidateKind,
  /** `host:port`, where it listens. Nodes that only dial may have none. */
  address: Address.optional(),
  /** What to dial, for gateways; `ws://address` unless it says otherwise. */
  url: GatewayUrl.optional(),
  /** Claimed, not granted. */
  capabilities: Capabilities,
  maxTasks: MaxTasks.optional(),
  version: Version.optional(),
  region: Region.optional(),
  /** The kind of source that names it: `static`, `mdns`, `registry`, `memory`. */
  via: Identifier,
});
/** A node or gateway that a discovery source has named. Every field is a claim. */
export type Candidate = Readonly<z.infer<typeof Candidate>>;

/** What a gateway or node may be announced as, by sources that announce. */
export interface Self {
  readonly nodeId: string;
  readonly type: CandidateKind;
  /** Where it listens, `host:port`. Without one it is not announced over mDNS. */
  readonly address?: string | undefined;
  readonly url?: string | undefined;
  readonly capabilities: readonly string[];
  readonly maxTasks?: number | undefined;
  readonly version?: string | undefined;
}

/** What a source is given when it starts. */
export interface SourceWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  /** Whom to announce, and whom not to discover; null for somebody who only looks. */
  readonly self: Self | null;
}

/** What a source says. */
export interface SourceEvents {
  /** All it knows at present, in any order, as often as it likes. The first call says that it works, a later one that it works again. */
  onCandidates(candidates: readonly Candidate[]): void;
  /** It cannot see at present. It may mend itself (and call `onCandidates`), or be stopped and started anew. */
  onFault(error: PincerError): void;
  /** It has left something out that it heard: over a limit, malformed, or not to be trusted. */
  onDropped(reason: string): void;
}

/** One start of a source. */
export interface SourceRun {
  /** Takes back what was announced, and lets go of every socket, file and timer. Idempotent. */
  stop(): Promise<void>;
}

/** Somewhere to hear of nodes and gateways. Make one with `staticNodes`, `mdnsNodes`, `registryNodes` or `memoryNodes`. */
export interface DiscoverySource {
  /** What it is, as candidates name it in `via`. */
  readonly kind: string;
  /** Begins to look. What it throws counts as a fault. */
  start(events: SourceEvents, world: SourceWorld): SourceRun;
}
