/**
 * The store on disk: an embedded LMDB database in a directory, which any number of processes of one machine may share.
 * Nothing that decides anything is kept in a process. Every promise of a change resolves when the change is on the disk.
 */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { PincerError } from '../../../protocol/failure.ts';
import type { AttemptRef } from '../../../protocol/identifier.ts';
import { givenLimits } from '../../../protocol/limit-relations.ts';
import { defaultLimits, type Limits } from '../../../protocol/limits.ts';
import { checkOptions, type Names } from '../../../protocol/options.ts';
import type { Clock, Ids } from '../../../protocol/ports.ts';
import { realPorts } from '../../world/real-ports.ts';
import type { Note } from '../attempts.ts';
import type * as contract from '../store.ts';
import { copyOf } from '../task-row.ts';
import { VerbStore } from '../verb-store.ts';
import type { Hints, Verbs } from '../verbs.ts';
import { CommitGate } from './commit-gate.ts';
import { type Databases, notOpened, openDatabases } from './databases.ts';
import type { LmdbRow } from './head.ts';
import type { PeerFrame } from './peer-frames.ts';
import { Peers } from './peers.ts';
import { bootId } from './store-time.ts';
import { threadedStore } from './threaded-store.ts';
import { Transactions } from './transactions.ts';

const KIND = 'lmdb';
/** What Node can start as a thread. There is none where Pincer runs from its sources, or was made part of another file. */
function threadEntry(): URL | null {
  // A bundle of CommonJS does not know where it is.
  const { url } = import.meta as Partial<ImportMeta>;
  const entry = url === undefined ? null : new URL('./thread-entry.js', url);
  return entry !== null && existsSync(entry) ? entry : null;
}

/** How an LMDB store is made. Everything has a default. */
export interface LmdbStoreOptions {
  /** Limits that are left out keep their defaults (docs/limits.md). Those of the store, not those of its gateway, count for it. */
  readonly limits?: Partial<Limits> | undefined;
  /** `now` must be the same in every process that opens the directory, as that of `systemClock`, the default, is. */
  readonly clock?: Clock | undefined;
  /** Default: `crypto.randomUUID`. */
  readonly ids?: Ids | undefined;
  /** For tests that need no safe disk: nothing is flushed, and a crash of the machine may lose all. Default false. */
  readonly noSync?: boolean | undefined;
  /**
   * Whether the store works in a thread of its own, so that whoever calls it does not do its work: for a gateway with cores
   * to spare. Both together take more. Default false; false, too, where `clock` or `ids` are given, which cannot be handed
   * over, and where the file of the thread is not there, as in a bundle.
   */
  readonly thread?: boolean | undefined;
}

const LMDB_STORE_OPTIONS: Names<LmdbStoreOptions> = {
  limits: true,
  clock: true,
  ids: true,
  noSync: true,
  thread: true,
};

/**
 * A store in a directory of this machine, for `createGateway({ store })`; several processes may have the same directory.
 * It is made, with access for its owner alone, when the gateway opens the store. Not on a network drive: LMDB needs the
 * locks of a local one.
 *
 * Opening rejects with `STORE_UNSUPPORTED` where there is no build of the `lmdb` package, `STORE_INCOMPATIBLE` if another
 * version of Pincer wrote the directory, and `STORE_UNAVAILABLE` if it cannot be used; so does each call later on, while
 * the disk is full or gone, and nothing of what was acknowledged is lost by that.
 * @throws PincerError `OPTION_INVALID` for a directory without a name, and for options or limits that there are not
 */
export function lmdbStore(dir: string, options: LmdbStoreOptions = {}): contract.Store {
  if (typeof dir !== 'string')
    throw new PincerError('OPTION_INVALID', `lmdbStore: the directory is ${dir}, must be text`);
  if (dir.trim() === '') throw new PincerError('OPTION_INVALID', 'lmdbStore: the directory is empty, must be named');
  checkOptions(options, 'lmdbStore', 'options, or nothing', LMDB_STORE_OPTIONS);
  givenLimits(options.limits);
  const { clock, ids, limits, noSync, thread = false } = options;
  const entry = thread && clock === undefined && ids === undefined ? threadEntry() : null;
  if (entry === null) return new LmdbStore(dir, options);
  return threadedStore({
    kind: KIND,
    clock: realPorts().clock,
    start: () => {
      const worker = new Worker(entry, { workerData: { dir, options: { limits, noSync } } });
      // Whoever has the store in the same thread dies of its faults, too.
      worker.on('error', (error) => {
        throw error;
      });
      return worker;
    },
  });
}

const READER_CHECK_MS = 60_000;

interface Opened {
  readonly dbs: Databases;
  readonly transactions: Transactions;
  readonly peers: Peers;
  readonly gate: CommitGate;
}

export class LmdbStore extends VerbStore<LmdbRow> {
  readonly kind = KIND;
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #options: LmdbStoreOptions;
  #opening: Promise<void> | null = null;
  #opened: Opened | null = null;
  #stopCare: () => void = () => {};

  constructor(dir: string, options: LmdbStoreOptions) {
    const { clock, ids } = { ...realPorts(), ...given(options) };
    super(clock, ids);
    this.#clock = clock;
    this.#dir = dir;
    this.#options = options;
  }

  open(): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    const { noSync } = this.#options;
    const limits = { ...defaultLimits, ...this.#options.limits };
    const dbs = await openDatabases(this.#dir, { noSync });
    const id = realPorts().ids();
    const gate = await this.#gateFor(dbs, id);
    const peers = new Peers(dbs, {
      ...{ dir: this.#dir, clock: this.#clock, id, gate, bytesMax: limits.frameBytesMax },
      receive: (frame) => this.#hear(frame),
    });
    const transactions = new Transactions(dbs, {
      ...{ clock: this.#clock, boot: bootId(), writer: realPorts().ids(), limits, gate },
      tell: (hints) => {
        this.tell(hints);
        for (const frame of framesOf(hints)) peers.send(frame);
      },
    });
    this.#opened = { dbs, transactions, peers, gate };
    this.#lookAfter(dbs);
    try {
      await peers.open();
    } catch (error) {
      await this.#close();
      throw notOpened(this.#dir, error);
    }
  }

  async #gateFor(dbs: Databases, id: string): Promise<CommitGate> {
    try {
      return new CommitGate(this.#dir, id);
    } catch (error) {
      await dbs.root.close();
      throw notOpened(this.#dir, error);
    }
  }

  /** Lets go of the snapshots of processes that were killed while they read: the file would grow and grow. Opening does so too. */
  #lookAfter(dbs: Databases): void {
    this.#stopCare = this.#clock.schedule(READER_CHECK_MS, () => {
      dbs.root.readerCheck();
      this.#lookAfter(dbs);
    });
  }

  async close(): Promise<void> {
    // One that is being opened cannot be closed yet; why it could not be opened is told to who opened it.
    await this.#opening?.catch(() => {});
    this.#opening = null;
    await this.#close();
  }

  async #close(): Promise<void> {
    const opened = this.#opened;
    if (opened === null) return;
    this.#opened = null;
    this.#stopCare();
    await opened.transactions.rest();
    await opened.peers.close();
    await opened.dbs.root.close();
    opened.gate.close();
  }

  // A verb is performed when its turn comes: bytes that the caller may have overwritten by then are copied now.

  override submit(tasks: readonly contract.NewTask[]): Promise<readonly contract.SubmitVerdict[]> {
    return super.submit(tasks.map((task) => ({ ...task, payload: copyOf(task.payload) })));
  }

  override complete(completions: readonly contract.Completion[]): Promise<readonly contract.CompletionVerdict[]> {
    return super.complete(
      completions.map((each) => (each.result === undefined ? each : { ...each, result: copyOf(each.result) })),
    );
  }

  override checkpoint(entries: readonly (AttemptRef & { readonly data: Uint8Array })[]): Promise<readonly boolean[]> {
    return super.checkpoint(entries.map((entry) => ({ ...entry, data: copyOf(entry.data) })));
  }

  override putNodes(gateway: string, nodes: readonly contract.NodeEntry[]): Promise<readonly (number | null)[] | null> {
    return super.putNodes(
      gateway,
      nodes.map((node) => ({ ...node, view: copyOf(node.view) })),
    );
  }

  override putSchedule(schedule: contract.Schedule): Promise<void> {
    const { task } = schedule;
    return super.putSchedule({ ...schedule, task: { ...task, payload: copyOf(task.payload) } });
  }

  override note(entries: readonly Note[]): void {
    this.#opened?.transactions.note(entries);
  }

  publish(topic: string, bytes: Uint8Array): void {
    if (this.#opened === null) return;
    if (this.topics.has(topic)) this.topics.publish(topic, copyOf(bytes));
    this.#opened.peers.send({ kind: 'message', topic, bytes });
  }

  protected async change<Answer>(verb: (verbs: Verbs<LmdbRow>) => Answer, isLast = false): Promise<Answer> {
    return this.#present().transactions.change(verb, isLast);
  }

  protected async read<Answer>(verb: (verbs: Verbs<LmdbRow>) => Answer): Promise<Answer> {
    return this.#present().transactions.read(verb);
  }

  /** Another process of the store has said something. */
  #hear({ kind, topic, bytes }: PeerFrame): void {
    if (kind === 'message') this.topics.publish(topic, bytes);
    if (kind === 'ready') this.tell({ ready: listOf(bytes), settled: [] });
    if (kind === 'settled') this.tell({ ready: [], settled: listOf(bytes) });
  }

  #present(): Opened {
    if (this.#opened === null) throw new PincerError('STORE_UNAVAILABLE', `the store in ${this.#dir} is not open`);
    return this.#opened;
  }
}

/** Ports that are given, without those that are not: a spread must not replace a default by undefined. */
function given({ clock, ids }: LmdbStoreOptions): { clock?: Clock; ids?: Ids } {
  return { ...(clock === undefined ? {} : { clock }), ...(ids === undefined ? {} : { ids }) };
}

/** Names in one frame. */
const NAMES_MAX = 1_000;

function framesOf({ ready, settled }: Hints): PeerFrame[] {
  return [...framesOfNames('ready', ready), ...framesOfNames('settled', settled)];
}

function framesOfNames(kind: 'ready' | 'settled', names: readonly string[]): PeerFrame[] {
  const frames: PeerFrame[] = [];
  for (let at = 0; at < names.length; at += NAMES_MAX) {
    frames.push({ kind, topic: '', bytes: Buffer.from(JSON.stringify(names.slice(at, at + NAMES_MAX))) });
  }
  return frames;
}

/** What a peer has listed; nothing if it is not a list of names. */
function listOf(bytes: Uint8Array): string[] {
  try {
    const names: unknown = JSON.parse(Buffer.from(bytes).toString());
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  } catch {
    return [];
  }
}
