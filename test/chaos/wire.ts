/** A wire: a TCP proxy on loopback whose links can be cut, slowed, or made deaf in one direction or both. */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What happens to bytes. `lost`: read and thrown away, as behind a cable that is out; `held`: not even read. */
export type Direction = 'pass' | 'lost' | 'held';

export interface Weather {
  /** From who dials to whom it dials. */
  readonly out: Direction;
  /** And back. */
  readonly back: Direction;
  /** How long each piece takes, in milliseconds. */
  readonly delayMs: number;
}

const FAIR: Weather = { out: 'pass', back: 'pass', delayMs: 0 };

export class Wire {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #weather: Weather = FAIR;
  /** Set once bytes were thrown away: what comes after them on the same link would be nonsense. */
  #hasLost = false;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** Listens at a free port of loopback, and passes on to `target`. */
  static start(target: number): Promise<Wire> {
    const server = createServer({ pauseOnConnect: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        const wire = new Wire(server, typeof address === 'object' ? (address?.port ?? 0) : 0);
        server.on('connection', (near) => wire.#join(near, connect(target, '127.0.0.1')));
        resolve(wire);
      });
    });
  }

  /** Links that are open. */
  get links(): number {
    return this.#pairs.size;
  }

  /** Ends every link that is open, without a word. New ones may be made at once. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.destroy();
      far.destroy();
    }
    this.#pairs.clear();
    this.#hasLost = false;
  }

  /** Changes the weather, for links that are open and for new ones. */
  turn(weather: Partial<Weather>): void {
    this.#weather = { ...FAIR, ...weather };
    for (const pair of this.#pairs) this.#apply(pair);
  }

  /** Fair again. Links that bytes were lost from are cut, as their ends would find out for themselves in time. */
  heal(): void {
    if (this.#hasLost) this.cut();
    this.turn({});
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(near: Socket, far: Socket): void {
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    const end = (): void => {
      near.destroy();
      far.destroy();
      this.#pairs.delete(pair);
    };
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    this.#carry(near, far, 'out');
    this.#carry(far, near, 'back');
    this.#apply(pair);
  }

  #carry(from: Socket, to: Socket, way: 'out' | 'back'): void {
    // Pieces of one direction arrive in order, however their delays change.
    let last = Promise.resolve();
    from.on('data', (piece) => {
      if (this.#weather[way] === 'lost') {
        this.#hasLost = true;
        return;
      }
      const { delayMs } = this.#weather;
      if (delayMs === 0) {
        last = last.then(() => void to.write(piece));
        return;
      }
      const due = new Promise<void>((resolve) => setTimeout(resolve, delayMs));
      last = last.then(() => due).then(() => void (to.destroyed || to.write(piece)));
    });
    from.on('end', () => void last.then(() => to.end()));
  }

  #apply([near, far]: readonly [Socket, Socket]): void {
    const { out, back } = this.#weather;
    if (out === 'held') near.pause();
    else near.resume();
    if (back === 'held') far.pause();
    else far.resume();
  }
}
