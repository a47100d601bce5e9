/** The registry as a server: where nodes and gateways that are not on one network find each other. One process, one folder. */
import { realPorts } from '../actors/world/real-ports.ts';
import { createWorld, WORLD_OPTIONS, type WorldOptions } from '../actors/world/world.ts';
import { PincerError } from '../protocol/failure.ts';
import { checkOptions, type Names } from '../protocol/options.ts';
import { addressOf, type HttpServer, hostAndPortOf, serveHttp } from '../transport/http-server.ts';
import { checkOpenToken, tokenVerifier } from '../transport/upgrade.ts';
import { createApp } from './app.ts';
import { journalLeases } from './journal.ts';
import { type LeaseStore, memoryLeases } from './lease.ts';
import { LeaseBook } from './lease-book.ts';

/** What `createRegistry` takes. */
export interface RegistryServerOptions extends WorldOptions {
  /** Where to listen, `host:port`; port 0 = any free one. Default `127.0.0.1:0`. Plain HTTP: beyond this machine, put TLS before it. */
  readonly listen?: string;
  /** What clients send as `Authorization: Bearer …`: 1–4096 printable ASCII characters, 16 at least beyond this machine. */
  readonly apiKey: string;
  /** A folder for the leases, made if it is missing; one registry at a time. Default: they end with the process. */
  readonly folder?: string;
  /** How long a registration lasts without a heartbeat, in milliseconds, 1 000 to 86 400 000. Default 30 000. */
  readonly ttlMs?: number;
  /** Said in the OpenAPI document. Default `0`. */
  readonly version?: string;
}

const REGISTRY_OPTIONS: Names<RegistryServerOptions> = {
  listen: true,
  apiKey: true,
  folder: true,
  ttlMs: true,
  version: true,
  ...WORLD_OPTIONS,
};

/** A registry that runs. */
export interface Registry {
  /** `http://127.0.0.1:8443`. */
  readonly url: string;
  /** Leases that have not been found to have run out. */
  readonly size: number;
  /** Answers what is under way, then stops. Idempotent. */
  close(): Promise<void>;
}

const KEY = {
  what: 'key',
  owner: 'registry',
  hint: 'Send `Authorization: Bearer KEY`: `--api-key-file FILE` on the command line, `apiKey` in code.',
};

/** How many times in the life of a lease the registry looks for those that have run out. Lists leave them out at once. */
const SWEEPS_PER_LEASE = 4;

/**
 * Starts a registry. Rejects with `OPTION_INVALID` for an address that is taken or a wrong option, and with
 * `STORE_UNAVAILABLE` for a folder that cannot be used or whose journal is damaged.
 */
export async function createRegistry(options: RegistryServerOptions): Promise<Registry> {
  checkOptions(options, 'createRegistry', 'apiKey, what clients must send', REGISTRY_OPTIONS);
  const world = createWorld(options, realPorts());
  const { clock, ids, log, limits, deadlines } = world;
  const { listen = '127.0.0.1:0', apiKey, folder, ttlMs = limits.registryLeaseMs, version = '0' } = options;
  if (!(Number.isInteger(ttlMs) && ttlMs >= 1_000 && ttlMs <= 86_400_000)) {
    throw new PincerError('OPTION_INVALID', `ttlMs is ${ttlMs}, must be a whole number from 1000 to 86400000`);
  }
  const verifier = tokenVerifier(apiKey, KEY);
  checkOpenToken(apiKey, hostAndPortOf(listen).host, { code: 'OPTION_INVALID', what: 'key' });
  const store: LeaseStore = folder === undefined ? memoryLeases() : journalLeases(folder);
  const book = new LeaseBook({ clock, ids, store, ttlMs, nodesMax: limits.registryNodesMax });
  await book.open();

  const app = createApp({
    book,
    verifier,
    clock,
    log,
    limits,
    ttlMs,
    version,
    addressOf,
  });
  const sweep = (): void => {
    deadlines.set(ttlMs / SWEEPS_PER_LEASE, () => {
      const expired = book.sweep();
      if (expired > 0) log.info('registry.expired', { leases: expired });
      sweep();
    });
  };

  let server: HttpServer;
  try {
    server = await serveHttp({ fetch: app.fetch, listen, clock, limits });
  } catch (error) {
    deadlines.stop();
    await store.close();
    throw error;
  }
  sweep();

  let closed: Promise<void> | null = null;
  return {
    url: server.url,
    get size() {
      return book.size;
    },
    close() {
      deadlines.stop();
      closed ??= server.close().then(() => store.close());
      return closed;
    },
  };
}
