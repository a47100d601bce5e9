/** Runs each handler where its registration says: here, or in an isolate that this node opens when it first needs it. */
import type { World } from '../world/world.ts';
import { type Ended, type Isolation, type Registration, type Run, runHandler } from './runner.ts';

export class Isolations {
  readonly #world: Pick<World, 'clock' | 'log' | 'limits'>;
  readonly #open = new Map<string, Isolation>();

  constructor(world: Pick<World, 'clock' | 'log' | 'limits'>) {
    this.#world = world;
  }

  /** Runs one attempt: how its handler ended, at once or when it really has. Never throws or rejects. */
  run(registration: Registration, run: Run): Ended | Promise<Ended> {
    if ('handler' in registration) return runHandler(registration, run);
    const { definition, isolation } = registration;
    let open = this.#open.get(isolation.key);
    if (open === undefined) {
      open = isolation.open(this.#world);
      this.#open.set(isolation.key, open);
    }
    return open.run(definition.type, run);
  }

  /** Ends what is idle now, and what runs as soon as it has ended. */
  async stop(): Promise<void> {
    await Promise.all([...this.#open.values()].map((isolation) => isolation.stop()));
  }
}
