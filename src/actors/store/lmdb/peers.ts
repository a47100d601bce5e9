/**
 * The processes that have one store open, and how they poke each other: each listens on a local socket and says so in the
 * store; who comes later dials those before it. Hints only: what cannot be sent is dropped, and nobody waits for it.
 *
 * A process that cannot listen works all the same, a poll later.
 */
import { rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../../protocol/ports.ts';
import { isHeld, isPipe } from '../../folders/socket-lock.ts';
import type { CommitGate } from './commit-gate.ts';
import type { Databases } from './layout.ts';
import { encodePeerFrame, type PeerFrame, PeerFrameReader } from './peer-frames.ts';
import { makeFolderOf, pathOf } from './peer-path.ts';

/** Processes that one store is told of at most; more than any machine would run. */
const PEERS_MAX = 64;
/** What may wait for a peer that does not read; beyond that it misses hints. */
const WAITING_BYTES_MAX = 8_388_608;
/** How often peers that are not connected are dialled again. */
const REFRESH_MS = 2_000;
/** How long a peer may take to answer before the store is opened without it. */
const HELLO_MS_MAX = 1_000;

interface PeerRow {
  readonly id: string;
  readonly path: string;
}

export interface PeersOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** Its own id. */
  readonly id: string;
  readonly gate: CommitGate;
  /** The longest message. */
  readonly bytesMax: number;
  readonly receive: (frame: PeerFrame) => void;
}

export class Peers {
  readonly #dbs: Databases;
  readonly #options: PeersOptions;
  readonly #self: PeerRow;
  /** One connection to each, whoever dialled. */
  readonly #sockets = new Map<string, Socket>();
  readonly #all = new Set<Socket>();
  #server: Server | null = null;
  #stopRefresh: () => void = () => {};
  #isClosed = false;

  constructor(dbs: Databases, options: PeersOptions) {
    const { id } = options;
    this.#dbs = dbs;
    this.#options = options;
    this.#self = { id, path: pathOf(options.dir, id) };
  }

  /** Listens, and dials those who do. */
  async open(): Promise<void> {
    if (!(await this.#listen())) return;
    const others = await this.#options.gate.within(() =>
      this.#dbs.root.transaction(() => {
        const rows = this.#rows();
        this.#dbs.small.peer.putSync(this.#self.id, this.#self);
        return rows;
      }),
    );
    await Promise.all(others.map((row) => this.#dial(row)));
    this.#refreshLater();
  }

  /** To every peer that can take it. */
  send(frame: PeerFrame): void {
    if (this.#sockets.size === 0 || frame.bytes.byteLength > this.#options.bytesMax) return;
    const bytes = encodePeerFrame(frame);
    for (const socket of this.#sockets.values()) if (socket.writableLength < WAITING_BYTES_MAX) socket.write(bytes);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopRefresh();
    for (const socket of this.#all) socket.destroy();
    const server = this.#server;
    if (server === null) return;
    await new Promise((resolve) => server.close(resolve));
    // On a disk that is full its row stays, until one who dials it finds nobody there.
    await this.#forget(this.#self).catch(() => {});
  }

  async #listen(): Promise<boolean> {
    const server = createServer((socket) => this.#attend(socket, { answers: true }));
    const { path } = this.#self;
    try {
      makeFolderOf(path);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(path, resolve);
      });
    } catch {
      return false;
    }
    server.on('error', () => {}).unref();
    this.#server = server;
    return true;
  }

  #refreshLater(): void {
    this.#stopRefresh = this.#options.clock.schedule(REFRESH_MS, () => {
      // Only one of two dials again, so that they do not meet half-way.
      const lost = this.#rows().filter(({ id }) => id < this.#self.id && !this.#sockets.has(id));
      void Promise.all(lost.map((row) => this.#dial(row))).then(() => {
        if (!this.#isClosed) this.#refreshLater();
      });
    });
  }

  #rows(): PeerRow[] {
    const rows = Array.from(this.#dbs.small.peer.getRange({ limit: PEERS_MAX }), ({ value }) => value as PeerRow);
    return rows.filter(({ id }) => id !== this.#self.id);
  }

  /** Resolves when both sides know each other, or will not. A peer that is not there any more is forgotten. */
  async #dial(row: PeerRow): Promise<void> {
    const socket = createConnection(row.path);
    const failure = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
      socket.once('connect', () => resolve(null)).once('error', resolve);
    });
    if (failure === null) await this.#greet(socket);
    else if (failure.code === 'ENOENT' || failure.code === 'ECONNREFUSED') await this.#forget(row).catch(() => {});
  }

  /** Resolves with the answer to its hello, or when there will be none. */
  async #greet(socket: Socket): Promise<void> {
    this.#attend(socket, { answers: false });
    this.#hello(socket);
    await new Promise<void>((resolve) => {
      const stop = this.#options.clock.schedule(HELLO_MS_MAX, () => resolve());
      const done = (): void => {
        stop();
        resolve();
      };
      socket.once('data', done).once('close', done);
    });
  }

  #attend(socket: Socket, { answers }: { answers: boolean }): void {
    const reader = new PeerFrameReader(this.#options.bytesMax + 65_536);
    this.#all.add(socket);
    socket.unref();
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      const frames = reader.push(chunk);
      if (frames === null) socket.destroy();
      for (const frame of frames ?? []) {
        if (frame.kind !== 'hello') this.#options.receive(frame);
        else {
          this.#know(frame.topic, socket);
          if (answers) this.#hello(socket);
        }
      }
    });
    socket.on('close', () => {
      this.#all.delete(socket);
      for (const [id, known] of this.#sockets) if (known === socket) this.#sockets.delete(id);
    });
    if (this.#isClosed || this.#all.size > 2 * PEERS_MAX) socket.destroy();
  }

  #hello(socket: Socket): void {
    socket.write(encodePeerFrame({ kind: 'hello', topic: this.#self.id, bytes: new Uint8Array(0) }));
  }

  #know(id: string, socket: Socket): void {
    if (!this.#sockets.has(id)) this.#sockets.set(id, socket);
  }

  async #forget({ id, path }: PeerRow): Promise<void> {
    await this.#options.gate.within(() => this.#dbs.root.transaction(() => this.#dbs.small.peer.removeSync(id)));
    if (!isPipe(path)) rmSync(path, { force: true });
  }
}

/** Whether any process has the store of these rows open. */
export async function areAlive(peer: Databases['small']['peer']): Promise<boolean> {
  const rows = Array.from(peer.getRange({}), ({ value }) => value as PeerRow);
  return (await Promise.all(rows.map(({ path }) => isHeld(path)))).includes(true);
}
